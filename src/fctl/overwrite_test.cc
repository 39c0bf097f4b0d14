#include "fctl/arrival.h"
#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kOther = "[Service]\nExecStart=/bin/other\n";
constexpr const char* kWarning =
    "WARNING: Unit a.service in registry differs from local unit file dir/a.service. Add --replace "
    "to override.\n";

class Overwrite : public FleetctlTest {
 protected:
  std::string text_of(const std::string& name) {
    return unit::serialize(api.unit_map[name].options);
  }
};

TEST_F(Overwrite, ReplacesTheFileOfARunningUnitAndWaits) {
  add_unit("a.service", kHello, "launched");
  files["dir/a.service"] = kOther;
  EXPECT_EQ(run_words({"overwrite", "dir/a.service"}), 0);
  EXPECT_EQ(output.out_text,
            "Stop unit(a.service) first, so that we can overwrite unit file\n"
            "Recreating unit(dir/a.service)\n"
            "Restarting unit(dir/a.service)\n"
            "Unit a.service launched on 113f16a7.../192.0.2.10\n");
  EXPECT_EQ(output.err_text, kWarning);
  EXPECT_EQ(api.calls, (Words{"replace a.service"}));
  EXPECT_EQ(text_of("a.service"), kOther);
  EXPECT_EQ(api.unit_map["a.service"].desired_state, "launched");
}

TEST_F(Overwrite, LeavesAloneWhatIsTheSameOrNotThere) {
  add_unit("a.service", kHello, "launched");
  add_unit("b.service", kHello, "launched");
  files["a.service"] = std::string("# the same\n") + kHello;
  EXPECT_EQ(run_words({"overwrite", "a", "b", "c"}), 0);
  EXPECT_EQ(output.out_text,
            "The unit(a.service) has nothing different between in registory and local unit file, "
            "ignoring.\n"
            "The unit(b.service) has nothing different between in registory and local unit file, "
            "ignoring.\n"
            "Unit(c.service) can not be found in registry, nothing to do with it.\n");
  EXPECT_EQ(output.err_text, "");
  EXPECT_TRUE(api.calls.empty());
}

TEST_F(Overwrite, ReturnsToTheOldFileWhenTheNewOneDoesNotComeUp) {
  add_unit("a.service", kHello, "launched");
  files["dir/a.service"] = kOther;
  api.bad_hashes.insert(unit::hash_hex(*unit::parse_fleet_file(kOther)));
  EXPECT_EQ(run_words({"overwrite", "dir/a.service"}), 1);
  EXPECT_EQ(output.err_text, std::string(kWarning) +
                                 "Error waiting for units: unit a.service did not come up with its "
                                 "file\nReturned unit(a.service) to its old file.\n");
  EXPECT_EQ(api.calls, (Words{"replace a.service", "replace a.service"}));
  EXPECT_EQ(text_of("a.service"), kHello);
}

TEST_F(Overwrite, KeepsABadFileIfAskedTo) {
  add_unit("a.service", kHello, "launched");
  files["dir/a.service"] = kOther;
  api.bad_hashes.insert(unit::hash_hex(*unit::parse_fleet_file(kOther)));
  EXPECT_EQ(run_words({"overwrite", "--no-rollback", "dir/a.service"}), 1);
  EXPECT_EQ(text_of("a.service"), kOther);
  EXPECT_EQ(run_words({"overwrite", "--no-block", "dir/a.service"}), 0);
}

TEST_F(Overwrite, KeepsTheDesiredStateOfUnitsThatDoNotRun) {
  add_unit("a.service", kHello, "inactive");
  add_unit("b.service", kHello, "loaded");
  files["a.service"] = files["b.service"] = kOther;
  EXPECT_EQ(run_words({"overwrite", "--no-block", "a", "b"}), 0);
  EXPECT_EQ(output.out_text,
            "Recreating unit(a.service)\nTriggered unit a.service overwrite\n"
            "Recreating unit(b.service)\nReloading unit(b.service)\n"
            "Triggered unit b.service overwrite\n");
  EXPECT_EQ(api.unit_map["a.service"].desired_state, "inactive");
  EXPECT_EQ(api.unit_map["b.service"].desired_state, "loaded");
}

