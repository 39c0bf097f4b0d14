#include "init/log_streams.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/fake_keeper.h"
#include "init/fake_tracker.h"
#include "init/loop.h"
#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

// Processes that end at once: a log process needs a pid that is a child of ours.
class EndingSpawner final : public Spawner {
 public:
  SpawnResult spawn(const ExecSpec&) noexcept override {
    ++count;
    SpawnResult result;
    result.pid = fork();
    if (result.pid == 0) _exit(0);
    return result;
  }
  int count = 0;
};

TEST(LogStreams, StartsNoLogProcessAfterTheEnd) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  EndingSpawner spawner;
  FakeTracker tracker;
  FakeProcesses processes(tracker);
  FakeKeeper keeper;
  LogStreamsOptions options;
  options.program = "/flotilla-logd";
  options.is_quiet = true;
  LogStreams streams(**loop, spawner, processes, keeper, options);
  UnitLogs::Request request;
  request.unit = "a.service";
  ASSERT_TRUE(streams.open_streams(request));
  streams.flush();
  EXPECT_EQ(spawner.count, 1);
  streams.shut_down();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "it waits for the log process";
  // The turn in which the manager ends has a flush at its own end.
  streams.message("a.service", 4, "the last words");
  streams.flush();
  EXPECT_EQ(spawner.count, 1);
}

TEST(LogStreams, TheKeeperHasAPipeBeforeAnyProcessDoes) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  EndingSpawner spawner;
  FakeTracker tracker;
  FakeProcesses processes(tracker);
  FakeKeeper keeper;
  LogStreamsOptions options;
  options.program = "/flotilla-logd";
  options.is_quiet = true;
  {
    LogStreams streams(**loop, spawner, processes, keeper, options);
    UnitLogs::Request request;
    request.unit = "a.service";
    ASSERT_TRUE(streams.open_streams(request));
    EXPECT_EQ(keeper.held.count("log:a.service"), 1u);
    ASSERT_TRUE(streams.open_streams(request));
    EXPECT_EQ(keeper.held.count("log:a.service"), 1u) << "it is the same pipe";
  }
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
}  // namespace flotilla::init
