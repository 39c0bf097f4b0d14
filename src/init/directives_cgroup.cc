// Parsers of the directives of man systemd.resource-control but those of the network, shared by
// services, slices and scopes.
#include "init/directives_cgroup.h"

#include <algorithm>
#include <cctype>

#include "init/cgroup_settings.h"
#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/scalar.h"
#include "unit/size.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using Settings = CgroupSettings;

// --- Accounting ---

template <auto Member>
void parse_accounting(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) edit_cgroup(unit, context).*Member = *flag;
}

// --- Weights ---

template <uint64_t Settings::*Member, uint64_t Min, uint64_t Max>
void parse_weight(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value.empty()) {
    edit_cgroup(unit, context).*Member = kCgroupUnset;
    return;
  }
  const auto number = unit::parse_unsigned(value, Max);
  if (!number || *number < Min) return context.warn_bad_value(value);
  Settings& settings = edit_cgroup(unit, context);
  settings.*Member = *number;
}

template <uint64_t Settings::*Member>
void parse_cpu_weight(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value != "idle") return parse_weight<Member, 1, 10'000>(unit, context, value);
  edit_cgroup(unit, context).*Member = kCgroupWeightIdle;
}

// --- CPU ---

void parse_cpu_quota(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value.empty()) {
    edit_cgroup(unit, context).cpu_quota_per_sec = kCgroupNoLimit;
    return;
  }
  const auto parts = unit::parse_permyriad(value, INT32_MAX);
  if (!parts || *parts == 0) {
    return context.reporter.warn("Invalid CPU quota '{}', ignoring.", value);
  }
  edit_cgroup(unit, context).cpu_quota_per_sec = uint64_t{*parts} * 100;
}

void parse_cpu_quota_period(UnitSettings& unit, const SettingContext& context,
                            std::string_view value) {
  const auto span =
      value.empty() ? base::Result<unit::TimeSpan>(unit::kInfinite) : unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  edit_cgroup(unit, context).cpu_quota_period = *span;
}

template <CpuSet Settings::*Member>
void parse_cpus(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value.empty()) return (edit_cgroup(unit, context).*Member).clear();
  const auto set = parse_cpu_set(value);
  if (!set) return context.warn_bad_value(value);
  CpuSet& all = edit_cgroup(unit, context).*Member;
  all.insert(all.end(), set->begin(), set->end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

// --- Memory and tasks ---

std::optional<uint64_t> read_memory(std::string_view value) {
  if (value.empty() || value == "infinity") return kCgroupNoLimit;
  if (const auto parts = unit::parse_permyriad(value)) {
    const uint64_t page = 4096;
    return physical_memory() / page * *parts / 10'000 * page;
  }
  const auto size = unit::parse_size(value);
  return size ? std::optional(*size) : std::nullopt;
}

enum class Zero { kAllowed, kRefused };

template <uint64_t Settings::*Member, Zero Z>
void parse_memory_limit(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  const auto bytes = read_memory(value);
  if (!bytes) {
    return context.reporter.warn("Invalid memory limit '{}', ignoring: Invalid argument", value);
  }
  if (*bytes == 0 && Z == Zero::kRefused) {
    return context.reporter.warn("Memory limit '{}' out of range, ignoring.", value);
  }
  Settings& settings = edit_cgroup(unit, context);
  settings.*Member = *bytes;
}

// A protection: with no value there is none.
template <uint64_t Settings::*Member, bool Settings::*IsSet>
void parse_memory_protection(UnitSettings& unit, const SettingContext& context,
                             std::string_view value) {
  const auto bytes = value.empty() ? std::optional<uint64_t>(0) : read_memory(value);
  if (!bytes) {
    return context.reporter.warn("Invalid memory limit '{}', ignoring: Invalid argument", value);
  }
  Settings& settings = edit_cgroup(unit, context);
  settings.*Member = *bytes;
  settings.*IsSet = !value.empty();
}

void parse_tasks_max(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) return settings.tasks_max.reset();
  if (value == "infinity") {
    settings.tasks_max = TasksMax{};
    return;
  }
  if (const auto parts = unit::parse_permyriad(value)) {
    if (*parts == 0)
      return context.reporter.warn("Maximum tasks value '{}' out of range, ignoring.", value);
    settings.tasks_max = TasksMax{0, *parts};
    return;
  }
  const auto number = unit::parse_unsigned(value);
  if (!number) return context.reporter.warn("Invalid maximum tasks value '{}', ignoring.", value);
  if (*number == 0 || *number == UINT64_MAX) {
    return context.reporter.warn("Maximum tasks value '{}' out of range, ignoring.", value);
  }
  settings.tasks_max = TasksMax{*number, 0};
}

