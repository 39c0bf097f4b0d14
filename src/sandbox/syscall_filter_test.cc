#include "sandbox/syscall_filter.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "sandbox/mount_tools.h"
#include "sandbox/syscall_groups.h"

namespace flotilla::sandbox {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(SystemCallFilter, AnAllowListHasTheDefaultCallsAndAnOppositeLineTakesSomeOff) {
  const auto filter = expand_syscall_filter({"@timer", "~timerfd_create"});
  EXPECT_TRUE(filter.is_set);
  EXPECT_TRUE(filter.is_allow_list);
  EXPECT_EQ(filter.calls.count("execve"), 1u);
  EXPECT_EQ(filter.calls.count("timer_create"), 1u);
  EXPECT_EQ(filter.calls.count("timerfd_create"), 0u);
}

TEST(SystemCallFilter, ADenyListHasWhatItNamesWithTheErrorsItGives) {
  const auto filter = expand_syscall_filter({"~open:EPERM", "~@swap:kill", "~swapon", "swapoff"});
  EXPECT_FALSE(filter.is_allow_list);
  ASSERT_EQ(filter.calls.size(), 2u);
  EXPECT_EQ(filter.calls.at("open"), EPERM);
  EXPECT_EQ(filter.calls.at("swapon"), std::nullopt);
}

TEST(SystemCallFilter, WithoutWordsIsNotSet) {
  EXPECT_FALSE(expand_syscall_filter({}).is_set);
  EXPECT_THAT(expand_syscall_filter({"clone"}, DefaultCalls::kLeftOut).calls,
              ElementsAre(testing::Key("clone")));
}

TEST(SystemCallFilter, ReadsErrnosByNameAndNumber) {
  EXPECT_EQ(parse_errno_or_kill("EACCES"), EACCES);
  EXPECT_EQ(parse_errno_or_kill("13"), 13);
  EXPECT_EQ(parse_errno_or_kill("kill"), kKillProcess);
  for (const char* bad : {"", "EWHAT", "-1", "4096", "eperm"}) {
    EXPECT_EQ(parse_errno_or_kill(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(errno_or_kill_name(EPERM), "EPERM");
  EXPECT_FALSE(parse_syscall_word("open:"));
  EXPECT_FALSE(parse_syscall_word(":EPERM"));
}

TEST(SystemCallGroups, ContainOtherGroups) {
  EXPECT_TRUE(is_syscall_group("@system-service"));
  EXPECT_FALSE(is_syscall_group("@nothing"));
  EXPECT_THAT(syscalls_of_group("@system-service"), Contains("read"));
  EXPECT_THAT(syscalls_of_group("@system-service"), Not(Contains("reboot")));
  EXPECT_THAT(syscalls_of_group("@nothing"), IsEmpty());
  EXPECT_TRUE(is_known_syscall("openat2"));
  EXPECT_FALSE(is_known_syscall("bogus"));
}

TEST(MountTable, IsReadWithItsEscapesAndFlags) {
  const auto lines = parse_mount_table(
      "36 35 98:0 /mnt1 /a\\040b rw,nosuid,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "37 35 98:0 / / ro,relatime shared:1 master:2 - tmpfs tmpfs rw\n"
      "damaged\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].path, "/a b");
  EXPECT_EQ(lines[0].type, "ext3");
  EXPECT_EQ(lines[0].flags, 2u | 1024u);
  EXPECT_EQ(lines[1].path, "/");
  EXPECT_EQ(lines[1].flags, 1u | (1u << 21));
}

}  // namespace
}  // namespace flotilla::sandbox
