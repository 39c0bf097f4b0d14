// status, journal and restart of units that run on several machines, and restart as such.
#include <algorithm>

#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kFirst = "113f16a7aaaabbbbccccddddeeeeffff";
constexpr const char* kSecond = "2222aaaabbbbccccddddeeeeffff0000";

class GlobalUnits : public FleetctlTest {
 protected:
  void SetUp() override {
    api.machine_list.push_back({kSecond, "192.0.2.11", {}});
    add_unit("g.service", "[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n", "launched");
    api.stuck.insert("g.service");  // a global unit has no current state
    api.unit_map["g.service"].machine_id.clear();
    api.unit_map["g.service"].current_state.clear();
    api.state_map["g.service"].machine_id = kFirst;
    api.more_states = {{"g.service", kSecond, "", "loaded", "active", "running", 0}};
  }
};

TEST_F(GlobalUnits, StatusAsksEveryMachine) {
  EXPECT_EQ(run_words({"status", "g"}), 0);
  EXPECT_EQ(output.out_text, "g.service: active\n\ng.service: active\n");
  EXPECT_EQ(api.calls, (Words{std::string("status g.service ") + kFirst,
                              std::string("status g.service ") + kSecond}));
}

TEST_F(GlobalUnits, StatusAsksTheMachineGiven) {
  EXPECT_EQ(run_words({"status", "--machine=2222", "g"}), 0);
  EXPECT_EQ(api.calls, (Words{std::string("status g.service ") + kSecond}));
  EXPECT_EQ(run_words({"status", "--machine=3333", "g"}), 1);
  EXPECT_EQ(output.err_text, "Unit g.service does not run on machine 3333.\n");
}

TEST_F(GlobalUnits, JournalNamesTheMachines) {
  EXPECT_EQ(run_words({"journal", "g"}), 0);
  EXPECT_EQ(output.out_text, std::string("-- machine ") + kFirst +
                                 " --\nhello, world\n-- machine " + kSecond +
                                 " --\nhello, world\n");
  EXPECT_EQ(run_words({"journal", "--machine=2222", "--follow", "g"}), 0);
  EXPECT_EQ(output.out_text, "hello, world\n");
}

TEST_F(GlobalUnits, JournalAsADocumentHasNoHeadings) {
  EXPECT_EQ(run_words({"journal", "-o", "json", "g"}), 0);
  EXPECT_EQ(output.out_text, "hello, world\nhello, world\n");
  EXPECT_EQ(api.calls, (Words{std::string("log g.service 10 as json ") + kFirst,
                              std::string("log g.service 10 as json ") + kSecond}));
}

TEST_F(GlobalUnits, JournalFollowsAllMachinesAtOnce) {
  EXPECT_EQ(run_words({"journal", "--follow", "g"}), 0);
  EXPECT_EQ(output.out_text, "hello, world\nhello, world\n");
  std::sort(api.calls.begin(), api.calls.end());
  EXPECT_EQ(api.calls, (Words{std::string("log g.service 10 follow ") + kFirst,
                              std::string("log g.service 10 follow ") + kSecond}));
  api.log_breaks = true;
  EXPECT_EQ(run_words({"journal", "--follow", "g"}), 1);
  EXPECT_EQ(output.out_text, "hello, world\nhello, world\n");
  EXPECT_NE(output.err_text.find(std::string("Error retrieving the journal of unit g.service on "
                                             "machine ") +
                                 kFirst + ": the API ended the answer early\n"),
            std::string::npos)
      << output.err_text;
  api.log_breaks = false;
  EXPECT_EQ(run_words({"journal", "--follow", "--output=json", "g"}), 0);
  EXPECT_EQ(output.out_text, "hello, world\nhello, world\n");
  EXPECT_EQ(run_words({"journal", "--follow", "--output=verbose", "g"}), 1);
  EXPECT_EQ(output.err_text,
            "Unit g.service runs on 2 machines; name one by --machine to follow it with "
            "--output=verbose.\n");
}

TEST_F(GlobalUnits, RestartAsksEveryMachineOrFallsBackToSsh) {
  EXPECT_EQ(run_words({"restart", "g"}), 0);
  EXPECT_EQ(output.out_text, "Triggered global unit g.service restart\n");
  EXPECT_EQ(api.calls, (Words{std::string("restart g.service ") + kFirst,
                              std::string("restart g.service ") + kSecond}));
  api.inspection_failure = {base::Errc::kUnsupported, "no such route"};
  EXPECT_EQ(run_words({"restart", "--machine=2222", "g"}), 0);
  ASSERT_EQ(executed.size(), 1U);
  EXPECT_EQ(executed[0].back(), "systemctl \"restart\" \"g.service\"");
  exit_status = 1;
  EXPECT_EQ(run_words({"restart", "g"}), 1);
}

TEST_F(GlobalUnits, RestartStartsWhatIsLoadedAndPassesOverWhatIsInactive) {
  api.unit_map["g.service"].desired_state = "loaded";
  EXPECT_EQ(run_words({"restart", "g"}), 0);
  EXPECT_EQ(output.out_text, "Triggered global unit g.service restart\n");
  EXPECT_EQ(api.calls, Words{"set g.service launched"});
  api.unit_map["g.service"].desired_state = "inactive";
  EXPECT_EQ(run_words({"restart", "g"}), 0);
  EXPECT_EQ(output.out_text, "");
  EXPECT_EQ(output.err_text, "Unable to restart unit g.service in state inactive\n");
}

