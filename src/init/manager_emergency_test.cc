// What the manager does about itself: FailureAction= and its kin, and an end at once.
#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

using std::chrono_literals::operator""s;

class Emergency : public ManagerTest {
 protected:
  std::pair<FinalAction, int> outcome() const {
    return finished_.value_or(std::pair(FinalAction::kReexec, -1));
  }
};

using End = std::pair<FinalAction, int>;

TEST_F(Emergency, AFailedServiceEndsTheManagerWithItsStatus) {
  unit("a.service", "[Unit]\nFailureAction=exit\n[Service]\nExecStart=/bin/a\n");
  unit("b.service", "[Service]\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 9);
  const pid_t b = main_pid("b.service");
  EXPECT_EQ(processes_.count(b, SIGTERM), 1u);  // stopped in order
  EXPECT_EQ(state_of("b.service"), "deactivating/stop-sigterm");
  EXPECT_EQ(manager_->system_state(), "stopping");
  exit(b, CLD_KILLED, SIGTERM);
  EXPECT_EQ(outcome(), End(FinalAction::kExit, 9));
}

TEST_F(Emergency, TheStatusInTheFileGoesBeforeThatOfTheProcess) {
  unit("a.service",
       "[Unit]\nFailureAction=exit-force\nFailureActionExitStatus=44\n"
       "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_KILLED, SIGKILL);
  EXPECT_EQ(outcome(), End(FinalAction::kExit, 44));
}

TEST_F(Emergency, AProcessThatWasKilledCountsAs255) {
  unit("a.service", "[Unit]\nFailureAction=exit-force\n[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_KILLED, SIGKILL);
  EXPECT_EQ(outcome(), End(FinalAction::kExit, 255));
}

TEST_F(Emergency, SuccessActionIsForAnEndWithoutFailure) {
  unit("a.service", "[Unit]\nSuccessAction=poweroff-force\n[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_FALSE(finished_);
  ASSERT_TRUE(manager_->reset_failed("a.service"));
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 0);
  EXPECT_EQ(outcome().first, FinalAction::kPoweroff);
}

TEST_F(Emergency, TheStartLimitHasAnActionOfItsOwn) {
  unit("a.service",
       "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\nStartLimitAction=reboot-force\n"
       "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 0);
  EXPECT_FALSE(finished_);
  ask("a.service", "restart");
  EXPECT_EQ(outcome().first, FinalAction::kReboot);
  EXPECT_TRUE(logs_.has("Forcibly rebooting: unit a.service failed"));
}

TEST_F(Emergency, AJobThatTakesTooLongHasOneToo) {
  unit("a.service",
       "[Unit]\nJobTimeoutSec=5\nJobTimeoutAction=poweroff-immediate\n"
       "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  advance(4s);
  EXPECT_FALSE(finished_);
  advance(2s);
  EXPECT_EQ(outcome().first, FinalAction::kPoweroff);
}

TEST_F(Emergency, StartingPoweroffTargetStopsAllAndPowersOff) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  const auto id = manager_->enqueue_job("poweroff.target", "start", "replace-irreversibly");
  ASSERT_TRUE(id) << id.error().message;
  settle();
  EXPECT_FALSE(finished_);
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(outcome(), End(FinalAction::kPoweroff, 0));
}

TEST_F(Emergency, EveryEndHasItsTarget) {
  const std::pair<const char*, FinalAction> kEnds[] = {{"reboot.target", FinalAction::kReboot},
                                                       {"halt.target", FinalAction::kHalt},
                                                       {"kexec.target", FinalAction::kReboot},
                                                       {"exit.target", FinalAction::kExit}};
  for (const auto& [target, action] : kEnds) {
    boot();
    finished_.reset();
    ASSERT_TRUE(manager_->set_exit_code(6));
    ASSERT_TRUE(manager_->enqueue_job(target, "start", "replace-irreversibly"));
    settle();
    EXPECT_EQ(outcome(), End(action, 6)) << target;
    state_bytes_.reset(memfd_create("state", MFD_CLOEXEC));
  }
}

TEST_F(Emergency, AnEndAtOnceRunsNoStopCommandAndKillsTheDeaf) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nExecStop=/bin/stop\nRestart=always\n");
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  const size_t spawned = spawner_.spawned().size();
  manager_->shutdown_now("poweroff");
  settle();
  EXPECT_EQ(processes_.count(pid, SIGTERM), 1u);
  EXPECT_FALSE(finished_);
  advance(91s);
  EXPECT_EQ(processes_.count(pid, SIGKILL), 1u);
  EXPECT_EQ(outcome().first, FinalAction::kPoweroff);
  EXPECT_EQ(spawner_.spawned().size(), spawned);
}

TEST_F(Emergency, AnEndAtOnceIsOverWithTheLastProcess) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nRestart=always\n");
  boot();
  ask("a.service", "start");
  manager_->shutdown_now("exit");
  settle();
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(outcome(), End(FinalAction::kExit, 0));
}

TEST_F(Emergency, OnFailureCanIsolate) {
  unit("a.service",
       "[Unit]\nOnFailure=r.target\nOnFailureJobMode=isolate\n[Service]\nExecStart=/bin/a\n");
  unit("b.service", "[Service]\nExecStart=/bin/b\n");
  unit("r.target", "[Unit]\nAllowIsolate=yes\n");
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_EQ(state_of("b.service"), "deactivating/stop-sigterm");
  EXPECT_TRUE(logs_.has("a.service: Triggering OnFailure= dependencies."));
}

// --- Over the death of a manager ---

TEST_F(Emergency, TheNextManagerGoesOnWithAShutdown) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  manager_->exit(3);
  settle();
  restart_manager();
  EXPECT_EQ(manager_->system_state(), "stopping");
  EXPECT_FALSE(finished_);
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(outcome(), End(FinalAction::kExit, 3));
}

TEST_F(Emergency, TheNextManagerGoesOnWithAnEndAtOnce) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  manager_->shutdown_now("halt");
  restart_manager();
  EXPECT_FALSE(finished_);
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(outcome().first, FinalAction::kHalt);
}

