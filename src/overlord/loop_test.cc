#include "overlord/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/fd.h"
#include "overlord/executor.h"

namespace flotilla::overlord {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

TEST(AsioLoop, RunsTimersInOrderOfTheirDeadlines) {
  AsioLoop loop;
  std::string order;
  base::RegistrationPtr first;
  base::RegistrationPtr second;
  // Only timers that are armed before the first of them is due have an order to keep, and the
  // machine may take its time between the calls.
  base::MonotonicTime due;
  for (base::Micros distance = 2ms; first == nullptr || loop.clock().monotonic() >= due;
       distance *= 2) {
    due = loop.clock().monotonic() + distance;
    second = loop.at(due + 1ms, [&] {
      order += "2";
      loop.stop();
    });
    first = loop.at(due, [&] { order += "1"; });
  }
  const auto never = loop.at(base::MonotonicTime::never(), [&] { order += "!"; });
  const auto late = loop.after(24h * 365 * 1000, [&] { order += "!"; });
  loop.run();
  EXPECT_EQ(order, "12");
}

TEST(AsioLoop, AnEndedTimerNeverFires) {
  AsioLoop loop;
  bool fired = false;
  base::RegistrationPtr victim;
  const auto killer = loop.after(0ms, [&] { victim.reset(); });
  victim = loop.after(1ms, [&] { fired = true; });
  const auto end = loop.after(3ms, [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(AsioLoop, ATimersCallbackMayEndItsOwnRegistration) {
  AsioLoop loop;
  base::RegistrationPtr self;
  self = loop.after(0ms, [&] {
    self.reset();
    loop.stop();
  });
  loop.run();
}

TEST(AsioLoop, TakesPostsFromOtherThreads) {
  AsioLoop loop;
  int sum = 0;
  std::thread other([&] {
    for (int i = 1; i <= 100; ++i) loop.post([&sum, i] { sum += i; });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(sum, 5050);
}

TEST(AsioLoop, TellsAgainWhileADescriptorStaysReadable) {
  AsioLoop loop;
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const base::Fd read_end(fds[0]);
  const base::Fd write_end(fds[1]);
  ASSERT_EQ(::write(write_end.get(), "abc", 3), 3);
  std::string got;
  base::RegistrationPtr watch = loop.watch(read_end.get(), EPOLLIN, [&](uint32_t events) {
    EXPECT_EQ(events, uint32_t{EPOLLIN});
    char c = 0;
    ASSERT_EQ(::read(read_end.get(), &c, 1), 1);
    got += c;
    if (got.size() == 3) loop.stop();
  });
  loop.run();
  EXPECT_EQ(got, "abc");
  watch.reset();
  // The descriptor is still its owner's, and can be watched again.
  ASSERT_EQ(::write(write_end.get(), "d", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(read_end.get(), &c, 1), 1);
}

TEST(AsioLoop, CallsBackForASignal) {
  AsioLoop loop;
  int got = 0;
  const auto watch = loop.on_signal(SIGUSR1, [&](int signal) {
    got = signal;
    loop.stop();
  });
  loop.post([] { ::raise(SIGUSR1); });
  loop.run();
  EXPECT_EQ(got, SIGUSR1);
}

TEST(ThreadPool, WorksElsewhereAndAnswersOnTheLoop) {
  AsioLoop loop;
  ThreadPool pool(loop, 2);
  const auto loop_thread = std::this_thread::get_id();
  int done = 0;
  for (int i = 0; i < 20; ++i) {
    pool.submit([&] { EXPECT_NE(std::this_thread::get_id(), loop_thread); },
                [&] {
                  EXPECT_EQ(std::this_thread::get_id(), loop_thread);
                  if (++done == 20) loop.stop();
                });
  }
  loop.run();
  EXPECT_EQ(done, 20);
}

}  // namespace
}  // namespace flotilla::overlord
