// A manager with a hundred services that have nothing to do has nothing to do either.
#include <chrono>
#include <thread>
#include <utility>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

constexpr int kServices = 100;

class Idle : public SystemTest {};

TEST_F(Idle, NothingWakesUpWhileAHundredServicesSleep) {
  machine_.add_unit(
      "idle@.service",
      "[Service]\nType=notify\nRestart=always\nTimeoutStopSec=80\nExecStart=" FLOTILLA_PROBE
      " --print=hello --notify=READY=1\n");
  machine_.start();
  std::vector<std::string> start{"start"};
  for (int i = 0; i < kServices; ++i) start.push_back("idle@" + std::to_string(i));
  ASSERT_THAT(systemctl(start), Answers(0, "", ""));
  ASSERT_EQ(machine_.services().size(), static_cast<size_t>(kServices));
  const std::vector<pid_t> watched{machine_.keeper(), machine_.manager(), machine_.logd()};
  for (const pid_t pid : watched) ASSERT_GT(pid, 0);
  const auto count = [&] {
    std::vector<uint64_t> counts;
    for (const pid_t pid : watched) counts.push_back(context_switches(pid));
    return counts;
  };
  // First until all is quiet: a second without a switch. Then the time that is the test itself.
  std::vector<uint64_t> before = count();
  ASSERT_TRUE(wait_until([&] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const std::vector<uint64_t> last = std::exchange(before, count());
    return last == before;
  })) << "never a quiet second: keeper, manager, logd: "
      << ::testing::PrintToString(before);
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(count(), before) << "context switches of keeper, manager and logd";
}

}  // namespace
}  // namespace flotilla::system_test
