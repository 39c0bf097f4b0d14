// What programs send to the sockets of the journal themselves: a datagram of syslog(3), one of
// sd_journal_send(3), and the lines a stream begins with (sd_journal_stream_fd(3)). Pure functions
// on bytes that anybody may have sent; nothing is allocated and texts point into the input. libc
// alone: the log process links this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "logs/log_line.h"

namespace flotilla::logs {

struct JournalMessage {
  std::string_view text;        // may have several lines
  std::string_view identifier;  // empty: none was given
  std::uint8_t priority = kPriorityInfo;
  std::int16_t facility = -1;  // -1: none was given
};

// "<PRIORITY>Mmm dd hh:mm:ss IDENTIFIER[PID]: TEXT", of which all but the text may be missing. The
// sender's pid is the kernel's to tell, not the datagram's.
JournalMessage parse_syslog(std::string_view datagram) noexcept;

// The next entry of a datagram of fields, each "NAME=VALUE\n" or "NAME\n", the value's size in 64
// bits, the value and "\n"; an empty line ends an entry. Fields that the log has no place for are
// passed over, and so are entries without a text. False: none is left, or the rest is damaged.
bool next_native_entry(std::string_view& datagram, JournalMessage& out) noexcept;

// What a program says of its stream before the first line.
struct StreamGreeting {
  std::string_view identifier;
  std::string_view unit;
  std::uint8_t priority = kPriorityInfo;
  bool level_prefix = false;
  std::size_t size = 0;  // of the greeting
};
inline constexpr std::size_t kMaxGreeting = 1024;

enum class GreetingState : std::uint8_t { kWhole, kIncomplete, kWrong };
GreetingState parse_greeting(std::string_view bytes, StreamGreeting& out) noexcept;

// As substr(), which would bring in what throws.
std::string_view part_of(std::string_view text, std::size_t begin,
                         std::size_t size = std::string_view::npos) noexcept;

// The unit a process is in, by what /proc/PID/cgroup says: the first name in its path that is one
// of a unit and not of a slice. `own` is the path in which the manager's tree begins. Empty: none.
std::string_view unit_of_cgroup(std::string_view proc_cgroup, std::string_view own) noexcept;
// The path in the v2 hierarchy, or in systemd's own.
std::string_view path_of_cgroup(std::string_view proc_cgroup) noexcept;

}  // namespace flotilla::logs
