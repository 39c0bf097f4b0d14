#include "agent/agent_fixture.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using testing::Contains;
using testing::Not;

struct OneshotEndTest : AgentTest {
  OneshotEndTest() { manager.add_oneshots("job", 1000s); }
  // As users and the leader write it.
  void launch(const std::string& unit, const std::string& more = "Type=oneshot\n") {
    schedule(unit, TargetState::kLaunched, "/bin/x", more);
    raw(keys.unit(unit), "{}");
  }
  void end(bool failed) {
    manager.end_process("job.service", failed);
    loop.advance(kNow);
  }
  std::string finished_on(const std::string& unit = "job.service") {
    const auto found = view.cluster().histories.find(unit);
    return found != view.cluster().histories.end() ? found->second.finished_on : "";
  }
  void mark_finished() {
    registry::ScheduleEntry entry = view.cluster().schedule.at("job.service").at("m1");
    entry.text = "[Service]\nExecStart=/bin/x\nType=oneshot\n";  // which the view leaves out
    entry.is_finished = true;
    raw(keys.schedule("m1", "job.service"), registry::encode(entry));
  }
};

TEST_F(OneshotEndTest, TheClusterIsToldWhenOneHasEndedWell) {
  launch("job.service");
  loop.advance(1s);  // what is passing is told a little later
  EXPECT_EQ(state_of("job.service"), "loaded/activating/start launched");
  EXPECT_EQ(finished_on(), "");
  end(false);
  EXPECT_EQ(state_of("job.service"), "loaded/inactive/dead launched");
  EXPECT_EQ(finished_on(), "m1");
  EXPECT_EQ(view.cluster().histories.at("job.service").hash,
            view.cluster().schedule.at("job.service").at("m1").hash);
}

TEST_F(OneshotEndTest, NotOfOneThatHasFailedOrWasStoppedNorOfOtherServices) {
  launch("job.service");
  end(true);
  EXPECT_EQ(finished_on(), "");
  launch("job2.service");
  schedule("job2.service", TargetState::kLoaded, "/bin/x", "Type=oneshot\n");
  EXPECT_EQ(finished_on("job2.service"), "");
  launch("a.service", "");
  manager.end_process("a.service", false);
  loop.advance(kNow);
  EXPECT_EQ(finished_on("a.service"), "");
}

TEST_F(OneshotEndTest, NotOfAUnitThatIsNotScheduledHereOrIsGone) {
  launch("job.service");
  raw(keys.unit("job.service"), std::nullopt);
  end(false);
  EXPECT_EQ(finished_on(), "");
}

TEST_F(OneshotEndTest, IsToldByTheNextDaemonIfThisOneDies) {
  launch("job.service");
  daemon.reset();
  manager.set_property("job.service", "InactiveExitTimestamp", bus::Value{"t", uint64_t{1}});
  manager.set_property("job.service", "Result", bus::Value{"s", std::string("success")});
  end(false);
  boot();
  EXPECT_EQ(finished_on(), "m1");
}

TEST_F(OneshotEndTest, WhatHasFinishedIsNotStartedAfterAReboot) {
  launch("job.service");
  end(false);
  mark_finished();
  calls();
  boot();
  EXPECT_THAT(calls(), Not(Contains("start job.service replace")));
  daemon.reset();
  bus::FakeUnitManager fresh(loop);
  fresh.set_property("sysinit.target", "ActiveEnterTimestamp", bus::Value{"t", uint64_t{77}});
  boot_over(fresh, *store);
  EXPECT_THAT(fresh.calls(), Not(Contains("start job.service replace")));
  EXPECT_EQ(state_of("job.service"), "loaded/inactive/dead loaded");
  daemon.reset();
}

TEST_F(OneshotEndTest, IsRunAgainWhenItIsStoppedAndStarted) {
  launch("job.service");
  end(false);
  mark_finished();
  unschedule("job.service");
  loop.advance(kNow);
  calls();
  launch("job.service");
  EXPECT_THAT(calls(), Contains("start job.service replace"));
}

}  // namespace
}  // namespace flotilla::agent
