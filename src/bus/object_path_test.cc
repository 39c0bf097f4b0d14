#include "bus/object_path.h"

#include <gtest/gtest.h>

namespace flotilla::bus {
namespace {

TEST(ObjectPath, EscapesUnitNamesAsSystemdDoes) {
  EXPECT_EQ(unit_path("foo.service"), "/org/freedesktop/systemd1/unit/foo_2eservice");
  EXPECT_EQ(unit_path("-.slice"), "/org/freedesktop/systemd1/unit/_2d_2eslice");
  EXPECT_EQ(unit_path("4ever@x_y.service"),
            "/org/freedesktop/systemd1/unit/_34ever_40x_5fy_2eservice");
  EXPECT_EQ(escape_path_element(""), "_");
}

TEST(ObjectPath, GivesBackEveryNameItEscaped) {
  for (const char* name : {"a.service", "-.slice", "9.mount", "dev-sda\\x2d1.device", "_", "__"}) {
    EXPECT_EQ(unit_of_path(unit_path(name)), name);
  }
}

TEST(ObjectPath, TakesABadEscapeAsItStands) {
  EXPECT_EQ(unescape_path_element("foo_2"), "foo_2");
  EXPECT_EQ(unescape_path_element("foo_2G"), "foo_2G");
  EXPECT_EQ(unescape_path_element("a_2_65_2Eb"), "a_2e.b");
}

TEST(ObjectPath, RefusesWhatNoNameGives) {
  EXPECT_FALSE(unit_of_path("/org/freedesktop/systemd1/unit/"));
  EXPECT_FALSE(unit_of_path("/org/freedesktop/systemd1/unit"));
  EXPECT_FALSE(unit_of_path("/org/freedesktop/systemd1/unit/foo/bar"));
  EXPECT_FALSE(unit_of_path("/somewhere/else"));
}

TEST(ObjectPath, ReadsJobNumbers) {
  EXPECT_EQ(job_of_path(job_path(17)), 17U);
  EXPECT_EQ(job_of_path("/org/freedesktop/systemd1/job/4294967295"), 4294967295U);
  EXPECT_FALSE(job_of_path("/org/freedesktop/systemd1/job/4294967296"));
  EXPECT_FALSE(job_of_path("/org/freedesktop/systemd1/job/017"));
  EXPECT_FALSE(job_of_path("/org/freedesktop/systemd1/job/1x"));
  EXPECT_FALSE(job_of_path("/org/freedesktop/systemd1/job/"));
}

}  // namespace
}  // namespace flotilla::bus
