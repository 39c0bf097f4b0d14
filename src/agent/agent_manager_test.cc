#include "agent/agent_manager.h"

#include <limits.h>

#include "agent/agent_fixture.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST_F(AgentTest, ANewUnitIsLinkedAndStartedWithoutReload) {
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), ElementsAre(link_call("a.service"), "start a.service replace"));
  EXPECT_EQ(file("a.service"), "[Service]\nExecStart=/bin/x\n");
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
  ASSERT_NE(daemon->agent->find_unit("a.service"), nullptr);
  EXPECT_EQ(daemon->agent->find_unit("a.service")->state.active_state, "active");
}

TEST_F(AgentTest, ANameMayBeAsLongAsAFilesName) {
  const std::string longest = std::string(NAME_MAX - 8, 'x') + ".service";
  schedule(longest, TargetState::kLaunched);
  EXPECT_EQ(state_of(longest), "loaded/active/running launched");
}

TEST_F(AgentTest, AStartThatIsQuickIsPublishedOnce) {
  std::vector<std::string> seen;
  const auto listener = view.subscribe([&](const registry::ClusterChange& change) {
    if (!change.states.empty()) seen.push_back(state_of("a.service"));
  });
  schedule("a.service", TargetState::kLaunched);
  loop.advance(1s);
  EXPECT_THAT(seen, ElementsAre("loaded/active/running launched"));
}

