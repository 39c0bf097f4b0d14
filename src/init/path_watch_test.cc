#include "init/path_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

namespace flotilla::init {
namespace {

class WatchingPaths : public testing::Test {
 protected:
  WatchingPaths() {
    char pattern[] = "/tmp/flotilla-paths-XXXXXX";
    root_ = ::mkdtemp(pattern);
  }
  ~WatchingPaths() override { std::filesystem::remove_all(root_); }

  void watch(const std::string& path) {
    const base::Status status = paths_.watch(watch_, root_ + path);
    ASSERT_TRUE(status) << status.error().message;
  }
  void write(const std::string& path, const std::string& text) {
    std::ofstream(root_ + path) << text;
  }
  void make_directory(const std::string& path) {
    ASSERT_EQ(::mkdir((root_ + path).c_str(), 0755), 0);
  }
  void rename(const std::string& from, const std::string& to) {
    ASSERT_EQ(::rename((root_ + from).c_str(), (root_ + to).c_str()), 0);
  }
  // Whether the watch was called since the last time; what the kernel has to say is there at once.
  bool was_called() {
    EXPECT_TRUE(loop_->turn(base::Micros(0)));
    return std::exchange(calls_, 0) > 0;
  }
  std::string root_;
  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
  InotifyPaths paths_{*loop_};
  int calls_ = 0;
  void on_change() { ++calls_; }
  PathWatch watch_{Callback<void()>::to<&WatchingPaths::on_change>(*this)};
};

TEST_F(WatchingPaths, HearsOfAFileThatComesAndIsWritten) {
  watch("/a.pid");
  EXPECT_FALSE(was_called());
  write("/other", "1");
  EXPECT_FALSE(was_called());
  write("/a.pid", "1");
  EXPECT_TRUE(was_called());
  EXPECT_FALSE(was_called());
  write("/a.pid", "2");
  EXPECT_TRUE(was_called());
}

TEST_F(WatchingPaths, HearsOfAFileThatIsRenamedIntoPlace) {
  write("/a.pid", "1");
  watch("/a.pid");
  write("/new", "2");
  EXPECT_FALSE(was_called());
  rename("/new", "/a.pid");
  EXPECT_TRUE(was_called());
  write("/new", "3");
  rename("/new", "/a.pid");
  EXPECT_TRUE(was_called());
}

TEST_F(WatchingPaths, WaitsForEachDirectoryOnTheWay) {
  watch("/x/y/z/a.pid");
  make_directory("/x");
  EXPECT_TRUE(was_called());
  make_directory("/x/y");
  make_directory("/x/y/z");
  EXPECT_TRUE(was_called());
  // Nothing on the way down is missed, however fast it came.
  write("/x/y/z/a.pid", "1");
  EXPECT_TRUE(was_called());
}

TEST_F(WatchingPaths, SeesADirectoryThatIsMovedIntoPlaceWithTheFileInIt) {
  watch("/run/a.pid");
  make_directory("/tmp");
  write("/tmp/a.pid", "1");
  EXPECT_FALSE(was_called());
  rename("/tmp", "/run");
  EXPECT_TRUE(was_called());
  rename("/run", "/gone");
  EXPECT_TRUE(was_called());
  write("/gone/a.pid", "2");
  EXPECT_FALSE(was_called());
}

TEST_F(WatchingPaths, DoesNotWakeUpForWhatStandsBesideTheWay) {
  make_directory("/x");
  watch("/x/a.pid");
  for (int i = 0; i < 10; ++i) write("/beside" + std::to_string(i), "1");
  pollfd ready{paths_.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
  write("/x/a.pid", "1");
  EXPECT_EQ(::poll(&ready, 1, 0), 1);
}

TEST_F(WatchingPaths, SharesADirectoryAmongWatches) {
  int others = 0;
  auto count = [&] { ++others; };
  {
    PathWatch other(Callback<void()>::from(count));
    ASSERT_TRUE(paths_.watch(other, root_ + "/b.pid"));
    watch("/a.pid");
    write("/b.pid", "1");
    EXPECT_FALSE(was_called());
    EXPECT_GT(others, 0);
  }
  write("/a.pid", "1");
  EXPECT_TRUE(was_called());
  others = 0;
  write("/b.pid", "2");
  EXPECT_FALSE(was_called());
  EXPECT_EQ(others, 0);
}

TEST_F(WatchingPaths, AWatchMayEndItselfAndOthersWhenItIsCalled) {
  int called = 0;
  std::unique_ptr<PathWatch> first, second;
  auto end_both = [&] {
    ++called;
    paths_.unwatch(*first);
    paths_.unwatch(*second);
  };
  first = std::make_unique<PathWatch>(Callback<void()>::from(end_both));
  second = std::make_unique<PathWatch>(Callback<void()>::from(end_both));
  ASSERT_TRUE(paths_.watch(*first, root_ + "/a.pid"));
  ASSERT_TRUE(paths_.watch(*second, root_ + "/a.pid"));
  write("/a.pid", "1");
  ASSERT_TRUE(loop_->turn(base::Micros(0)));
  EXPECT_EQ(called, 1);
  write("/a.pid", "2");
  ASSERT_TRUE(loop_->turn(base::Micros(0)));
  EXPECT_EQ(called, 1);
}

}  // namespace
}  // namespace flotilla::init
