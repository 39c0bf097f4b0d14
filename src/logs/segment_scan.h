// Finds out how much of a segment and its index is whole. Used by the reader, which only looks, and
// by the writer, which then repairs. Never writes, never allocates; libc alone.
//
// The order of writing is text, then index. So after a crash the index may lack lines that the text
// has, and the text may end in a torn line; after a loss of power either may also end in garbage or
// in records of lines that are gone.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "logs/index_format.h"

namespace flotilla::logs {

// Offsets of lines have 32 bits; a larger file is none of ours.
inline constexpr std::uint64_t kMaxSegmentTextSize = std::uint64_t{1} << 31;

// pread() until `size` bytes are there or the file ends; returns what was read, or -1 with errno.
ssize_t read_fully(int fd, void* out, std::size_t size, std::uint64_t offset) noexcept;
// pwrite() until all is written or it fails; returns what was written (errno is set if it is less).
std::size_t write_fully(int fd, const void* data, std::size_t size, std::uint64_t offset) noexcept;

struct SegmentExtent {
  bool has_index = false;             // its header is whole and of this version
  bool index_is_newer = false;        // of a later version: to be left alone
  std::uint64_t records_in_file = 0;  // whole records by the index's size, good or not
  std::uint64_t records = 0;          // up to and with the last good record
  std::uint64_t indexed_end = 0;      // end of the last good record's line in the text
  std::uint64_t text_size = 0;
};

// Looks from the end of the index backwards for the last record that fits its line. `index_fd` may
// be -1. Returns false with errno when a file cannot be read.
bool scan_segment(int text_fd, int index_fd, std::uint64_t first_sequence,
                  SegmentExtent& out) noexcept;

// Walks the whole lines of a segment's text from an offset on. Lines that are none of ours are
// skipped.
class LineScanner {
 public:
  LineScanner(int text_fd, std::uint64_t offset, std::uint64_t end) noexcept
      : fd_(text_fd), next_(offset), end_of_lines_(offset), limit_(end) {}

  // False at the end. The message in `line` is valid until the next call.
  bool next(std::uint64_t& offset, ParsedLine& line) noexcept;
  // Behind the last newline that was seen; what follows is torn.
  std::uint64_t end_of_lines() const noexcept { return end_of_lines_; }

 private:
  bool fill() noexcept;

  int fd_;
  std::uint64_t next_;  // offset of the byte to look at next
  std::uint64_t end_of_lines_;
  std::uint64_t limit_;  // the text is read up to here
  std::uint64_t window_start_ = 0;
  std::size_t window_size_ = 0;
  bool skipping_ = false;  // inside a line too long to be one of ours
  char window_[kMaxLineSize + std::size_t{16} * 1024];
};

}  // namespace flotilla::logs
