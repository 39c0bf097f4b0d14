#include "init/bus_unit_files.h"
#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

const char kSimple[] = "[Service]\nExecStart=/bin/a --flag\n";

TEST_F(ManagerTest, BootsTheStandardUnits) {
  boot();
  EXPECT_EQ(state_of("multi-user.target"), "active/active");
  EXPECT_EQ(state_of("default.target"), "active/active");
  EXPECT_EQ(state_of("sysinit.target"), "active/active");
  EXPECT_EQ(manager_->system_state(), "running");
  EXPECT_EQ(manager_->jobs().size(), 0u);
  EXPECT_EQ(manager_->default_target(), "multi-user.target");
}

TEST_F(ManagerTest, StartsWhatATargetWants) {
  unit("a.service", kSimple);
  ASSERT_TRUE(tree_.make_directories("/etc/systemd/system/multi-user.target.wants", 0755));
  ASSERT_TRUE(
      tree_.make_symlink("../a.service", "/etc/systemd/system/multi-user.target.wants/a.service"));
  boot();
  EXPECT_EQ(state_of("a.service"), "active/running");
  ASSERT_EQ(spawner_.spawned().size(), 1u);
  EXPECT_EQ(spawner_.last().argv, (std::vector<std::string>{"/bin/a", "--flag"}));
  EXPECT_EQ(spawner_.last().variable("PATH"), "/usr/bin");
  EXPECT_EQ(spawner_.last().variable("INVOCATION_ID"),
            manager_->find_unit("a.service")->invocation_id());
  EXPECT_TRUE(logs_.has("a.service|Started a.service."));
}

TEST_F(ManagerTest, StopsAServiceBySignalAndForgetsIt) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  ASSERT_GT(pid, 0);
  const uint32_t job = ask("a.service", "stop");
  EXPECT_EQ(processes_.count(pid, SIGTERM), 1u);
  EXPECT_EQ(state_of("a.service"), "deactivating/stop-sigterm");
  EXPECT_TRUE(manager_->find_job(job));
  exit(pid, CLD_KILLED, SIGTERM);
  EXPECT_EQ(state_of("a.service"), "not loaded");
  EXPECT_FALSE(manager_->find_job(job));
}

TEST_F(ManagerTest, AProgramThatEndsAsSoonAsItHasBegunHasFailedToStart) {
  const std::string text = "[Service]\nType=exec\nExecStart=/bin/x\n";
  unit("a.service", text);
  unit("b.service", text);
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  EXPECT_EQ(state_of("a.service"), "activating/start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  advance(Micros(2'000));
  EXPECT_EQ(state_of("b.service"), "active/running");
}

TEST_F(ManagerTest, AReloadOfWhatIsStillStartingLeavesTheStartAsItIs) {
  unit("a.service", "[Service]\nType=notify\nExecStart=/bin/x\nExecReload=/bin/y\n");
  boot();
  const uint32_t start = ask("a.service", "start");
  EXPECT_EQ(ask("a.service", "reload"), start);
  notify(main_pid("a.service"), "READY=1");
  EXPECT_EQ(state_of("a.service"), "active/running");
}

TEST_F(ManagerTest, WhatIsNamedForWhatItIsHasNoInstances) {
  boot();
  for (const char* name : {"a@b.mount", "a@b.slice", "a@b.scope", "a@b.swap", "a@b.device"}) {
    const auto job = manager_->enqueue_job(name, "start", "replace");
    ASSERT_FALSE(job) << name;
    EXPECT_EQ(job.error().message, "Invalid argument");
  }
}

TEST_F(ManagerTest, KillsWhatDoesNotStopInTime) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nTimeoutStopSec=5\n");
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  ask("a.service", "stop");
  advance(6s);
  EXPECT_EQ(processes_.count(pid, SIGKILL), 1u);
  exit(pid, CLD_KILLED, SIGKILL);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(result_of("a.service"), "timeout");
}

TEST_F(ManagerTest, WhoItRanAsIsForgottenBetweenTwoRuns) {
  tree_.add_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n");
  tree_.add_file("/etc/group", "root:x:0:\nweb:x:33:\n");
  unit("a.service", "[Service]\nExecStart=/bin/a\nUser=web\nRestart=always\nRestartSec=1\n");
  boot();
  ask("a.service", "start");
  EXPECT_EQ(manager_->find_unit("a.service")->uid(), 33u);
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_EQ(state_of("a.service"), "activating/auto-restart");
  EXPECT_EQ(manager_->find_unit("a.service")->uid(), UINT32_MAX);
  advance(2s);
  EXPECT_EQ(manager_->find_unit("a.service")->uid(), 33u);
}

