// BusLoop: the manager's Loop as the EventLoop that bus/ is driven by. Bus traffic may allocate, so
// this adapter does; it adds no wake-up of its own. Loop thread only, post() included: the manager
// has one thread.
#pragma once

#include <deque>
#include <functional>

#include "base/event_loop.h"
#include "init/loop.h"

namespace flotilla::init {

class BusLoop final : public base::EventLoop {
 public:
  explicit BusLoop(Loop& loop);

  const base::Clock& clock() const override { return loop_.clock(); }
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override;
  // Runs in the next turn, after what is ready by then: a client that keeps us busy does not keep
  // the children waiting.
  void post(std::function<void()> callback) override;
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override;

 private:
  class TimerRegistration;
  class WatchRegistration;

  void run_posted();

  Loop& loop_;
  std::deque<std::function<void()>> posted_;
  Timer posted_timer_;
};

}  // namespace flotilla::init
