#include "init/cgroup_plan.h"

#include <gmock/gmock.h>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> lines(const CgroupPlan& plan) {
  std::vector<std::string> all;
  for (const CgroupWrite& write : plan.writes) {
    all.push_back(std::string(write.file) + ": " +
                  (write.device.empty() ? "" : write.device + " ") + write.value);
  }
  return all;
}

CgroupSettings bare() {
  CgroupSettings settings;
  settings.tasks_max = TasksMax{};  // the default depends on the machine
  settings.memory_accounting = false;
  settings.tasks_accounting = false;
  return settings;
}

std::vector<std::string> plan_of(const CgroupSettings& settings,
                                 CgroupPhase phase = CgroupPhase::kNormal) {
  return lines(plan_cgroup(settings, {}, phase, CgroupWrites::kWhatIsSet));
}

TEST(CgroupPlan, WritesNothingAndWantsNothingForAUnitThatSaysNothing) {
  const CgroupPlan plan = plan_cgroup(bare(), {}, CgroupPhase::kNormal, CgroupWrites::kWhatIsSet);
  EXPECT_THAT(plan.writes, IsEmpty());
  EXPECT_EQ(plan.wants, 0);
}

TEST(CgroupPlan, WantsTheControllersThatAccountByDefault) {
  const CgroupPlan plan =
      plan_cgroup(CgroupSettings{}, {}, CgroupPhase::kNormal, CgroupWrites::kWhatIsSet);
  EXPECT_EQ(plan.wants, mask_of(CgroupController::kMemory) | mask_of(CgroupController::kPids));
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_STREQ(plan.writes[0].file, "pids.max");
}

TEST(CgroupPlan, TurnsSettingsIntoTheKernelsWords) {
  CgroupSettings settings = bare();
  settings.cpu_weight = 50;
  settings.cpu_quota_per_sec = 250'000;
  settings.cpu_quota_period = base::Micros(50'000);
  settings.cpus = {0, 1, 2, 5};
  settings.memory_nodes = {0};
  settings.io_weight = 300;
  settings.io_device_weights = {{"/dev/sda", 200}};
  settings.io_limits = {{"/dev/sda", IoLimits{5'000'000, kCgroupNoLimit, 100, kCgroupNoLimit}}};
  settings.io_device_latencies = {{"/dev/sda", 25'000}};
  settings.has_memory_min = true;
  settings.memory_min = 1;
  settings.memory_high = 2;
  settings.memory_max = 3;
  settings.memory_limit = 9;
  settings.memory_swap_max = 0;
  settings.tasks_max = TasksMax{100, 0};
  EXPECT_THAT(
      plan_of(settings),
      ElementsAre("cpu.weight: 50", "cpu.max: 12500 50000", "cpuset.cpus: 0-2,5", "cpuset.mems: 0",
                  "io.weight: default 300", "io.weight: /dev/sda 200",
                  "io.latency: /dev/sda target=25000",
                  "io.max: /dev/sda rbps=5000000 wbps=max riops=100 wiops=max", "memory.min: 1",
                  "memory.high: 2", "memory.max: 3", "memory.swap.max: 0", "pids.max: 100"));
}

TEST(CgroupPlan, TakesStartupSettingsWhileStarting) {
  CgroupSettings settings = bare();
  settings.cpu_weight = 50;
  settings.startup_cpu_weight = 500;
  settings.startup_io_weight = 7;
  settings.startup_cpus = {1};
  EXPECT_TRUE(has_startup_settings(settings));
  EXPECT_THAT(plan_of(settings, CgroupPhase::kStartup),
              ElementsAre("cpu.weight: 500", "cpuset.cpus: 1", "io.weight: default 7"));
  EXPECT_THAT(plan_of(settings), ElementsAre("cpu.weight: 50"));
}

TEST(CgroupPlan, ReadsTheSettingsOfTheOldHierarchyWhereNoOtherIsSet) {
  CgroupSettings settings = bare();
  settings.cpu_shares = 2048;
  settings.memory_limit = 4096;
  EXPECT_THAT(plan_of(settings), ElementsAre("cpu.weight: 200", "memory.max: 4096"));
  settings.cpu_weight = 7;
  settings.memory_max = 1;
  EXPECT_THAT(plan_of(settings), ElementsAre("cpu.weight: 7", "memory.max: 1"));
}

TEST(CgroupPlan, HandsDownProtectionThatTheUnitDoesNotSet) {
  CgroupSettings settings = bare();
  const InheritedProtection inherited{11, 22};
  EXPECT_THAT(
      lines(plan_cgroup(settings, inherited, CgroupPhase::kNormal, CgroupWrites::kWhatIsSet)),
      ElementsAre("memory.min: 11", "memory.low: 22"));
  settings.has_memory_low = true;
  EXPECT_THAT(
      lines(plan_cgroup(settings, inherited, CgroupPhase::kNormal, CgroupWrites::kWhatIsSet)),
      ElementsAre("memory.min: 11"));
}

TEST(CgroupPlan, WritesDefaultsTooWhenSettingsChange) {
  EXPECT_THAT(
      lines(plan_cgroup(bare(), {}, CgroupPhase::kNormal, CgroupWrites::kAll)),
      ElementsAre("cpu.weight: 100", "cpu.max: max 100000", "cpuset.cpus: \n", "cpuset.mems: \n",
                  "io.weight: default 100", "memory.min: 0", "memory.low: 0", "memory.high: max",
                  "memory.max: max", "memory.swap.max: max", "pids.max: max"));
}

TEST(CgroupPlan, ReadsWhatTheKernelCounts) {
  EXPECT_EQ(cpu_usage_nsec("usage_usec 1219\nuser_usec 1\n"), 1'219'000U);
  EXPECT_EQ(cpu_usage_nsec("xusage_usec 1\nusage_usec 2\n"), 2'000U);
  EXPECT_FALSE(cpu_usage_nsec("").has_value());
  const auto io = io_usage("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10\n");
  ASSERT_TRUE(io.has_value());
  EXPECT_EQ(io->read_bytes, 11U);
  EXPECT_EQ(io->write_operations, 4U);
  EXPECT_EQ(parse_controller_list("cpuset cpu io hugetlb pids\n"),
            mask_of(CgroupController::kCpuset) | mask_of(CgroupController::kCpu) |
                mask_of(CgroupController::kIo) | mask_of(CgroupController::kPids));
}

TEST(CpuSet, IsReadAndWrittenAsTheKernelDoes) {
  EXPECT_EQ(parse_cpu_set("0-2 5,7"), (CpuSet{0, 1, 2, 5, 7}));
  EXPECT_EQ(format_cpu_set({0, 1, 2, 5, 7}), "0-2 5 7");
  EXPECT_FALSE(parse_cpu_set("0-x").has_value());
  EXPECT_FALSE(parse_cpu_set("99999").has_value());
  EXPECT_EQ(cpu_set_bytes({0, 9}), (std::vector<uint8_t>{1, 2}));
  EXPECT_EQ(cpu_set_of_bytes({1, 2}), (CpuSet{0, 9}));
}

}  // namespace
}  // namespace flotilla::init
