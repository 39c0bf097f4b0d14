#include "init/mount_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kText[] =
    "43 42 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n"
    "45 43 0:21 / /proc rw,relatime shared:3 - proc proc rw\n"
    "48 47 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "50 43 0:43 / /my\\040data rw,nosuid shared:23 master:4 - tmpfs a\\040b ro,mode=755\n"
    "51 43 0:44 / /auto rw - autofs systemd-1 rw\n";

TEST(MountTable, ReadsMountsAndLeavesOutTheKernelsOwn) {
  MountTable table;
  EXPECT_THAT(table.take(kText).changed, ElementsAre("/", "/my data"));
  ASSERT_NE(table.find("/"), nullptr);
  EXPECT_EQ(*table.find("/"), (MountLine{"/dev/vda", "ext4", "rw,relatime,discard"}));
  ASSERT_NE(table.find("/my data"), nullptr);
  EXPECT_EQ(*table.find("/my data"), (MountLine{"a b", "tmpfs", "ro,nosuid,mode=755"}));
  EXPECT_EQ(table.find("/proc"), nullptr);
  EXPECT_EQ(table.find("/auto"), nullptr);
}

TEST(MountTable, OfMountsOnTopOfEachOtherTheLastCounts) {
  MountTable table;
  table.take("1 0 0:1 / /a rw - tmpfs one rw\n2 1 0:2 / /a rw - tmpfs two rw\n");
  EXPECT_EQ(table.find("/a")->what, "two");
}

TEST(MountTable, TellsWhatChanged) {
  MountTable table;
  table.take("1 0 0:1 / /a rw - tmpfs t rw\n2 0 0:2 / /b rw - tmpfs t rw\n");
  const auto same = table.take("1 0 0:1 / /a rw - tmpfs t rw\n2 0 0:2 / /b rw - tmpfs t rw\n");
  EXPECT_THAT(same.changed, IsEmpty());
  EXPECT_THAT(same.gone, IsEmpty());
  const auto changes = table.take("1 0 0:1 / /a ro - tmpfs t rw\n3 0 0:3 / /c rw - tmpfs t rw");
  EXPECT_THAT(changes.changed, ElementsAre("/a", "/c"));
  EXPECT_THAT(changes.gone, ElementsAre("/b"));
}

TEST(MountTable, LinesThatCannotBeReadCountAsNone) {
  MountTable table;
  for (const char* text : {"", "\n\n", "1 2 3", "1 0 0:1 / /a rw shared:1 tmpfs t rw\n",
                           "1 0 0:1 / a rw - tmpfs t rw\n", "1 0 0:1 / /a rw -\n", "- - - - - -"}) {
    EXPECT_THAT(table.take(text).changed, IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace flotilla::init
