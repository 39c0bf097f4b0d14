// The settings of man systemd.exec that few units use, typed: scheduling, privileges, directories,
// terminals, marks of log lines. Plain values behind a Lazy in ExecSettings, so that a plain unit
// pays one pointer for all of them. Sandboxing has its own (sandbox/settings.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace flotilla::init {

// RuntimeDirectory= and its kin, in systemd's order.
enum class DirectoryKind : uint8_t { kRuntime, kState, kCache, kLogs, kConfiguration, kCount };
inline constexpr size_t kDirectoryKinds = static_cast<size_t>(DirectoryKind::kCount);

struct DirectorySetting {
  struct Item {
    std::string path;                // relative, normalized: "a/b"
    std::vector<std::string> links;  // relative, beside it: symbolic links to it
    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<Item> items;
  uint32_t mode = 0755;
};

enum class DirectoryPreserve : uint8_t { kNo, kRestart, kYes };
enum class KeyringMode : uint8_t { kInherit, kPrivate, kShared };
enum class UtmpMode : uint8_t { kInit, kLogin, kUser };

// All of StandardInputText= and StandardInputData= together.
inline constexpr size_t kMaxInputData = size_t{64} << 20;

struct ExecExtras {
  // Scheduling. Numbers are the kernel's.
  std::optional<int> cpu_policy;  // SCHED_*
  int cpu_priority = 0;
  bool cpu_reset_on_fork = false;
  std::vector<uint8_t> cpu_affinity;  // a bit for each CPU; empty: as the manager
  bool cpu_affinity_from_numa = false;
  int numa_policy = -1;            // MPOL_*; -1: none
  std::vector<uint8_t> numa_mask;  // a bit for each node
  std::optional<int> io_class, io_priority;
  std::optional<uint64_t> coredump_filter;
  std::optional<uint64_t> timer_slack_nsec;
  std::optional<unsigned long> personality;  // PER_*

  // Privileges.
  static constexpr uint64_t kAllCapabilities = UINT64_MAX;
  int secure_bits = 0;                                  // SECBIT_*
  uint64_t capability_bounding_set = kAllCapabilities;  // a bit for each CAP_*
  uint64_t ambient_capabilities = 0;
  std::optional<KeyringMode> keyring_mode;

  // Directories.
  std::array<DirectorySetting, kDirectoryKinds> directories;
  DirectoryPreserve runtime_directory_preserve = DirectoryPreserve::kNo;
  base::Micros timeout_clean = base::Micros::max();
  bool has_directories() const noexcept {
    for (const DirectorySetting& one : directories) {
      if (!one.items.empty()) return true;
    }
    return false;
  }

  std::vector<std::string> exec_search_path;

  // Streams and terminals.
  std::string standard_input_data;  // StandardInputText= and StandardInputData=, decoded
  std::string tty_path;             // empty: /dev/console
  bool tty_reset = false, tty_vhangup = false, tty_vt_disallocate = false;
  std::optional<uint32_t> tty_rows, tty_columns;
  std::string utmp_identifier;
  UtmpMode utmp_mode = UtmpMode::kInit;

  // Marks and limits of what it logs.
  std::optional<int> syslog_facility;  // without the shift: 3 is daemon
  std::optional<int> log_level_max;
  std::vector<std::string> log_extra_fields;  // "NAME=VALUE"
  std::string log_namespace;                  // LogNamespace=
  base::Micros log_rate_limit_interval{0};
  uint32_t log_rate_limit_burst = 0;
};

// Of nodes alone the kernel prefers them.
inline int effective_numa_policy(const ExecExtras& extras) noexcept {
  constexpr int kPreferred = 1;
  return extras.numa_policy < 0 && !extras.numa_mask.empty() ? kPreferred : extras.numa_policy;
}

}  // namespace flotilla::init
