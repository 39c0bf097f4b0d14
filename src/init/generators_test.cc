#include "init/generators.h"

#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

class GeneratorsTest : public ManagerTest {
 protected:
  GeneratorsTest() {
    unit("default.target", "[Unit]\nWants=g.service\n");
    tree_.add_file("/etc/systemd/system-generators/make", "#!", 0755);
  }
  std::vector<std::string> last_words() const { return spawner_.spawned().back().argv; }
  pid_t last_pid() const { return spawner_.spawned().back().pid; }
};

TEST(Generators, TheFirstOfANameCountsAndMasksHideIt) {
  base::MemoryFileTree tree;
  tree.add_file("/etc/g/a", "#!", 0755);
  tree.add_file("/etc/g/b", "", 0755);
  tree.add_file("/usr/g/a", "#!", 0755);
  tree.add_file("/usr/g/b", "#!", 0755);
  tree.add_file("/usr/g/c", "#!", 0755);
  tree.add_file("/usr/g/d", "text", 0644);
  EXPECT_EQ(Generators::find_programs(tree, {"/etc/g", "/usr/g"}),
            (std::vector<std::string>{"/etc/g/a", "/usr/g/c"}));
}

TEST_F(GeneratorsTest, BootWaitsForThemAndSeesWhatTheyWrote) {
  boot();
  EXPECT_EQ(state_of("default.target"), "not loaded");
  EXPECT_EQ(last_words(), (std::vector<std::string>{
                              "/etc/systemd/system-generators/make", "/run/systemd/generator",
                              "/run/systemd/generator.early", "/run/systemd/generator.late"}));
  EXPECT_EQ(spawner_.last().variable("SYSTEMD_EXEC_PID"), std::to_string(last_pid()));
  tree_.add_file("/run/systemd/generator/g.service", "[Service]\nExecStart=/bin/true\n");
  exit(last_pid(), CLD_EXITED, 0);
  EXPECT_EQ(state_of("g.service"), "active/running");
  EXPECT_EQ(state_of("default.target"), "active/active");
}

TEST_F(GeneratorsTest, WhatAClientAskedForMeanwhileIsReadAgain) {
  boot();
  ASSERT_TRUE(manager_->load_unit("default.target"));
  tree_.add_file("/run/systemd/generator/l.service", "[Service]\nExecStart=/bin/true\n");
  ASSERT_TRUE(tree_.make_directories("/run/systemd/generator/default.target.wants", 0755));
  ASSERT_TRUE(
      tree_.make_symlink("../l.service", "/run/systemd/generator/default.target.wants/l.service"));
  exit(last_pid(), CLD_EXITED, 0);
  EXPECT_EQ(state_of("l.service"), "active/running");
  EXPECT_EQ(state_of("default.target"), "active/active");
}

TEST_F(GeneratorsTest, AReloadRunsThemAgainOnEmptyDirectories) {
  boot();
  tree_.add_file("/run/systemd/generator/g.service", "[Service]\nExecStart=/bin/true\n");
  exit(last_pid(), CLD_EXITED, 0);
  int done = 0;
  manager_->reload_then([&] { ++done; });
  manager_->reload_then([&] { ++done; });
  settle();
  EXPECT_FALSE(tree_.stat("/run/systemd/generator/g.service"));
  EXPECT_EQ(done, 0);
  exit(last_pid(), CLD_EXITED, 1);
  // The second request came while they ran, so they run once more for it.
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(logs_.has("failed with exit status 1"));
  exit(last_pid(), CLD_EXITED, 0);
  EXPECT_EQ(done, 2);
}

TEST_F(GeneratorsTest, OneThatHangsIsKilled) {
  boot();
  const pid_t pid = last_pid();
  advance(Micros(90'000'000));
  EXPECT_EQ(processes_.count(pid, SIGKILL), 1U);
  exit(pid, CLD_KILLED, SIGKILL);
  EXPECT_EQ(state_of("default.target"), "active/active");
}

}  // namespace
}  // namespace flotilla::init
