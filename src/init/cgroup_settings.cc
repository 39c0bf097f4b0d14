#include "init/cgroup_settings.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include "base/fd.h"
#include "unit/scalar.h"

namespace flotilla::init {
namespace {

constexpr std::string_view kControllers[] = {"cpu",
                                             "cpuacct",
                                             "cpuset",
                                             "io",
                                             "blkio",
                                             "memory",
                                             "devices",
                                             "pids",
                                             "bpf-firewall",
                                             "bpf-devices",
                                             "bpf-foreign",
                                             "bpf-socket-bind",
                                             "bpf-restrict-network-interfaces"};
static_assert(std::size(kControllers) == static_cast<size_t>(CgroupController::kCount));

constexpr uint64_t kDefaultTasksParts = 1500;  // of 10,000

uint64_t read_number(const char* path, uint64_t otherwise) {
  const base::Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 64> buffer;
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
  if (size <= 0) return otherwise;
  std::string_view text(buffer.data(), static_cast<size_t>(size));
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return unit::parse_unsigned(text).value_or(otherwise);
}

std::optional<IpPrefix> parse_prefix(std::string_view word) {
  IpPrefix prefix;
  const size_t slash = word.find('/');
  const std::string address(word.substr(0, slash));
  prefix.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (inet_pton(prefix.family, address.c_str(), prefix.address.data()) != 1) return std::nullopt;
  const uint8_t most = prefix.family == AF_INET ? 32 : 128;
  prefix.length = most;
  if (slash != std::string_view::npos) {
    const auto length = unit::parse_unsigned(word.substr(slash + 1), most);
    if (!length) return std::nullopt;
    prefix.length = static_cast<uint8_t>(*length);
  }
  // What is beyond the prefix says nothing.
  for (size_t bit = prefix.length; bit < most; ++bit) {
    prefix.address[bit / 8] &= static_cast<uint8_t>(~(0x80U >> (bit % 8)));
  }
  return prefix;
}

}  // namespace

std::string_view to_string(CgroupController controller) {
  return kControllers[static_cast<size_t>(controller)];
}

std::optional<CgroupController> parse_controller(std::string_view name) {
  const auto* found = std::find(std::begin(kControllers), std::end(kControllers), name);
  if (found == std::end(kControllers)) return std::nullopt;
  return static_cast<CgroupController>(found - std::begin(kControllers));
}

std::string_view to_string(DevicePolicy policy) {
  switch (policy) {
    case DevicePolicy::kAuto:
      return "auto";
    case DevicePolicy::kClosed:
      return "closed";
    case DevicePolicy::kStrict:
      return "strict";
  }
  return "";
}

std::string_view to_string(OomAction action) {
  return action == OomAction::kKill ? "kill" : "auto";
}

std::string_view to_string(OomPreference preference) {
  switch (preference) {
    case OomPreference::kNone:
      return "none";
    case OomPreference::kAvoid:
      return "avoid";
    case OomPreference::kOmit:
      return "omit";
  }
  return "";
}

std::optional<CpuSet> parse_cpu_set(std::string_view text) {
  CpuSet set;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find_first_of(", \t", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const size_t dash = word.find('-');
    const auto first = unit::parse_unsigned(word.substr(0, dash), kMaxCpu);
    const auto last = dash == std::string_view::npos
                          ? first
                          : unit::parse_unsigned(word.substr(dash + 1), kMaxCpu);
    if (!first || !last) return std::nullopt;
    // A range that ends before it begins is empty.
    for (uint64_t cpu = *first; cpu <= *last; ++cpu) set.push_back(static_cast<uint16_t>(cpu));
  }
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

std::string format_cpu_set(const CpuSet& set) {
  std::string text;
  for (size_t i = 0; i < set.size();) {
    size_t end = i;
    while (end + 1 < set.size() && set[end + 1] == set[end] + 1) ++end;
    fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : " ", set[i]);
    if (end > i) fmt::format_to(std::back_inserter(text), "-{}", set[end]);
    i = end + 1;
  }
  return text;
}

std::vector<uint8_t> cpu_set_bytes(const CpuSet& set) {
  std::vector<uint8_t> bytes(set.empty() ? 0 : set.back() / 8U + 1U);
  for (const uint16_t cpu : set) {
    bytes[cpu / 8U] = static_cast<uint8_t>(bytes[cpu / 8U] | (1U << (cpu % 8U)));
  }
  return bytes;
}

CpuSet cpu_set_of_bytes(const std::vector<uint8_t>& bytes) {
  CpuSet set;
  for (size_t cpu = 0; cpu < bytes.size() * 8 && cpu <= kMaxCpu; ++cpu) {
    if ((bytes[cpu / 8] & (1U << (cpu % 8))) != 0) set.push_back(static_cast<uint16_t>(cpu));
  }
  return set;
}

std::optional<std::vector<IpPrefix>> parse_ip_prefixes(std::string_view word) {
  static constexpr std::pair<std::string_view, std::array<std::string_view, 2>> kNames[] = {
      {"any", {"0.0.0.0/0", "::/0"}},
      {"localhost", {"127.0.0.0/8", "::1/128"}},
      {"link-local", {"169.254.0.0/16", "fe80::/64"}},
      {"multicast", {"224.0.0.0/4", "ff00::/8"}}};
  std::vector<IpPrefix> prefixes;
  for (const auto& [name, texts] : kNames) {
    if (name != word) continue;
    for (const std::string_view text : texts) prefixes.push_back(*parse_prefix(text));
    return prefixes;
  }
  const auto prefix = parse_prefix(word);
  if (!prefix) return std::nullopt;
  prefixes.push_back(*prefix);
  return prefixes;
}

std::optional<CgroupController> controller_of_directive(std::string_view name) {
  static constexpr std::pair<std::string_view, CgroupController> kPrefixes[] = {
      {"CPU", CgroupController::kCpu},       {"IO", CgroupController::kIo},
      {"Memory", CgroupController::kMemory}, {"DefaultMemory", CgroupController::kMemory},
      {"Tasks", CgroupController::kPids},    {"Allowed", CgroupController::kCpuset}};
  if (name == "CPUAccounting") return std::nullopt;  // the kernel counts it in any case
  constexpr std::string_view kStartup = "Startup";
  if (name.substr(0, kStartup.size()) == kStartup) name.remove_prefix(kStartup.size());
  for (const auto& [prefix, controller] : kPrefixes) {
    if (name.substr(0, prefix.size()) == prefix) return controller;
  }
  return std::nullopt;
}

const CgroupSettings& default_cgroup_settings() {
  static const CgroupSettings settings;
  return settings;
}

uint64_t physical_memory() {
  static const uint64_t bytes = [] {
    const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(size)
                                 : UINT64_MAX;
  }();
  return bytes;
}

uint64_t system_tasks_max() {
  // The pid allocator and the thread limit both end it; one pid is 0, which is none.
  static const uint64_t tasks = std::min(read_number("/proc/sys/kernel/pid_max", 32768) - 1,
                                         read_number("/proc/sys/kernel/threads-max", UINT64_MAX));
  return tasks;
}

uint64_t tasks_max_in_force(const CgroupSettings& settings) {
  const TasksMax limit = settings.tasks_max.value_or(TasksMax{0, kDefaultTasksParts});
  return limit.parts == 0 ? limit.value : system_tasks_max() * limit.parts / 10'000;
}

}  // namespace flotilla::init
