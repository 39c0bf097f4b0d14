// The command line of flotilla-logd. libc alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flotilla::logs {

struct LogdOptions {
  enum class Action { kRun, kHelp, kVersion, kWrong };

  Action action = Action::kRun;
  char directory[4096] = "/var/log/flotilla";
  char units[4096] = "";  // where the manager tells of units' limits; empty: nowhere
  std::uint64_t max_segment_size = std::uint64_t{8} << 20;
  std::uint32_t keep_segments = 4;
  char problem[256] = "";  // with kWrong: one sentence
};

extern const char kLogdUsage[];

// Reads argv[1] and what follows.
void parse_logd_options(int argc, const char* const* argv, LogdOptions& out) noexcept;

// Makes a directory with the missing ones above it. Returns 0 or the errno.
int make_directories(const char* path) noexcept;

// The id of this boot in 16 bytes; zeros when the kernel does not tell.
void load_boot_id(std::uint8_t (&out)[16]) noexcept;

}  // namespace flotilla::logs
