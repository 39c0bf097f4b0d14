#include "init/log_marks.h"

#include <gtest/gtest.h>

#include "logs/protocol.h"

namespace flotilla::init {
namespace {

TEST(LogMarks, AreNoneWhereNothingIsSetOrItIsTheDefault) {
  ExecExtras extras;
  EXPECT_EQ(marks_of(extras), nullptr);
  extras.syslog_facility = 3;
  extras.tty_path = "/dev/tty1";
  EXPECT_EQ(marks_of(extras), nullptr);
}

TEST(LogMarks, TellTheFacilityAndTheFieldsInOrder) {
  ExecExtras extras;
  extras.syslog_facility = 16;
  extras.log_extra_fields = {"A=1", "B=x y"};
  const auto marks = marks_of(extras);
  ASSERT_NE(marks, nullptr);
  EXPECT_EQ(marks->fields, std::string("SYSLOG_FACILITY=16\0A=1\0B=x y", 28));
  EXPECT_EQ(marks->rate_interval_usec, 0U);
  EXPECT_EQ(marks->rate_burst, 0U);
}

TEST(LogMarks, ANamespaceIsPartOfTheNameInTheLog) {
  ExecExtras extras;
  extras.log_namespace = "web";
  EXPECT_EQ(marks_of(extras)->log_namespace, "web");
  EXPECT_EQ(name_in_namespace("web", "a@1.service"), "web=a@1.service");
}

TEST(LogMarks, ALimitOfWhichHalfIsSetHasJournaldsOtherHalf) {
  ExecExtras extras;
  extras.log_rate_limit_burst = 5;
  EXPECT_EQ(marks_of(extras)->rate_interval_usec, 30'000'000U);
  EXPECT_EQ(marks_of(extras)->rate_burst, 5U);
  extras.log_rate_limit_burst = 0;
  extras.log_rate_limit_interval = base::Micros(2'000'000);
  EXPECT_EQ(marks_of(extras)->rate_interval_usec, 2'000'000U);
  EXPECT_EQ(marks_of(extras)->rate_burst, 10'000U);
}

TEST(LogMarks, FieldsBeyondTheLimitsAreLeftOutAndCounted) {
  ExecExtras extras;
  extras.log_extra_fields = {"BIG=" + std::string(logs::kMaxFields, 'x'), "A=1"};
  auto marks = marks_of(extras);
  EXPECT_EQ(marks->fields, "A=1");
  EXPECT_EQ(marks->left_out, 1U);
  extras.log_extra_fields.assign(logs::kMaxFieldCount + 2, "A=1");
  marks = marks_of(extras);
  EXPECT_EQ(marks->left_out, 2U);
}

}  // namespace
}  // namespace flotilla::init
