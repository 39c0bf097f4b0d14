// One machine, end to end: fleetctl, fleetd, SQLite, flotilla-init.
#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Fleet : public FleetTest {};

TEST_F(Fleet, AUnitGoesThroughItsWholeLife) {
  const std::string on = std::string(" on ") + kMachineTail + "\n";
  root().write("hello.service", counting_unit("hello"));
  EXPECT_THAT(fleetctl({"submit", "hello.service"}),
              Answers(0, "Unit hello.service inactive\n", ""));
  EXPECT_THAT(fleetctl({"list-unit-files"}),
              Answers(0,
                      AllOf(StartsWith("UNIT\t\tHASH\tDSTATE\t\tSTATE\t\tTARGET\nhello.service\t"),
                            HasSubstr("\tinactive\tinactive\t-\n")),
                      ""));
  EXPECT_THAT(fleetctl({"list-units"}), Answers(0, "UNIT\tMACHINE\tACTIVE\tSUB\tUPTIME\n", ""));
  EXPECT_THAT(fleetctl({"load", "hello.service"}),
              Answers(0, "Unit hello.service loaded" + on, ""));
  EXPECT_TRUE(wait_for_units({std::string("hello.service ") + kMachineTail + " inactive dead"}))
      << ::testing::PrintToString(units());
  EXPECT_THAT(starts("hello"), IsEmpty());
  EXPECT_THAT(fleetctl({"start", "hello.service"}),
              Answers(0, "Unit hello.service launched" + on, ""));
  EXPECT_TRUE(wait_for_start("hello"));
  EXPECT_TRUE(wait_for_units({std::string("hello.service ") + kMachineTail + " active running"}));
  EXPECT_EQ(machine_.state("hello.service"), "active running success");
  EXPECT_THAT(fleetctl({"start", "hello.service"}), Answers(0, "", ""));

  EXPECT_THAT(fleetctl({"cat", "hello.service"}), Answers(0, counting_unit("hello"), ""));
  EXPECT_THAT(
      fleetctl({"status", "hello.service"}),
      Answers(0, AllOf(StartsWith("● hello.service"), HasSubstr("Active: active (running) since ")),
              ""));
  EXPECT_TRUE(wait_until([&] {
    return fleetctl({"journal", "hello"}).out.find(": hello\n") != std::string::npos;
  })) << fleetctl({"journal", "hello"});
  EXPECT_THAT(fleetctl({"list-machines"}),
              Answers(0, "MACHINE\t\tIP\t\tMETADATA\n113f16a7...\t192.0.2.10\tregion=north\n", ""));

  EXPECT_THAT(fleetctl({"stop", "hello.service"}),
              Answers(0, "Unit hello.service loaded" + on,
                      "Successfully stopped units [hello.service].\n"));
  EXPECT_TRUE(wait_for_units({std::string("hello.service ") + kMachineTail + " inactive dead"}));
  EXPECT_EQ(fleetctl({"status", "hello.service"}).exit_code, 3);
  EXPECT_THAT(fleetctl({"unload", "hello.service"}),
              Answers(0, "Unit hello.service inactive\n",
                      "Successfully unloaded units [hello.service].\n"));
  EXPECT_TRUE(wait_for_units({}));
  EXPECT_THAT(fleetctl({"destroy", "hello.service"}), Answers(0, "Destroyed hello.service\n", ""));
  EXPECT_THAT(fleetctl({"list-unit-files", "--no-legend"}), Answers(0, "", ""));
  EXPECT_THAT(starts("hello"), SizeIs(1));
  EXPECT_FALSE(root().has("run/fleet/units/hello.service"));
}

TEST_F(Fleet, StartOfAFileDoesAllAtOnceAndDestroyEndsIt) {
  root().write("a.service", counting_unit("a"));
  EXPECT_THAT(fleetctl({"start", "a.service"}),
              Answers(0,
                      std::string("Unit a.service inactive\nUnit a.service launched on ") +
                          kMachineTail + "\n",
                      ""));
  ASSERT_TRUE(wait_for_start("a"));
  const pid_t pid = machine_.main_pid("a.service");
  EXPECT_THAT(fleetctl({"destroy", "a"}), Answers(0, "Destroyed a.service\n", ""));
  EXPECT_TRUE(wait_until([&] { return !is_alive(pid); }));
  EXPECT_TRUE(wait_for_units({}));
}

