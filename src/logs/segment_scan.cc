#include "logs/segment_scan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace flotilla::logs {
namespace {

constexpr std::size_t kScanBatch = 256;

// The end of the line a record speaks of, or 0 if the text does not bear it out.
std::uint64_t end_of_recorded_line(int text_fd, const IndexRecord& record, std::uint64_t text_size,
                                   char* buffer) noexcept {
  if (!is_valid(record) || record.offset >= text_size) return 0;
  const ssize_t got = read_fully(text_fd, buffer, kMaxLineSize, record.offset);
  if (got <= 0) return 0;
  const void* newline = std::memchr(buffer, '\n', static_cast<std::size_t>(got));
  if (newline == nullptr) return 0;
  const auto size = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer);
  ParsedLine line;
  if (!parse_line(std::string_view(buffer, size), line)) return 0;
  if (static_cast<std::uint64_t>(line.wall_nsec) / 1000 != record.wall_usec) return 0;
  return record.offset + size + 1;
}

// Counts records of zeros as none: a file that was extended but not written ends in them.
bool find_last_record(int text_fd, int index_fd, SegmentExtent& out) noexcept {
  IndexRecord batch[kScanBatch];
  char buffer[kMaxLineSize];
  std::uint64_t end = out.records_in_file;
  while (end > 0) {
    const std::uint64_t begin = end > kScanBatch ? end - kScanBatch : 0;
    const auto count = static_cast<std::size_t>(end - begin);
    const ssize_t got = read_fully(index_fd, batch, count * sizeof(IndexRecord),
                                   kIndexHeaderSize + begin * sizeof(IndexRecord));
    if (got < 0) return false;
    for (std::size_t i = static_cast<std::size_t>(got) / sizeof(IndexRecord); i > 0; --i) {
      const std::uint64_t line_end =
          end_of_recorded_line(text_fd, batch[i - 1], out.text_size, buffer);
      if (line_end == 0) continue;
      out.records = begin + i;
      out.indexed_end = line_end;
      return true;
    }
    end = begin;
  }
  return true;
}

}  // namespace

ssize_t read_fully(int fd, void* out, std::size_t size, std::uint64_t offset) noexcept {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(fd, static_cast<char*>(out) + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

std::size_t write_fully(int fd, const void* data, std::size_t size, std::uint64_t offset) noexcept {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t put = ::pwrite(fd, static_cast<const char*>(data) + done, size - done,
                                 static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) break;
    if (put == 0) {
      errno = ENOSPC;
      break;
    }
    done += static_cast<std::size_t>(put);
  }
  return done;
}

bool scan_segment(int text_fd, int index_fd, std::uint64_t first_sequence,
                  SegmentExtent& out) noexcept {
  out = {};
  struct stat text_stat {};
  if (::fstat(text_fd, &text_stat) != 0) return false;
  out.text_size = static_cast<std::uint64_t>(text_stat.st_size);
  struct stat index_stat {};
  if (index_fd < 0 || ::fstat(index_fd, &index_stat) != 0) return true;
  IndexHeader header{};
  const ssize_t got = read_fully(index_fd, &header, sizeof(header), 0);
  if (got < 0) return false;
  out.has_index = got == sizeof(header) && is_valid(header, first_sequence);
  out.index_is_newer = got == sizeof(header) && is_of_later_version(header);
  const auto index_size = static_cast<std::uint64_t>(index_stat.st_size);
  if (!out.has_index || index_size <= kIndexHeaderSize) return true;
  out.records_in_file = (index_size - kIndexHeaderSize) / sizeof(IndexRecord);
  return find_last_record(text_fd, index_fd, out);
}

// Moves the window so that it starts at next_. False when nothing more is there to read.
bool LineScanner::fill() noexcept {
  const std::uint64_t have_to = window_start_ + window_size_;
  std::size_t kept = 0;
  if (next_ >= window_start_ && next_ < have_to) {
    kept = static_cast<std::size_t>(have_to - next_);
    std::memmove(window_, window_ + (next_ - window_start_), kept);
  }
  window_start_ = next_;
  window_size_ = kept;
  const std::uint64_t left = limit_ > next_ + kept ? limit_ - next_ - kept : 0;
  const std::uint64_t room = sizeof(window_) - kept;
  const auto wanted = static_cast<std::size_t>(left < room ? left : room);
  if (wanted == 0) return false;
  const ssize_t got = read_fully(fd_, window_ + kept, wanted, next_ + kept);
  if (got <= 0) return false;
  window_size_ += static_cast<std::size_t>(got);
  return true;
}

bool LineScanner::next(std::uint64_t& offset, ParsedLine& line) noexcept {
  for (;;) {
    const std::size_t used =
        next_ >= window_start_ ? static_cast<std::size_t>(next_ - window_start_) : window_size_;
    const std::size_t left = used < window_size_ ? window_size_ - used : 0;
    const char* begin = window_ + used;
    const void* newline = left > 0 ? std::memchr(begin, '\n', left) : nullptr;
    if (newline == nullptr) {
      if (left >= kMaxLineSize) {
        skipping_ = true;
        next_ += left;
      }
      if (!fill()) return false;
      continue;
    }
    const auto size = static_cast<std::size_t>(static_cast<const char*>(newline) - begin);
    offset = next_;
    next_ += size + 1;
    end_of_lines_ = next_;
    const bool was_skipping = skipping_;
    skipping_ = false;
    if (!was_skipping && parse_line(std::string_view(begin, size), line)) return true;
  }
}

}  // namespace flotilla::logs
