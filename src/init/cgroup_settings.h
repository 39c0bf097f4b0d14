// What a unit's files say about its cgroup: weights, limits, accounting, delegation, what it may
// reach. Units that say nothing have none, see UnitSettings::cgroup. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace flotilla::init {

// As the bus has it: a number that nobody set, and a limit that is none.
inline constexpr uint64_t kCgroupUnset = UINT64_MAX;
inline constexpr uint64_t kCgroupNoLimit = UINT64_MAX;
// CPUWeight=idle
inline constexpr uint64_t kCgroupWeightIdle = 0;

// Controllers in the order in which systemd lists them; those of v1 and of BPF included, because
// Delegate= may name them.
enum class CgroupController : uint8_t {
  kCpu,
  kCpuacct,
  kCpuset,
  kIo,
  kBlkio,
  kMemory,
  kDevices,
  kPids,
  kBpfFirewall,
  kBpfDevices,
  kBpfForeign,
  kBpfSocketBind,
  kBpfRestrictNetworkInterfaces,
  kCount
};
using CgroupMask = uint16_t;
constexpr CgroupMask mask_of(CgroupController controller) {
  return static_cast<CgroupMask>(1U << static_cast<unsigned>(controller));
}
// What Delegate=yes hands over: those of the unified tree.
inline constexpr CgroupMask kDelegatedControllers =
    mask_of(CgroupController::kCpu) | mask_of(CgroupController::kCpuset) |
    mask_of(CgroupController::kIo) | mask_of(CgroupController::kMemory) |
    mask_of(CgroupController::kPids);
inline constexpr CgroupMask kAllControllers =
    static_cast<CgroupMask>((1U << static_cast<unsigned>(CgroupController::kCount)) - 1);
// "cpu"; the names of the kernel's files where it has them.
std::string_view to_string(CgroupController controller);
std::optional<CgroupController> parse_controller(std::string_view name);

enum class DevicePolicy : uint8_t { kAuto, kClosed, kStrict };
enum class OomAction : uint8_t { kAuto, kKill };
enum class OomPreference : uint8_t { kNone, kAvoid, kOmit };
std::string_view to_string(DevicePolicy policy);
std::string_view to_string(OomAction action);
std::string_view to_string(OomPreference preference);

// CPUs or memory nodes, ascending and each once.
using CpuSet = std::vector<uint16_t>;
inline constexpr uint16_t kMaxCpu = 8191;
// "0-3,5" or "0-3 5"; nothing where the text is no such list.
std::optional<CpuSet> parse_cpu_set(std::string_view text);
std::string format_cpu_set(const CpuSet& set);  // "0-3 5", as the kernel and systemctl read it
std::vector<uint8_t> cpu_set_bytes(const CpuSet& set);  // one bit each, as the bus has it
CpuSet cpu_set_of_bytes(const std::vector<uint8_t>& bytes);

struct IpPrefix {
  int family = 0;  // AF_INET or AF_INET6
  std::array<uint8_t, 16> address{};
  uint8_t length = 0;
  bool operator==(const IpPrefix& other) const {
    return family == other.family && address == other.address && length == other.length;
  }
};
// "any", "localhost", "link-local", "multicast", "10.0.0.0/8", "::1"; nothing for anything else.
std::optional<std::vector<IpPrefix>> parse_ip_prefixes(std::string_view word);

struct SocketBindRule {
  int family = 0;                           // 0: both
  int protocol = 0;                         // IPPROTO_TCP, IPPROTO_UDP, 0: both
  uint16_t port_count = 0, first_port = 0;  // 0: all
};

// Limits of one block device.
struct IoLimits {
  uint64_t read_bandwidth = kCgroupNoLimit, write_bandwidth = kCgroupNoLimit;
  uint64_t read_iops = kCgroupNoLimit, write_iops = kCgroupNoLimit;
};

// A number of tasks: itself, or a share of what the system can have.
struct TasksMax {
  uint64_t value = kCgroupUnset;
  uint32_t parts = 0;  // of 10,000; 0: `value` counts
};

struct CgroupSettings {
  using DeviceNumber = std::pair<std::string, uint64_t>;  // path, value

  std::optional<bool> cpu_accounting, memory_accounting, tasks_accounting;  // unset: the default
  bool io_accounting = false, block_io_accounting = false, ip_accounting = false;

  uint64_t cpu_weight = kCgroupUnset, startup_cpu_weight = kCgroupUnset;
  uint64_t cpu_shares = kCgroupUnset, startup_cpu_shares = kCgroupUnset;
  uint64_t cpu_quota_per_sec = kCgroupNoLimit;  // microseconds of CPU in a second
  base::Micros cpu_quota_period = base::Micros::max();
  CpuSet cpus, startup_cpus, memory_nodes, startup_memory_nodes;

  uint64_t io_weight = kCgroupUnset, startup_io_weight = kCgroupUnset;
  std::vector<DeviceNumber> io_device_weights, io_device_latencies;
  std::vector<std::pair<std::string, IoLimits>> io_limits;
  uint64_t block_io_weight = kCgroupUnset, startup_block_io_weight = kCgroupUnset;
  std::vector<DeviceNumber> block_io_device_weights, block_io_read, block_io_write;

  uint64_t default_memory_min = 0, default_memory_low = 0, memory_min = 0, memory_low = 0;
  bool has_default_memory_min = false, has_default_memory_low = false;
  bool has_memory_min = false, has_memory_low = false;
  uint64_t memory_high = kCgroupNoLimit, memory_max = kCgroupNoLimit;
  uint64_t memory_swap_max = kCgroupNoLimit, memory_limit = kCgroupNoLimit;

  std::optional<TasksMax> tasks_max;  // unset: the manager's default

  bool delegate = false;
  CgroupMask delegate_controllers = 0, disable_controllers = 0;

  DevicePolicy device_policy = DevicePolicy::kAuto;
  std::vector<std::pair<std::string, std::string>> device_allow;  // path or class, "rwm"

  std::vector<IpPrefix> ip_allow, ip_deny;
  std::vector<std::string> ip_ingress_filters, ip_egress_filters;
  std::vector<std::pair<std::string, std::string>> bpf_programs;  // attach type, path
  std::vector<SocketBindRule> socket_bind_allow, socket_bind_deny;
  std::vector<std::string> network_interfaces;
  bool network_interfaces_are_allowed = false;

  OomAction managed_oom_swap = OomAction::kAuto, managed_oom_memory_pressure = OomAction::kAuto;
  uint32_t managed_oom_pressure_limit = 0;  // of UINT32_MAX
  OomPreference managed_oom_preference = OomPreference::kNone;

  std::vector<std::string> written;  // the directives that were, each once
};

// The controller without which a directive has no effect; nothing for those that need none.
std::optional<CgroupController> controller_of_directive(std::string_view name);

// The settings of a unit that says nothing.
const CgroupSettings& default_cgroup_settings();

// The machine's memory in bytes, and the most tasks it can have; read once.
uint64_t physical_memory();
uint64_t system_tasks_max();
// TasksMax= as a number: the unit's, or the default of 15 percent of the system's.
uint64_t tasks_max_in_force(const CgroupSettings& settings);

}  // namespace flotilla::init
