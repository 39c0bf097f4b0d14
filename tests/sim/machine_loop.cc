#include "sim/machine_loop.h"

#include <optional>
#include <utility>

namespace flotilla::sim {

class MachineLoop::MachineClock final : public base::Clock {
 public:
  explicit MachineClock(const base::Clock& world) : world_(world) {}
  base::MonotonicTime monotonic() const override { return world_.monotonic(); }
  base::WallTime wall() const override { return world_.wall() + offset; }
  base::BoottimeTime boottime() const override { return stopped.value_or(world_.boottime()); }

  base::Micros offset{0};
  std::optional<base::BoottimeTime> stopped;

 private:
  friend class MachineLoop;
  const base::Clock& world_;
};

struct MachineLoop::Core {
  // Calls now, or when the machine goes on.
  void run(std::function<void()> callback) {
    if (is_paused) {
      held.push_back(std::move(callback));
    } else {
      callback();
    }
  }
  bool is_paused = false;
  std::vector<std::function<void()>> held;
};

class MachineLoop::TimerRegistration final : public base::Registration {
 public:
  explicit TimerRegistration(std::shared_ptr<bool> is_armed) : is_armed_(std::move(is_armed)) {}
  ~TimerRegistration() override { *is_armed_ = false; }

  base::RegistrationPtr timer;

 private:
  std::shared_ptr<bool> is_armed_;
};

MachineLoop::MachineLoop(base::FakeEventLoop& world)
    : world_(world),
      clock_(std::make_unique<MachineClock>(world.clock())),
      core_(std::make_shared<Core>()) {}

MachineLoop::~MachineLoop() = default;

void MachineLoop::pause() { core_->is_paused = true; }

void MachineLoop::resume() {
  core_->is_paused = false;
  for (auto& callback : std::exchange(core_->held, {})) post(std::move(callback));
}

bool MachineLoop::is_paused() const { return core_->is_paused; }
void MachineLoop::jump_wall(base::Micros by) { clock_->offset += by; }
void MachineLoop::stop_boottime() { clock_->stopped = clock_->boottime(); }
const base::Clock& MachineLoop::clock() const { return *clock_; }

base::RegistrationPtr MachineLoop::at(base::MonotonicTime deadline,
                                      std::function<void()> callback) {
  auto is_armed = std::make_shared<bool>(true);
  auto registration = std::make_unique<TimerRegistration>(is_armed);
  registration->timer =
      world_.at(deadline, [core = std::weak_ptr(core_), is_armed, callback = std::move(callback)] {
        const auto live = core.lock();
        if (!live) return;
        live->run([is_armed, callback] {
          if (std::exchange(*is_armed, false)) callback();
        });
      });
  return registration;
}

void MachineLoop::post(std::function<void()> callback) {
  world_.post([core = std::weak_ptr(core_), callback = std::move(callback)]() mutable {
    if (const auto live = core.lock()) live->run(std::move(callback));
  });
}

base::RegistrationPtr MachineLoop::watch(int fd, uint32_t events,
                                         std::function<void(uint32_t)> callback) {
  return world_.watch(fd, events, std::move(callback));
}

}  // namespace flotilla::sim
