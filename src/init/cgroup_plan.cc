#include "init/cgroup_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace flotilla::init {
namespace {

using C = CgroupController;
using Settings = CgroupSettings;

constexpr uint64_t kDefaultWeight = 100;
constexpr uint64_t kDefaultShares = 1024;
constexpr uint64_t kMaxWeight = 10'000;
constexpr uint64_t kDefaultQuotaPeriod = 100'000;  // microseconds
constexpr uint64_t kLeastQuota = 1'000;
constexpr uint64_t kSecond = 1'000'000;

// Collects writes; leaves out what nobody set unless everything is wanted.
class Writer {
 public:
  Writer(CgroupPlan& plan, CgroupWrites writes) : plan_(plan), all_(writes == CgroupWrites::kAll) {}

  void put(C controller, const char* file, bool is_set, std::string value) {
    if (is_set) plan_.wants = static_cast<CgroupMask>(plan_.wants | mask_of(controller));
    if (is_set || all_) plan_.writes.push_back({controller, file, std::move(value), {}});
  }
  void put_device(C controller, const char* file, const std::string& device, std::string value) {
    plan_.wants = static_cast<CgroupMask>(plan_.wants | mask_of(controller));
    plan_.writes.push_back({controller, file, std::move(value), device});
  }
  void want(C controller) {
    plan_.wants = static_cast<CgroupMask>(plan_.wants | mask_of(controller));
  }