// --- Devices ---

bool is_device_path(std::string_view path) {
  return path.substr(0, 5) == "/dev/" || path.substr(0, 13) == "/run/systemd/";
}

// "DEVICE VALUE": nothing, and a warning, where it is not two words with a path first.
std::optional<std::pair<std::string, std::string>> read_device(const SettingContext& context,
                                                               std::string_view value) {
  const auto words = unit::split_words(value);
  if (!words || words->size() != 2) {
    context.reporter.warn("Failed to extract device path and value from '{}', ignoring.", value);
    return std::nullopt;
  }
  const auto text = context.expand(words->front());
  if (!text) return std::nullopt;
  // A relative one is kept, and is the path of no device.
  const auto path = parse_normal_path(*text);
  if (!path) {
    context.reporter.warn("{}= path is not normalized, ignoring: {}", context.key, *text);
    return std::nullopt;
  }
  return std::pair(*path, words->back());
}

template <std::vector<Settings::DeviceNumber> Settings::*Member, uint64_t Min, uint64_t Max>
void parse_device_weight(UnitSettings& unit, const SettingContext& context,
                         std::string_view value) {
  if (value.empty()) return (edit_cgroup(unit, context).*Member).clear();
  const auto device = read_device(context, value);
  if (!device) return;
  const auto weight = unit::parse_unsigned(device->second, Max);
  if (!weight || *weight < Min) return context.warn_bad_value(value);
  Settings& settings = edit_cgroup(unit, context);
  (settings.*Member).emplace_back(device->first, *weight);
}

void parse_device_latency(UnitSettings& unit, const SettingContext& context,
                          std::string_view value) {
  if (value.empty()) return edit_cgroup(unit, context).io_device_latencies.clear();
  const auto device = read_device(context, value);
  if (!device) return;
  const auto span = unit::parse_time_span(device->second);
  if (!span) return context.warn_bad_value(value);
  edit_cgroup(unit, context).io_device_latencies.emplace_back(device->first, unit::to_usec(*span));
}

template <std::vector<Settings::DeviceNumber> Settings::*Member>
void parse_block_io_bandwidth(UnitSettings& unit, const SettingContext& context,
                              std::string_view value) {
  if (value.empty()) return (edit_cgroup(unit, context).*Member).clear();
  const auto device = read_device(context, value);
  if (!device) return;
  const auto rate = unit::parse_size(device->second, unit::SizeBase::k1000);
  if (!rate || *rate == 0) return context.warn_bad_value(value);
  Settings& settings = edit_cgroup(unit, context);
  (settings.*Member).emplace_back(device->first, *rate);
}

template <uint64_t IoLimits::*Member>
void parse_io_limit(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  auto& list = settings.io_limits;
  if (value.empty()) {
    for (auto& [path, limits] : list) limits.*Member = kCgroupNoLimit;
    return;
  }
  const auto device = read_device(context, value);
  if (!device) return;
  const auto number = unit::parse_size_limit(device->second, unit::SizeBase::k1000);
  if (!number || *number == 0) return context.warn_bad_value(value);
  auto found = std::find_if(list.begin(), list.end(),
                            [&](const auto& entry) { return entry.first == device->first; });
  if (found == list.end()) found = list.insert(list.end(), {device->first, IoLimits()});
  found->second.*Member = *number;
}

void parse_device_policy(UnitSettings& unit, const SettingContext& context,
                         std::string_view value) {
  for (const DevicePolicy policy :
       {DevicePolicy::kAuto, DevicePolicy::kClosed, DevicePolicy::kStrict}) {
    if (to_string(policy) != value) continue;
    edit_cgroup(unit, context).device_policy = policy;
    return;
  }
  context.warn_bad_value(value);
}

