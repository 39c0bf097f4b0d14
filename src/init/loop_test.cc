#include "init/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "init/loop_signals.h"

namespace flotilla::init {
namespace {

std::unique_ptr<Loop> make_loop() { return std::move(Loop::create()).value(); }

base::Fd ready_eventfd() { return base::Fd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

struct Recorder {
  std::string& order;
  char letter;
  base::Fd fd;
  FdSource source;

  Recorder(std::string& to, char name, Priority priority)
      : order(to),
        letter(name),
        fd(ready_eventfd()),
        source(priority, Callback<void(uint32_t)>::to<&Recorder::on_ready>(*this)) {}
  void on_ready(uint32_t) {
    order.push_back(letter);
    eventfd_t value = 0;
    eventfd_read(fd.get(), &value);
  }
};

TEST(Loop, CallsSourcesInOrderOfPriorityWhateverTheOrderTheyBecameReady) {
  auto loop = make_loop();
  std::string order;
  Recorder bus(order, 'b', Priority::kBus), notify(order, 'n', Priority::kNotify),
      children(order, 'c', Priority::kChildren), tracking(order, 't', Priority::kTracking);
  for (Recorder* one : {&bus, &tracking, &children, &notify}) {
    ASSERT_TRUE(loop->watch(one->source, one->fd.get(), EPOLLIN));
  }
  auto timer_call = [&] { order.push_back('T'); };
  Timer timer{Callback<void()>::from(timer_call)};
  loop->arm(timer, {});
  auto deferred_call = [&] { order.push_back('.'); };
  Deferred deferred{Callback<void()>::from(deferred_call)};
  auto defer_from_timer = [&] { loop->defer(deferred); };
  Timer second{Callback<void()>::from(defer_from_timer)};
  loop->arm(second, {});
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(order, "ncTtb.");
}

TEST(Loop, GathersMoreDescriptorsThanOneWaitReportsBeforeItCallsAny) {
  auto loop = make_loop();
  std::string order;
  std::vector<std::unique_ptr<Recorder>> many;
  for (int i = 0; i < 150; ++i) {
    many.push_back(std::make_unique<Recorder>(order, 'b', Priority::kBus));
    ASSERT_TRUE(loop->watch(many.back()->source, many.back()->fd.get(), EPOLLIN));
  }
  Recorder last(order, 'n', Priority::kNotify);
  ASSERT_TRUE(loop->watch(last.source, last.fd.get(), EPOLLIN));
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(order, "n" + std::string(150, 'b'));
}

TEST(Loop, ACallbackMayEndTheWatchOfASourceThatIsReadyInTheSameTurn) {
  auto loop = make_loop();
  std::string order;
  auto victim = std::make_unique<Recorder>(order, 'v', Priority::kBus);
  auto kill = [&](uint32_t) { victim.reset(); };
  const base::Fd fd = ready_eventfd();
  FdSource killer{Priority::kNotify, Callback<void(uint32_t)>::from(kill)};
  ASSERT_TRUE(loop->watch(victim->source, victim->fd.get(), EPOLLIN));
  ASSERT_TRUE(loop->watch(killer, fd.get(), EPOLLIN));
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(order, "");
}

TEST(Loop, DeferredWorkRunsOnceHoweverOftenItWasDeferred) {
  auto loop = make_loop();
  int runs = 0;
  auto count = [&] { ++runs; };
  Deferred work{Callback<void()>::from(count)};
  Deferred cancelled{Callback<void()>::from(count)};
  loop->defer(work);
  loop->defer(work);
  loop->defer(cancelled);
  loop->cancel(cancelled);
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(work.is_pending());
}

TEST(Loop, RunReturnsTheCodeOfExit) {
  auto loop = make_loop();
  auto end = [&] { loop->exit(7); };
  Timer timer{Callback<void()>::from(end)};
  loop->arm_after(timer, base::Micros(1000));
  const base::Result<int> code = loop->run();
  ASSERT_TRUE(code);
  EXPECT_EQ(*code, 7);
}

TEST(Loop, SetsTheTimerOnlyWhenTheEarliestDeadlineChanges) {
  auto loop = make_loop();
  Timer near{Callback<void()>()}, far{Callback<void()>()};
  loop->arm_after(near, base::Micros(3'600'000'000));
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(loop->counters().timer_rearms, 1U);
  for (int i = 0; i < 10; ++i) {
    loop->arm_after(far, base::Micros(7'200'000'000));
    loop->cancel(far);
    ASSERT_TRUE(loop->turn(base::Micros(0)));
  }
  EXPECT_EQ(loop->counters().timer_rearms, 1U);
}

TEST(Loop, OneTimerCostsOneWakeUp) {
  auto loop = make_loop();
  auto end = [&] { loop->exit(0); };
  Timer timer{Callback<void()>::from(end)}, cancelled{Callback<void()>()};
  loop->arm_after(cancelled, base::Micros(2000));
  loop->arm_after(timer, base::Micros(20'000));
  loop->cancel(cancelled);
  ASSERT_TRUE(loop->run());
  EXPECT_EQ(loop->counters().turns, 1U);
  // A timer that has fired leaves nothing behind that would wake the next wait.
  ASSERT_TRUE(loop->turn(base::Micros(0)));
  EXPECT_EQ(loop->counters().turns, 2U);
}

TEST(Loop, SignalsArriveAsEvents) {
  auto loop = make_loop();
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int got = 0;
  auto on_signal = [&](const signalfd_siginfo& info) {
    got = static_cast<int>(info.ssi_signo);
    loop->exit(0);
  };
  auto source = SignalSource::create(*loop, set, Priority::kSignals,
                                     Callback<void(const signalfd_siginfo&)>::from(on_signal));
  ASSERT_TRUE(source);
  ASSERT_EQ(kill(getpid(), SIGUSR2), 0);
  ASSERT_TRUE(loop->run());
  EXPECT_EQ(got, SIGUSR2);
}

TEST(Loop, WatchingAClosedDescriptorIsAnError) {
  auto loop = make_loop();
  FdSource source{Priority::kIdle, Callback<void(uint32_t)>()};
  EXPECT_FALSE(loop->watch(source, 1'000'000, EPOLLIN));
  EXPECT_FALSE(source.is_watched());
}

}  // namespace
}  // namespace flotilla::init
