// AsioLoop: the event loop of fleetd. One thread calls run(); everything below the fence but the
// store's and executor's threads happens on it. Asio itself stays in loop.cc; whoever needs the
// io_context (the HTTP server) includes loop_asio.h.
#pragma once

#include <functional>
#include <memory>

#include "base/event_loop.h"

namespace flotilla::overlord {

class AsioLoop final : public base::EventLoop {
 public:
  AsioLoop();
  ~AsioLoop() override;
  AsioLoop(const AsioLoop&) = delete;
  AsioLoop& operator=(const AsioLoop&) = delete;

  const base::Clock& clock() const override;
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override;
  void post(std::function<void()> callback) override;
  // At most one registration per descriptor at a time, asked for IN, OUT or both.
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override;

  // Calls `callback` with the number each time the process gets the signal.
  base::RegistrationPtr on_signal(int signal, std::function<void(int)> callback);

  // Runs until stop(), or until nothing can happen any more. Callbacks due at that moment are
  // called by the next run().
  void run();
  // Any thread; safe before run().
  void stop();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::overlord
