// What every implementation of Timers must do, as one suite of typed tests. A fixture type F has
// `Timers& timers()` and `void pass(base::Micros)`, which lets at least that much time go by and
// everything due be called.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "init/timers.h"

namespace flotilla::init {

template <typename F>
class TimersConformance : public testing::Test {
 protected:
  Timers& timers() { return fixture_.timers(); }
  base::MonotonicTime now() { return timers().clock().monotonic(); }
  void pass(base::Micros time) { fixture_.pass(time); }

 private:
  F fixture_;
};

TYPED_TEST_SUITE_P(TimersConformance);

TYPED_TEST_P(TimersConformance, FiresInOrderOfDeadlines) {
  std::vector<int> fired;
  auto late = [&] { fired.push_back(2); };
  auto early = [&] { fired.push_back(1); };
  Timer late_timer{Callback<void()>::from(late)}, early_timer{Callback<void()>::from(early)};
  const base::MonotonicTime start = this->now();
  this->timers().arm(late_timer, start + base::Micros(2000));
  this->timers().arm(early_timer, start + base::Micros(1000));
  this->pass(base::Micros(3000));
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_FALSE(late_timer.is_armed());
}

TYPED_TEST_P(TimersConformance, EqualDeadlinesFireInTheOrderTheyWereArmed) {
  constexpr int kCount = 20;
  std::vector<int> fired;
  struct Entry {
    std::vector<int>* fired;
    int number;
    void on_timer() { fired->push_back(number); }
  };
  std::vector<Entry> entries;
  std::vector<std::unique_ptr<Timer>> owned;
  for (int i = 0; i < kCount; ++i) entries.push_back({&fired, i});
  const base::MonotonicTime at = this->now() + base::Micros(1000);
  std::vector<int> expected;
  for (int i = 0; i < kCount; ++i) {
    owned.push_back(
        std::make_unique<Timer>(Callback<void()>::to<&Entry::on_timer>(entries[size_t(i)])));
    this->timers().arm(*owned.back(), at);
    expected.push_back(i);
  }
  this->pass(base::Micros(2000));
  EXPECT_EQ(fired, expected);
}

TYPED_TEST_P(TimersConformance, NeverCallsBackFromInsideArm) {
  int fired = 0;
  auto count = [&] { ++fired; };
  Timer timer{Callback<void()>::from(count)};
  this->timers().arm(timer, base::MonotonicTime{});
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer.is_armed());
  this->pass(base::Micros(0));
  EXPECT_EQ(fired, 1);
}

TYPED_TEST_P(TimersConformance, ACancelledOrDestroyedTimerStaysSilent) {
  int fired = 0;
  auto count = [&] { ++fired; };
  Timer cancelled{Callback<void()>::from(count)};
  auto destroyed = std::make_unique<Timer>(Callback<void()>::from(count));
  this->timers().arm_after(cancelled, base::Micros(100));
  this->timers().arm_after(*destroyed, base::Micros(100));
  this->timers().cancel(cancelled);
  this->timers().cancel(cancelled);
  destroyed.reset();
  this->pass(base::Micros(2000));
  EXPECT_EQ(fired, 0);
}

TYPED_TEST_P(TimersConformance, ArmingAgainMovesTheDeadlineAndNeverCancels) {
  int fired = 0;
  auto count = [&] { ++fired; };
  Timer timer{Callback<void()>::from(count)};
  this->timers().arm_after(timer, base::Micros(1000));
  this->timers().arm_after(timer, base::Micros(3'600'000'000));
  this->pass(base::Micros(3000));
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer.is_armed());
  this->timers().arm(timer, base::MonotonicTime::never());
  EXPECT_FALSE(timer.is_armed());
  EXPECT_TRUE(timer.deadline().is_never());
}

TYPED_TEST_P(TimersConformance, ACallbackMayArmCancelAndDestroyTimers) {
  struct Owner {
    Timers& timers;
    int fired = 0;
    std::unique_ptr<Timer> self, other;
    void on_timer() {
      if (++fired == 1) return timers.arm_after(*self, base::Micros(0));
      other.reset();
      self.reset();
    }
    void on_other() { fired += 100; }
  };
  Owner owner{this->timers(), 0, nullptr, nullptr};
  owner.self = std::make_unique<Timer>(Callback<void()>::to<&Owner::on_timer>(owner));
  owner.other = std::make_unique<Timer>(Callback<void()>::to<&Owner::on_other>(owner));
  this->timers().arm_after(*owner.self, base::Micros(0));
  this->timers().arm_after(*owner.other, base::Micros(60'000'000));
  this->pass(base::Micros(0));
  this->pass(base::Micros(0));
  EXPECT_EQ(owner.fired, 2);
  EXPECT_EQ(owner.self, nullptr);
}

REGISTER_TYPED_TEST_SUITE_P(TimersConformance, FiresInOrderOfDeadlines,
                            EqualDeadlinesFireInTheOrderTheyWereArmed, NeverCallsBackFromInsideArm,
                            ACancelledOrDestroyedTimerStaysSilent,
                            ArmingAgainMovesTheDeadlineAndNeverCancels,
                            ACallbackMayArmCancelAndDestroyTimers);

}  // namespace flotilla::init
