// Lines of one stream, formatted and with their index records, on their way to the disk: filled by
// the line splitter, written by UnitLog with one write for the text and one for the index. One is
// made at start and used for all streams; adding a line never allocates. libc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "logs/index_format.h"
#include "logs/log_line.h"

namespace flotilla::logs {

// What UnitLog writes. Offsets of the records count from the beginning of `text`; source and check
// are filled in by UnitLog.
struct BatchView {
  const char* text = nullptr;
  std::size_t text_size = 0;
  IndexRecord* records = nullptr;
  std::size_t count = 0;
};

class LineBatch {
 public:
  static constexpr std::size_t kTextCapacity = std::size_t{160} * 1024;
  static constexpr std::size_t kMaxRecords = 2048;

  // Empties the batch; all lines that follow carry this time and stream.
  void start(std::int64_t wall_nsec, StreamKind stream) noexcept {
    clear();
    stream_ = stream;
    wall_usec_ = static_cast<std::uint64_t>(wall_nsec < 0 ? 0 : wall_nsec) / 1000;
    format_line_head(wall_nsec, stream, false, head_);
  }
  void clear() noexcept { text_size_ = count_ = 0; }

  bool has_room(std::size_t message_size) const noexcept {
    return count_ < kMaxRecords && kTextCapacity - text_size_ > kLineHeadSize + message_size;
  }

  // Requires: has_room(message.size()), a message of at most kMaxMessage bytes without a newline.
  void add(std::string_view message, std::uint8_t priority, bool partial) noexcept {
    char* out = text_ + text_size_;
    std::memcpy(out, head_, kLineHeadSize);
    if (partial) set_line_partial(out, true);
    if (!message.empty()) std::memcpy(out + kLineHeadSize, message.data(), message.size());
    out[kLineHeadSize + message.size()] = '\n';
    IndexRecord& record = records_[count_++];
    record.wall_usec = wall_usec_;
    record.offset = static_cast<std::uint32_t>(text_size_);
    record.flags = pack_flags(priority, stream_, partial);
    text_size_ += kLineHeadSize + message.size() + 1;
  }

  std::size_t count() const noexcept { return count_; }
  BatchView view() noexcept { return {text_, text_size_, records_, count_}; }

 private:
  std::size_t text_size_ = 0;
  std::size_t count_ = 0;
  std::uint64_t wall_usec_ = 0;
  StreamKind stream_ = StreamKind::kStdout;
  char head_[kLineHeadSize];
  IndexRecord records_[kMaxRecords];
  char text_[kTextCapacity];
};

}  // namespace flotilla::logs
