// The seam through which a verb lets time pass and tells the time.
#pragma once

#include <chrono>
#include <functional>

namespace flotilla::fctl {

class Pacer {
 public:
  virtual ~Pacer() = default;
  virtual std::chrono::milliseconds now() = 0;  // since any fixed moment
  virtual void pause(std::chrono::milliseconds how_long) = 0;
  virtual std::chrono::microseconds wall_clock() = 0;  // since 1970
};

class SystemPacer final : public Pacer {
 public:
  std::chrono::milliseconds now() override;
  std::chrono::microseconds wall_clock() override;
  void pause(std::chrono::milliseconds how_long) override;
};

// Time passes only by waiting.
class FakePacer final : public Pacer {
 public:
  std::chrono::milliseconds now() override { return now_; }
  std::chrono::microseconds wall_clock() override { return start + now_; }
  std::chrono::microseconds start{0};
  void pause(std::chrono::milliseconds how_long) override {
    now_ += how_long;
    if (on_pause) on_pause();
  }
  std::function<void()> on_pause;

 private:
  std::chrono::milliseconds now_{0};
};

}  // namespace flotilla::fctl
