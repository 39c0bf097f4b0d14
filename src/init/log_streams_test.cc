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

class LogStreamsTest : public testing::Test {
 protected:
  LogStreamsTest() {
    options_.program = "/flotilla-logd";
    options_.is_quiet = true;
    request_.unit = "a.service";
  }

  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
  EndingSpawner spawner_;
  FakeTracker tracker_;
  FakeProcesses processes_{tracker_};
  FakeKeeper keeper_;
  LogStreamsOptions options_;
  UnitLogs::Request request_;
};

TEST_F(LogStreamsTest, StartsNoLogProcessAfterTheEnd) {
  LogStreams streams(*loop_, spawner_, processes_, keeper_, options_);
  ASSERT_TRUE(streams.open_streams(request_));
  streams.flush();
  EXPECT_EQ(spawner_.count, 1);
  streams.shut_down();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "it waits for the log process";
  // The turn in which the manager ends has a flush at its own end.
  streams.message("a.service", 4, "the last words");
  streams.flush();
  EXPECT_EQ(spawner_.count, 1);
}

TEST_F(LogStreamsTest, TheKeeperHasAPipeBeforeAnyProcessDoes) {
  {
    LogStreams streams(*loop_, spawner_, processes_, keeper_, options_);
    ASSERT_TRUE(streams.open_streams(request_));
    EXPECT_EQ(keeper_.held.count("log:a.service"), 1u);
    ASSERT_TRUE(streams.open_streams(request_));
    EXPECT_EQ(keeper_.held.count("log:a.service"), 1u) << "it is the same pipe";
  }
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
}  // namespace flotilla::init