TEST_F(AgentTest, QuickStartsOfManyUnitsArePublishedTogetherAndOnce) {
  std::vector<size_t> told;
  const auto listener = view.subscribe([&](const registry::ClusterChange& change) {
    if (!change.states.empty()) told.push_back(change.states.size());
  });
  at_once([&] {
    for (const char* unit : {"a.service", "b.service", "c.service", "d.service"}) {
      schedule(unit, TargetState::kLaunched);
    }
  });
  loop.advance(1s);
  EXPECT_THAT(told, ElementsAre(4));
  EXPECT_EQ(state_of("d.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, GoesThroughAllStatesAndLeavesNothing) {
  schedule("a.service", TargetState::kLoaded);
  EXPECT_EQ(state_of("a.service"), "loaded/inactive/dead loaded");
  schedule("a.service", TargetState::kLaunched);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
  schedule("a.service", TargetState::kLoaded);
  EXPECT_EQ(state_of("a.service"), "loaded/inactive/dead loaded");
  calls();
  unschedule("a.service");
  EXPECT_THAT(calls(),
              ElementsAre("stop a.service replace", "disable a.service", "reset-failed a.service"));
  EXPECT_EQ(state_of("a.service"), "none");
  EXPECT_TRUE(std::filesystem::is_empty(directory + "/units"));
  EXPECT_EQ(daemon->agent->find_unit("a.service"), nullptr);
}

TEST_F(AgentTest, AChangedTextIsUnloadedLoadedReloadedAndStarted) {
  schedule("a.service", TargetState::kLaunched);
  calls();
  schedule("a.service", TargetState::kLaunched, "/bin/y");
  EXPECT_THAT(calls(),
              ElementsAre("stop a.service replace", "disable a.service", "reset-failed a.service",
                          link_call("a.service"), "reload", "start a.service replace"));
  EXPECT_EQ(file("a.service"), "[Service]\nExecStart=/bin/y\n");
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AnInstallSectionIsEnabledAndOneThatFailsIsUndone) {
  manager.add_file(directory + "/units/a.service", true);
  schedule("a.service", TargetState::kLoaded, "/bin/x", "\n[Install]\nWantedBy=x.target\n");
  EXPECT_TRUE(manager.is_enabled("a.service"));
  calls();
  schedule("b.service", TargetState::kLaunched, "/bin/x", "\n[Install]\nAlso=y\n");
  EXPECT_THAT(calls(),
              ElementsAre(link_call("b.service"), "enable " + directory + "/units/b.service",
                          "disable b.service"));
  EXPECT_EQ(file("b.service"), "");
  EXPECT_EQ(state_of("b.service"), "error/inactive/dead loaded");
  const registry::UnitState& state = view.cluster().states.at("b.service").at("m1");
  EXPECT_EQ(state.hash, "");
  EXPECT_EQ(state.problem,
            "Failed to enable systemd unit b.service: its [Install] section says nothing");
  EXPECT_EQ(view.cluster().current_state("b.service"), TargetState::kInactive);
  unschedule("b.service");
  loop.advance(5s);
  EXPECT_EQ(state_of("b.service"), "none");
}

TEST_F(AgentTest, ManyUnitsAreLinkedInOneCallAndRemovedInOne) {
  at_once([&] {
    schedule("a.service", TargetState::kLaunched);
    schedule("b.service", TargetState::kLoaded);
    schedule("c.service", TargetState::kLaunched);
  });
  const std::string units = directory + "/units/";
  EXPECT_THAT(calls(),
              ElementsAre(fmt::format("link {0}a.service {0}b.service {0}c.service", units),
                          "start a.service replace", "start c.service replace"));
  at_once([&] {
    for (const char* unit : {"a.service", "b.service", "c.service"}) unschedule(unit);
  });
  EXPECT_THAT(
      calls(),
      ElementsAre("stop a.service replace", "stop b.service replace", "stop c.service replace",
                  "disable a.service b.service c.service", "reset-failed a.service",
                  "reset-failed b.service", "reset-failed c.service"));
  EXPECT_TRUE(std::filesystem::is_empty(directory + "/units"));
}

TEST_F(AgentTest, ManyInstallSectionsAreEnabledInOneCallAndOneThatFailsIsUndoneAlone) {
  const std::string units = directory + "/units/";
  for (const char* unit : {"a.service", "b.service"}) manager.add_file(units + unit, true);
  at_once([&] {
    const std::string wanted = "\n[Install]\nWantedBy=x.target\n";
    schedule("a.service", TargetState::kLoaded, "/bin/x", wanted);
    schedule("b.service", TargetState::kLoaded, "/bin/x", wanted);
    schedule("c.service", TargetState::kLoaded, "/bin/x", "\n[Install]\nAlso=y\n");
  });
  EXPECT_THAT(
      calls(),
      ElementsAre(fmt::format("link {0}a.service {0}b.service {0}c.service", units),
                  "enable " + units + "c.service",
                  fmt::format("enable {0}a.service {0}b.service", units), "disable c.service"));
  EXPECT_TRUE(manager.is_enabled("a.service"));
  EXPECT_TRUE(manager.is_enabled("b.service"));
  EXPECT_EQ(state_of("b.service"), "loaded/inactive/dead loaded");
  EXPECT_EQ(state_of("c.service"), "error/inactive/dead loaded");
}

TEST_F(AgentTest, WhereManyAreRefusedEachIsTriedAlone) {
  manager.fail_calls("link", {base::Errc::kDenied, "no", 0, {}});
  at_once([&] {
    schedule("a.service", TargetState::kLoaded);
    schedule("b.service", TargetState::kLoaded);
  });
  const std::string units = directory + "/units/";
  EXPECT_THAT(calls(), ElementsAre(fmt::format("link {0}a.service {0}b.service", units),
                                   link_call("a.service"), link_call("b.service"),
                                   "disable a.service", "disable b.service"));
  manager.stop_failing("link");
  loop.advance(1s);
  EXPECT_EQ(state_of("a.service"), "loaded/inactive/dead loaded");
  EXPECT_EQ(state_of("b.service"), "loaded/inactive/dead loaded");
}

TEST_F(AgentTest, AKilledDaemonRepeatsNothingAndTouchesNothing) {
  for (int i = 0; i < 20; ++i) {
    schedule("u" + std::to_string(i) + ".service",
             i % 3 == 0 ? TargetState::kLoaded : TargetState::kLaunched);
  }
  manager.end_process("u1.service", false);  // it has run to its end
  loop.advance(kNow);
  calls();
  boot();
  loop.advance(3600s);
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_EQ(state_of("u1.service"), "loaded/inactive/dead launched");
  EXPECT_EQ(state_of("u2.service"), "loaded/active/running launched");
  EXPECT_EQ(state_of("u3.service"), "loaded/inactive/dead loaded");
}

TEST_F(AgentTest, AUnitThatAUserStoppedStaysStopped) {
  schedule("a.service", TargetState::kLaunched);
  manager.stop("a.service", bus::JobMode::kReplace, [](auto) {});
  loop.advance(kNow);
  calls();
  schedule("b.service", TargetState::kLoaded);
  boot();
  EXPECT_THAT(calls(), ElementsAre(link_call("b.service")));
  EXPECT_EQ(state_of("a.service"), "loaded/inactive/dead launched");
}

TEST_F(AgentTest, WhatChangedWhileTheDaemonWasAwayIsMadeGood) {
  schedule("a.service", TargetState::kLaunched);
  schedule("b.service", TargetState::kLaunched);
  daemon.reset();
  calls();
  unschedule("a.service");
  schedule("b.service", TargetState::kLaunched, "/bin/y");
  schedule("c.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), IsEmpty());
  boot();
  EXPECT_EQ(state_of("a.service"), "none");
  EXPECT_EQ(file("b.service"), "[Service]\nExecStart=/bin/y\n");
  EXPECT_EQ(state_of("b.service"), "loaded/active/running launched");
  EXPECT_EQ(state_of("c.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AStartThatWasInFlightWhenTheDaemonDiedIsNotRepeated) {
  manager.hold_jobs(true);
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), ElementsAre(link_call("a.service"), "start a.service replace"));
  boot();
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_EQ(state_of("a.service"), "loaded/activating/start launched");
  manager.finish_jobs();
  loop.advance(kNow);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AUnitThatIsSlowToStopHoldsUpNoOther) {
  schedule("a.service", TargetState::kLaunched);
  manager.hold_jobs(true);
  unschedule("a.service");
  EXPECT_EQ(state_of("a.service"), "loaded/active/running loaded");
  schedule("b.service", TargetState::kLaunched);
  schedule("a.service", TargetState::kLaunched);  // wanted back while it stops
  EXPECT_THAT(calls(), Contains("start b.service replace"));
  EXPECT_TRUE(std::filesystem::exists(directory + "/units/a.service"));
  manager.hold_jobs(false);
  manager.finish_jobs();
  loop.advance(kNow);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AFailedOperationIsTriedAgainWithPausesAndOthersGoOn) {
  manager.fail_calls("link", {base::Errc::kDenied, "no", 0, {}});
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), ElementsAre(link_call("a.service"), "disable a.service"));
  const auto differences = daemon->agent->differences();
  ASSERT_TRUE(differences.contains("a.service"));
  EXPECT_EQ(differences.at("a.service").wanted, TargetState::kLaunched);
  EXPECT_EQ(differences.at("a.service").reached, TargetState::kInactive);
  EXPECT_EQ(differences.at("a.service").problem, "no");
  loop.advance(1s);
  EXPECT_THAT(calls(), Contains(link_call("a.service")));
  loop.advance(1s);
  EXPECT_THAT(calls(), IsEmpty());
  manager.stop_failing("link");
  loop.advance(10s);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
  EXPECT_TRUE(daemon->agent->differences().empty());
}

TEST_F(AgentTest, ARefusedStartIsNotTriedAgain) {
  manager.fail_calls("start", {base::Errc::kInvalid, "bad unit file setting", 0, {}});
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), ElementsAre(link_call("a.service"), "start a.service replace"));
  loop.advance(3600s);
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_EQ(state_of("a.service"), "loaded/inactive/dead launched");
}

