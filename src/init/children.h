// Exits of processes: of our children by SIGCHLD and waitid, of all others as the keeper tells
// them. Watchers by pid hear of them first; the process is reaped after its watcher has returned,
// so that what the watcher wrote down is there before the zombie goes.
//
// Loop thread only. Delivering an exit never allocates; watching may.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <vector>

#include "init/callback.h"
#include "init/loop.h"
#include "init/loop_signals.h"

namespace flotilla::init {

struct ChildExit {
  pid_t pid = 0;
  int code = 0;    // CLD_EXITED, CLD_KILLED or CLD_DUMPED
  int status = 0;  // exit code or signal
  uid_t uid = 0;
};

// Waits for the end of one process. A member of its owner; ends its watch when destroyed.
class ChildWatch {
 public:
  explicit ChildWatch(Callback<void(const ChildExit&)> on_exit) noexcept : on_exit_(on_exit) {}
  ~ChildWatch();
  ChildWatch(const ChildWatch&) = delete;
  ChildWatch& operator=(const ChildWatch&) = delete;

  bool is_watching() const noexcept { return table_ != nullptr; }
  pid_t pid() const noexcept { return pid_; }

 private:
  friend class ProcessTable;

  Callback<void(const ChildExit&)> on_exit_;
  class ProcessTable* table_ = nullptr;
  ChildWatch* next_ = nullptr;
  pid_t pid_ = 0;
};

// Watchers by pid: an intrusive hash.
class ProcessTable {
 public:
  ProcessTable();
  ~ProcessTable();
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;

  // Moves a watch that is already in the table. Two watches of one pid are a bug of the caller.
  void insert(ChildWatch& watch, pid_t pid);
  void remove(ChildWatch& watch) noexcept;
  ChildWatch* find(pid_t pid) const noexcept;
  // Takes the watch of this pid out and calls it; false where there is none.
  bool deliver(const ChildExit& exit);
  size_t size() const noexcept { return size_; }
  std::vector<pid_t> pids() const;

 private:
  size_t bucket(pid_t pid) const noexcept;
  void grow();

  std::vector<ChildWatch*> buckets_;
  size_t size_ = 0;
};

class Children {
 public:
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  // `before_exit` is called when a dead child has been seen and before its watcher hears of it: the
  // place to drain the notify sockets. `on_unknown` gets exits nobody watches for.
  static base::Result<std::unique_ptr<Children>> create(
      Loop& loop, Callback<void()> before_exit, Callback<void(const ChildExit&)> on_unknown);

  void watch(ChildWatch& watch, pid_t pid) { table_.insert(watch, pid); }
  void unwatch(ChildWatch& watch) noexcept { table_.remove(watch); }

  // An exit that the keeper saw. The same road as for our own.
  void deliver(const ChildExit& exit);
  // Looks for dead children now; called by itself on SIGCHLD. Once at start-up: children may have
  // died before the signalfd was there.
  void reap();
  // The keeper has died: what was its child fell to somebody who tells us nothing. From now on the
  // ends of watched processes that are not our children are seen by pidfd; how they ended is not
  // known and told as SIGKILL.
  void watch_strangers(Loop& loop);

 private:
  struct Stranger;

  Children(Callback<void()> before_exit, Callback<void(const ChildExit&)> on_unknown) noexcept;
  void on_signal(const signalfd_siginfo& info);
  void on_stranger_gone(pid_t pid) { deliver({pid, CLD_KILLED, SIGKILL, 0}); }

  Callback<void()> before_exit_;
  Callback<void(const ChildExit&)> on_unknown_;
  ProcessTable table_;
  std::unique_ptr<SignalSource> signals_;
  std::vector<std::unique_ptr<Stranger>> strangers_;
};

}  // namespace flotilla::init
