// What is written into a unit's cgroup for its settings, and what the kernel's accounting files
// say. Pure; CgroupTracker acts on it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "init/cgroup_settings.h"

namespace flotilla::init {

// One value for one file. With a device, its number stands before the value.
struct CgroupWrite {
  CgroupController controller;
  const char* file;
  std::string value;
  std::string device;  // path; empty: none
};

struct CgroupPlan {
  CgroupMask wants = 0;  // controllers to enable for it, where the machine has them
  std::vector<CgroupWrite> writes;
};

enum class CgroupPhase : uint8_t { kStartup, kNormal };
// A cgroup just made has the kernel's defaults, so that only what differs is written.
enum class CgroupWrites : uint8_t { kWhatIsSet, kAll };

// Protection that a slice hands down to those inside that have none of their own.
struct InheritedProtection {
  uint64_t memory_min = 0, memory_low = 0;
};

CgroupPlan plan_cgroup(const CgroupSettings& settings, const InheritedProtection& inherited,
                       CgroupPhase phase, CgroupWrites writes);
// Whether the phase makes a difference.
bool has_startup_settings(const CgroupSettings& settings);

// Accounting: nothing where the text does not have it.
std::optional<uint64_t> cpu_usage_nsec(std::string_view cpu_stat);
struct IoUsage {
  uint64_t read_bytes = 0, read_operations = 0, write_bytes = 0, write_operations = 0;
};
std::optional<IoUsage> io_usage(std::string_view io_stat);

// The controllers that a file such as cgroup.controllers lists.
CgroupMask parse_controller_list(std::string_view text);

}  // namespace flotilla::init
