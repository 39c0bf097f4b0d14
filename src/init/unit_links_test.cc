// What a log is told of units: the files as they are, and when the manager writes and removes them.
#include "init/unit_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char pattern[] = "/tmp/flotilla-links-test-XXXXXX";
    path_ = mkdtemp(pattern);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  // It is not there yet.
  std::string units() const { return path_ + "/units"; }
  // What is in it, with what links lead to and files hold.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    if (!std::filesystem::exists(units())) return all;
    for (const auto& entry : std::filesystem::directory_iterator(units())) {
      std::string& text = all[entry.path().filename()];
      if (entry.is_symlink()) {
        text = std::filesystem::read_symlink(entry.path());
      } else {
        std::ifstream in(entry.path(), std::ios::binary);
        text.assign(std::istreambuf_iterator<char>(in), {});
      }
    }
    return all;
  }

 private:
  std::string path_;
};

TEST(UnitLinks, AreThoseOfTheSettingsThatAreMade) {
  const ScratchDirectory directory;
  const UnitLinks links(directory.units(), UnitLinks::Kinds::kAll);
  ExecExtras extras;
  EXPECT_EQ(links.write("a.service", "1234", extras), kInvocationLink);
  EXPECT_THAT(directory.contents(), ElementsAre(Pair("invocation:a.service", "1234")));

  extras.log_level_max = 4;
  extras.log_rate_limit_interval = base::Micros(3'600'000'000);
  extras.log_rate_limit_burst = 3;
  extras.log_extra_fields = {"A=1", "B=x y"};
  const LinkSet written = links.write("a.service", "5678", extras);
  EXPECT_EQ(written, kAllLinks);
  EXPECT_THAT(
      directory.contents(),
      ElementsAre(Pair("invocation:a.service", "5678"),
                  Pair("log-extra-fields:a.service",
                       std::string("\x03\0\0\0\0\0\0\0A=1\x05\0\0\0\0\0\0\0B=x y", 24)),
                  Pair("log-level-max:a.service", "4"), Pair("log-rate-limit-burst:a.service", "3"),
                  Pair("log-rate-limit-interval:a.service", "3600000000")));
  links.remove("a.service", kInvocationLink);
  EXPECT_EQ(directory.contents().size(), 4U);
  links.remove("a.service", kUnknownLinks);
  EXPECT_THAT(directory.contents(), IsEmpty());
}

TEST(UnitLinks, OfAUserAreTheInvocationsAlone) {
  const ScratchDirectory directory;
  const UnitLinks links(directory.units(), UnitLinks::Kinds::kInvocation);
  ExecExtras extras;
  extras.log_level_max = 4;
  EXPECT_EQ(links.write("a.service", "1234", extras), kInvocationLink);
  EXPECT_THAT(directory.contents(), ElementsAre(Pair("invocation:a.service", "1234")));
}

TEST(UnitLinks, WhatCannotBeWrittenIsNotThere) {
  const UnitLinks links("/proc/no/such", UnitLinks::Kinds::kAll);
  ExecExtras extras;
  extras.log_level_max = 4;
  extras.log_extra_fields = {"A=1"};
  EXPECT_EQ(links.write("a.service", "1234", extras), 0);
}

class ManagerLinksTest : public ManagerTest {
 protected:
  ManagerLinksTest() : links_there_(directory_.units(), UnitLinks::Kinds::kAll) {
    links_ = &links_there_;
  }
  std::string invocation() { return manager_->find_unit("a.service")->invocation_id(); }
  static std::string service(const std::string& more) {
    return "[Service]\nExecStart=/bin/a\n" + more;
  }

  ScratchDirectory directory_;
  UnitLinks links_there_;
};

TEST_F(ManagerLinksTest, AreThereFromTheFirstProcessUntilTheUnitIsInactive) {
  unit("a.service", service("LogLevelMax=err\n"));
  unit("b.target", "[Unit]\nDescription=B\n");
  boot();
  ask("b.target", "start");
  EXPECT_THAT(directory_.contents(), IsEmpty());
  ask("a.service", "start");
  EXPECT_THAT(directory_.contents(), ElementsAre(Pair("invocation:a.service", invocation()),
                                                 Pair("log-level-max:a.service", "3")));
  ask("a.service", "stop");
  EXPECT_EQ(state_of("a.service"), "deactivating/stop-sigterm");
  EXPECT_EQ(directory_.contents().size(), 2U);
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_THAT(directory_.contents(), IsEmpty());
}

TEST_F(ManagerLinksTest, AMountHasThemForWhatItsProgramSays) {
  // Below /proc: a test makes no directories.
  unit("proc-m.mount",
       "[Mount]\nWhat=tmpfs\nWhere=/proc/m\nType=tmpfs\n"
       "LogExtraFields=A=1\nLogRateLimitIntervalSec=1s\nLogRateLimitBurst=3\n");
  boot();
  ask("proc-m.mount", "start");
  EXPECT_THAT(manager_->find_unit("proc-m.mount")->settings.extras->ignored_directives, IsEmpty());
  EXPECT_THAT(
      directory_.contents(),
      ElementsAre(Pair("invocation:proc-m.mount", _), Pair("log-extra-fields:proc-m.mount", _),
                  Pair("log-rate-limit-burst:proc-m.mount", "3"),
                  Pair("log-rate-limit-interval:proc-m.mount", "1000000")));
}

TEST_F(ManagerLinksTest, StayAsTheyAreUntilTheNextStart) {
  unit("a.service", service("LogLevelMax=err\nLogRateLimitBurst=3\nExecReload=/bin/r\n"));
  boot();
  ask("a.service", "start");
  const auto before = directory_.contents();
  unit("a.service", service("LogLevelMax=info\nExecReload=/bin/r\n"));
  ASSERT_TRUE(manager_->reload());
  settle();
  ask("a.service", "reload");
  EXPECT_EQ(directory_.contents(), before);
  exit(manager_->find_unit("a.service")->control_pid(), CLD_EXITED, 0);
  restart_manager();
  EXPECT_EQ(directory_.contents(), before);
  ask("a.service", "restart");
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_THAT(directory_.contents(), ElementsAre(Pair("invocation:a.service", invocation()),
                                                 Pair("log-level-max:a.service", "6")));
}

TEST_F(ManagerLinksTest, AreNotThereWhileAServiceWaitsForItsRestart) {
  unit("a.service", service("LogLevelMax=err\nRestart=always\nRestartSec=10\n"));
  boot();
  ask("a.service", "start");
  const std::string first = invocation();
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_EQ(state_of("a.service"), "activating/auto-restart");
  EXPECT_THAT(directory_.contents(), IsEmpty());
  restart_manager();
  advance(base::Micros(11'000'000));
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_NE(invocation(), first);
  EXPECT_THAT(directory_.contents(), ElementsAre(Pair("invocation:a.service", invocation()),
                                                 Pair("log-level-max:a.service", "3")));
}

TEST_F(ManagerLinksTest, WhatAManagerBeforeHasLeftOfARunGoesWithTheNext) {
  unit("a.service", service(""));
  boot();
  ask("a.service", "start");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  ExecExtras extras;
  extras.log_level_max = 1;
  links_there_.write("a.service", "of the run before", extras);
  restart_manager();
  EXPECT_EQ(state_of("a.service"), "failed/failed");
  ask("a.service", "start");
  EXPECT_THAT(directory_.contents(), ElementsAre(Pair("invocation:a.service", invocation())));
}

}  // namespace
}  // namespace flotilla::init