void parse_device_allow(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value.empty()) return edit_cgroup(unit, context).device_allow.clear();
  const auto words = unit::split_words(value);
  if (!words || words->empty() || words->size() > 2) return context.warn_bad_value(value);
  const auto text = context.expand(words->front());
  if (!text) return;
  std::string device = *text;
  const bool is_class = device.compare(0, 6, "block-") == 0 || device.compare(0, 5, "char-") == 0;
  if (!is_class) {
    const auto path = parse_absolute_path(device);
    if (!path || !is_device_path(*path)) {
      return context.reporter.warn("Invalid device node path '{}', ignoring.", device);
    }
    device = *path;
  }
  const std::string permissions = words->size() == 2 ? words->back() : "rwm";
  if (permissions.empty() || permissions.find_first_not_of("rwm") != std::string::npos) {
    return context.reporter.warn("Invalid device rights '{}', ignoring.", permissions);
  }
  Settings& settings = edit_cgroup(unit, context);
  settings.device_allow.insert(settings.device_allow.begin(), {std::move(device), permissions});
}

// --- Delegation ---

// A word that is no controller is left out with a warning; nothing of what cannot be split.
std::optional<CgroupMask> read_controllers(const SettingContext& context, std::string_view value) {
  CgroupMask mask = 0;
  const auto words = unit::split_words(value);
  if (!words) {
    context.warn_bad_value(value);
    return std::nullopt;
  }
  for (const std::string& word : *words) {
    const auto controller = parse_controller(word);
    if (!controller) {
      context.reporter.warn("Invalid controller name '{}', ignoring", word);
      continue;
    }
    mask = static_cast<CgroupMask>(mask | mask_of(*controller));
  }
  return mask;
}

void parse_delegate(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (unit.name.type() == unit::UnitType::kSlice) {
    return context.reporter.warn("Delegate= setting not supported for this unit type, ignoring.");
  }
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) {
    settings.delegate = true;
    settings.delegate_controllers = 0;
    return;
  }
  if (const auto flag = unit::parse_boolean(value)) {
    settings.delegate = *flag;
    settings.delegate_controllers = *flag ? kDelegatedControllers : CgroupMask{0};
    return;
  }
  const auto controllers = read_controllers(context, value);
  if (!controllers) return;
  settings.delegate = true;
  settings.delegate_controllers =
      static_cast<CgroupMask>(settings.delegate_controllers | *controllers);
}

void parse_disable_controllers(UnitSettings& unit, const SettingContext& context,
                               std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) {
    settings.disable_controllers = 0;
    return;
  }
  settings.disable_controllers = static_cast<CgroupMask>(
      settings.disable_controllers | read_controllers(context, value).value_or(0));
}

// --- systemd-oomd ---

template <OomAction Settings::*Member>
void parse_oom_action(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (!value.empty() && value != "auto" && value != "kill") return context.warn_bad_value(value);
  edit_cgroup(unit, context).*Member = value == "kill" ? OomAction::kKill : OomAction::kAuto;
}

