// The instants at which a manager can be killed so that its state file and /proc alone do not tell
// everything: for each, the file as it is then, and what the next manager makes of it.
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

#include "init/manager_fixture.h"
#include "init/manager_state_flags.h"

namespace flotilla::init {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSimple = "[Service]\nExecStart=/bin/a\n";
constexpr const char* kReloading = "[Service]\nExecStart=/bin/a\nExecReload=/bin/reload\n";

class CrashWindow : public ManagerTest {
 protected:
  // The state file as it is now, for a manager that dies here.
  base::Fd copy_state() const {
    base::Fd copy(memfd_create("state", MFD_CLOEXEC));
    std::vector<char> bytes(static_cast<size_t>(lseek(state_bytes_.get(), 0, SEEK_END)));
    EXPECT_EQ(pread(state_bytes_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(pwrite(copy.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    return copy;
  }
  void die_before_next_clone() {
    spawner_.before_clone = [this] { keep_first_copy(); };
  }
  void die_after_next_clone() {
    spawner_.after_clone = [this] { keep_first_copy(); };
  }
  // The manager that had that copy as its last state is gone; the next one comes.
  void restart_from_copy() {
    ASSERT_TRUE(copy_);
    spawner_.before_clone = spawner_.after_clone = nullptr;
    state_bytes_ = std::move(copy_);
    logs_.lines.clear();
    restart_manager();
  }
  // Its last state is this one, as `change` makes it.
  template <typename Change>
  void restart_with(const std::string& name, Change change) {
    change(slot_of(name));
    restart_manager();
  }
  StateFile::SlotId slot_of(const std::string& name) const {
    for (const StateFile::SlotId slot : state_->used_slots()) {
      if (state_->record(slot).name_view() == name) return slot;
    }
    ADD_FAILURE() << "no slot of " << name;
    return 0;
  }
  size_t count_of(const std::string& path) const {
    size_t count = 0;
    for (const auto& spawned : spawner_.spawned()) count += spawned.path == path ? 1 : 0;
    return count;
  }

 private:
  void keep_first_copy() {
    if (!copy_) copy_ = copy_state();
  }
  base::Fd copy_;
};

TEST_F(CrashWindow, BeforeACloneTheNextManagerSpawnsInItsPlace) {
  unit("a.service", kSimple);
  boot();
  die_before_next_clone();
  ask("a.service", "start");
  // In that world there is no such process.
  for (auto& [path, group] : tracker_.groups) group.pids.clear();
  spawner_.clear();
  restart_from_copy();
  EXPECT_EQ(count_of("/bin/a"), 1u);
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(CrashWindow, AfterACloneTheNextManagerKnowsTheProcess) {
  unit("a.service", kSimple);
  boot();
  die_after_next_clone();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  restart_from_copy();
  EXPECT_EQ(count_of("/bin/a"), 1u);
  EXPECT_EQ(main_pid("a.service"), pid);
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(CrashWindow, AReloadThatHadBegunIsNotDoneTwice) {
  unit("a.service", kReloading);
  boot();
  ask("a.service", "start");
  for (const bool is_before : {true, false}) {
    SCOPED_TRACE(is_before ? "before the clone" : "after the clone");
    spawner_.clear();
    is_before ? die_before_next_clone() : die_after_next_clone();
    ask("a.service", "reload");
    const pid_t unborn = spawner_.last().pid;
    if (is_before) {
      for (auto& [path, group] : tracker_.groups) group.pids.erase(unborn);
      spawner_.clear();
    }
    restart_from_copy();
    EXPECT_EQ(count_of("/bin/reload"), 1u);
    EXPECT_EQ(state_of("a.service"), "reloading/reload");
    ASSERT_EQ(manager_->jobs().size(), 1u);
    exit(spawner_.last().pid, CLD_EXITED, 0);
    EXPECT_EQ(count_of("/bin/reload"), 1u);
    EXPECT_EQ(state_of("a.service"), "active/running");
    EXPECT_TRUE(manager_->jobs().empty());
  }
}

TEST_F(CrashWindow, APidThatStoodBesideTheRecordStillIsNotTakenForTheNextProcess) {
  unit("a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  const pid_t first = spawner_.last().pid;
  // Between the record's commit and the zeroing of the pid beside it.
  restart_with("a.service", [&](StateFile::SlotId slot) {
    *state_->spawn_pid(slot, StateFile::SpawnKind::kMain) = first;
  });
  die_before_next_clone();
  exit(first, CLD_EXITED, 0);
  const pid_t unborn = spawner_.last().pid;
  for (auto& [path, group] : tracker_.groups) group.pids.erase(unborn);
  spawner_.clear();
  restart_from_copy();
  EXPECT_EQ(count_of("/bin/b"), 1u);
  exit(spawner_.last().pid, CLD_EXITED, 0);
  EXPECT_TRUE(logs_.has("Finished a.service"));
}

TEST_F(CrashWindow, AJobOfATransactionThatWasCutOffNeverComesBack) {
  unit("a.service", kReloading);
  unit("b.service", "[Service]\nType=notify\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  const JobId next = state_->manager().next_job_id;
  restart_with("a.service", [&](StateFile::SlotId slot) {
    auto record = state_->edit(slot);
    record->job_id = next;
    record->job_type = static_cast<uint8_t>(JobType::kStop);
  });
  EXPECT_TRUE(manager_->jobs().empty());
  EXPECT_EQ(state_of("a.service"), "active/running");
  ASSERT_EQ(ask("b.service", "start"), next);
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(manager_->find_unit("a.service")->job, 0u);
  ASSERT_EQ(manager_->jobs().size(), 1u);
  notify(main_pid("b.service"), "READY=1");
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(CrashWindow, TwoUnitsWithOneJobNumberAreNoTwoJobs) {
  unit("a.service", kSimple);
  unit("b.service", kSimple);
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  for (const char* const name : {"a.service", "b.service"}) {
    auto record = state_->edit(slot_of(name));
    record->job_id = 1;
    record->job_type = static_cast<uint8_t>(JobType::kStop);
  }
  restart_manager();
  EXPECT_EQ(manager_->jobs().size(), 1u);
  for (const char* const name : {"a.service", "b.service"}) {
    exit(main_pid(name), CLD_EXITED, 0);
    EXPECT_EQ(state_of(name), "not loaded") << "nothing holds it";
  }
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(CrashWindow, TheLastProcessMayHaveGoneWhileThereWasNoManager) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  const pid_t main = main_pid("a.service");
  auto& group = tracker_.groups["system.slice/a.service"];
  group.pids.insert(77);
  ask("a.service", "stop");
  exit(main, CLD_EXITED, 0);
  ASSERT_EQ(state_of("a.service"), "deactivating/final-sigterm");
  group.pids.clear();
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "not loaded");
  EXPECT_TRUE(manager_->jobs().empty());
}

TEST_F(CrashWindow, WhatAChangeAskedForIsAskedForAgain) {
  unit("a.service",
       "[Unit]\nOnFailure=rescue-it.service\nRequires=c.service\n" + std::string(kSimple));
  unit("rescue-it.service", "[Service]\nExecStart=/bin/rescue\n");
  unit("c.service", kSimple);
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  ASSERT_EQ(count_of("/bin/rescue"), 1u);
  exit(main_pid("rescue-it.service"), CLD_EXITED, 0);
  ask("c.service", "stop");
  exit(main_pid("c.service"), CLD_EXITED, 0);
  // Between the verdict on the job and the handler's own job.
  restart_with("a.service", [&](StateFile::SlotId slot) {
    state_->edit(slot)->flags |= kChangePending | kChangeJudged |
                                 static_cast<uint32_t>(ActiveState::kActive) << kChangeShift;
  });
  EXPECT_EQ(count_of("/bin/rescue"), 2u);
  const uint32_t flags = state_->record(slot_of("a.service")).flags;
  EXPECT_EQ(flags & (kChangePending | kChangeJudged), 0u);
}

TEST_F(CrashWindow, WhatWasAboutToBeSettledIsSettled) {
  unit("a.service", "[Unit]\nBindsTo=b.service\n" + std::string(kSimple));
  unit("b.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  exit(spawner_.find("/bin/b")->pid, CLD_EXITED, 0);
  ASSERT_EQ(state_of("a.service"), "active/running");
  restart_with("b.service", [&](StateFile::SlotId slot) {
    auto record = state_->edit(slot);
    record->sub_state = static_cast<uint8_t>(ServiceSubState::kDead);
    record->active_state = static_cast<uint8_t>(ActiveState::kInactive);
  });
  EXPECT_EQ(state_of("a.service"), "deactivating/stop-sigterm");
}

TEST_F(CrashWindow, AnExitThatTheKeeperTellsLateIsNoUnknownEnd) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  restart_manager();
  for (auto& [path, group] : tracker_.groups) group.pids.erase(pid);
  advance(1500ms);  // the first look
  exit(pid, CLD_EXITED, 3);
  advance(3s);
  EXPECT_EQ(result_of("a.service"), "exit-code");
  EXPECT_FALSE(logs_.has("how it ended is not known"));
}

TEST_F(CrashWindow, ABootThatDiedWithItsGeneratorsIsBegunAgain) {
  unit("default.target", "[Unit]\nWants=a.service\n");
  unit("a.service", kSimple);
  tree_.add_file("/etc/systemd/system-generators/g", "#!/bin/sh\n", 0755);
  make_manager();
  manager_->impl().boot();
  settle();
  ASSERT_EQ(count_of("/etc/systemd/system-generators/g"), 1u);
  // A client's request makes the state one that can be taken over.
  unit("early.service", "[Service]\nExecStart=/bin/early\n");
  ask("early.service", "start");
  restart_manager();
  ASSERT_EQ(count_of("/etc/systemd/system-generators/g"), 2u);
  EXPECT_EQ(count_of("/bin/a"), 0u);
  processes_.table.deliver({spawner_.last().pid, CLD_EXITED, 0, 0});
  settle();
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(count_of("/bin/early"), 1u);
  // It is over now.
  restart_manager();
  EXPECT_EQ(count_of("/etc/systemd/system-generators/g"), 2u);
}

TEST_F(CrashWindow, AReloadThatDiedWithItsGeneratorsIsDoneAgain) {
  unit("a.service", kSimple);
  boot();
  ask("a.service", "start");
  tree_.add_file("/etc/systemd/system-generators/g", "#!/bin/sh\n", 0755);
  ASSERT_TRUE(manager_->reload());
  settle();
  restart_manager();
  EXPECT_EQ(count_of("/etc/systemd/system-generators/g"), 2u);
  EXPECT_EQ(state_of("a.service"), "active/running");
}

TEST_F(CrashWindow, AReloadCommandThatCannotBeStartedEndsItsJob) {
  unit("a.service", kReloading);
  boot();
  ask("a.service", "start");
  spawner_.fail_path("/bin/reload", SpawnStage::kClone, EAGAIN);
  ask("a.service", "reload");
  EXPECT_TRUE(manager_->jobs().empty());
  EXPECT_EQ(state_of("a.service"), "active/running");
}

}  // namespace
}  // namespace flotilla::init
