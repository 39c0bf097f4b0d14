// What few processes are started with: the part of an ExecSpec that plain ones leave out as a
// whole. Plain values and pointers into memory of the caller, as there; each left at its default
// costs no system call.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "init/exit_code.h"

namespace flotilla::init {

// A session keyring of its own.
struct SpawnKeyring {
  static constexpr uint32_t kOurs = UINT32_MAX;
  bool is_shared = false;             // the user's is linked in
  uint32_t uid = kOurs, gid = kOurs;  // whose it is
  uint8_t invocation_id[16] = {};     // goes into it

  void read_invocation(std::string_view hexadecimal) noexcept {
    for (size_t i = 0; i < sizeof invocation_id && 2 * i + 2 <= hexadecimal.size(); ++i) {
      const char* const digits = hexadecimal.data() + 2 * i;
      std::from_chars(digits, digits + 2, invocation_id[i], 16);
    }
  }
};

struct SpawnExtras {
  static constexpr int kKeep = INT32_MIN;

  int cpu_policy = kKeep;  // SCHED_*, with SCHED_RESET_ON_FORK where it is wanted
  int cpu_priority = 0;
  const uint8_t* cpu_affinity = nullptr;  // a bit for each CPU, in whole words
  size_t cpu_affinity_size = 0;
  int numa_policy = kKeep;  // MPOL_*
  const uint8_t* numa_mask = nullptr;
  size_t numa_mask_size = 0;
  int io_priority = kKeep;  // class << 13 | level
  bool sets_coredump_filter = false, sets_timer_slack = false, sets_personality = false;
  uint64_t coredump_filter = 0, timer_slack_nsec = 0;
  unsigned long personality = 0;

  // The terminal that standard input is becomes the session's own; kSteal: from another session
  // too.
  enum class Terminal : uint8_t { kNone, kTake, kSteal };
  Terminal terminal = Terminal::kNone;

  // Long work that comes before all else, in a copy of this process's memory so that it holds
  // nobody up; how it went is only known from the process's exit. Returns 0 or an errno. Where the
  // ExecSpec has no path it is all that is done.
  int (*work)(const void* context) = nullptr;
  const void* work_context = nullptr;
  SpawnStage work_stage = SpawnStage::kNone;

  bool limits_capabilities = false;
  uint64_t bounding_set = UINT64_MAX;
  uint64_t ambient_set = 0;
  bool sets_secure_bits = false;
  int secure_bits = 0;
};

}  // namespace flotilla::init