 private:
  CgroupPlan& plan_;
  bool all_;
};

std::string limit_text(uint64_t limit) {
  return limit == kCgroupNoLimit ? "max" : std::to_string(limit);
}

uint64_t first_set(uint64_t preferred, uint64_t otherwise) {
  return preferred != kCgroupUnset ? preferred : otherwise;
}

void plan_cpu(const Settings& settings, CgroupPhase phase, Writer& writer) {
  const bool starts = phase == CgroupPhase::kStartup;
  uint64_t weight =
      starts ? first_set(settings.startup_cpu_weight, settings.cpu_weight) : settings.cpu_weight;
  const uint64_t shares =
      starts ? first_set(settings.startup_cpu_shares, settings.cpu_shares) : settings.cpu_shares;
  if (weight == kCgroupUnset && shares != kCgroupUnset) {
    weight = std::clamp(shares * kDefaultWeight / kDefaultShares, uint64_t{1}, kMaxWeight);
  }
  const bool is_idle = weight == kCgroupWeightIdle;
  if (is_idle) {
    writer.put(C::kCpu, "cpu.idle", true, "1");
  } else {
    writer.put(C::kCpu, "cpu.weight", weight != kCgroupUnset,
               std::to_string(first_set(weight, kDefaultWeight)));
  }
  const bool has_quota = settings.cpu_quota_per_sec != kCgroupNoLimit;
  const bool has_period = settings.cpu_quota_period != base::Micros::max();
  const uint64_t period = has_period ? static_cast<uint64_t>(std::clamp<int64_t>(
                                           settings.cpu_quota_period.count(), 1'000, 1'000'000))
                                     : kDefaultQuotaPeriod;
  const uint64_t quota =
      has_quota ? std::max(settings.cpu_quota_per_sec * period / kSecond, kLeastQuota) : 0;
  writer.put(C::kCpu, "cpu.max", has_quota,
             fmt::format("{} {}", has_quota ? std::to_string(quota) : "max", period));
}

void plan_cpuset(const Settings& settings, CgroupPhase phase, Writer& writer) {
  const bool starts = phase == CgroupPhase::kStartup;
  const auto text = [&](const CpuSet& startup, const CpuSet& normal) {
    std::string list = format_cpu_set(starts && !startup.empty() ? startup : normal);
    std::replace(list.begin(), list.end(), ' ', ',');
    return list;
  };
  std::string cpus = text(settings.startup_cpus, settings.cpus);
  std::string nodes = text(settings.startup_memory_nodes, settings.memory_nodes);
  const bool has_cpus = !cpus.empty(), has_nodes = !nodes.empty();
  // An empty line is what the kernel takes for "all".
  writer.put(C::kCpuset, "cpuset.cpus", has_cpus, has_cpus ? std::move(cpus) : "\n");
  writer.put(C::kCpuset, "cpuset.mems", has_nodes, has_nodes ? std::move(nodes) : "\n");
}

void plan_io(const Settings& settings, CgroupPhase phase, Writer& writer) {
  const uint64_t weight = phase == CgroupPhase::kStartup
                              ? first_set(settings.startup_io_weight, settings.io_weight)
                              : settings.io_weight;
  writer.put(C::kIo, "io.weight", weight != kCgroupUnset,
             fmt::format("default {}", first_set(weight, kDefaultWeight)));
  for (const auto& [device, number] : settings.io_device_weights) {
    writer.put_device(C::kIo, "io.weight", device, std::to_string(number));
  }
  for (const auto& [device, number] : settings.io_device_latencies) {
    writer.put_device(C::kIo, "io.latency", device,
                      number == kCgroupNoLimit ? "target=max" : fmt::format("target={}", number));
  }
  for (const auto& [device, limits] : settings.io_limits) {
    writer.put_device(
        C::kIo, "io.max", device,
        fmt::format("rbps={} wbps={} riops={} wiops={}", limit_text(limits.read_bandwidth),
                    limit_text(limits.write_bandwidth), limit_text(limits.read_iops),
                    limit_text(limits.write_iops)));
  }
}

void plan_memory(const Settings& settings, const InheritedProtection& inherited, Writer& writer) {
  const uint64_t min = settings.has_memory_min ? settings.memory_min : inherited.memory_min;
  const uint64_t low = settings.has_memory_low ? settings.memory_low : inherited.memory_low;
  // The limit of old counts where none of the new ones is set.
  const uint64_t max =
      settings.memory_max != kCgroupNoLimit ? settings.memory_max : settings.memory_limit;
  writer.put(C::kMemory, "memory.min", min != 0, limit_text(min));
  writer.put(C::kMemory, "memory.low", low != 0, limit_text(low));
  const auto put_limit = [&](const char* file, uint64_t limit) {
    writer.put(C::kMemory, file, limit != kCgroupNoLimit, limit_text(limit));
  };
  put_limit("memory.high", settings.memory_high);
  put_limit("memory.max", max);
  put_limit("memory.swap.max", settings.memory_swap_max);
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end != text.data() ? std::optional(number) : std::nullopt;
}

}  // namespace

CgroupPlan plan_cgroup(const CgroupSettings& settings, const InheritedProtection& inherited,
                       CgroupPhase phase, CgroupWrites writes) {
  CgroupPlan plan;
  Writer writer(plan, writes);
  plan_cpu(settings, phase, writer);
  plan_cpuset(settings, phase, writer);
  plan_io(settings, phase, writer);
  plan_memory(settings, inherited, writer);
  const uint64_t tasks = tasks_max_in_force(settings);
  writer.put(C::kPids, "pids.max", tasks != kCgroupNoLimit, limit_text(tasks));
  // CPU time is counted without a controller.
  if (settings.memory_accounting.value_or(true)) writer.want(C::kMemory);
  if (settings.tasks_accounting.value_or(true)) writer.want(C::kPids);
  if (settings.io_accounting) writer.want(C::kIo);
  if (settings.delegate) {
    plan.wants = static_cast<CgroupMask>(plan.wants | settings.delegate_controllers);
  }
  return plan;
}

bool has_startup_settings(const CgroupSettings& settings) {
  return settings.startup_cpu_weight != kCgroupUnset ||
         settings.startup_cpu_shares != kCgroupUnset ||
         settings.startup_io_weight != kCgroupUnset || !settings.startup_cpus.empty() ||
         !settings.startup_memory_nodes.empty();
}

std::optional<uint64_t> cpu_usage_nsec(std::string_view cpu_stat) {
  constexpr std::string_view kKey = "usage_usec ";
  size_t at = cpu_stat.find(kKey);
  while (at != std::string_view::npos && at != 0 && cpu_stat[at - 1] != '\n') {
    at = cpu_stat.find(kKey, at + 1);
  }
  if (at == std::string_view::npos) return std::nullopt;
  const auto usec = parse_number(cpu_stat.substr(at + kKey.size()));
  return usec ? std::optional(*usec * 1000) : std::nullopt;
}

std::optional<IoUsage> io_usage(std::string_view io_stat) {
  static constexpr std::pair<std::string_view, uint64_t IoUsage::*> kKeys[] = {
      {" rbytes=", &IoUsage::read_bytes},
      {" wbytes=", &IoUsage::write_bytes},
      {" rios=", &IoUsage::read_operations},
      {" wios=", &IoUsage::write_operations}};
  IoUsage usage;
  for (const auto& [key, member] : kKeys) {
    for (size_t at = io_stat.find(key); at != std::string_view::npos;
         at = io_stat.find(key, at + key.size())) {
      usage.*member += parse_number(io_stat.substr(at + key.size())).value_or(0);
    }
  }
  return usage;
}

CgroupMask parse_controller_list(std::string_view text) {
  CgroupMask mask = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (const auto controller = parse_controller(text.substr(0, end))) {
      mask = static_cast<CgroupMask>(mask | mask_of(*controller));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return mask;
}

}  // namespace flotilla::init
