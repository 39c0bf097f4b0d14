#include "cmd/fleetd/local_inspector.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/fake_event_loop.h"
#include "bus/fake_unit_manager.h"
#include "logs/export_format.h"
#include "overlord/loop.h"

namespace flotilla::fleetd {
namespace {

struct LocalInspectorTest : testing::Test {
  LocalInspectorTest() {
    char name[] = "/tmp/flotilla-inspector-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~LocalInspectorTest() override { std::filesystem::remove_all(directory); }

  std::string directory;
  overlord::AsioLoop loop;
  base::FakeEventLoop manager_loop;
  bus::FakeUnitManager manager{manager_loop};
};

TEST_F(LocalInspectorTest, AUnitThatNeverLoggedHasNoEntries) {
  LocalInspector inspector(loop, manager, directory);
  const auto log = inspector.log("a.service", {10, false});
  ASSERT_TRUE(log);
  std::string text;
  EXPECT_FALSE((*log)->read(text));
  EXPECT_EQ(text, "-- No entries --\n");
}

TEST_F(LocalInspectorTest, FollowingWaitsForALogThatIsStillToCome) {
  LocalInspector inspector(loop, manager, directory);
  const auto log = inspector.log("a.service", {10, true});
  ASSERT_TRUE(log) << log.error().message;
  std::string text;
  (*log)->start([&] {
    EXPECT_TRUE((*log)->read(text));
    if (text.find("hello") != std::string::npos) loop.stop();
  });
  EXPECT_TRUE((*log)->read(text));
  EXPECT_EQ(text, "");
  loop.post([&] {
    std::filesystem::create_directory(directory + "/b.service");
    std::filesystem::create_directory(directory + "/a.service");
    const std::string file = directory + "/a.service/00000000000000000001.log";
    std::ofstream(file) << "2026-01-02T03:04:05.000000001Z stdout F hello\n";
    // A line without an index record waits for it while its file is fresh.
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  });
  loop.run();
  EXPECT_NE(text.find("hello\n"), std::string::npos);
}

TEST_F(LocalInspectorTest, ALogIsToldInTheFormThatIsAskedFor) {
  std::filesystem::create_directory(directory + "/a.service");
  const std::string file = directory + "/a.service/00000000000000000001.log";
  std::ofstream(file) << "2026-01-02T03:04:05.000000001Z stdout F hello\n";
  std::filesystem::last_write_time(
      file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  LocalInspector inspector(loop, manager, directory);
  const auto log = inspector.log("a.service", {10, false, "json"});
  ASSERT_TRUE(log) << log.error().message;
  std::string text;
  EXPECT_FALSE((*log)->read(text));
  EXPECT_EQ(text.substr(0, 12), "{\"__CURSOR\":");
  EXPECT_NE(text.find("\"_SYSTEMD_UNIT\":\"a.service\""), std::string::npos);
  EXPECT_NE(text.find("\"MESSAGE\":\"hello\"}\n"), std::string::npos);
  EXPECT_EQ(inspector.log("a.service", {10, false, "xml"}).error().message,
            "invalid value \"xml\" for output: expected " + logs::log_form_names());
}

TEST_F(LocalInspectorTest, FollowingWithoutAFolderOfLogsSaysSo) {
  LocalInspector inspector(loop, manager, directory + "/none");
  const auto log = inspector.log("a.service", {10, true});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().message, "watch " + directory + "/none: No such file or directory");
}

}  // namespace
}  // namespace flotilla::fleetd