TEST_F(AgentTest, AFailedProcessShowsAndIsNotRestarted) {
  schedule("a.service", TargetState::kLaunched);
  calls();
  manager.end_process("a.service", true);
  loop.advance(10s);
  EXPECT_EQ(state_of("a.service"), "loaded/failed/failed launched");
  EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(AgentTest, WhileTheServiceManagerIsAwayNothingIsLost) {
  manager.set_connected(false);
  loop.advance(kNow);
  schedule("a.service", TargetState::kLaunched);
  EXPECT_EQ(state_of("a.service"), "none");
  manager.set_connected(true);
  loop.advance(kNow);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AStartLostWithTheConnectionIsLookedInto) {
  manager.hold_jobs(true);
  schedule("a.service", TargetState::kLaunched);
  manager.set_connected(false);
  loop.advance(kNow);
  calls();
  manager.set_connected(true);
  loop.advance(kNow);
  EXPECT_THAT(calls(), Not(Contains("start a.service replace")));
  loop.advance(1s);
  EXPECT_EQ(state_of("a.service"), "loaded/activating/start launched");
}

TEST_F(AgentTest, AnUnreadableEntryStopsNothing) {
  schedule("a.service", TargetState::kLaunched);
  calls();
  raw(keys.schedule("m1", "a.service"), "");
  EXPECT_THAT(calls(), IsEmpty());
  boot();
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(directory + "/units/a.service"));
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, ForeignUnitsAreNeverTouched) {
  manager.add_unit_file("ssh.service");
  manager.start("ssh.service", bus::JobMode::kReplace, [](auto) {});
  std::ofstream(directory + "/units/notes.txt") << "mine";
  loop.advance(kNow);
  calls();
  boot();
  EXPECT_THAT(calls(), IsEmpty());
  EXPECT_EQ(state_of("ssh.service"), "none");
  EXPECT_TRUE(std::filesystem::exists(directory + "/units/notes.txt"));
}