TEST_F(Overwrite, WaitsForEveryMachineOfAGlobalUnit) {
  const std::string text = "[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n";
  add_unit("g.service", text, "launched");
  api.more_states = {{"g.service", "2222", "", "loaded", "active", "running", 0}};
  files["g.service"] = "[Service]\nExecStart=/y\n\n[X-Fleet]\nGlobal=true\n";
  EXPECT_EQ(run_words({"overwrite", "g"}), 0);
  EXPECT_EQ(output.out_text,
            "Stop unit(g.service) first, so that we can overwrite unit file\n"
            "Recreating unit(g.service)\nRestarting unit(g.service)\n");
  EXPECT_EQ(text_of("g.service"), files["g.service"]);
}

TEST_F(Overwrite, RefusesAFileThatContradictsItself) {
  add_unit("a.service", kHello, "launched");
  files["a.service"] = "[Service]\nExecStart=/x\n[X-Fleet]\nMachineID=x\nGlobal=true\n";
  EXPECT_EQ(run_words({"overwrite", "a"}), 1);
  EXPECT_NE(output.err_text.find("Error creating unit: MachineID cannot be used with Global\n"),
            std::string::npos);
  EXPECT_EQ(text_of("a.service"), kHello);
  files["a.service"] = "[Service";
  EXPECT_EQ(run_words({"overwrite", "a"}), 1);
  api.failure = {base::Errc::kUnavailable, "cannot connect"};
  EXPECT_EQ(run_words({"overwrite", "a"}), 1);
  EXPECT_EQ(output.err_text, "Error retrieving unit(a.service) from registry: cannot connect\n");
}

// Looks at a unit whose states go through a list, one each 100 ms; the last stays.
base::Status arrive(const std::vector<std::pair<std::string, std::string>>& course,
                    const std::string& text, Patience patience = {}) {
  client::FakeFleetApi api;
  FakePacer pacer;
  FakeOutput output;
  Flags flags;
  const Environment environment{output, pacer, {}, {}, {}, {}, {}};
  Context context{api, environment, flags, {}};
  client::Unit unit;
  unit.name = "a.service";
  unit.desired_state = "launched";
  unit.options = *unit::parse_fleet_file(text);
  size_t at = 0;
  const auto set = [&] {
    const auto& [active, sub] = course[std::min(at++, course.size() - 1)];
    api.state_map["a.service"] = {"a.service", "m", unit::hash_hex(unit.options), "loaded", active,
                                  sub,         0};
  };
  set();
  api.changes_left = 1'000'000;
  api.on_change = [&] {
    pacer.pause(std::chrono::milliseconds(100));
    set();
  };
  return wait_for_arrival(context, unit, patience);
}

TEST(Arrival, IsJudgedByHowTheStatesGoOn) {
  const std::pair<std::string, std::string> up{"active", "running"}, slow{"activating", "start"},
      idle{"inactive", "dead"}, failed{"failed", "failed"}, again{"activating", "auto-restart"};
  EXPECT_TRUE(arrive({idle, slow, up}, kHello));
  EXPECT_TRUE(arrive({up}, kHello));
  // However long it takes to start.
  std::vector<std::pair<std::string, std::string>> long_start(600, slow);
  long_start.push_back(up);
  EXPECT_TRUE(arrive(long_start, kHello));
  EXPECT_FALSE(arrive({slow, failed}, kHello));
  EXPECT_FALSE(arrive({idle}, kHello));
  // Up for a moment only.
  EXPECT_FALSE(arrive({up, up, failed}, kHello));
  std::vector<std::pair<std::string, std::string>> flapping;
  for (int i = 0; i < 200; ++i) flapping.insert(flapping.end(), {up, up, again});
  EXPECT_FALSE(arrive(flapping, kHello));
  EXPECT_EQ(arrive({slow}, kHello, {Patience::Kind::kAttempts, 2}).error().code,
            base::Errc::kTimedOut);
  EXPECT_TRUE(arrive({slow, idle}, "[Service]\nType=oneshot\nExecStart=/x\n"));
}

}  // namespace
}  // namespace flotilla::fctl
