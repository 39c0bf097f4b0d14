// MachineLoop: one machine's view of the world's time. It can be paused, as a virtual machine that
// gets no CPU: what falls due meanwhile happens when it goes on. When it is destroyed, nothing of
// it is ever called again. Its wall clock can jump.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/fake_event_loop.h"

namespace flotilla::sim {

class MachineLoop final : public base::EventLoop {
 public:
  explicit MachineLoop(base::FakeEventLoop& world);
  ~MachineLoop() override;
  MachineLoop(const MachineLoop&) = delete;
  MachineLoop& operator=(const MachineLoop&) = delete;

  void pause();
  void resume();
  bool is_paused() const;
  void jump_wall(base::Micros by);
  // The clock by which leases are counted stands still from now on: a fault of the guard.
  void stop_boottime();

  const base::Clock& clock() const override;
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override;
  void post(std::function<void()> callback) override;
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override;

 private:
  class MachineClock;
  struct Core;
  class TimerRegistration;

  base::FakeEventLoop& world_;
  std::unique_ptr<MachineClock> clock_;
  std::shared_ptr<Core> core_;
};

}  // namespace flotilla::sim