TEST_F(Emergency, TheNextManagerKnowsWhenAJobTimesOut) {
  unit("a.service",
       "[Unit]\nJobTimeoutSec=10\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\n"
       "ExecStart=/bin/a\n");
  boot();
  const uint32_t id = ask("a.service", "start");
  advance(7s);
  restart_manager();
  ASSERT_TRUE(manager_->find_job(id));
  EXPECT_EQ(manager_->find_job(id)->state, "running");
  advance(2s);
  EXPECT_TRUE(manager_->find_job(id));
  advance(2s);
  EXPECT_FALSE(manager_->find_job(id));
}

// The process died, and the manager with it, before anything followed from that.
TEST_F(Emergency, TheNextManagerDrawsTheConsequencesOfAFailure) {
  unit("a.service", "[Unit]\nOnFailure=f.service\n[Service]\nType=oneshot\nExecStart=/bin/a\n");
  unit("c.service", "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/c\n");
  unit("f.service", "[Service]\nExecStart=/bin/f\n");
  boot();
  ask("c.service", "start");
  ASSERT_EQ(spawner_.spawned().size(), 1u);
  processes_.exit(main_pid("a.service"), CLD_EXITED, 1);  // and no turn after it
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(state_of("f.service"), "active/running");
  EXPECT_EQ(spawner_.spawned().size(), 2u) << "only the handler was started";
  EXPECT_EQ(manager_->jobs().size(), 0u);
}

TEST_F(Emergency, TheNextManagerGoesOnInTheMiddleOfATransaction) {
  unit("a.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/a\n");
  unit("b.service",
       "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nType=oneshot\n"
       "RemainAfterExit=yes\nExecStart=/bin/b\n");
  unit("c.service", "[Unit]\nRequires=b.service\nAfter=b.service\n[Service]\nExecStart=/bin/c\n");
  boot();
  const uint32_t id = ask("c.service", "start");
  restart_manager();
  ASSERT_TRUE(manager_->find_job(id));
  EXPECT_EQ(manager_->jobs().size(), 3u);
  exit(main_pid("a.service"), CLD_EXITED, 0);
  restart_manager();
  EXPECT_EQ(state_of("b.service"), "activating/start");
  exit(main_pid("b.service"), CLD_EXITED, 0);
  EXPECT_EQ(state_of("c.service"), "active/running");
  EXPECT_EQ(spawner_.spawned().size(), 3u);
}

}  // namespace
}  // namespace flotilla::init