TEST_F(ManagerTest, RestartsAfterTheDelayAndGivesUpAtTheLimit) {
  unit("a.service",
       "[Unit]\nStartLimitBurst=3\n[Service]\nExecStart=/bin/a\nRestart=always\nRestartSec=1\n");
  boot();
  ask("a.service", "start");
  const pid_t first = main_pid("a.service");
  exit(first, CLD_EXITED, 1);
  EXPECT_EQ(state_of("a.service"), "activating/auto-restart");
  EXPECT_EQ(spawner_.spawned().size(), 1u);
  advance(999ms);
  EXPECT_EQ(spawner_.spawned().size(), 1u);
  advance(2ms);
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_NE(main_pid("a.service"), first);
  EXPECT_EQ(manager_->find_unit("a.service")->n_restarts(), 1u);
  EXPECT_EQ(spawner_.last().argv[0], "/bin/a");
  EXPECT_EQ(spawner_.last().variable("INVOCATION_ID"),
            manager_->find_unit("a.service")->invocation_id());
  for (int i = 0; i < 2; ++i) {
    exit(main_pid("a.service"), CLD_EXITED, 1);
    advance(1100ms);
  }
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(spawner_.spawned().size(), 3u);
  EXPECT_TRUE(logs_.has("Start request repeated too quickly."));
}

