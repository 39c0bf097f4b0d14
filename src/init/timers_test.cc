#include "init/timers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "init/loop.h"
#include "init/timers_conformance.h"
#include "init/virtual_timers.h"

namespace flotilla::init {
namespace {

class VirtualFixture {
 public:
  Timers& timers() { return timers_; }
  void pass(base::Micros time) { timers_.advance(time); }

 private:
  VirtualTimers timers_;
};

class LoopFixture {
 public:
  Timers& timers() { return *loop_; }
  void pass(base::Micros time) {
    // At least one turn, then turns until the time is over, woken by a timer of our own.
    bool over = false;
    auto end = [&] { over = true; };
    Timer timer{Callback<void()>::from(end)};
    loop_->arm_after(timer, time);
    while (!over) ASSERT_TRUE(loop_->turn(base::Micros::max()));
  }

 private:
  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Virtual, TimersConformance, VirtualFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Kernel, TimersConformance, LoopFixture);

TEST(TimerHeap, AgreesWithASortedListUnderRandomArmingAndCancelling) {
  struct Entry {
    std::vector<size_t>* fired;
    size_t number;
    void on_timer() { fired->push_back(number); }
  };
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    TimerHeap heap;
    std::vector<size_t> fired;
    std::vector<Entry> entries;
    std::vector<std::unique_ptr<Timer>> timers;
    for (size_t i = 0; i < 200; ++i) entries.push_back({&fired, i});
    for (Entry& entry : entries) {
      timers.push_back(std::make_unique<Timer>(Callback<void()>::to<&Entry::on_timer>(entry)));
    }
    for (int step = 0; step < 600; ++step) {
      Timer& timer = *timers[random() % timers.size()];
      if (random() % 3 == 0) {
        heap.remove(timer);
      } else {
        heap.push(timer, {base::Micros(1 + int64_t(random() % 50))});
      }
    }
    size_t armed = 0;
    for (const auto& timer : timers) armed += timer->is_armed() ? 1 : 0;
    EXPECT_EQ(heap.size(), armed);
    std::vector<base::MonotonicTime> deadlines;
    while (!heap.is_empty()) {
      deadlines.push_back(heap.earliest());
      ASSERT_TRUE(heap.fire_one({base::Micros(1000)}, heap.next_order()));
    }
    EXPECT_EQ(fired.size(), armed);
    EXPECT_TRUE(std::is_sorted(deadlines.begin(), deadlines.end()));
  }
}

TEST(TimerHeap, DisarmsWhatIsLeftWhenItEnds) {
  Timer timer{Callback<void()>()};
  {
    TimerHeap heap;
    heap.push(timer, {base::Micros(5)});
  }
  EXPECT_FALSE(timer.is_armed());
}

TEST(VirtualTimers, StopsAtEveryDeadlineOnTheWay) {
  VirtualTimers timers;
  std::vector<int64_t> seen;
  const base::MonotonicTime start = timers.clock().monotonic();
  struct Repeating {
    VirtualTimers& timers;
    std::vector<int64_t>& seen;
    base::MonotonicTime start;
    Timer timer{Callback<void()>::to<&Repeating::on_timer>(*this)};
    void on_timer() {
      seen.push_back((timers.clock().monotonic() - start).count());
      timers.arm_after(timer, base::Micros(10));
    }
  } repeating{timers, seen, start};
  timers.arm_after(repeating.timer, base::Micros(10));
  timers.advance(base::Micros(35));
  EXPECT_EQ(seen, (std::vector<int64_t>{10, 20, 30}));
  EXPECT_EQ((timers.clock().monotonic() - start).count(), 35);
  EXPECT_TRUE(timers.advance_to_next());
  EXPECT_FALSE(timers.advance_to_next(base::Micros(9)));
}

}  // namespace
}  // namespace flotilla::init
