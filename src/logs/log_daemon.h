// The log process: reads the pipes of the services, writes their lines to the logs of their units.
//
// One thread over epoll; it waits without a timeout, but for the time in which lines could not be
// written and their loss is still to be told. It talks to the manager over the control socket
// (protocol.h) and ends, having written all that was readable, when that socket closes or a signal
// arrives. What it has read it writes before it reads anything else, so a kill loses at most one
// read and the unfinished lines; what it has not read stays in the pipes for its successor.
//
// Never throws; libc alone. About 350 KiB in one object: give it static storage.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fd.h"
#include "logs/journal_message.h"
#include "logs/line_batch.h"
#include "logs/log_stream.h"
#include "logs/protocol.h"
#include "logs/rate_limit.h"
#include "logs/unit_limits.h"
#include "logs/unit_log.h"

namespace flotilla::logs {

struct DaemonConfig {
  LogPlace place;                      // its directory stays the caller's
  int control = kControlFd;            // the daemon's end; stays the caller's
  int signals = -1;                    // a signalfd: readable means stop; stays the caller's
  const char* units = nullptr;         // where the manager tells of units' limits; null: nowhere
  std::size_t max_open_logs = 128;     // two descriptors each
  std::size_t max_descriptors = 1024;  // of the process
};

class LogDaemon {
 public:
  explicit LogDaemon(const DaemonConfig& config) noexcept;
  ~LogDaemon() = default;
  LogDaemon(const LogDaemon&) = delete;
  LogDaemon& operator=(const LogDaemon&) = delete;

  // Makes the epoll set. Returns 0 or the errno.
  int start() noexcept;
  // Waits for something to happen, at most that long (-1: for ever), and handles it. False when the
  // daemon has to end: call finish().
  bool turn(int timeout_msec) noexcept;
  // Reads what is readable, writes it with the unfinished lines, and drops all streams.
  void finish() noexcept;

  std::size_t stream_count() const noexcept { return streams_.size(); }
  std::size_t open_log_count() const noexcept { return open_logs_; }
  std::size_t rate_limit_count() const noexcept { return rate_limits_; }

 private:
  static constexpr std::size_t kReadSize = std::size_t{64} * 1024;
  static constexpr std::uint64_t kFirstOwnStream = std::uint64_t{1} << 63;

  bool on_control() noexcept;
  void on_message(const char* bytes, std::size_t size, base::Fd* fds,
                  std::size_t fd_count) noexcept;
  void add_streams(MessageReader& message, base::Fd* fds, std::size_t fd_count) noexcept;
  int add_stream(const StreamSpec& spec, base::Fd fd) noexcept;
  bool attach(LogStream& stream) noexcept;
  void erase(LogStream* stream) noexcept;
  void forget_unit(std::string_view name) noexcept;
  void sync(std::uint64_t id) noexcept;

  // log_daemon_inlets.cc
  int add_inlet(std::uint64_t kind, base::Fd socket) noexcept;
  bool on_inlet(void* tag) noexcept;
  bool read_datagrams(InletKind kind) noexcept;
  void on_datagram(InletKind kind, std::int32_t pid, std::string_view bytes) noexcept;
  void on_large_datagram(std::int32_t pid, int fd) noexcept;
  void add_message(std::int32_t pid, const JournalMessage& message) noexcept;
  const char* unit_of_sender(std::int32_t pid) noexcept;
  void accept_streams() noexcept;
  void on_greeting(base::Fd& connection) noexcept;
  void drain_inlets() noexcept;

  void on_stream(LogStream& stream) noexcept;
  long read_once(LogStream& stream) noexcept;
  void drain(LogStream& stream) noexcept;
  void end_stream(LogStream& stream, LineSplitter::Rest rest) noexcept;
  void sweep_ended() noexcept;
  void add_line(LogStream& stream, std::string_view message, std::uint8_t priority,
                bool partial) noexcept;
  void write_batch(LogStream& stream) noexcept;
  void write_batch(UnitEntry& unit, SourceSlot& source) noexcept;
  void tell_ended(const LogStream& stream) noexcept;

  enum class Idle { kErase, kKeep };

  // log_daemon_limits.cc
  bool set_rate_limit(UnitEntry& unit, const RateLimit::Rule& rule) noexcept;
  bool is_let_through(LogStream& stream, std::uint8_t priority, bool partial) noexcept;
  bool is_let_through(UnitEntry& unit, std::uint8_t priority) noexcept;
  void tell_suppressed(UnitEntry& unit, std::uint32_t lines, Idle idle) noexcept;
  void tell_all_suppressed() noexcept;
  void sweep_rate_limits(const UnitEntry& in_use) noexcept;
  bool has_running_limit(const UnitEntry& unit) const noexcept;
  void load_limits(const char* name, UnitEntry* unit) noexcept;
  bool notice_changes() noexcept;

  void make_room_for(const UnitEntry& unit, Idle idle) noexcept;
  void erase_if_idle(UnitEntry& unit) noexcept;
  void note_open(UnitEntry& unit) noexcept;
  void unlist(UnitEntry& unit) noexcept;
  void report_losses() noexcept;
  void complain(const UnitEntry& unit) const noexcept;

  void post(const Event& event) noexcept;
  void send_events() noexcept;
  void watch_control(std::uint32_t events) noexcept;

  DaemonConfig config_;
  base::Fd epoll_;
  StreamTable streams_;  // entries point into units_
  UnitTable units_;
  LogStream* ended_ = nullptr;
  UnitEntry* newest_open_ = nullptr;
  UnitEntry* oldest_open_ = nullptr;
  std::size_t open_logs_ = 0;
  bool has_losses_ = false;
  static constexpr std::size_t kFirstSweep = 256;
  std::size_t rate_limits_ = 0;         // units that have one
  std::size_t sweep_at_ = kFirstSweep;  // so many

  // What programs send to by themselves.
  static constexpr std::size_t kMaxGreetings = 32;
  base::Fd inlets_[kInletCount];
  base::Fd greetings_[kMaxGreetings];  // connections that have not said yet what they are
  std::size_t next_greeting_ = 0;
  std::uint64_t next_own_stream_ = 0;
  std::size_t own_streams_ = 0;
  // Of the datagram before: the next one is often of the same process.
  std::int32_t sender_ = 0;
  char sender_unit_[kMaxUnitName + 1] = "";
  char sender_name_[32] = "";
  bool knows_limits_ = false;
  UnitLimits sender_limits_;
  // Where the manager tells of limits, and how often that was seen changed.
  base::Fd told_;
  std::int64_t told_at_ = 0;
  bool told_is_settled_ = false;
  std::uint64_t told_changes_ = 0;
  char own_cgroup_[512] = "";

  // Events that wait for room in the socket.
  struct EventQueue {
    ~EventQueue();
    Event* items = nullptr;
    std::size_t size = 0;
    std::size_t capacity = 0;
  };
  EventQueue events_;
  std::uint32_t watched_ = 0;  // what epoll watches the control socket for
  bool control_blocked_ = false;
  bool control_closed_ = false;

  LineBatch batch_;
  char read_buffer_[kMaxMessage + kReadSize];  // what is left over of a line stands before the read
  char control_buffer_[kMaxControlMessage];
};

}  // namespace flotilla::logs
