// The verbs that fleet's fleetctl did not have, or had broken, on a real machine.
#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class FleetVerbs : public FleetTest {
 protected:
  const std::string on_machine = std::string(" on ") + kMachineTail + "\n";

  bool wait_for_starts(const std::string& name, size_t count) const {
    return wait_until([&] { return starts(name).size() == count; });
  }
};

TEST_F(FleetVerbs, RestartRestartsOnce) {
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  const pid_t before = machine_.main_pid("a.service");
  EXPECT_THAT(fleetctl({"restart", "a"}), Answers(0, "Unit a.service launched" + on_machine,
                                                  HasSubstr(": Unit(a.service) was restarted.\n")));
  EXPECT_TRUE(wait_for_starts("a", 2));
  EXPECT_NE(machine_.main_pid("a.service"), before);
  EXPECT_EQ(machine_.state("a.service"), "active running success");

  ASSERT_EQ(fleetctl({"stop", "a"}).exit_code, 0);
  EXPECT_THAT(fleetctl({"restart", "a"}),
              Answers(0, "Unit a.service launched" + on_machine, ::testing::_));
  EXPECT_TRUE(wait_for_starts("a", 3));
}

TEST_F(FleetVerbs, GlobalUnitsAreShownAndRestartedWhereTheyRun) {
  root().write("g.service", counting_unit("g", "Global=true\n"));
  ASSERT_EQ(fleetctl({"start", "g.service"}).exit_code, 0);
  const std::string up = std::string("g.service ") + kMachineTail + " active running";
  ASSERT_TRUE(wait_for_units({up}));
  EXPECT_THAT(fleetctl({"status", "g"}), Answers(0, HasSubstr("active (running)"), ""));
  EXPECT_TRUE(wait_until([&] {
    return fleetctl({"journal", "g"}).out.find(": hello\n") != std::string::npos;
  }));
  EXPECT_THAT(fleetctl({"restart", "--machine=113f16", "g"}),
              Answers(0, "Triggered global unit g.service restart\n", ""));
  EXPECT_TRUE(wait_for_starts("g", 2));
  EXPECT_THAT(fleetctl({"restart", "--machine=9", "g"}),
              Answers(1, "", "Unit g.service does not run on machine 9.\n"));
  EXPECT_THAT(fleetctl({"list-unit-files", "-o", "wide", "--no-legend", "--fields=unit,state"}),
              Answers(0, "g.service\tlaunched(1)\n", ""));
}

TEST_F(FleetVerbs, OverwriteReplacesTheFileWhereItRuns) {
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  EXPECT_THAT(fleetctl({"overwrite", "a.service"}), Answers(0, HasSubstr("nothing different"), ""));
  root().write("a.service", "[Unit]\nDescription=Another\n\n" + counting_unit("a"));
  EXPECT_THAT(fleetctl({"overwrite", "a.service"}),
              Answers(0,
                      "Stop unit(a.service) first, so that we can overwrite unit file\n"
                      "Recreating unit(a.service)\nRestarting unit(a.service)\n"
                      "Unit a.service launched" +
                          on_machine,
                      StartsWith("WARNING: Unit a.service in registry differs from ")));
  EXPECT_TRUE(wait_for_starts("a", 2));
  EXPECT_THAT(fleetctl({"cat", "a"}), Answers(0, HasSubstr("Description=Another\n"), ""));
}

TEST_F(FleetVerbs, OverwriteReturnsToTheOldFile) {
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  root().write("a.service", "[Service]\nType=exec\nExecStart=/no/such/program\n");
  EXPECT_THAT(fleetctl({"overwrite", "a.service"}),
              Answers(1, HasSubstr("Restarting unit(a.service)\n"),
                      AllOf(HasSubstr("unit a.service did not come up with its file\n"),
                            HasSubstr("Returned unit(a.service) to its old file.\n"))));
  EXPECT_THAT(fleetctl({"cat", "a"}), Answers(0, counting_unit("a"), ""));
  EXPECT_TRUE(wait_for_starts("a", 2));
  EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " active running"}));
}

