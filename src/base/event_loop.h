// The event loop seam of everything below the fence (fleetd, its store and bus clients). The
// service manager has a loop of its own that never allocates: init/loop.h.
//
// One thread runs the loop; every callback is called on it, never from inside the call that
// registered it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"

namespace flotilla::base {

// Ends its registration when destroyed; an ended registration never fires again. Loop thread only.
// The callback may destroy its own registration.
class [[nodiscard]] Registration {
 public:
  virtual ~Registration() = default;
};
using RegistrationPtr = std::unique_ptr<Registration>;

class EventLoop {
 public:
  virtual ~EventLoop() = default;

  virtual const Clock& clock() const = 0;

  // Calls `callback` once, at `deadline` or as soon after it as the loop is free.
  virtual RegistrationPtr at(MonotonicTime deadline, std::function<void()> callback) = 0;
  RegistrationPtr after(Micros delay, std::function<void()> callback) {
    return at(clock().monotonic() + delay, std::move(callback));
  }

  // Calls `callback` soon, on the loop thread, in the order of the posts. The only member that any
  // thread may call.
  virtual void post(std::function<void()> callback) = 0;

  // Calls `callback` with the ready EPOLL* bits while any of `events` (EPOLLIN | EPOLLOUT) holds.
  // Does not own `fd`; the registration must end before fd is closed.
  virtual RegistrationPtr watch(int fd, uint32_t events,
                                std::function<void(uint32_t)> callback) = 0;
};

}  // namespace flotilla::base