TEST_F(ManagerTest, WaitsForReadyOfANotifyService) {
  unit("a.service", "[Service]\nType=notify\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("b.service", "start");
  EXPECT_EQ(state_of("a.service"), "activating/start");
  EXPECT_EQ(spawner_.find("/bin/b"), nullptr);
  EXPECT_EQ(spawner_.last().variable("NOTIFY_SOCKET"), "/run/systemd/notify");
  notify(main_pid("a.service"), "READY=1\nSTATUS=at work\n");
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(state_of("b.service"), "active/running");
  EXPECT_EQ(manager_->find_unit("a.service")->status_text(), "at work");
}

TEST_F(ManagerTest, MakesTheCgroupOfWhatWaitsWhileItWaits) {
  unit("a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("b.service", "start");
  EXPECT_EQ(tracker_.ahead, "system.slice/b.service");
  exit(main_pid("a.service"), CLD_EXITED, 0);
  EXPECT_EQ(state_of("b.service"), "active/running");
  EXPECT_EQ(tracker_.ahead, "");
}

TEST_F(ManagerTest, LetsGoOfACgroupThatNobodyNeedsAnyMore) {
  unit("a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("b.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 3);
  EXPECT_EQ(tracker_.ahead, "");
}

TEST_F(ManagerTest, FailsWhatRequiresAFailedUnit) {
  unit("a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  unit("b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("b.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 3);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(spawner_.find("/bin/b"), nullptr);
  EXPECT_TRUE(logs_.has("b.service|Dependency failed for b.service."));
  EXPECT_EQ(manager_->system_state(), "degraded");
}

TEST_F(ManagerTest, ReportsAnUnknownUserAs217) {
  unit("a.service", "[Service]\nUser=nobody-here\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  // A real process that only ends, so that its traces are those of any other.
  EXPECT_EQ(spawner_.last().stage, SpawnStage::kUser);
  exit(spawner_.last().pid, CLD_EXITED, 217);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(result_of("a.service"), "exit-code");
  EXPECT_EQ(manager_->find_unit("a.service")->main_run().status, 217);
  EXPECT_TRUE(logs_.has("Failed to determine user credentials"));
}

TEST_F(ManagerTest, SkipsAUnitWhoseConditionDoesNotHold) {
  unit("a.service", "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/a\n");
  unit("multi-user.target", "[Unit]\nWants=a.service\n");
  boot();
  EXPECT_EQ(state_of("a.service"), "inactive/dead");
  EXPECT_FALSE(manager_->find_unit("a.service")->condition_result);
  EXPECT_TRUE(spawner_.spawned().empty());
}

TEST_F(ManagerTest, ACommandThatSaysThatThereIsNothingToDoIsAConditionThatDoesNotHold) {
  unit("a.service", "[Service]\nExecCondition=/bin/c\nExecStart=/bin/a\n");
  unit("k.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/k\n");  // remembers it
  boot();
  ask("k.service", "start");
  ask("a.service", "start");
  EXPECT_TRUE(manager_->find_unit("a.service")->condition_result);
  exit(spawner_.last().pid, CLD_EXITED, 1);
  const Unit* const skipped = manager_->find_unit("a.service");
  ASSERT_NE(skipped, nullptr);
  EXPECT_EQ(result_of("a.service"), "exec-condition");
  EXPECT_FALSE(skipped->condition_result);
}

TEST_F(ManagerTest, WithoutItsEnvironmentFileNothingOfACommandIsToBeSeen) {
  unit("a.service", "[Service]\nEnvironmentFile=/etc/none\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  EXPECT_EQ(result_of("a.service"), "resources");
  EXPECT_FALSE(manager_->find_unit("a.service")->main_run().start.is_set());
  EXPECT_EQ(manager_->find_unit("a.service")->watchdog(), Micros(0));
}

TEST_F(ManagerTest, TheWatchdogBeginsToBeFedWhenTheServiceRuns) {
  unit("a.service", "[Service]\nWatchdogSec=5\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  EXPECT_TRUE(manager_->find_unit("a.service")->watchdog_time().is_set());
}

TEST_F(ManagerTest, MarksLogLinesWithTheProgramUnlessToldOtherwise) {
  unit("a.service", "[Service]\nExecStartPre=/bin/true\nExecStart=/bin/sh -c 'echo hello'\n");
  unit("b.service", "[Service]\nExecStart=/bin/sh\nSyslogIdentifier=bee\n");
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  EXPECT_EQ(logs_.identifiers["a.service"], "sh");
  EXPECT_EQ(logs_.identifiers["b.service"], "bee");
}

TEST_F(ManagerTest, SaysThatAJobThatTakesItsTimeHasBegun) {
  unit("a.service", "[Unit]\nDescription=A\n[Service]\nType=notify\nExecStart=/bin/a\n");
  unit("b.service", "[Service]\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  EXPECT_TRUE(logs_.has("a.service|Starting a.service - A..."));
  ask("b.service", "start");
  EXPECT_FALSE(logs_.has("Starting b.service..."));
  EXPECT_TRUE(logs_.has("b.service|Started b.service."));
  ask("b.service", "stop");
  EXPECT_TRUE(logs_.has("b.service|Stopping b.service..."));
}

TEST_F(ManagerTest, KillsNothingThatIsNotLoaded) {
  boot();
  const auto killed = manager_->kill_unit("nosuch.service", KillWhom::kAll, SIGTERM);
  ASSERT_FALSE(killed);
  EXPECT_EQ(killed.error().message, "Unit nosuch.service not loaded.");
}

TEST_F(ManagerTest, RefusesWhatHasNoFileOrABadOne) {
  unit("bad.service", "[Service]\nType=simple\n");
  boot();
  const auto missing = manager_->enqueue_job("no.service", "start", "replace");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "Unit no.service not found.");
  const auto bad = manager_->enqueue_job("bad.service", "start", "replace");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().bus_name, "org.freedesktop.systemd1.BadUnitSetting");
  const auto name = manager_->enqueue_job("../x", "start", "replace");
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().message, "Unit name ../x is not valid.");
}

TEST_F(ManagerTest, TellsOfACycleInTheLogOfTheUnitThatItBeginsWith) {
  unit("a.service", "[Unit]\nRequires=b.service\nAfter=b.service\n" + std::string(kSimple));
  unit("b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n" + std::string(kSimple));
  boot();
  const auto asked = manager_->enqueue_job("a.service", "start", "replace");
  ASSERT_FALSE(asked);
  EXPECT_TRUE(logs_.has("a.service|a.service: Found ordering cycle on b.service/start"));
  EXPECT_TRUE(
      logs_.has("a.service|a.service: Unable to break cycle starting with a.service/start"));
}

TEST_F(ManagerTest, LinksAFileAndStartsItWithoutAReload) {
  boot();
  tree_.add_file("/run/fleet/units/c.service", kSimple);
  const auto changes = unit_file_links(*manager_).link(
      {"/run/fleet/units/c.service"}, UnitFileLinks::Lifetime::kLasting, UnitFileLinks::Force::kNo);
  ASSERT_TRUE(changes) << changes.error().message;
  ASSERT_EQ(changes->size(), 1u);
  EXPECT_EQ((*changes)[0].file, "/etc/systemd/system/c.service");
  manager_->note_unit_files_changed();
  ask("c.service", "start");
  EXPECT_EQ(state_of("c.service"), "active/running");
}

TEST_F(ManagerTest, ReloadReadsFilesAgainAndKeepsProcesses) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  unit("a.service", "[Unit]\nDescription=New\n[Service]\nExecStart=/bin/other\n");
  EXPECT_TRUE(manager_->need_daemon_reload(*manager_->find_unit("a.service")));
  ASSERT_TRUE(manager_->reload());
  settle();
  EXPECT_EQ(main_pid("a.service"), pid);
  EXPECT_EQ(manager_->find_unit("a.service")->description(), "New");
  EXPECT_FALSE(manager_->need_daemon_reload(*manager_->find_unit("a.service")));
  ask("a.service", "restart");
  exit(pid, CLD_KILLED, SIGTERM);
  EXPECT_TRUE(logs_.has("a.service|Stopped a.service - New."));
  EXPECT_EQ(spawner_.last().path, "/bin/other");
}

TEST_F(ManagerTest, AReloadGivesEveryUnitItsStartsBack) {
  unit("a.service",
       "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n[Service]\nExecStart=/bin/a\n");
  boot();
  const auto start_and_end = [&] {
    ask("a.service", "start");
    const pid_t pid = main_pid("a.service");
    if (pid > 0) exit(pid, CLD_EXITED, 1);
    return spawner_.spawned().size();
  };
  EXPECT_EQ(start_and_end(), 1u);
  EXPECT_EQ(start_and_end(), 1u);
  ASSERT_TRUE(manager_->reload());
  settle();
  EXPECT_EQ(start_and_end(), 2u);
}

TEST_F(ManagerTest, RemembersAUnitWhoseProcessesWereLeftAlive) {
  unit("a.service", "[Service]\nKillMode=process\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  auto& group = tracker_.groups["system.slice/a.service"];
  constexpr pid_t kLeftOver = 4711;
  group.pids.insert(kLeftOver);
  ask("a.service", "stop");
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(state_of("a.service"), "inactive/dead");
  tracker_.process_gone(kLeftOver);
  settle();
  EXPECT_EQ(state_of("a.service"), "not loaded");
}

TEST_F(ManagerTest, StopsEverythingInOrderBeforeItEnds) {
  unit("a.service", kSimple);
  unit("b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  const pid_t a = main_pid("a.service"), b = main_pid("b.service");
  manager_->exit(0);
  settle();
  EXPECT_EQ(manager_->system_state(), "stopping");
  EXPECT_EQ(processes_.count(b, SIGTERM), 1u);
  EXPECT_EQ(processes_.count(a, SIGTERM), 0u);
  exit(b, CLD_KILLED, SIGTERM);
  EXPECT_EQ(processes_.count(a, SIGTERM), 1u);
  EXPECT_FALSE(finished_);
  exit(a, CLD_KILLED, SIGTERM);
  ASSERT_TRUE(finished_);
  EXPECT_EQ(finished_->first, FinalAction::kExit);
}

// --- Adoption ---

TEST_F(ManagerTest, TheNextManagerKnowsRunningServices) {
  unit("a.service", kSimple);
  unit("n.service", "[Service]\nType=notify\nExecStart=/bin/n\n");
  boot();
  ask("a.service", "start");
  ask("n.service", "start");
  const pid_t a = main_pid("a.service"), n = main_pid("n.service");
  const std::string invocation = manager_->find_unit("a.service")->invocation_id();
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(main_pid("a.service"), a);
  EXPECT_EQ(manager_->find_unit("a.service")->invocation_id(), invocation);
  EXPECT_EQ(state_of("n.service"), "activating/start");
  ASSERT_EQ(manager_->jobs().size(), 1u);
  EXPECT_EQ(manager_->jobs()[0].unit, "n.service");
  EXPECT_EQ(spawner_.spawned().size(), 2u);
  notify(n, "READY=1");
  EXPECT_EQ(state_of("n.service"), "active/running");
  EXPECT_TRUE(manager_->jobs().empty());
  exit(a, CLD_EXITED, 7);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_EQ(manager_->find_unit("a.service")->main_run().status, 7);
}

TEST_F(ManagerTest, TheNextManagerGoesOnWithAStopAndItsTimeout) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nTimeoutStopSec=5\n");
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  ask("a.service", "stop");
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "deactivating/stop-sigterm");
  advance(6s);
  EXPECT_EQ(processes_.count(pid, SIGKILL), 1u);
}

TEST_F(ManagerTest, TheNextManagerGoesOnWithARestart) {
  unit("a.service", "[Service]\nExecStart=/bin/a\nRestart=always\nRestartSec=10\n");
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "activating/auto-restart");
  advance(11s);
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(manager_->find_unit("a.service")->n_restarts(), 1u);
}

TEST_F(ManagerTest, AProcessThatNobodyKnowsTheEndOfCountsAsKilled) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  for (auto& [path, group] : tracker_.groups) group.pids.erase(pid);
  manager_.reset();
  state_.reset();
  make_manager();
  ASSERT_TRUE(manager_->impl().adopt());
  for (auto& [path, group] : tracker_.groups) group.pids.erase(pid);
  settle();
  advance(2s);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  EXPECT_TRUE(logs_.has("how it ended is not known"));
}

}  // namespace
}  // namespace flotilla::init