TEST_F(FleetVerbs, ExplainSaysWhyAUnitRunsNowhere) {
  root().write("a.service", counting_unit("a", "MachineMetadata=region=south\n"));
  ASSERT_EQ(fleetctl({"submit", "a.service"}).exit_code, 0);
  EXPECT_THAT(fleetctl({"explain", "a"}),
              Answers(0,
                      AllOf(StartsWith("MACHINE\t\tELIGIBLE\tREASON\n113f16a7...\tno\t\t"),
                            HasSubstr("region")),
                      ""));
  EXPECT_THAT(fleetctl({"explain", "b"}), Answers(1, "", "Unit b.service does not exist.\n"));
}

TEST_F(FleetVerbs, AUnitThatIsToRunHasARowBeforeItRuns) {
  root().write("a.service", counting_unit("a", "MachineMetadata=region=south\n"));
  ASSERT_EQ(fleetctl({"start", "--no-block", "a.service"}).exit_code, 0);
  EXPECT_THAT(fleetctl({"list-units", "--no-legend"}), Answers(0, "a.service\t-\t-\t-\t-\n", ""));
}

TEST_F(FleetVerbs, ManyUnitsGoThroughAPatternAndABatch) {
  root().write("m@.service", "[Service]\nExecStart=" FLOTILLA_PROBE "\n");
  std::vector<std::string> words{"start"};
  for (int i = 0; i < 12; ++i) words.push_back("m@" + std::to_string(i));
  const Outcome started = fleetctl(words);
  EXPECT_EQ(started.exit_code, 0) << started;
  EXPECT_THAT(lines_of(started.out), SizeIs(24));
  EXPECT_THAT(lines_of(fleetctl({"list-units", "-o", "name"}).out), SizeIs(12));
  EXPECT_EQ(fleetctl({"unload", "m@1?", "m@[3-9]"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return units().size() == 3; })) << units().size();
  EXPECT_EQ(fleetctl({"destroy", "m@*"}).exit_code, 0);
  EXPECT_THAT(fleetctl({"list-unit-files", "--no-legend"}), Answers(0, "", ""));
}

TEST_F(FleetVerbs, AWatchedListFollowsTheCluster) {
  root().write("a.service", counting_unit("a"));
  CommandOptions options;
  options.environment = {{"FLEETCTL_ENDPOINT", "unix://" + socket()}};
  const std::string file = root() / "watched";
  BackgroundCommand watch(
      {FLOTILLA_FLEETCTL, "list-unit-files", "--watch", "--no-legend", "--fields=unit,dstate"},
      file, options);
  const auto shows = [&](const std::string& text) {
    return wait_until([&] { return read_file(file).find(text) != std::string::npos; });
  };
  ASSERT_EQ(fleetctl({"submit", "a.service"}).exit_code, 0);
  EXPECT_TRUE(shows("a.service\tinactive\n")) << read_file(file);
  ASSERT_EQ(fleetctl({"load", "a.service"}).exit_code, 0);
  EXPECT_TRUE(shows("a.service\tloaded\n")) << read_file(file);
  watch.signal(SIGTERM);
  EXPECT_TRUE(watch.wait());
}

TEST_F(FleetVerbs, TheFirstEndpointThatAnswersIsUsed) {
  EXPECT_THAT(fleetctl({"--endpoint=unix:///absent,"
                        "http://127.0.0.1:1,unix://" +
                            socket(),
                        "list-machines", "--no-legend"}),
              Answers(0, "113f16a7...\t192.0.2.10\tregion=north\n", ""));
  EXPECT_THAT(fleetctl({"--endpoint=unix:///absent,http://127.0.0.1:1", "list-machines"}),
              Answers(1, "", AllOf(HasSubstr("unix:///absent"), HasSubstr("127.0.0.1:1"))));
}

}  // namespace
}  // namespace flotilla::system_test