TEST_F(AgentTest, LeftoversOfAnEarlierRunGo) {
  registry::UnitState old;
  old.hash = "h";
  raw(keys.state("gone.service", "m1"), registry::encode(old));
  raw(keys.state("gone.service", "m2"), registry::encode(old));
  boot();
  loop.advance(1s);
  EXPECT_FALSE(view.cluster().states.at("gone.service").contains("m1"));
  EXPECT_TRUE(view.cluster().states.at("gone.service").contains("m2"));
}

TEST_F(AgentTest, StatesMoveToANewLease) {
  schedule("a.service", TargetState::kLaunched);
  const auto lease = daemon->session.lease();
  store->revoke_lease(lease, [](auto result) { EXPECT_TRUE(result); });
  loop.advance(15s);
  EXPECT_NE(daemon->session.lease(), lease);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(AgentTest, AnIdleAgentWritesAndAsksNothing) {
  schedule("a.service", TargetState::kLaunched);
  loop.advance(10s);
  manager.forget_calls();
  const auto revision = view.cluster().revision;
  loop.advance(3600s);
  EXPECT_EQ(view.cluster().revision, revision);
  EXPECT_THAT(manager.calls(), IsEmpty());
}

TEST_F(AgentTest, AnOldFailureIsNotToldAsThatOfANewStart) {
  manager.set_start_result("a.service", bus::JobResult::kFailed);
  schedule("a.service", TargetState::kLaunched);
  EXPECT_EQ(state_of("a.service"), "loaded/failed/failed launched");
  schedule("a.service", TargetState::kLoaded);
  EXPECT_EQ(state_of("a.service"), "loaded/failed/failed loaded");
  std::vector<std::string> told;
  const auto subscription = view.subscribe([&](const registry::ClusterChange& change) {
    if (change.states.contains("a.service")) told.push_back(state_of("a.service"));
  });
  manager.set_start_result("a.service", bus::JobResult::kDone);
  schedule("a.service", TargetState::kLaunched);
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
  EXPECT_THAT(told, testing::Not(testing::Contains("loaded/failed/failed launched")));
}

}  // namespace
}  // namespace flotilla::agent
