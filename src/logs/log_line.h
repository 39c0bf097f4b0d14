// One line of a log segment in CRI form: how it is written, and how it is read back.
//
//   2026-11-21T03:33:11.123456789Z stdout F message\n
//
// The head has a fixed width. `F` ends a line; `P` says that the next entry of the same stream goes
// on with it, because it was longer than kMaxMessage or the log process was replaced in its middle.
// Pure functions on bytes, libc alone: the log process links this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flotilla::logs {

enum class StreamKind : std::uint8_t { kStdout = 0, kStderr = 1 };

// A message is cut into pieces of at most this many bytes.
inline constexpr std::size_t kMaxMessage = std::size_t{16} * 1024;
// "YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ"
inline constexpr std::size_t kTimestampSize = 30;
// timestamp, space, "stdout" or "stderr", space, "F" or "P", space
inline constexpr std::size_t kLineHeadSize = kTimestampSize + 10;
// The longest line there can be, with its newline.
inline constexpr std::size_t kMaxLineSize = kLineHeadSize + kMaxMessage + 1;

// syslog's numbers: 0 emerg ... 7 debug.
inline constexpr std::uint8_t kPriorityWarning = 4;
inline constexpr std::uint8_t kPriorityInfo = 6;
inline constexpr std::uint8_t kPriorityMax = 7;

// Writes exactly kTimestampSize bytes. Times outside the years 1970 to 9999 are clamped.
void format_timestamp(std::int64_t wall_nsec, char* out) noexcept;

// Writes exactly kLineHeadSize bytes.
void format_line_head(std::int64_t wall_nsec, StreamKind stream, bool partial, char* out) noexcept;
// Turns a head that format_line_head() wrote into one of a whole or a partial line.
inline void set_line_partial(char* head, bool partial) noexcept {
  head[kLineHeadSize - 2] = partial ? 'P' : 'F';
}

struct ParsedLine {
  std::int64_t wall_nsec = 0;
  StreamKind stream = StreamKind::kStdout;
  bool partial = false;
  std::string_view message;  // points into the line
};

// Reads one line without its newline. Returns false, and leaves `out` undefined, if it is no line
// of ours: a head that is not exact, or a message over kMaxMessage.
bool parse_line(std::string_view line, ParsedLine& out) noexcept;

// The `<N>` in front of a message, N from 0 to 7 (sd-daemon(3)): takes it off and returns N;
// returns `otherwise` and leaves the message alone if there is none.
std::uint8_t take_level_prefix(std::string_view& message, std::uint8_t otherwise) noexcept;

}  // namespace flotilla::logs
