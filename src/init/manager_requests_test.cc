#include <gmock/gmock.h>

#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

using ::testing::ElementsAre;

class Requests : public ManagerTest {
 protected:
  std::vector<std::string> neighbours(uint32_t id, Manager::JobSide side) {
    std::vector<std::string> units;
    for (const JobView& job : manager_->job_neighbours(id, side)) units.push_back(job.unit);
    return units;
  }
};

TEST_F(Requests, TellWhatAJobWaitsForAndWhatWaitsForIt) {
  unit("a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nAfter=a.service\nWants=a.service\n[Service]\nExecStart=/bin/b\n");
  unit("c.target", "[Unit]\nWants=b.service\n");
  boot();
  std::vector<uint32_t> others;
  const auto c = manager_->enqueue_job("c.target", "start", "replace", others);
  ASSERT_TRUE(c);
  settle();
  EXPECT_EQ(others.size(), 2u);
  const uint32_t b = manager_->find_unit("b.service")->job;
  EXPECT_THAT(neighbours(b, Manager::JobSide::kBefore), ElementsAre("a.service"));
  EXPECT_THAT(neighbours(b, Manager::JobSide::kAfter), ElementsAre("c.target"));
  EXPECT_THAT(neighbours(*c, Manager::JobSide::kBefore), ElementsAre("b.service"));
  EXPECT_TRUE(neighbours(4711, Manager::JobSide::kAfter).empty());
}

TEST_F(Requests, WhatWaitedForAReplacedJobGoesOn) {
  unit("root.service", "[Service]\nExecStart=/bin/root\n");
  unit("leaf.service",
       "[Unit]\nAfter=root.service\n[Service]\nExecStart=/bin/leaf\nExecReload=/bin/reload\n");
  boot();
  ask("root.service", "start");
  ask("leaf.service", "start");
  ask("leaf.service", "stop");
  ask("root.service", "stop");
  ASSERT_EQ(state_of("root.service"), "active/running") << "the leaf stops first";
  // It takes the place of the stop, and waits for the root's itself.
  ask("leaf.service", "reload");
  EXPECT_EQ(state_of("root.service"), "deactivating/stop-sigterm");
  exit(main_pid("root.service"), CLD_EXITED, 0);
  exit(main_pid("leaf.service"), CLD_EXITED, 0);
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(Requests, AFreezeIsAnsweredWhenTheKernelIsDone) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  std::vector<std::string> answers;
  const auto freeze = [&](bool frozen) {
    manager_->freeze_unit("a.service", frozen, [&](const base::Status& status) {
      answers.push_back(status ? "done" : status.error().message);
    });
  };
  const auto state = [&] { return manager_->freezer_state(*manager_->find_unit("a.service")); };
  tracker_.freezing_takes_time = true;
  freeze(true);
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(state(), "freezing");
  freeze(false);
  EXPECT_THAT(answers, ElementsAre("Previously requested freezer operation for unit 'a.service' is "
                                   "still in progress."));
  tracker_.finish_freezing("system.slice/a.service");
  EXPECT_EQ(answers.back(), "done");
  EXPECT_EQ(state(), "frozen");
  freeze(false);
  EXPECT_EQ(state(), "thawing");
  tracker_.finish_freezing("system.slice/a.service");
  EXPECT_EQ(answers.size(), 3U);
  EXPECT_EQ(state(), "running");
  freeze(true);
  ask("a.service", "stop");
  EXPECT_EQ(answers.back(), "Freeze operation aborted");
  EXPECT_EQ(state(), "running");
  EXPECT_FALSE(tracker_.groups["system.slice/a.service"].frozen);
}

TEST_F(Requests, MarkersAreSetByNameAndEndWithTheRun) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  ASSERT_TRUE(manager_->set_markers("a.service", {"needs-restart"}));
  ASSERT_TRUE(manager_->set_markers("a.service", {"+needs-reload"}));
  EXPECT_EQ(manager_->find_unit("a.service")->markers, 3);
  ASSERT_TRUE(manager_->set_markers("a.service", {"-needs-restart"}));
  EXPECT_EQ(manager_->find_unit("a.service")->markers, 1);
  EXPECT_EQ(manager_->set_markers("a.service", {"+needs-reload", "needs-restart"}).error().message,
            "Bad marker syntax.");
  EXPECT_EQ(manager_->set_markers("a.service", {"needs-sleep"}).error().message,
            "Unknown marker \"needs-sleep\".");
  EXPECT_EQ(manager_->enqueue_marked_jobs().size(), 1u);
  settle();
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(manager_->find_unit("a.service")->markers, 0);
  EXPECT_TRUE(manager_->enqueue_marked_jobs().empty());
}

TEST_F(Requests, AMarkForAReloadAloneDoesNotRestart) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nExecReload=/bin/reload\n");
  boot();
  ask("a.service", "start");
  ASSERT_TRUE(manager_->set_markers("a.service", {"needs-reload"}));
  EXPECT_EQ(manager_->enqueue_marked_jobs().size(), 1u);
  settle();
  EXPECT_EQ(state_of("a.service"), "reloading/reload");
}

TEST_F(Requests, WhatClientsHaveSetOutlivesTheManager) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  unit("b.service", "[Service]\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  const std::string level(manager_->log_level());
  ASSERT_TRUE(manager_->set_markers("a.service", {"needs-restart", "needs-reload"}));
  ASSERT_TRUE(manager_->set_log_level("debug"));
  ASSERT_TRUE(manager_->set_log_target("journal-or-kmsg"));
  manager_->set_service_watchdogs(false);
  restart_manager();
  EXPECT_EQ(manager_->find_unit("a.service")->markers, 3);
  EXPECT_EQ(manager_->log_level(), "debug");
  EXPECT_EQ(manager_->log_target(), "journal-or-kmsg");
  EXPECT_FALSE(manager_->service_watchdogs());
  ASSERT_TRUE(manager_->set_log_level("")) << "back to what it was at the start";
  ASSERT_TRUE(manager_->set_log_target(""));
  ASSERT_TRUE(manager_->set_markers("a.service", {}));
  restart_manager();
  EXPECT_EQ(manager_->log_level(), level);
  EXPECT_EQ(manager_->log_target(), "journal");
  EXPECT_EQ(manager_->find_unit("a.service")->markers, 0);
}

TEST_F(Requests, ATargetReloadsWhatItPassesAReloadTo) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nExecReload=/bin/reload\n");
  unit("t.target", "[Unit]\nPropagatesReloadTo=a.service\n");
  unit("u.target", "[Unit]\nDescription=U\n");
  boot();
  ask("a.service", "start");
  ask("t.target", "start");
  ask("u.target", "start");
  EXPECT_TRUE(manager_->can_reload(*manager_->find_unit("t.target")));
  EXPECT_FALSE(manager_->enqueue_job("u.target", "reload", "replace"));
  ask("t.target", "reload");
  EXPECT_EQ(state_of("a.service"), "reloading/reload");
}

TEST_F(Requests, RescueIsMaintenance) {
  boot();
  ask("rescue.target", "start");
  EXPECT_EQ(manager_->system_state(), "maintenance");
}

TEST_F(Requests, ABindingIsLookedAtAfterTheConditions) {
  unit("a.service",
       "[Unit]\nBindsTo=b.service\nAfter=b.service\nConditionPathExists=/none\n"
       "[Service]\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nConditionPathExists=/none\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  EXPECT_TRUE(logs_.has("a.service was skipped because of an unmet condition check"));
}

}  // namespace
}  // namespace flotilla::init
