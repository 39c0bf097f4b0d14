// The loop of the service manager: epoll, one timerfd over an intrusive heap, and deferred work.
// One thread; nothing on the way from an event to its callback allocates; it never wakes up without
// cause.
//
// One turn: wait; gather every descriptor that is ready; call their sources in order of priority;
// call the timers that are due, in their place among the priorities; run the deferred work, also
// what is deferred meanwhile; set the timerfd if the earliest deadline has changed.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "init/callback.h"
#include "init/timers.h"

namespace flotilla::init {

// The order of callbacks in one turn.
enum class Priority : uint8_t {
  // Notify messages before child exits: READY=1 may sit in the socket of a process that is already
  // a zombie.
  kNotify,
  kChildren,  // SIGCHLD, and exits that the keeper saw
  kSignals,
  kTimers,
  kTracking,  // cgroups that became empty
  kBus,
  kIdle,
  kCount,
};

class Loop;

// A descriptor to be watched; does not own it. Ends its watch when destroyed, and must end it
// before the descriptor is closed.
class FdSource {
 public:
  // `on_ready` gets the EPOLL* bits.
  FdSource(Priority priority, Callback<void(uint32_t)> on_ready) noexcept
      : on_ready_(on_ready), priority_(priority) {}
  ~FdSource();
  FdSource(const FdSource&) = delete;
  FdSource& operator=(const FdSource&) = delete;

  bool is_watched() const noexcept { return loop_ != nullptr; }
  int fd() const noexcept { return fd_; }

 private:
  friend class Loop;

  Callback<void(uint32_t)> on_ready_;
  Loop* loop_ = nullptr;
  FdSource* next_ready_ = nullptr;
  FdSource* previous_ready_ = nullptr;
  int fd_ = -1;
  uint32_t events_ = 0;
  uint32_t ready_ = 0;  // not 0: in the ready list of this turn
  Priority priority_;
};

// Work for the end of the turn. Deferring it twice runs it once. Cancels itself when destroyed.
class Deferred {
 public:
  explicit Deferred(Callback<void()> work) noexcept : work_(work) {}
  ~Deferred();
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  bool is_pending() const noexcept { return loop_ != nullptr; }

 private:
  friend class Loop;

  Callback<void()> work_;
  Loop* loop_ = nullptr;
  Deferred* next_ = nullptr;
  Deferred* previous_ = nullptr;
};

// What the loop did since it was made; tests prove by it that an idle manager sleeps.
struct LoopCounters {
  uint64_t turns = 0;         // returns of epoll_wait
  uint64_t timer_rearms = 0;  // calls of timerfd_settime
};

class Loop final : public Timers {
 public:
  static base::Result<std::unique_ptr<Loop>> create();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Timers. The deadlines are CLOCK_MONOTONIC.
  const base::Clock& clock() const noexcept override { return clock_; }
  void arm(Timer& timer, base::MonotonicTime deadline) noexcept override;
  void cancel(Timer& timer) noexcept override;

  // Calls the source while any of `events` (EPOLLIN | EPOLLOUT | EPOLLPRI ...) holds.
  // Requires: the source is not watched.
  base::Status watch(FdSource& source, int fd, uint32_t events);
  // Changes what a watched source waits for; no system call if nothing changes. 0 is allowed:
  // EPOLLERR and EPOLLHUP are always reported.
  base::Status change(FdSource& source, uint32_t events);
  // Harmless on a source that is not watched. May be called from any callback, also its own.
  void unwatch(FdSource& source) noexcept;

  // Runs the work at the end of this turn (before the next wait, outside of a turn).
  void defer(Deferred& work) noexcept;
  void cancel(Deferred& work) noexcept;

  // Turns until exit() is called; returns its code. Fails only if the kernel refuses to wait.
  base::Result<int> run();
  void exit(int code) noexcept;

  // One turn: waits at most `limit` (kernel time, in whole milliseconds; Micros::max(): for ever).
  base::Status turn(base::Micros limit);

  const LoopCounters& counters() const noexcept { return counters_; }

 private:
  static constexpr int kEventsPerWait = 64;

  Loop(base::Fd epoll, base::Fd timer) noexcept;
  base::Status gather(int timeout_ms);
  void push_ready(FdSource& source, uint32_t events) noexcept;
  void unlink_ready(FdSource& source) noexcept;
  void dispatch() noexcept;
  void fire_timers() noexcept;
  void run_deferred() noexcept;
  void rearm() noexcept;

  base::SystemClock clock_;
  base::Fd epoll_;
  base::Fd timer_;
  TimerHeap timers_;
  base::MonotonicTime set_deadline_ = base::MonotonicTime::never();  // what the timerfd is set to
  bool timers_due_ = false;
  struct ReadyList {
    FdSource* first = nullptr;
    FdSource* last = nullptr;
  };
  std::array<ReadyList, static_cast<size_t>(Priority::kCount)> ready_{};
  Deferred* first_deferred_ = nullptr;
  Deferred* last_deferred_ = nullptr;
  bool exiting_ = false;
  int exit_code_ = 0;
  LoopCounters counters_;
};

}  // namespace flotilla::init
