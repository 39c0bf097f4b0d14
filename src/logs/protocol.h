// The control protocol between the service manager and the log process, over one SOCK_SEQPACKET
// socket pair (the log process finds its end on descriptor 3). Both run on one machine from one
// build, so numbers are in host order; the magic carries the version.
//
// A message is a header and `count` entries of the header's type:
//   manager → log process
//     kAddStreams    StreamSpec entries; as many descriptors (pipe read ends) by SCM_RIGHTS, in
//     order kSetPid        PidChange entries: the process that writes to a stream from now on
//     kForgetUnit    one unit name: read what is readable, then drop its streams and files
//     kSync          no entry; `argument` comes back in kSyncDone
//     kAddInlet      no entry; `argument` is an InletKind, with one descriptor: a socket that
//     others send to
//   log process → manager
//     kEvents        Event entries
//
// Who holds what: manager, keeper and log process all hold each pipe's read end; the end of a
// stream depends on its write ends alone. After kStreamEnded the manager and the keeper drop their
// copies. A log process that is started after a crash gets all streams again and finds in the pipes
// whatever its predecessor had not read.
//
// Pure functions on bytes, libc alone: the log process links this. Decoding checks every length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "logs/log_line.h"

namespace flotilla::logs {

// Where the log process finds its end of the control socket.
inline constexpr int kControlFd = 3;

// Limits of one message. The descriptors stay under the kernel's 253.
inline constexpr std::size_t kMaxStreamsPerMessage = 128;
inline constexpr std::size_t kMaxControlMessage = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxEventsPerMessage = 128;
inline constexpr std::size_t kMaxUnitName = 255;
inline constexpr std::size_t kMaxIdentifier = 255;
// What LogExtraFields= of a unit may come to, with a byte between two fields.
inline constexpr std::size_t kMaxFields = 4096;
inline constexpr std::size_t kMaxFieldCount = 128;

enum class MessageType : std::uint16_t {
  kAddStreams = 1,
  kSetPid = 2,
  kForgetUnit = 3,
  kSync = 4,
  kEvents = 5,
  kAddInlet = 6,
};

// Sockets under /run/systemd/journal that are not of one service.
enum class InletKind : std::uint64_t {
  kSyslog = 0,  // dev-log: datagrams of syslog(3)
  kNative = 1,  // socket: datagrams of sd_journal_send(3)
  kStdout = 2,  // stdout: listens for streams of sd_journal_stream_fd(3)
};
inline constexpr std::size_t kInletCount = 3;

struct StreamSpec {
  std::uint64_t id = 0;  // the manager's choice; unique among its live streams
  std::string_view unit;
  std::string_view identifier;  // what SyslogIdentifier= says; empty: the unit's name
  std::int32_t pid = 0;         // the writing process, 0: not known
  StreamKind stream = StreamKind::kStdout;
  std::uint8_t priority = kPriorityInfo;     // of lines that carry none (SyslogLevel=)
  bool level_prefix = true;                  // SyslogLevelPrefix=
  std::uint8_t priority_max = kPriorityMax;  // lines of less weight are dropped (LogLevelMax=)
  // "NAME=VALUE" of LogExtraFields= and the facility, a NUL between two: kept with each line.
  std::string_view fields{};
  // LogRateLimitIntervalSec= and LogRateLimitBurst=; no limit where either is 0.
  std::uint64_t rate_interval_usec = 0;
  std::uint32_t rate_burst = 0;
};

struct PidChange {
  std::uint64_t id = 0;
  std::int32_t pid = 0;
};

enum class EventType : std::uint32_t {
  kStreamEnded = 1,    // id: all writers are gone and all lines are written
  kStreamRefused = 2,  // id; detail: errno (EINVAL bad name, EMFILE no descriptor arrived, ...)
  kSyncDone = 3,       // id: the argument of the request
};

struct Event {
  EventType type = EventType::kSyncDone;
  std::int32_t detail = 0;
  std::uint64_t id = 0;
};

// A name under which a directory may be made: 1 to 255 bytes of printable ASCII without blanks and
// '/', and neither "." nor "..".
bool is_valid_unit_name(std::string_view name) noexcept;

// Builds one message in a buffer of the caller. An add_…() that returns false has changed nothing:
// the message is full, or the entry is over a limit and would never fit.
class MessageWriter {
 public:
  MessageWriter(char* buffer, std::size_t capacity) noexcept
      : buffer_(buffer), capacity_(capacity) {}

  void start(MessageType type, std::uint64_t argument = 0) noexcept;
  void clear() noexcept { size_ = count_ = 0; }  // to before start()
  bool add_stream(const StreamSpec& spec) noexcept;
  bool add_pid(const PidChange& change) noexcept;
  bool add_unit(std::string_view unit) noexcept;
  bool add_event(const Event& event) noexcept;

  std::size_t count() const noexcept { return count_; }
  std::string_view bytes() const noexcept { return {buffer_, size_}; }

 private:
  bool append(const void* head, std::size_t head_size, std::string_view first,
              std::string_view second, std::string_view third = {}) noexcept;

  char* buffer_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
};

// Reads one message. next_…() returns false after the last entry and when the message is damaged;
// is_damaged() tells which. Views point into the message.
class MessageReader {
 public:
  explicit MessageReader(std::string_view message) noexcept;

  bool is_damaged() const noexcept { return damaged_; }
  MessageType type() const noexcept { return type_; }
  std::uint64_t argument() const noexcept { return argument_; }
  bool next_stream(StreamSpec& out) noexcept;
  bool next_pid(PidChange& out) noexcept;
  bool next_unit(std::string_view& out) noexcept;
  bool next_event(Event& out) noexcept;

 private:
  bool take(void* out, std::size_t size) noexcept;
  bool take_text(std::size_t size, std::string_view& out) noexcept;
  bool begin_entry(MessageType type) noexcept;

  std::string_view rest_;
  MessageType type_ = MessageType::kSync;
  std::uint16_t left_ = 0;
  std::uint64_t argument_ = 0;
  bool damaged_ = false;
};

}  // namespace flotilla::logs