void parse_oom_pressure(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  if (value.empty()) {
    edit_cgroup(unit, context).managed_oom_pressure_limit = 0;
    return;
  }
  const auto parts = unit::parse_permyriad(value);
  if (!parts) return context.warn_bad_value(value);
  edit_cgroup(unit, context).managed_oom_pressure_limit =
      static_cast<uint32_t>((uint64_t{*parts} * UINT32_MAX + 5'000) / 10'000);
}

void parse_oom_preference(UnitSettings& unit, const SettingContext& context,
                          std::string_view value) {
  for (const OomPreference preference :
       {OomPreference::kNone, OomPreference::kAvoid, OomPreference::kOmit}) {
    if (to_string(preference) != value) continue;
    edit_cgroup(unit, context).managed_oom_preference = preference;
    return;
  }
  context.warn_bad_value(value);
}

constexpr NamedParser kParsers[] = {
    {"AllowedCPUs", parse_cpus<&Settings::cpus>},
    {"AllowedMemoryNodes", parse_cpus<&Settings::memory_nodes>},
    {"BlockIOAccounting", parse_accounting<&Settings::block_io_accounting>},
    {"BlockIODeviceWeight", parse_device_weight<&Settings::block_io_device_weights, 10, 1'000>},
    {"BlockIOReadBandwidth", parse_block_io_bandwidth<&Settings::block_io_read>},
    {"BlockIOWeight", parse_weight<&Settings::block_io_weight, 10, 1'000>},
    {"BlockIOWriteBandwidth", parse_block_io_bandwidth<&Settings::block_io_write>},
    {"CPUAccounting", parse_accounting<&Settings::cpu_accounting>},
    {"CPUQuota", parse_cpu_quota},
    {"CPUQuotaPeriodSec", parse_cpu_quota_period},
    {"CPUShares", parse_weight<&Settings::cpu_shares, 2, 262'144>},
    {"CPUWeight", parse_cpu_weight<&Settings::cpu_weight>},
    {"DefaultMemoryLow",
     parse_memory_protection<&Settings::default_memory_low, &Settings::has_default_memory_low>},
    {"DefaultMemoryMin",
     parse_memory_protection<&Settings::default_memory_min, &Settings::has_default_memory_min>},
    {"Delegate", parse_delegate},
    {"DeviceAllow", parse_device_allow},
    {"DevicePolicy", parse_device_policy},
    {"DisableControllers", parse_disable_controllers},
    {"IOAccounting", parse_accounting<&Settings::io_accounting>},
    {"IODeviceLatencyTargetSec", parse_device_latency},
    {"IODeviceWeight", parse_device_weight<&Settings::io_device_weights, 1, 10'000>},
    {"IOReadBandwidthMax", parse_io_limit<&IoLimits::read_bandwidth>},
    {"IOReadIOPSMax", parse_io_limit<&IoLimits::read_iops>},
    {"IOWeight", parse_weight<&Settings::io_weight, 1, 10'000>},
    {"IOWriteBandwidthMax", parse_io_limit<&IoLimits::write_bandwidth>},
    {"IOWriteIOPSMax", parse_io_limit<&IoLimits::write_iops>},
    {"IPAccounting", parse_accounting<&Settings::ip_accounting>},
    {"ManagedOOMMemoryPressure", parse_oom_action<&Settings::managed_oom_memory_pressure>},
    {"ManagedOOMMemoryPressureLimit", parse_oom_pressure},
    {"ManagedOOMPreference", parse_oom_preference},
    {"ManagedOOMSwap", parse_oom_action<&Settings::managed_oom_swap>},
    {"MemoryAccounting", parse_accounting<&Settings::memory_accounting>},
    {"MemoryHigh", parse_memory_limit<&Settings::memory_high, Zero::kRefused>},
    {"MemoryLimit", parse_memory_limit<&Settings::memory_limit, Zero::kRefused>},
    {"MemoryLow", parse_memory_protection<&Settings::memory_low, &Settings::has_memory_low>},
    {"MemoryMax", parse_memory_limit<&Settings::memory_max, Zero::kRefused>},
    {"MemoryMin", parse_memory_protection<&Settings::memory_min, &Settings::has_memory_min>},
    {"MemorySwapMax", parse_memory_limit<&Settings::memory_swap_max, Zero::kAllowed>},
    {"StartupAllowedCPUs", parse_cpus<&Settings::startup_cpus>},
    {"StartupAllowedMemoryNodes", parse_cpus<&Settings::startup_memory_nodes>},
    {"StartupBlockIOWeight", parse_weight<&Settings::startup_block_io_weight, 10, 1'000>},
    {"StartupCPUShares", parse_weight<&Settings::startup_cpu_shares, 2, 262'144>},
    {"StartupCPUWeight", parse_cpu_weight<&Settings::startup_cpu_weight>},
    {"StartupIOWeight", parse_weight<&Settings::startup_io_weight, 1, 10'000>},
    {"TasksAccounting", parse_accounting<&Settings::tasks_accounting>},
    {"TasksMax", parse_tasks_max},
};

}  // namespace

CgroupSettings& edit_cgroup(UnitSettings& unit, const SettingContext& context) {
  auto& shared = unit.extras.edit().cgroup;
  auto own = shared ? std::make_shared<Settings>(*shared) : std::make_shared<Settings>();
  Settings& settings = *own;
  auto& written = settings.written;
  if (std::find(written.begin(), written.end(), context.key) == written.end()) {
    written.emplace_back(context.key);
  }
  shared = std::move(own);
  return settings;
}

std::span<const NamedParser> cgroup_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
