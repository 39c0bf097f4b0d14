#include "base/fake_event_loop.h"

#include <vector>

namespace flotilla::base {

class FakeEventLoop::TimerRegistration final : public Registration {
 public:
  TimerRegistration(FakeEventLoop& loop, std::pair<MonotonicTime, uint64_t> key)
      : loop_(loop), key_(key) {}
  ~TimerRegistration() override { loop_.timers_.erase(key_); }

 private:
  FakeEventLoop& loop_;
  std::pair<MonotonicTime, uint64_t> key_;
};

class FakeEventLoop::WatchRegistration final : public Registration {
 public:
  WatchRegistration(FakeEventLoop& loop, uint64_t id) : loop_(loop), id_(id) {}
  ~WatchRegistration() override { loop_.watches_.erase(id_); }

 private:
  FakeEventLoop& loop_;
  uint64_t id_;
};

RegistrationPtr FakeEventLoop::at(MonotonicTime deadline, std::function<void()> callback) {
  const std::pair<MonotonicTime, uint64_t> key{deadline, next_id_++};
  timers_.emplace(key, std::move(callback));
  return std::make_unique<TimerRegistration>(*this, key);
}

void FakeEventLoop::post(std::function<void()> callback) {
  const std::lock_guard lock(posted_mutex_);
  posted_.push_back(std::move(callback));
}

RegistrationPtr FakeEventLoop::watch(int fd, uint32_t events,
                                     std::function<void(uint32_t)> callback) {
  const uint64_t id = next_id_++;
  watches_.emplace(id, Watch{fd, events, std::move(callback)});
  return std::make_unique<WatchRegistration>(*this, id);
}

void FakeEventLoop::settle() {
  for (;;) {
    std::function<void()> next;
    {
      const std::lock_guard lock(posted_mutex_);
      if (posted_.empty()) return;
      next = std::move(posted_.front());
      posted_.pop_front();
    }
    next();
  }
}

void FakeEventLoop::advance(Micros by) {
  const MonotonicTime end = clock_.monotonic() + by;
  settle();
  while (!timers_.empty() && timers_.begin()->first.first <= end) {
    const MonotonicTime due = timers_.begin()->first.first;
    if (due > clock_.monotonic()) clock_.advance(due - clock_.monotonic());
    auto node = timers_.extract(timers_.begin());
    node.mapped()();
    settle();
  }
  if (end > clock_.monotonic()) clock_.advance(end - clock_.monotonic());
  settle();
}

void FakeEventLoop::fire(int fd, uint32_t events) {
  std::vector<uint64_t> ids;
  for (const auto& [id, watch] : watches_) {
    if (watch.fd == fd && (watch.events & events) != 0) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    const auto found = watches_.find(id);
    if (found == watches_.end()) continue;
    const auto callback = found->second.callback;  // the call may end the watch
    callback(events);
  }
  settle();
}

}  // namespace flotilla::base
