// RealLoop: an event loop in real time that a test runs until a fact holds.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "base/fake_event_loop.h"
#include "harness/command.h"

namespace flotilla::system_test {

class RealLoop final : public base::EventLoop {
 public:
  const base::Clock& clock() const override { return loop_.clock(); }
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override {
    return loop_.at(deadline, std::move(callback));
  }
  void post(std::function<void()> callback) override { loop_.post(std::move(callback)); }
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override {
    return std::make_unique<Watch>(watched_, fd, events,
                                   loop_.watch(fd, events, std::move(callback)));
  }

  // Returns whether it does within kPatience.
  bool run_until(const std::function<bool()>& fact) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      go_on();
      if (fact()) return true;
      if (std::chrono::steady_clock::now() >= end) return false;
    }
  }

 private:
  using Watched = std::list<pollfd>;

  class Watch final : public base::Registration {
   public:
    Watch(std::shared_ptr<Watched> watched, int fd, uint32_t events, base::RegistrationPtr inner)
        : watched_(std::move(watched)), inner_(std::move(inner)) {
      // The bits of epoll and poll are the same.
      at_ = watched_->insert(watched_->end(), {fd, static_cast<short>(events), 0});
    }
    ~Watch() override { watched_->erase(at_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    std::shared_ptr<Watched> watched_;
    Watched::iterator at_;
    base::RegistrationPtr inner_;
  };

  // What is due now; waits for descriptors, ten milliseconds at most.
  void go_on() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<base::Micros>(now - last_);
    last_ += passed;
    loop_.advance(passed);
    std::vector<pollfd> fds(watched_->begin(), watched_->end());
    if (::poll(fds.data(), fds.size(), 10) <= 0) return;
    for (const pollfd& fd : fds) {
      if (fd.revents == 0) continue;
      // An end is told to whoever waits for anything.
      const int told =
          (fd.revents & (POLLHUP | POLLERR)) != 0 ? fd.revents | fd.events : fd.revents;
      loop_.fire(fd.fd, static_cast<uint32_t>(told));
    }
    loop_.settle();
  }

  base::FakeEventLoop loop_;
  std::shared_ptr<Watched> watched_ = std::make_shared<Watched>();
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace flotilla::system_test
