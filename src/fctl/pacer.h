// The seam through which a waiting verb lets time pass.
#pragma once

#include <chrono>

namespace flotilla::fctl {

class Pacer {
 public:
  virtual ~Pacer() = default;
  virtual std::chrono::milliseconds now() = 0;  // since any fixed moment
  virtual void pause(std::chrono::milliseconds how_long) = 0;
};

class SystemPacer final : public Pacer {
 public:
  std::chrono::milliseconds now() override;
  void pause(std::chrono::milliseconds how_long) override;
};

// Time passes only by waiting.
class FakePacer final : public Pacer {
 public:
  std::chrono::milliseconds now() override { return now_; }
  void pause(std::chrono::milliseconds how_long) override { now_ += how_long; }

 private:
  std::chrono::milliseconds now_{0};
};

}  // namespace flotilla::fctl
