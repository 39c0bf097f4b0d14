#include <gtest/gtest.h>
#include <sched.h>

#include "init/directives.h"
#include "init/directives_context.h"
#include "init/exec_names.h"

namespace flotilla::init {
namespace {

class ExecExtrasParsing : public testing::Test {
 protected:
  // One line of [Service]. Returns how many complaints there were.
  size_t read(std::string_view key, std::string_view value) {
    const DirectiveParser parser = find_parser("Service", key);
    EXPECT_NE(parser, nullptr) << key;
    const size_t before = reports_.size();
    const unit::Reporter reporter("a.service", 1, reports_);
    parser(settings_, {specifiers_, reporter, key, marks_}, value);
    return reports_.size() - before;
  }
  const ExecExtras& extras() const { return *settings_.exec->extras; }
  const DirectorySetting& directory(DirectoryKind kind) const {
    return extras().directories[static_cast<size_t>(kind)];
  }

  UnitSettings settings_{*unit::UnitName::parse("a.service")};
  unit::SpecifierContext specifiers_{*unit::UnitName::parse("a.service"), nullptr, {}, {}};
  SettingMarks marks_;
  std::vector<unit::Diagnostic> reports_;
};

// As systemd has it: nothing is said by an empty value of these.
TEST_F(ExecExtrasParsing, AnEmptyValueOfAWordChangesNothing) {
  struct Row {
    const char *key, *value;
  };
  const Row rows[] = {{"SyslogFacility", "local0"},
                      {"LogLevelMax", "err"},
                      {"TimeoutCleanSec", "3"},
                      {"RuntimeDirectoryPreserve", "yes"},
                      {"LimitCORE", "10"},
                      {"LimitNICE", "5"},
                      {"BusName", "a.b"}};
  for (const Row& row : rows) {
    EXPECT_EQ(read(row.key, row.value), 0u) << row.key;
    EXPECT_EQ(read(row.key, ""), 1u) << row.key;
  }
  EXPECT_EQ(extras().syslog_facility, 16);
  EXPECT_EQ(extras().log_level_max, 3);
  EXPECT_EQ(extras().timeout_clean, base::Micros(3'000'000));
  EXPECT_EQ(settings_.exec->limits[RLIMIT_CORE]->rlim_cur, 10u);
  EXPECT_EQ(settings_.service->extras->bus_name, "a.b");
  EXPECT_EQ(read("KillMode", "mixed"), 0u);
  EXPECT_EQ(read("KillMode", ""), 0u);
  EXPECT_EQ(settings_.kill.mode, KillMode::kControlGroup);
}

TEST_F(ExecExtrasParsing, APlainUnitHasNone) { EXPECT_FALSE(settings_.exec->extras.is_set()); }

TEST_F(ExecExtrasParsing, ARealTimePolicyGetsItsLeastPriority) {
  EXPECT_EQ(read("CPUSchedulingPolicy", "rr"), 0U);
  EXPECT_EQ(extras().cpu_priority, 1);
  EXPECT_EQ(read("CPUSchedulingPriority", "20"), 0U);
  EXPECT_EQ(extras().cpu_priority, 20);
  EXPECT_EQ(read("CPUSchedulingPriority", "100"), 1U);
  EXPECT_EQ(read("CPUSchedulingPolicy", "bogus"), 1U);
  EXPECT_EQ(extras().cpu_policy, SCHED_RR);
  EXPECT_EQ(read("CPUSchedulingPolicy", ""), 0U);
  EXPECT_EQ(extras().cpu_policy, std::nullopt);
}

TEST_F(ExecExtrasParsing, APriorityMayStandBeforeThePolicyThatItIsOf) {
  EXPECT_EQ(read("CPUSchedulingPriority", "7"), 0U);
  EXPECT_EQ(extras().cpu_policy, SCHED_OTHER);  // with which no process can be started
  EXPECT_EQ(read("CPUSchedulingPolicy", "rr"), 0U);
  EXPECT_EQ(extras().cpu_priority, 7);
}

TEST_F(ExecExtrasParsing, ASlackWithoutEndIsNoneOfItsOwn) {
  EXPECT_EQ(read("TimerSlackNSec", "1ms"), 0U);
  EXPECT_EQ(extras().timer_slack_nsec, 1'000'000U);
  EXPECT_EQ(read("TimerSlackNSec", "infinity"), 0U);
  EXPECT_EQ(extras().timer_slack_nsec, std::nullopt);
}

TEST_F(ExecExtrasParsing, ARangeThatGoesDownIsASetOfNothing) {
  EXPECT_EQ(read("CPUAffinity", "3-1"), 0U);
  EXPECT_EQ(extras().cpu_affinity, std::vector<uint8_t>(8, 0));
}

TEST_F(ExecExtrasParsing, SetsOfCpusAddUpAndAnEmptyOneResets) {
  EXPECT_EQ(read("CPUAffinity", "0,2-3"), 0U);
  EXPECT_EQ(read("CPUAffinity", "9"), 0U);
  EXPECT_EQ(extras().cpu_affinity, (std::vector<uint8_t>{13, 2, 0, 0, 0, 0, 0, 0}));
  for (const char* bad : {"x", "-1", "9000", "1-"}) {
    EXPECT_EQ(read("CPUAffinity", bad), 1U) << bad;
  }
  EXPECT_EQ(read("CPUAffinity", ""), 0U);
  EXPECT_TRUE(extras().cpu_affinity.empty());
}

TEST_F(ExecExtrasParsing, CapabilitiesMergeAndInvertAsSystemdHasIt) {
  constexpr uint64_t kChown = 1 << 0, kKill = 1 << 5, kNetAdmin = 1 << 12;
  read("AmbientCapabilities", "CAP_NET_ADMIN cap_kill bogus 7s 1-3");
  EXPECT_EQ(extras().ambient_capabilities, kNetAdmin | kKill);
  read("AmbientCapabilities", "~CAP_KILL");
  EXPECT_EQ(extras().ambient_capabilities, kNetAdmin);
  read("CapabilityBoundingSet", "~CAP_KILL");
  EXPECT_EQ(extras().capability_bounding_set, ~kKill);
  read("CapabilityBoundingSet", "~CAP_CHOWN");
  EXPECT_EQ(extras().capability_bounding_set, ~(kKill | kChown));
  read("CapabilityBoundingSet", "");
  EXPECT_EQ(extras().capability_bounding_set, 0U);
  read("CapabilityBoundingSet", "~");
  EXPECT_EQ(extras().capability_bounding_set, UINT64_MAX);
}

TEST_F(ExecExtrasParsing, DirectoriesAreSortedAndStayBelowTheirBase) {
  EXPECT_EQ(read("RuntimeDirectory", "ok/./x ok//x \"q q\" %n lib2:l2:y lib2:l3"), 0U);
  const auto& runtime = directory(DirectoryKind::kRuntime).items;
  ASSERT_EQ(runtime.size(), 4U);
  EXPECT_EQ(runtime[0].path, "a.service");
  EXPECT_EQ(runtime[1], (DirectorySetting::Item{"lib2", {"l2", "l3"}}));
  EXPECT_EQ(runtime[2].path, "ok/x");
  EXPECT_EQ(runtime[3].path, "q q");
  for (const char* bad : {"/abs", "../up", "a/../b", "private", "private/x", "a:/b", "a:../b"}) {
    EXPECT_EQ(read("StateDirectory", bad), 1U) << bad;
  }
  EXPECT_TRUE(directory(DirectoryKind::kState).items.empty());
  EXPECT_EQ(read("ConfigurationDirectory", "a:b"), 1U);
  EXPECT_EQ(read("RuntimeDirectory", ""), 0U);
  EXPECT_TRUE(directory(DirectoryKind::kRuntime).items.empty());
  EXPECT_EQ(read("RuntimeDirectoryMode", "99999"), 1U);
  EXPECT_EQ(read("RuntimeDirectoryMode", "2770"), 0U);
  EXPECT_EQ(directory(DirectoryKind::kRuntime).mode, 02770U);
}

TEST_F(ExecExtrasParsing, TextAndDataOfStandardInputFollowEachOther) {
  EXPECT_EQ(read("StandardInputText", "hello \\x41\\n%n"), 0U);
  EXPECT_EQ(read("StandardInputData", "Zm9v YmFyCg=="), 0U);
  EXPECT_EQ(extras().standard_input_data, "hello A\na.service\nfoobar\n");
  EXPECT_EQ(read("StandardInputData", "?"), 1U);
  EXPECT_EQ(read("StandardInputText", ""), 0U);
  EXPECT_EQ(extras().standard_input_data, "");
}

TEST_F(ExecExtrasParsing, BadWordsLeaveASettingAsItWas) {
  for (const char* key :
       {"IOSchedulingClass", "IOSchedulingPriority", "NUMAPolicy", "NUMAMask", "CoredumpFilter",
        "TimerSlackNSec", "Personality", "KeyringMode", "UtmpMode", "RuntimeDirectoryPreserve",
        "SyslogFacility", "LogLevelMax", "TTYRows", "TTYReset", "TimeoutCleanSec",
        "LogRateLimitBurst", "LogRateLimitIntervalSec", "StateDirectoryMode"}) {
    EXPECT_EQ(read(key, "bogus!"), 1U) << key;
  }
  EXPECT_EQ(extras().io_class, std::nullopt);
  EXPECT_EQ(extras().log_level_max, std::nullopt);
}

TEST_F(ExecExtrasParsing, LogFieldsMustBeFieldsOfTheJournal) {
  EXPECT_EQ(read("LogNamespace", "web"), 0U);
  EXPECT_EQ(extras().log_namespace, "web");
  EXPECT_EQ(read("LogNamespace", "a/b"), 1U);
  EXPECT_EQ(extras().log_namespace, "web");
  EXPECT_EQ(read("LogNamespace", ""), 0U);
  EXPECT_EQ(extras().log_namespace, "");
  EXPECT_EQ(read("LogExtraFields", "A=1 \"B=x y\" bad c=1 _X=1"), 3U);
  EXPECT_EQ(extras().log_extra_fields, (std::vector<std::string>{"A=1", "B=x y"}));
}

TEST(ExecNames, ReadNumbersWithTheirUnits) {
  EXPECT_EQ(parse_nanoseconds("50"), 50U);
  EXPECT_EQ(parse_nanoseconds("5us"), 5000U);
  EXPECT_EQ(parse_nanoseconds("1ms 2 us"), 1'002'000U);
  EXPECT_EQ(parse_nanoseconds("infinity"), UINT64_MAX);
  EXPECT_EQ(parse_nanoseconds(""), std::nullopt);
  EXPECT_EQ(parse_nanoseconds("5 parsecs"), std::nullopt);
  EXPECT_EQ(parse_nanoseconds("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_coredump_filter("default private-dax"), 0xb3U);
  EXPECT_EQ(parse_coredump_filter("0x4 1"), 5U);
  EXPECT_EQ(parse_coredump_filter("all"), 0xffffffffU);  // as much as the kernel takes
  EXPECT_EQ(parse_secure_bits("keep-caps bogus noroot"), 17);
}

}  // namespace
}  // namespace flotilla::init
