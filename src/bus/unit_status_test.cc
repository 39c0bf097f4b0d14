#include "bus/unit_status.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace flotilla::bus {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000;

Value string_value(std::string text) { return {"s", std::move(text)}; }
Value number_value(uint64_t number) { return {"t", number}; }

class UnitStatus : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
    properties = {{"Id", string_value("hello.service")},
                  {"Description", string_value("Says hello")},
                  {"LoadState", string_value("loaded")},
                  {"ActiveState", string_value("active")},
                  {"SubState", string_value("running")},
                  {"FragmentPath", string_value("/run/fleet/units/hello.service")},
                  {"UnitFileState", string_value("linked-runtime")},
                  {"ActiveEnterTimestamp", number_value(kNow - 90'000'000)},
                  {"MainPID", number_value(42)},
                  {"ControlGroup", string_value("/system.slice/hello.service")}};
  }
  std::string format() {
    return format_unit_status({properties, processes, "sh", {base::Micros(kNow)}});
  }

  Properties properties;
  std::vector<UnitProcess> processes{{"/system.slice/hello.service", 137, "sleep 1"},
                                     {"/system.slice/hello.service", 42, "/bin/sh -c x"}};
};

TEST_F(UnitStatus, ShowsARunningService) {
  EXPECT_EQ(format(),
            "● hello.service - Says hello\n"
            "     Loaded: loaded (/run/fleet/units/hello.service; linked-runtime)\n"
            "     Active: active (running) since Tue 2023-11-14 22:11:50 UTC; 1min 30s ago\n"
            "   Main PID: 42 (sh)\n"
            "     CGroup: /system.slice/hello.service\n"
            "             ├─ 42 /bin/sh -c x\n"
            "             └─137 sleep 1\n");
  EXPECT_EQ(status_exit_code(properties), 0);
}

TEST_F(UnitStatus, ShowsHowAFailedServiceEnded) {
  properties["ActiveState"] = string_value("failed");
  properties["SubState"] = string_value("failed");
  properties["Result"] = string_value("exit-code");
  properties["MainPID"] = number_value(0);
  properties["ExecMainPID"] = number_value(42);
  properties["ExecMainCode"] = {"i", int64_t{1}};
  properties["ExecMainStatus"] = {"i", int64_t{203}};
  properties["InactiveEnterTimestamp"] = number_value(kNow - 1'000'000);
  processes.clear();
  EXPECT_EQ(format(),
            "× hello.service - Says hello\n"
            "     Loaded: loaded (/run/fleet/units/hello.service; linked-runtime)\n"
            "     Active: failed (Result: exit-code) since Tue 2023-11-14 22:13:19 UTC; 1s ago\n"
            "   Main PID: 42 (code=exited, status=203/EXEC)\n");
  EXPECT_EQ(status_exit_code(properties), 3);
}

TEST_F(UnitStatus, ShowsCommandsThatEnded) {
  const Value argv{"as", std::vector<Value>{string_value("/bin/true"), string_value("x")}};
  const std::vector<Value> fields{string_value("/bin/true"),
                                  argv,
                                  {"b", false},
                                  number_value(1),
                                  number_value(1),
                                  number_value(1),
                                  number_value(1),
                                  number_value(41),
                                  {"i", int64_t{2}},
                                  {"i", int64_t{15}}};
  properties["ExecStartPre"] = {"a(sasbttttuii)", std::vector<Value>{{"(sasbttttuii)", fields}}};
  EXPECT_NE(format().find("    Process: 41 ExecStartPre=/bin/true x (code=killed, signal=TERM)\n"),
            std::string::npos);
}

TEST_F(UnitStatus, NamesAMissingUnit) {
  properties = {{"Id", string_value("x.service")},
                {"Description", string_value("x.service")},
                {"LoadState", string_value("not-found")},
                {"ActiveState", string_value("inactive")},
                {"SubState", string_value("dead")},
                {"LoadError",
                 {"(ss)", std::vector<Value>{string_value("a.b"),
                                             string_value("Unit x.service not found.")}}}};
  processes.clear();
  EXPECT_EQ(format(),
            "○ x.service\n"
            "     Loaded: not-found (Reason: Unit x.service not found.)\n"
            "     Active: inactive (dead)\n");
  EXPECT_EQ(status_exit_code(properties), 4);
}

TEST(Age, HasTheTwoLargestUnits) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0ms ago"},
      {5, "5s ago"},
      {65, "1min 5s ago"},
      {301, "5min ago"},
      {3660, "1h 1min ago"},
      {6 * 3600, "6h ago"},
      {26 * 3600, "1 day 2h ago"},
      {3 * 86400, "3 days ago"},
      {8 * 86400, "1 week 1 day ago"},
      {2'629'800 + 86400, "1 month 1 day ago"},
      {12 * 2'629'800, "1 year 0 months ago"},
  };
  for (const auto& [seconds, shown] : cases) {
    EXPECT_EQ(format_age(base::Micros(seconds * 1'000'000)), shown);
  }
}

}  // namespace
}  // namespace flotilla::bus
