// ./quickstart itself: the script in a folder of its own, with the programs of this build in place
// of those that it would build.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Quickstart : public ::testing::Test {
 protected:
  // The clone may be anywhere.
  static constexpr char kFolder[] = "a clone's 100% \"folder\"/";

  void SetUp() override {
    become_subreaper();
    namespace fs = std::filesystem;
    const fs::path source(FLOTILLA_SOURCE_DIR);
    const fs::path here(root_ / kFolder);
    for (const char* file : {"quickstart", "examples/hello.service"}) {
      fs::create_directories((here / file).parent_path());
      fs::copy(source / file, here / file);
    }
    // Packages are there and programs are built.
    for (const char* program : {"scripts/install-packages", "tools/cmake"}) {
      root_.write(std::string(kFolder) + program, "#!/bin/sh\n");
      ASSERT_EQ(chmod((here / program).c_str(), 0755), 0);
    }
    fs::create_directories(here / "build/release");
    fs::create_directory_symlink(fs::path(FLOTILLA_INIT).parent_path(), here / "build/release/bin");
  }
  void TearDown() override {
    // Only where the test has failed is there anything left.
    for (const Process& process : descendants_of(getpid())) kill_tree(process.pid);
    reap_orphans();
  }
  Outcome quickstart(const std::vector<std::string>& words = {}) const {
    std::vector<std::string> command{root_ / kFolder + "quickstart"};
    command.insert(command.end(), words.begin(), words.end());
    CommandOptions options;
    options.directory = "/";
    options.environment = {
        {"PATH",
         root_ / kFolder + "tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
    return run_command(command, options);
  }
  std::vector<std::string> processes() const {
    std::vector<std::string> found;
    reap_orphans();
    for (const Process& process : descendants_of(getpid())) {
      if (process.state != 'Z') found.push_back(process.command);
    }
    return found;
  }

  TemporaryRoot root_;
};

TEST_F(Quickstart, StartsShowsStopsAndLeavesNothing) {
  const Outcome nothing = quickstart({"stop"});
  EXPECT_EQ(nothing.exit_code, 0) << nothing;
  EXPECT_EQ(nothing.out, "nothing is running\n");

  const Outcome first = quickstart();
  ASSERT_EQ(first.exit_code, 0) << first
                                << root_.read(std::string(kFolder) + "run/flotilla-init.log");
  EXPECT_THAT(first.out, AllOf(HasSubstr("$ fleetctl start examples/hello.service\n"
                                         "Unit hello.service inactive\n"
                                         "Unit hello.service launched on "),
                               HasSubstr("\tactive\trunning\t"), HasSubstr("hello")));
  EXPECT_EQ(first.err, "");

  // A second run finds it at work.
  const Outcome second = quickstart();
  EXPECT_EQ(second.exit_code, 0) << second;
  EXPECT_THAT(second.out, AllOf(HasSubstr("already running"), HasSubstr("\tactive\trunning\t")));

  const Outcome stopped = quickstart({"stop"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_THAT(processes(), IsEmpty());
  for (const char* socket : {"run/fleet.sock", "run/run/systemd/private"}) {
    EXPECT_FALSE(root_.has(std::string(kFolder) + socket)) << socket;
  }
  EXPECT_EQ(quickstart({"stop"}).out, "nothing is running\n");

  // What was submitted is still there the next time.
  EXPECT_EQ(quickstart().exit_code, 0);
  EXPECT_EQ(quickstart({"stop"}).exit_code, 0);
  EXPECT_THAT(processes(), IsEmpty());
}

}  // namespace
}  // namespace flotilla::system_test
