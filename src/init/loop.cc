#include "init/loop.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <climits>

namespace flotilla::init {
namespace {

constexpr size_t kPriorities = static_cast<size_t>(Priority::kCount);

int to_milliseconds(base::Micros limit) {
  if (limit == base::Micros::max()) return -1;
  const int64_t milliseconds = (limit.count() + 999) / 1000;
  return milliseconds > INT_MAX ? INT_MAX : static_cast<int>(milliseconds);
}

}  // namespace

FdSource::~FdSource() {
  if (loop_ != nullptr) loop_->unwatch(*this);
}

Deferred::~Deferred() {
  if (loop_ != nullptr) loop_->cancel(*this);
}

base::Result<std::unique_ptr<Loop>> Loop::create() {
  base::Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return base::system_error(errno, "make the event loop");
  base::Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return base::system_error(errno, "make the timer of the event loop");
  // Edge-triggered: it is never read, setting it anew is what clears it.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
    return base::system_error(errno, "watch the timer of the event loop");
  }
  return std::unique_ptr<Loop>(new Loop(std::move(epoll), std::move(timer)));
}

Loop::Loop(base::Fd epoll, base::Fd timer) noexcept
    : epoll_(std::move(epoll)), timer_(std::move(timer)) {}

Loop::~Loop() {
  while (first_deferred_ != nullptr) cancel(*first_deferred_);
}

void Loop::arm(Timer& timer, base::MonotonicTime deadline) noexcept {
  timers_.push(timer, deadline);
}

void Loop::cancel(Timer& timer) noexcept { timers_.remove(timer); }

base::Status Loop::watch(FdSource& source, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return base::system_error(errno, "watch descriptor {}", fd);
  }
  source.loop_ = this;
  source.fd_ = fd;
  source.events_ = events;
  return {};
}

base::Status Loop::change(FdSource& source, uint32_t events) {
  if (source.events_ == events) return {};
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, source.fd_, &event) != 0) {
    return base::system_error(errno, "watch descriptor {}", source.fd_);
  }
  source.events_ = events;
  return {};
}

void Loop::unwatch(FdSource& source) noexcept {
  if (source.loop_ != this) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, source.fd_, nullptr);
  if (source.ready_ != 0) unlink_ready(source);
  source.loop_ = nullptr;
  source.fd_ = -1;
}

void Loop::defer(Deferred& work) noexcept {
  if (work.loop_ != nullptr) return;
  work.loop_ = this;
  work.next_ = nullptr;
  work.previous_ = last_deferred_;
  (last_deferred_ != nullptr ? last_deferred_->next_ : first_deferred_) = &work;
  last_deferred_ = &work;
}

void Loop::cancel(Deferred& work) noexcept {
  if (work.loop_ != this) return;
  (work.previous_ != nullptr ? work.previous_->next_ : first_deferred_) = work.next_;
  (work.next_ != nullptr ? work.next_->previous_ : last_deferred_) = work.previous_;
  work.next_ = work.previous_ = nullptr;
  work.loop_ = nullptr;
}

[[gnu::hot]] base::Result<int> Loop::run() {
  while (!exiting_) FLOTILLA_TRY(turn(base::Micros::max()));
  exiting_ = false;
  return exit_code_;
}

void Loop::exit(int code) noexcept {
  exiting_ = true;
  exit_code_ = code;
}

[[gnu::hot]] base::Status Loop::turn(base::Micros limit) {
  // What was deferred and armed outside of a turn belongs to the turn before.
  run_deferred();
  if (exiting_) return {};
  rearm();
  FLOTILLA_TRY(gather(to_milliseconds(limit)));
  dispatch();
  run_deferred();
  return {};
}

// Collects every descriptor that is ready, however many: a later batch may hold a more urgent one.
[[gnu::hot]] base::Status Loop::gather(int timeout_ms) {
  // Each descriptor is reported once per wait as long as no more are ready than fit; where they do
  // not fit, the kernel goes round them, so this many waits have seen all of a busy minute.
  constexpr int kMostWaits = 64;
  std::array<epoll_event, kEventsPerWait> events;
  for (int wait = 0; wait < kMostWaits; ++wait) {
    int count = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, wait == 0 ? timeout_ms : 0);
    if (count < 0) {
      if (errno != EINTR) return base::system_error(errno, "wait for events");
      count = 0;
    }
    if (wait == 0) ++counters_.turns;
    bool is_new = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      auto* const source = static_cast<FdSource*>(event.data.ptr);
      if (source == nullptr) {
        set_deadline_ = base::MonotonicTime::never();  // it has fired: it must be set again
        timers_due_ = true;
        continue;
      }
      is_new = is_new || source->ready_ == 0;
      push_ready(*source, event.events);
    }
    if (count < kEventsPerWait || !is_new) break;
  }
  return {};
}

void Loop::push_ready(FdSource& source, uint32_t events) noexcept {
  const bool listed = source.ready_ != 0;
  source.ready_ |= events;
  if (listed) return;
  ReadyList& list = ready_[static_cast<size_t>(source.priority_)];
  source.next_ready_ = nullptr;
  source.previous_ready_ = list.last;
  (list.last != nullptr ? list.last->next_ready_ : list.first) = &source;
  list.last = &source;
}

void Loop::unlink_ready(FdSource& source) noexcept {
  ReadyList& list = ready_[static_cast<size_t>(source.priority_)];
  (source.previous_ready_ != nullptr ? source.previous_ready_->next_ready_ : list.first) =
      source.next_ready_;
  (source.next_ready_ != nullptr ? source.next_ready_->previous_ready_ : list.last) =
      source.previous_ready_;
  source.next_ready_ = source.previous_ready_ = nullptr;
  source.ready_ = 0;
}

[[gnu::hot]] void Loop::dispatch() noexcept {
  for (size_t priority = 0; priority < kPriorities; ++priority) {
    if (priority == static_cast<size_t>(Priority::kTimers)) fire_timers();
    while (FdSource* const source = ready_[priority].first) {
      const uint32_t events = source->ready_;
      unlink_ready(*source);
      const Callback<void(uint32_t)> on_ready = source->on_ready_;  // the call may destroy it
      on_ready(events);
    }
  }
}

[[gnu::hot]] void Loop::fire_timers() noexcept {
  // The timerfd tells when to look; while a turn is being spent on something else, looking costs
  // one read of the clock.
  if (!timers_due_ && timers_.is_empty()) return;
  timers_due_ = false;
  const base::MonotonicTime now = clock_.monotonic();
  const uint64_t before = timers_.next_order();
  while (timers_.fire_one(now, before)) {
  }
}

[[gnu::hot]] void Loop::run_deferred() noexcept {
  while (first_deferred_ != nullptr) {
    Deferred& work = *first_deferred_;
    const Callback<void()> run = work.work_;
    cancel(work);
    run();
  }
}

// Sets the timerfd to the earliest deadline, if that is not what it is set to.
[[gnu::hot]] void Loop::rearm() noexcept {
  const base::MonotonicTime earliest = timers_.earliest();
  if (earliest == set_deadline_) return;
  // A deadline that was cancelled or moved later costs one call now; left in place it would cost a
  // wake-up without cause.
  itimerspec spec{};
  if (!earliest.is_never()) {
    const int64_t usec = earliest.since_epoch.count() > 0 ? earliest.since_epoch.count() : 1;
    spec.it_value.tv_sec = usec / 1'000'000;
    spec.it_value.tv_nsec = (usec % 1'000'000) * 1000;
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  ++counters_.timer_rearms;
  set_deadline_ = earliest;
}

}  // namespace flotilla::init
