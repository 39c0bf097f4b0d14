// The log of one unit on disk, from the writing side: appends batches of lines to the current
// segment and its index, starts new segments, removes old ones, repairs what a crash left behind,
// and counts what it could not write. Owned by the log process; one writer per directory at a time
// (the log process holds a lock on it). Never fails towards its caller: what cannot be written is
// lost, and a line in the log says how much, once one can be written again. libc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fd.h"
#include "logs/index_format.h"
#include "logs/line_batch.h"
#include "logs/protocol.h"
#include "logs/segment_scan.h"

namespace flotilla::logs {

// What the logs of all units have in common.
struct LogPlace {
  int directory = -1;  // .../var/log/flotilla; a directory for each unit is made in it
  std::uint64_t max_segment_size = std::uint64_t{8} << 20;
  std::uint32_t keep_segments = 4;  // per unit, with the current one
  BootId boot;
  std::int32_t own_pid = 0;               // of the log process, for what it says itself
  std::int64_t (*wall_nsec)() = nullptr;  // the clock
};
inline constexpr std::uint64_t kMinSegmentSize = 4096;
inline constexpr std::uint64_t kMaxSegmentSize = std::uint64_t{1} << 30;

// A source and its number in the source table of the segment it was last used in.
struct SourceSlot {
  Source source;
  std::uint64_t segment = 0;  // first sequence number, 0: not used yet
  std::uint16_t number = kUnknownSource;
  void forget_number() noexcept { segment = 0; }
};

class UnitLog {
 public:
  // Requires: is_valid_unit_name(unit). The text outlives the log.
  explicit UnitLog(const char* unit) noexcept;

  std::string_view unit() const noexcept { return {unit_, unit_size_}; }
  bool is_open() const noexcept { return static_cast<bool>(text_); }
  // A writer that needs descriptors for others may close this one at any time: append() opens it.
  void close() noexcept;

  void append(const LogPlace& place, const BatchView& batch, SourceSlot& source) noexcept;

  std::uint64_t lost_lines() const noexcept { return lost_; }
  // Tries to write the line that tells of lost ones, if there are any; on a disk that was full,
  // once there is room for it and for what follows.
  void report_losses(const LogPlace& place, std::size_t what_follows = 0) noexcept;
  // A line of the log process itself.
  void say(const LogPlace& place, std::string_view message) noexcept;
  // The errno of the last failure to open, write or repair.
  int last_error() const noexcept { return error_; }
  std::uint64_t next_sequence() const noexcept { return first_sequence_ + records_; }
  // Puts what is written on the disk itself.
  void sync_to_disk() noexcept;

 private:
  // The path of a segment's file below the place's directory, or of the unit's directory.
  struct Path {
    char text[kMaxUnitName + 1 + kSegmentNameSize + 1];
  };
  Path path_of(std::uint64_t first_sequence, SegmentFile file) const noexcept;

  bool ensure_open(const LogPlace& place) noexcept;
  bool reopen(const LogPlace& place) noexcept;
  bool open_newest(const LogPlace& place) noexcept;
  bool open_existing(const LogPlace& place, std::uint64_t first_sequence) noexcept;
  bool create_segment(const LogPlace& place, std::uint64_t first_sequence) noexcept;
  bool repair(const LogPlace& place, std::uint64_t first_sequence) noexcept;
  bool index_rest(std::uint64_t from, std::uint64_t text_size) noexcept;
  bool settle_torn_line(std::uint64_t from, std::uint64_t text_size) noexcept;
  bool write_records(const IndexRecord* records, std::size_t count) noexcept;
  bool rotate(const LogPlace& place) noexcept;
  void prune(const LogPlace& place) noexcept;
  std::uint16_t number_of(const LogPlace& place, SourceSlot& slot) noexcept;
  std::size_t write_batch(const LogPlace& place, const BatchView& batch,
                          SourceSlot& source) noexcept;
  bool write_own(const LogPlace& place, std::string_view message) noexcept;
  std::size_t write_text(const BatchView& batch, std::uint64_t& size) noexcept;
  bool fail() noexcept;

  base::Fd text_;
  base::Fd index_;
  std::uint64_t first_sequence_ = 0;  // of the current segment; 0: not looked yet
  std::uint64_t records_ = 0;
  std::uint64_t text_size_ = 0;
  std::uint64_t lost_ = 0;
  int error_ = 0;
  bool needs_repair_ = false;
  std::uint8_t unit_size_ = 0;
  const char* const unit_;
};

}  // namespace flotilla::logs
