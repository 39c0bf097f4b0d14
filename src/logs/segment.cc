#include "logs/segment.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace flotilla::logs {
namespace {

constexpr std::size_t kRecordWindow = 256;
constexpr std::size_t kTextWindow = std::size_t{64} * 1024;

std::string hex_of(const BootId& boot) {
  if (boot == BootId{}) return {};
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : boot.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

base::WallTime last_written(const struct stat& status) {
  return {std::chrono::seconds(status.st_mtim.tv_sec) +
          std::chrono::microseconds(status.st_mtim.tv_nsec / 1000)};
}

}  // namespace

base::Result<std::unique_ptr<Segment>> Segment::open(int directory, std::uint64_t first_sequence) {
  std::unique_ptr<Segment> segment(new Segment(first_sequence));
  char name[kSegmentNameSize + 1];
  format_segment_name(first_sequence, SegmentFile::kText, name);
  segment->text_.reset(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!segment->text_) return base::system_error(errno, "open log segment {}", name);
  format_segment_name(first_sequence, SegmentFile::kIndex, name);
  segment->index_.reset(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  return segment;
}

base::Status Segment::refresh(base::WallTime settled) {
  // The log process may write between our looks at the two files: look until they agree.
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!scan_segment(text_.get(), index_.get(), first_, extent_)) {
      return base::system_error(errno, "read log segment {}", first_);
    }
    unindexed_.clear();
    record_window_.clear();
    text_window_.clear();
    if (extent_.indexed_end >= extent_.text_size) return {};
    struct stat text_status {};
    struct stat index_status {};
    if (::fstat(text_.get(), &text_status) != 0) return {};
    if (last_written(text_status) < settled) scan_unindexed();
    if (index_.get() < 0 || ::fstat(index_.get(), &index_status) != 0) return {};
    const auto size = static_cast<std::uint64_t>(index_status.st_size);
    if (!extent_.has_index ||
        size < kIndexHeaderSize + (extent_.records_in_file + 1) * sizeof(IndexRecord)) {
      return {};
    }
  }
  return {};
}

void Segment::scan_unindexed() {
  if (extent_.text_size >= kMaxSegmentTextSize) return;
  auto lines = std::make_unique<LineScanner>(text_.get(), extent_.indexed_end, extent_.text_size);
  std::uint64_t offset = 0;
  for (ParsedLine line; lines->next(offset, line);) {
    IndexRecord record{};
    record.wall_usec = static_cast<std::uint64_t>(line.wall_nsec) / 1000;
    record.offset = static_cast<std::uint32_t>(offset);
    record.source = kUnknownSource;
    record.flags = pack_flags(kPriorityInfo, line.stream, line.partial);
    seal_record(record);
    unindexed_.push_back(record);
  }
}

bool Segment::record_at(std::uint64_t index, IndexRecord& out) {
  if (index >= extent_.records) {
    out = unindexed_[static_cast<std::size_t>(index - extent_.records)];
    return true;
  }
  if (index < record_window_start_ || index - record_window_start_ >= record_window_.size()) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(kRecordWindow, extent_.records - index));
    record_window_.resize(count);
    const ssize_t got = read_fully(index_.get(), record_window_.data(), count * sizeof(IndexRecord),
                                   kIndexHeaderSize + index * sizeof(IndexRecord));
    record_window_.resize(got < 0 ? 0 : static_cast<std::size_t>(got) / sizeof(IndexRecord));
    record_window_start_ = index;
    if (record_window_.empty()) return false;
  }
  out = record_window_[static_cast<std::size_t>(index - record_window_start_)];
  return is_valid(out);
}

// The line that begins at an offset, without its newline.
bool Segment::line_at(std::uint64_t offset, std::string_view& out) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (offset >= text_window_start_ && offset - text_window_start_ < text_window_.size()) {
      const auto begin = static_cast<std::size_t>(offset - text_window_start_);
      const char* line = text_window_.data() + begin;
      const std::size_t left = text_window_.size() - begin;
      if (const void* newline = std::memchr(line, '\n', std::min(left, kMaxLineSize))) {
        out = std::string_view(line,
                               static_cast<std::size_t>(static_cast<const char*>(newline) - line));
        return true;
      }
      if (left >= kMaxLineSize) return false;
    }
    text_window_.resize(kTextWindow);
    const ssize_t got = read_fully(text_.get(), text_window_.data(), kTextWindow, offset);
    text_window_.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    text_window_start_ = offset;
  }
  return false;
}

const Segment::KnownSource* Segment::source(std::uint16_t number) {
  if (number == kUnknownSource) return nullptr;
  if (number >= sources_.size()) {
    std::vector<char> table(kSourceTableSize);
    const ssize_t got = read_fully(index_.get(), table.data(), table.size(), kSourceTableOffset);
    std::string_view rest(table.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
    sources_.clear();
    size_t owner = SIZE_MAX;
    for (Source next; next_source(rest, next);) {
      const std::string_view text = next.identifier;
      // The source before, which may have several entries of fields behind it.
      if (next.pid == kFieldEntry && owner < sources_.size()) {
        sources_[owner].fields.emplace_back(text);
      } else if (next.pid == kFieldRestEntry && owner < sources_.size() &&
                 !sources_[owner].fields.empty()) {
        sources_[owner].fields.back() += text;
      } else {
        owner = sources_.size();
      }
      sources_.push_back({next.pid, hex_of(next.boot), std::string(text)});
    }
  }
  return number < sources_.size() ? &sources_[number] : nullptr;
}

bool Segment::read(std::uint64_t sequence, Entry& out) {
  IndexRecord record{};
  std::string_view text;
  ParsedLine line;
  if (!record_at(sequence - first_, record) || !line_at(record.offset, text) ||
      !parse_line(text, line) ||
      static_cast<std::uint64_t>(line.wall_nsec) / 1000 != record.wall_usec) {
    return false;
  }
  out.cursor = sequence;
  out.time = {base::Micros(static_cast<std::int64_t>(record.wall_usec))};
  out.stream = line.stream;
  out.priority = record.priority();
  out.partial = line.partial;
  out.message.assign(line.message);
  const KnownSource* from = source(record.source);
  out.pid = from != nullptr ? from->pid : 0;
  out.identifier = from != nullptr ? from->identifier : std::string();
  out.boot_id = from != nullptr ? from->boot_id : std::string();
  if (from != nullptr && !from->fields.empty()) {
    out.fields = from->fields;
  } else {
    out.fields.clear();
  }
  return true;
}

std::uint64_t Segment::find_since(base::WallTime time) {
  const std::int64_t wanted = time.since_epoch.count();
  const std::uint64_t count = end() - first_;
  for (std::uint64_t i = 0; i < count; ++i) {
    IndexRecord record{};
    if (record_at(i, record) && static_cast<std::int64_t>(record.wall_usec) >= wanted) {
      return first_ + i;
    }
  }
  return end();
}

}  // namespace flotilla::logs
