#include <gmock/gmock.h>

#include "init/cgroup_settings.h"
#include "init/directives.h"
#include "init/directives_context.h"

namespace flotilla::init {
namespace {

using testing::IsEmpty;

class CgroupDirectives : public testing::Test {
 protected:
  // The number of complaints.
  size_t set(std::string_view key, std::string_view value, std::string_view section = "Service") {
    const DirectiveParser parser = find_parser(section, key);
    if (parser == nullptr) return 1000;
    std::vector<unit::Diagnostic> diagnostics;
    const unit::Reporter reporter("a.service", 1, diagnostics);
    parser(unit_, SettingContext{specifiers_, reporter, key, marks_, false}, value);
    return diagnostics.size();
  }
  const CgroupSettings& now() const { return *unit_.extras->cgroup; }

  UnitSettings unit_{*unit::UnitName::parse("a.service")};
  unit::HostValues host_;
  unit::SpecifierContext specifiers_{*unit::UnitName::parse("a.service"), &host_, {}, {}};
  SettingMarks marks_;
};

TEST_F(CgroupDirectives, TakeOnlyNamesThatInterfacesAndHooksCanHave) {
  EXPECT_EQ(set("RestrictNetworkInterfaces", "eth0 a/b 7 'q r' sixteen-letters0"), 4U);
  EXPECT_EQ(now().network_interfaces, std::vector<std::string>{"eth0"});
  EXPECT_EQ(set("BPFProgram", "egress:/sys/fs/bpf/x"), 0U);
  EXPECT_EQ(set("BPFProgram", "outwards:/sys/fs/bpf/x"), 1U);
  EXPECT_EQ(now().bpf_programs.size(), 1U);
  EXPECT_EQ(set("Delegate", "'open"), 1U);
  EXPECT_FALSE(now().delegate);
}

TEST_F(CgroupDirectives, ReadGoodValuesAndResetWithEmptyOnes) {
  EXPECT_EQ(set("CPUWeight", "50"), 0U);
  EXPECT_EQ(now().cpu_weight, 50U);
  EXPECT_EQ(set("CPUWeight", "idle"), 0U);
  EXPECT_EQ(now().cpu_weight, kCgroupWeightIdle);
  EXPECT_EQ(set("CPUWeight", ""), 0U);
  EXPECT_EQ(now().cpu_weight, kCgroupUnset);
  EXPECT_EQ(set("CPUQuota", "25%"), 0U);
  EXPECT_EQ(now().cpu_quota_per_sec, 250'000U);
  EXPECT_EQ(set("MemoryMax", "100M"), 0U);
  EXPECT_EQ(now().memory_max, uint64_t{100} << 20);
  EXPECT_EQ(set("MemoryMax", "infinity"), 0U);
  EXPECT_EQ(now().memory_max, kCgroupNoLimit);
  EXPECT_EQ(set("MemorySwapMax", "0"), 0U);
  EXPECT_EQ(now().memory_swap_max, 0U);
  EXPECT_EQ(set("TasksMax", "20%"), 0U);
  EXPECT_EQ(now().tasks_max->parts, 2000U);
  EXPECT_EQ(set("TasksMax", ""), 0U);
  EXPECT_FALSE(now().tasks_max.has_value());
  EXPECT_EQ(set("AllowedCPUs", "0-1"), 0U);
  EXPECT_EQ(set("AllowedCPUs", "3"), 0U);
  EXPECT_EQ(now().cpus, (CpuSet{0, 1, 3}));
  EXPECT_EQ(set("IOReadBandwidthMax", "/dev/null 5M"), 0U);
  EXPECT_EQ(now().io_limits.at(0).second.read_bandwidth, 5'000'000U);
  EXPECT_EQ(set("IOReadBandwidthMax", "/dev/zero 6M"), 0U);
  EXPECT_EQ(now().io_limits.at(1).first, "/dev/zero");
  EXPECT_EQ(set("IODeviceWeight", "/dev//zero 6"), 0U);
  EXPECT_EQ(set("IODeviceWeight", "dev/x 7"), 0U);
  EXPECT_EQ(set("IODeviceWeight", "/dev/../x 8"), 1U);
  EXPECT_EQ(now().io_device_weights,
            (std::vector<CgroupSettings::DeviceNumber>{{"/dev/zero", 6}, {"dev/x", 7}}));
  EXPECT_EQ(set("ManagedOOMMemoryPressureLimit", "50%"), 0U);
  EXPECT_EQ(now().managed_oom_pressure_limit, 2'147'483'648U);
}

TEST_F(CgroupDirectives, KeepWhatWasThereWhenAValueIsBad) {
  EXPECT_EQ(set("CPUWeight", "50"), 0U);
  for (const char* bad : {"0", "10001", "x", "-1"}) EXPECT_EQ(set("CPUWeight", bad), 1U) << bad;
  EXPECT_EQ(now().cpu_weight, 50U);
  EXPECT_EQ(set("CPUQuota", "0%"), 1U);
  EXPECT_EQ(set("CPUQuota", "20"), 1U);
  EXPECT_EQ(set("MemoryMax", "0"), 1U);
  EXPECT_EQ(set("MemoryMax", "lots"), 1U);
  EXPECT_EQ(set("TasksMax", "0"), 1U);
  EXPECT_EQ(set("IODeviceWeight", "/dev/sda"), 1U);
  EXPECT_EQ(set("DeviceAllow", "/etc/passwd r"), 1U);
  EXPECT_EQ(set("DeviceAllow", "/dev/null x"), 1U);
  EXPECT_EQ(set("DevicePolicy", "open"), 1U);
  EXPECT_EQ(set("IPAddressAllow", "1.2.3"), 1U);
  EXPECT_EQ(set("SocketBindAllow", "tcp:0"), 1U);
  EXPECT_EQ(set("AllowedCPUs", "0-x"), 1U);
}

TEST_F(CgroupDirectives, ReadDelegationOfAllOrOfSome) {
  EXPECT_EQ(set("Delegate", "yes"), 0U);
  EXPECT_TRUE(now().delegate);
  EXPECT_EQ(now().delegate_controllers, kDelegatedControllers);
  EXPECT_EQ(set("Delegate", "no"), 0U);
  EXPECT_FALSE(now().delegate);
  EXPECT_EQ(set("Delegate", "cpu memory nonsense"), 1U);
  EXPECT_TRUE(now().delegate);
  EXPECT_EQ(now().delegate_controllers,
            mask_of(CgroupController::kCpu) | mask_of(CgroupController::kMemory));
}

TEST_F(CgroupDirectives, ReadNetworkLists) {
  EXPECT_EQ(set("IPAddressAllow", "localhost 10.1.2.3/8"), 0U);
  ASSERT_EQ(now().ip_allow.size(), 3U);
  EXPECT_EQ(now().ip_allow[2].address[1], 0);
  EXPECT_EQ(set("SocketBindDeny", "ipv4:tcp:80-90"), 0U);
  EXPECT_EQ(now().socket_bind_deny.at(0).port_count, 11);
  EXPECT_EQ(set("SocketBindAllow", "udp"), 0U);
  EXPECT_EQ(now().socket_bind_allow.at(0).first_port, 0);
  EXPECT_EQ(set("RestrictNetworkInterfaces", "lo eth0"), 0U);
  EXPECT_EQ(set("RestrictNetworkInterfaces", "~eth0"), 0U);
  EXPECT_THAT(now().network_interfaces, testing::ElementsAre("lo"));
  EXPECT_EQ(set("RestrictNetworkInterfaces", ""), 0U);
  EXPECT_THAT(now().network_interfaces, IsEmpty());
}

TEST_F(CgroupDirectives, StandInSlicesToo) {
  EXPECT_EQ(set("MemoryHigh", "1G", "Slice"), 0U);
  EXPECT_EQ(now().memory_high, uint64_t{1} << 30);
}

TEST_F(CgroupDirectives, LeaveCopiesOfASettingAsTheyWere) {
  EXPECT_EQ(set("CPUWeight", "50"), 0U);
  const UnitSettings copy = unit_;
  EXPECT_EQ(set("CPUWeight", "60"), 0U);
  EXPECT_EQ(copy.extras->cgroup->cpu_weight, 50U);
}

}  // namespace
}  // namespace flotilla::init
