// Reads the log of one unit, from its directory alone: while the log process writes to it, after a
// crash in the middle of a write, or from a copy. Owned by whoever asks (fleetd's log route,
// journalctl); one thread at a time. Never writes.
//
// An entry's cursor is its sequence number in the unit's log: 1, 2, 3 ..., with gaps only where a
// loss of power took lines that had a number. To follow a log, read to its end, watch() it, and
// call poll_new() whenever the watch is readable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "logs/log_line.h"

namespace flotilla::logs {

struct Entry {
  std::uint64_t cursor = 0;
  base::WallTime time;
  StreamKind stream = StreamKind::kStdout;
  std::uint8_t priority = kPriorityInfo;
  std::int32_t pid = 0;    // 0: not known
  std::string identifier;  // empty: not known
  std::string boot_id;     // 32 hex digits; empty: not known
  // "NAME=VALUE": LogExtraFields=, and SYSLOG_FACILITY= where it is not daemon's 3.
  std::vector<std::string> fields{};
  std::string message;   // without newline; any bytes
  bool partial = false;  // goes on in the next entry of the same stream
};

// Puts entries that are pieces of one line together: in place, under the cursor of the last piece.
// A last piece without an end stays partial. Lines end up in the order of their ends.
void join_partial_lines(std::vector<Entry>& entries);

class Segment;

class LogReader {
 public:
  // Fails with kNotFound if there is no such directory. An empty one is an empty log.
  static base::Result<LogReader> open(const std::string& directory);
  // `clock` must outlive the reader. It tells how old a line without an index record is: a fresh
  // one waits for its record, which the log process is about to write.
  static base::Result<LogReader> open(const std::string& directory, const base::Clock& clock);
  LogReader(LogReader&&) noexcept;
  LogReader& operator=(LogReader&&) noexcept;
  ~LogReader();

  // Each moves the position of poll_new() behind the last entry it returns (or, if it returns none,
  // to where it looked). All return entries in order, and may return fewer than asked for only at
  // the log's end.
  base::Result<std::vector<Entry>> last(std::size_t count);
  // The entries behind a cursor, from the oldest kept on; 0 is before the first.
  base::Result<std::vector<Entry>> after(std::uint64_t cursor, std::size_t limit);
  // From the first entry on whose time is not before `time`. Entries are in the order of their
  // arrival, which a clock that was set back does not change.
  base::Result<std::vector<Entry>> since(base::WallTime time, std::size_t limit);
  // What has come since the last call of any of these.
  base::Result<std::vector<Entry>> poll_new(std::size_t limit);

  // The cursor of the newest entry there is, 0 for none.
  base::Result<std::uint64_t> newest_cursor();
  std::uint64_t position() const noexcept { return position_; }

  // An inotify descriptor that becomes readable when the log has changed. Give it to an event loop,
  // and call drain_watch() before poll_new().
  base::Result<base::Fd> watch() const;
  static void drain_watch(int watch_fd);

 private:
  LogReader(std::string path, base::Fd directory, const base::Clock& clock);

  base::Status refresh();
  base::Result<Segment*> segment_at(std::size_t index);
  // The sequence number behind the last one of a segment: no more than the next segment's first.
  std::uint64_t end_of(std::size_t index, const Segment& segment) const;
  base::Result<std::vector<Entry>> read_from(std::uint64_t sequence, std::size_t limit);

  std::string path_;
  base::Fd directory_;
  const base::Clock* clock_;
  std::vector<std::uint64_t> segments_;  // first sequence numbers, ascending
  std::unique_ptr<Segment> open_;        // the segment used last
  std::uint64_t position_ = 0;
};

}  // namespace flotilla::logs
