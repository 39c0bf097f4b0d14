// Mount units over the kernel's own mounts, as root: what mount(8) does, what somebody else does
// beside the manager, and that nothing stays mounted.
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::HasSubstr;

class Mounts : public SystemTest {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "mounts need root";
    where_ = root() / "m";
    ::mkdir(where_.c_str(), 0755);
    if (::mount("probe", where_.c_str(), "tmpfs", 0, "size=4k") != 0) {
      GTEST_SKIP() << "nothing can be mounted here";
    }
    ::umount2(where_.c_str(), 0);
    for (const char c : where_.substr(1)) {
      const bool is_plain = isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
      unit_ += c == '/' ? "-" : is_plain ? std::string(1, c) : "\\x2d";
    }
    unit_ += ".mount";
    machine_.add_unit(unit_,
                      "[Mount]\nWhat=ours\nType=tmpfs\nOptions=size=64k,nofail\n"
                      "DirectoryMode=0711\n");
  }
  void TearDown() override {
    if (!where_.empty()) ::umount2(where_.c_str(), MNT_DETACH);
  }
  // What the kernel says is mounted there; empty: nothing.
  std::string source() const {
    std::ifstream file("/proc/self/mountinfo");
    std::string found;
    for (std::string line; std::getline(file, line);) {
      if (line.find(" " + where_ + " ") == std::string::npos) continue;
      const size_t type = line.find(" - tmpfs ");
      found = line.substr(type + 9, line.find(' ', type + 9) - type - 9);
    }
    return found;
  }

  std::string where_, unit_;
};

TEST_F(Mounts, AServiceBringsItsMountAndEndsWithIt) {
  ::rmdir(where_.c_str());
  machine_.add_unit("a.service", "[Unit]\nRequiresMountsFor=" + where_ +
                                     "/sub\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state(unit_), "active mounted success");
  EXPECT_EQ(source(), "ours");
  EXPECT_THAT(machine_.property(unit_, "Options"), HasSubstr("size=64k"));
  EXPECT_THAT(systemctl({"reload", unit_}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state(unit_), "active mounted success");
  EXPECT_THAT(systemctl({"stop", unit_}), Answers(0, "", ""));
  EXPECT_EQ(source(), "");
  EXPECT_EQ(machine_.state("a"), "inactive dead success");
}

TEST_F(Mounts, WhatSomebodyElseDoesIsFollowed) {
  machine_.start();
  EXPECT_EQ(machine_.state(unit_), "inactive dead success");
  ASSERT_EQ(::mount("theirs", where_.c_str(), "tmpfs", 0, "size=4k"), 0);
  EXPECT_TRUE(machine_.wait_for_state(unit_, "active mounted success"));
  EXPECT_EQ(machine_.property(unit_, "What"), "theirs");
  ASSERT_EQ(::umount2(where_.c_str(), 0), 0);
  EXPECT_TRUE(machine_.wait_for_state(unit_, "inactive dead success"));
  EXPECT_EQ(machine_.property(unit_, "What"), "ours");
}

TEST_F(Mounts, MountsOnTopOfEachOtherGoTogether) {
  machine_.start();
  ASSERT_THAT(systemctl({"start", unit_}), Answers(0, "", ""));
  ASSERT_EQ(::mount("theirs", where_.c_str(), "tmpfs", 0, "size=4k"), 0);
  EXPECT_THAT(systemctl({"stop", unit_}), Answers(0, "", ""));
  EXPECT_EQ(source(), "");
}

TEST_F(Mounts, AMountThatCannotBeMadeFails) {
  machine_.add_unit(unit_, "[Mount]\nWhat=ours\nType=nosuchfs\n");
  machine_.start();
  EXPECT_EQ(systemctl({"start", unit_}).exit_code, 1);
  EXPECT_EQ(machine_.state(unit_), "failed failed exit-code");
}

TEST_F(Mounts, WhatTheManagerMountedItUnmountsAtItsEnd) {
  machine_.start();
  ASSERT_THAT(systemctl({"start", unit_}), Answers(0, "", ""));
  EXPECT_EQ(machine_.stop(), 0);
  EXPECT_EQ(source(), "");
}

}  // namespace
}  // namespace flotilla::system_test
