#include "bus/poll_event_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace flotilla::bus {

using base::Micros;
using base::MonotonicTime;

class PollEventLoop::Entry final : public base::Registration {
 public:
  explicit Entry(std::function<void()> end) : end_(std::move(end)) {}
  ~Entry() override { end_(); }

 private:
  std::function<void()> end_;
};

PollEventLoop::PollEventLoop() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

base::RegistrationPtr PollEventLoop::at(MonotonicTime deadline, std::function<void()> callback) {
  const std::pair key(deadline, next_id_++);
  timers_.emplace(key, std::move(callback));
  return std::make_unique<Entry>([this, key] { timers_.erase(key); });
}

void PollEventLoop::post(std::function<void()> callback) {
  std::lock_guard lock(posted_mutex_);
  posted_.push_back(std::move(callback));
  const uint64_t one = 1;
  // A full counter wakes the loop as well.
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

base::RegistrationPtr PollEventLoop::watch(int fd, uint32_t events,
                                           std::function<void(uint32_t)> callback) {
  const uint64_t id = next_id_++;
  watches_.emplace(id, Watch{fd, events, std::move(callback)});
  return std::make_unique<Entry>([this, id] { watches_.erase(id); });
}

bool PollEventLoop::run_until(const std::function<bool()>& condition, Micros limit) {
  const MonotonicTime end = clock_.monotonic() + limit;
  while (!condition()) {
    const Micros left = end - clock_.monotonic();
    if (left <= Micros(0)) return false;
    turn(left);
  }
  return true;
}

void PollEventLoop::turn(Micros limit) {
  if (!timers_.empty()) limit = std::min(limit, timers_.begin()->first.first - clock_.monotonic());
  limit = std::clamp(limit, Micros(0), Micros(std::chrono::hours(1)));
  std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0}};
  std::vector<uint64_t> ids;
  for (const auto& [id, watch] : watches_) {
    fds.push_back({watch.fd, static_cast<short>(watch.events), 0});
    ids.push_back(id);
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit);
  ::poll(fds.data(), fds.size(), static_cast<int>(milliseconds.count()));
  uint64_t count = 0;
  [[maybe_unused]] ssize_t drained = ::read(wake_.get(), &count, sizeof count);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto ready = static_cast<uint32_t>(fds[i + 1].revents);
    if (ready == 0) continue;
    auto found = watches_.find(ids[i]);
    if (found == watches_.end()) continue;
    auto callback = found->second.callback;  // it may end its own watch
    callback(ready);
  }
  run_timers();
  run_posted();
}

void PollEventLoop::run_timers() {
  const MonotonicTime now = clock_.monotonic();
  const uint64_t before = next_id_;
  for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now;) {
    if (it->first.second >= before) {
      ++it;
      continue;
    }
    auto callback = std::move(it->second);
    timers_.erase(it);
    callback();
    it = timers_.begin();
  }
}

void PollEventLoop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& callback : work) callback();
}

}  // namespace flotilla::bus