TEST_F(GlobalUnits, AUnitOnNoMachineIsNotLoaded) {
  api.more_states.clear();
  api.state_map.clear();
  EXPECT_EQ(run_words({"status", "g"}), 1);
  EXPECT_EQ(output.err_text, "Unit g.service does not appear to be loaded.\n");
  EXPECT_EQ(run_words({"journal", "g"}), 1);
  EXPECT_EQ(output.err_text, "Unit g.service does not appear to be running.\n");
}

class Restart : public FleetctlTest {};

TEST_F(Restart, RestartsARunningUnitOnItsMachine) {
  add_unit("a.service", kHello, "launched");
  EXPECT_EQ(run_words({"restart", "a"}), 0);
  EXPECT_EQ(api.calls, (Words{"restart a.service"}));
  EXPECT_EQ(output.out_text, "Unit a.service launched on 113f16a7.../192.0.2.10\n");
  EXPECT_NE(output.err_text.find(": Unit(a.service) was restarted.\n"), std::string::npos);
  EXPECT_EQ(run_words({"restart", "--no-block", "a"}), 0);
  EXPECT_EQ(output.out_text, "Triggered unit a.service restart\n");
}

TEST_F(Restart, StopsAndStartsWhereTheApiCannotRestart) {
  add_unit("a.service", kHello, "launched");
  api.inspection_failure = {base::Errc::kUnsupported, "no such route"};
  EXPECT_EQ(run_words({"restart", "a"}), 0);
  EXPECT_EQ(api.calls,
            (Words{"restart a.service", "set a.service loaded", "set a.service launched"}));
  EXPECT_EQ(output.out_text,
            "Unit a.service loaded on 113f16a7.../192.0.2.10\n"
            "Unit a.service launched on 113f16a7.../192.0.2.10\n");
}

TEST_F(Restart, IsNotDoneAgainInAnotherWayWhereItMayHaveBeenDone) {
  add_unit("a.service", kHello, "launched");
  for (const base::Errc code : {base::Errc::kTimedOut, base::Errc::kInternal}) {
    api.calls.clear();
    api.inspection_failure = {code, "the API did not answer"};
    EXPECT_EQ(run_words({"restart", "a"}), 1);
    EXPECT_EQ(api.calls, (Words{"restart a.service"}));
    EXPECT_EQ(output.err_text,
              "Error restarting unit a.service: the API did not answer; it may have been "
              "restarted, see its status\n");
  }
  api.calls.clear();
  api.inspection_failure = {base::Errc::kUnavailable, "not reached"};
  EXPECT_EQ(run_words({"restart", "a"}), 0);
  EXPECT_EQ(api.calls,
            (Words{"restart a.service", "set a.service loaded", "set a.service launched"}));
}

TEST_F(GlobalUnits, RestartOverSshOnlyWhereNobodyGotTheRequest) {
  api.inspection_failure = {base::Errc::kTimedOut, "it hung up"};
  EXPECT_EQ(run_words({"restart", "--machine=2222", "g"}), 1);
  EXPECT_TRUE(executed.empty());
  EXPECT_EQ(output.err_text, std::string("Error restarting unit g.service on machine ") + kSecond +
                                 ": it hung up; it may have been restarted, see its status\n");
}

TEST_F(Restart, StartsWhatIsLoadedAndPassesOverWhatIsInactive) {
  add_unit("a.service", kHello, "inactive");
  add_unit("b.service", kHello, "loaded");
  EXPECT_EQ(run_words({"restart", "a", "b"}), 0);
  EXPECT_EQ(output.out_text, "Unit b.service launched on 113f16a7.../192.0.2.10\n");
  EXPECT_EQ(output.err_text.substr(0, output.err_text.find('\n')),
            "Unable to restart unit a.service in state inactive");
}

TEST_F(Restart, SubmitsALocalFileAndRefusesTheUnknown) {
  files["new.service"] = kHello;
  EXPECT_EQ(run_words({"restart", "new.service"}), 0);
  EXPECT_EQ(output.out_text, "Unit new.service inactive\n");
  EXPECT_EQ(output.err_text, "Unable to restart unit new.service in state inactive\n");
  EXPECT_EQ(run_words({"restart", "nope"}), 1);
  EXPECT_EQ(output.err_text,
            "Error creating units: unable to find Unit(nope.service) in Registry or on "
            "filesystem\n");
}

TEST_F(Restart, DoesNotWaitForAProgramThatEndsByItself) {
  add_unit("a.service", kHello, "launched");
  api.state_map["a.service"].active_enter_usec = 17;
  api.active_state_when_launched = "inactive";
  EXPECT_EQ(run_words({"restart", "a"}), 0);
  EXPECT_EQ(output.out_text, "Unit a.service launched on 113f16a7.../192.0.2.10\n");
}

TEST_F(Restart, SaysWhenAUnitDoesNotComeBack) {
  add_unit("a.service", kHello, "launched");
  api.bad_hashes.insert(unit::hash_hex(api.unit_map["a.service"].options));
  EXPECT_EQ(run_words({"restart", "a"}), 1);
  EXPECT_EQ(output.err_text, "Error restarting unit a.service: unit a.service has failed\n");
}

}  // namespace
}  // namespace flotilla::fctl