TEST_F(Fleet, TemplatesGlobalsAndConflicts) {
  root().write("web@.service", "[Service]\nExecStart=" FLOTILLA_PROBE " --append=" +
                                   (root() / "starts-web%i") + "\n");
  root().write("everywhere.service", counting_unit("everywhere", "Global=true\n"));
  root().write("one.service", counting_unit("one", "Conflicts=two.service\n"));
  root().write("two.service", counting_unit("two"));
  root().write("elsewhere.service", counting_unit("elsewhere", "MachineMetadata=region=south\n"));
  EXPECT_THAT(fleetctl({"submit", "web@.service"}), Answers(0, "Unit web@.service inactive\n", ""));
  EXPECT_EQ(fleetctl({"start", "web@1", "web@2"}).exit_code, 0);
  EXPECT_TRUE(wait_for_start("web1"));
  EXPECT_TRUE(wait_for_start("web2"));
  EXPECT_THAT(fleetctl({"start", "everywhere.service"}),
              Answers(0, HasSubstr("Triggered global unit everywhere.service start\n"), ""));
  EXPECT_TRUE(wait_for_start("everywhere"));
  EXPECT_EQ(fleetctl({"start", "one.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_start("one"));
  EXPECT_EQ(fleetctl({"start", "--no-block", "two.service", "elsewhere.service"}).exit_code, 0);
  const std::string up = std::string(" ") + kMachineTail + " active running";
  EXPECT_TRUE(wait_for_units(
      {"everywhere.service" + up, "one.service" + up, "web@1.service" + up, "web@2.service" + up}))
      << ::testing::PrintToString(units());
  // As soon as the conflict is gone the other is scheduled.
  EXPECT_EQ(fleetctl({"destroy", "one.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_start("two"));
  EXPECT_THAT(starts("elsewhere"), IsEmpty());
  EXPECT_THAT(fleetctl({"list-unit-files", "--no-legend", "--fields=unit,dstate,state"}).out,
              HasSubstr("elsewhere.service\tlaunched\tinactive"));
}

TEST_F(Fleet, SaysClearlyWhatCannotBe) {
  EXPECT_THAT(fleetctl({"start", "none.service"}), Answers(1, "", HasSubstr("none.service")));
  EXPECT_THAT(fleetctl({"status", "none.service"}), Answers(1, "", HasSubstr("none.service")));
  EXPECT_THAT(fleetctl({"cat", "none.service"}), Answers(1, "", HasSubstr("none.service")));
  EXPECT_EQ(fleetctl({"nonsense"}).exit_code, 2);
  root().write("bad.service", "[Service\nExecStart=/bin/true\n");
  EXPECT_THAT(fleetctl({"submit", "bad.service"}), Answers(1, "", HasSubstr("bad.service")));
  root().write("missing.service", "[Service]\nType=exec\nExecStart=/no/such/program\n");
  EXPECT_THAT(fleetctl({"start", "missing.service"}),
              Answers(1, HasSubstr("Unit missing.service launched on "),
                      HasSubstr("Failed to find an active unit missing.service within 2s")));
  EXPECT_TRUE(wait_for_units({std::string("missing.service ") + kMachineTail + " failed failed"}))
      << ::testing::PrintToString(units());
}

TEST_F(Fleet, ServesTheApiOfFleetOverPlainHttp) {
  const std::string unit =
      R"({"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":")" FLOTILLA_PROBE
      " --append=" +
      (root() / "starts-raw") + R"("}]})";
  EXPECT_EQ(http("PUT", "/units/raw.service", unit), "201\n");
  EXPECT_TRUE(wait_for_start("raw"));
  EXPECT_TRUE(wait_until([&] {
    return http("GET", "/state/raw.service").find("\"systemdSubState\":\"running\"") !=
           std::string::npos;
  })) << http("GET", "/state/raw.service");
  EXPECT_THAT(http("GET", "/units/raw.service"),
              AllOf(StartsWith("200\n"), HasSubstr("\"currentState\":\"launched\""),
                    HasSubstr(std::string("\"machineID\":\"") + kMachineId + "\"")));
  EXPECT_THAT(http("GET", "/machines"),
              AllOf(StartsWith("200\n"), HasSubstr("\"primaryIP\":\"192.0.2.10\"")));
  EXPECT_THAT(http("GET", "/units/none.service"), StartsWith("404\n"));
  EXPECT_THAT(http("PUT", "/units/bad.service", "{"), StartsWith("400\n"));
  EXPECT_THAT(http("PUT", "/units/bad.service", R"({"name":"other.service"})"),
              StartsWith("400\n"));
  EXPECT_THAT(http("PUT", "/units/x.service", R"({"desiredState":"nonsense"})"), StartsWith("4"));
  EXPECT_THAT(http("POST", "/units"), StartsWith("405\n"));
  EXPECT_THAT(http("GET", "/nonsense"), StartsWith("404\n"));
  EXPECT_EQ(http("DELETE", "/units/raw.service"), "204\n");
  EXPECT_TRUE(wait_for_units({}));
  EXPECT_THAT(http("DELETE", "/units/raw.service"), StartsWith("404\n"));
}

TEST_F(Fleet, DescribesItselfToGeneratorsOfClients) {
  EXPECT_THAT(
      run_command({"python3", FLOTILLA_SOURCE_DIR "/tests/system/discovery_client.py", socket()}),
      Answers(0,
              "fleet.Unit.Set 201\nfleet.Unit.Get 200\nfleet.Unit.List 200\n"
              "fleet.UnitState.Get 200\nfleet.UnitState.List 200\n"
              "fleet.Machine.List 200\nfleet.Unit.Delete 204\nfleet.Unit.List 200\n",
              ""));
}

TEST_F(Fleet, SurvivesARestartOfTheWholeMachine) {
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  ASSERT_EQ(machine_.stop(), 0);
  machine_.start();
  ASSERT_EQ(machine_.systemctl({"start", "fleetd"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return starts("a").size() == 2; })) << all_logs();
  EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " active running"}));
}

}  // namespace
}  // namespace flotilla::system_test
