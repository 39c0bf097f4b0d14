#include "logs/unit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "logs/segment_list.h"

namespace flotilla::logs {
namespace {

// Logs may hold what is not for everybody.
constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;
constexpr std::size_t kRepairBatch = 256;
constexpr std::size_t kMaxOwnMessage = 512;
// The most that the fields of one source take in the table.
constexpr std::size_t kMaxFieldEntries =
    kMaxFields + (kMaxFieldCount + kMaxFields / kMaxSourceIdentifier + 1) * kSourceHeadSize;

constexpr std::uint64_t kSpaceForReport = std::uint64_t{64} * 1024;

bool has_space(int directory, std::uint64_t size) noexcept {
  struct statvfs status {};
  return ::fstatvfs(directory, &status) != 0 || status.f_bavail * status.f_frsize >= size;
}

std::uint64_t end_of(const BatchView& batch, std::size_t index) noexcept {
  return index + 1 < batch.count ? batch.records[index + 1].offset : batch.text_size;
}

IndexRecord record_of(const ParsedLine& line, std::uint64_t offset) noexcept {
  IndexRecord record{};
  record.wall_usec = static_cast<std::uint64_t>(line.wall_nsec) / 1000;
  record.offset = static_cast<std::uint32_t>(offset);
  record.source = kUnknownSource;
  record.flags = pack_flags(kPriorityInfo, line.stream, line.partial);
  seal_record(record);
  return record;
}

}  // namespace

UnitLog::UnitLog(const char* unit) noexcept
    : unit_size_(static_cast<std::uint8_t>(std::strlen(unit))), unit_(unit) {}

void UnitLog::close() noexcept {
  text_.reset();
  index_.reset();
}

bool UnitLog::fail() noexcept {
  error_ = errno;
  close();
  return false;
}

UnitLog::Path UnitLog::path_of(std::uint64_t first_sequence, SegmentFile file) const noexcept {
  Path path;
  char name[kSegmentNameSize + 1];
  format_segment_name(first_sequence, file, name);
  std::memcpy(path.text, unit_, unit_size_);
  path.text[unit_size_] = '/';
  std::memcpy(path.text + unit_size_ + 1, name, sizeof(name));
  return path;
}

bool UnitLog::ensure_open(const LogPlace& place) noexcept {
  if (is_open()) return true;
  if (first_sequence_ != 0 && !needs_repair_ && reopen(place)) return true;
  return open_newest(place);
}

// The quick way for a log that was closed to spare descriptors: it must be as we left it.
bool UnitLog::reopen(const LogPlace& place) noexcept {
  text_.reset(::openat(place.directory, path_of(first_sequence_, SegmentFile::kText).text,
                       O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  index_.reset(::openat(place.directory, path_of(first_sequence_, SegmentFile::kIndex).text,
                        O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat text_stat {};
  struct stat index_stat {};
  if (!text_ || !index_ || ::fstat(text_.get(), &text_stat) != 0 ||
      ::fstat(index_.get(), &index_stat) != 0) {
    return fail();
  }
  const std::uint64_t index_size =
      records_ == 0 ? 0 : kIndexHeaderSize + records_ * sizeof(IndexRecord);
  if (static_cast<std::uint64_t>(text_stat.st_size) != text_size_ ||
      static_cast<std::uint64_t>(index_stat.st_size) < index_size) {
    close();
    return false;
  }
  return true;
}

bool UnitLog::open_newest(const LogPlace& place) noexcept {
  if (::mkdirat(place.directory, unit_, kDirectoryMode) != 0 && errno != EEXIST) return fail();
  SegmentList segments;
  if (!list_segments(place.directory, unit_, segments)) return fail();
  // A log whose newest segments somebody has removed goes on counting where it was.
  if (segments.count == 0 || segments.newest < first_sequence_) {
    const std::uint64_t next = first_sequence_ != 0 ? next_sequence() : 1;
    return create_segment(place, next);
  }
  if (!open_existing(place, segments.newest)) return false;
  needs_repair_ = false;
  return true;
}

bool UnitLog::open_existing(const LogPlace& place, std::uint64_t first_sequence) noexcept {
  text_.reset(::openat(place.directory, path_of(first_sequence, SegmentFile::kText).text,
                       O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!text_) return fail();
  index_.reset(::openat(place.directory, path_of(first_sequence, SegmentFile::kIndex).text,
                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!index_) return fail();
  return repair(place, first_sequence);
}

bool UnitLog::create_segment(const LogPlace& place, std::uint64_t first_sequence) noexcept {
  close();
  if (::mkdirat(place.directory, unit_, kDirectoryMode) != 0 && errno != EEXIST) return fail();
  // The text comes last: a segment exists once its text does.
  constexpr int kFlags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  const Path index_path = path_of(first_sequence, SegmentFile::kIndex);
  index_.reset(::openat(place.directory, index_path.text, kFlags, kFileMode));
  if (!index_) return fail();
  const auto now = static_cast<std::uint64_t>(place.wall_nsec()) / 1000;
  const IndexHeader header = make_index_header(first_sequence, now);
  if (write_fully(index_.get(), &header, sizeof(header), 0) == sizeof(header)) {
    text_.reset(::openat(place.directory, path_of(first_sequence, SegmentFile::kText).text, kFlags,
                         kFileMode));
  }
  if (!text_) {
    const int saved = errno;
    ::unlinkat(place.directory, index_path.text, 0);
    errno = saved;
    return fail();
  }
  first_sequence_ = first_sequence;
  records_ = 0;
  text_size_ = 0;
  needs_repair_ = false;
  return true;
}

bool UnitLog::repair(const LogPlace& place, std::uint64_t first_sequence) noexcept {
  SegmentExtent extent;
  if (!scan_segment(text_.get(), index_.get(), first_sequence, extent)) return fail();
  if (extent.index_is_newer) {
    // Left as it is. Its sequence numbers are one per line at most.
    return create_segment(place, first_sequence + 1 + extent.text_size / kLineHeadSize);
  }
  if (extent.records_in_file > extent.records) {
    // Lines that had a number are gone. A reader may have seen them, so their numbers are not used
    // again: this segment stays as it is, and the next one begins behind them.
    return create_segment(place, first_sequence + extent.records_in_file);
  }
  if (extent.text_size >= kMaxSegmentTextSize) {
    return create_segment(place, first_sequence + 1 + extent.text_size / kLineHeadSize);
  }
  if (!extent.has_index) {
    const auto now = static_cast<std::uint64_t>(place.wall_nsec()) / 1000;
    const IndexHeader header = make_index_header(first_sequence, now);
    if (::ftruncate(index_.get(), 0) != 0 ||
        write_fully(index_.get(), &header, sizeof(header), 0) != sizeof(header)) {
      return fail();
    }
  }
  first_sequence_ = first_sequence;
  records_ = extent.records;
  text_size_ = extent.indexed_end;
  return index_rest(extent.indexed_end, extent.text_size);
}

// Gives records to the whole lines behind the last indexed one.
bool UnitLog::index_rest(std::uint64_t from, std::uint64_t text_size) noexcept {
  if (from == text_size) return true;
  LineScanner lines(text_.get(), from, text_size);
  IndexRecord batch[kRepairBatch];
  std::size_t count = 0;
  std::uint64_t offset = 0;
  ParsedLine line;
  while (lines.next(offset, line)) {
    batch[count++] = record_of(line, offset);
    if (count == kRepairBatch) {
      if (!write_records(batch, count)) return fail();
      count = 0;
    }
  }
  if (count > 0 && !write_records(batch, count)) return fail();
  text_size_ = lines.end_of_lines();
  return settle_torn_line(text_size_, text_size);
}

// A last line without its newline gets one if its head is whole, and goes otherwise.
bool UnitLog::settle_torn_line(std::uint64_t from, std::uint64_t text_size) noexcept {
  if (from == text_size) return true;
  char torn[kMaxLineSize];
  ParsedLine line;
  if (text_size - from < sizeof(torn)) {
    const ssize_t got =
        read_fully(text_.get(), torn, static_cast<std::size_t>(text_size - from), from);
    if (got < 0) return fail();
    if (parse_line(std::string_view(torn, static_cast<std::size_t>(got)), line)) {
      const IndexRecord record = record_of(line, from);
      if (write_fully(text_.get(), "\n", 1, text_size) != 1 || !write_records(&record, 1)) {
        return fail();
      }
      text_size_ = text_size + 1;
      return true;
    }
  }
  if (::ftruncate(text_.get(), static_cast<off_t>(from)) != 0) return fail();
  return true;
}

bool UnitLog::write_records(const IndexRecord* records, std::size_t count) noexcept {
  const std::uint64_t offset = kIndexHeaderSize + records_ * sizeof(IndexRecord);
  const std::size_t size = count * sizeof(IndexRecord);
  if (write_fully(index_.get(), records, size, offset) != size) return false;
  records_ += count;
  return true;
}

bool UnitLog::rotate(const LogPlace& place) noexcept {
  if (!create_segment(place, next_sequence())) return false;
  prune(place);
  return true;
}

// The index goes last, so that a text without an index is never the rule.
void UnitLog::prune(const LogPlace& place) noexcept {
  SegmentList segments;
  while (list_segments(place.directory, unit_, segments) && segments.count > place.keep_segments &&
         segments.oldest < first_sequence_) {
    if (::unlinkat(place.directory, path_of(segments.oldest, SegmentFile::kText).text, 0) != 0) {
      return;
    }
    ::unlinkat(place.directory, path_of(segments.oldest, SegmentFile::kIndex).text, 0);
    if (segments.count - 1 == place.keep_segments) return;
  }
}

// Finds the source in the segment's table or adds it. Starts a new segment when the table is full.
std::uint16_t UnitLog::number_of(const LogPlace& place, SourceSlot& slot) noexcept {
  if (slot.segment == first_sequence_) return slot.number;
  char table[kSourceTableSize];
  for (int attempt = 0; attempt < 2; ++attempt) {
    const ssize_t got = read_fully(index_.get(), table, sizeof(table), kSourceTableOffset);
    if (got < 0) return kUnknownSource;
    std::string_view rest(table, static_cast<std::size_t>(got));
    std::uint16_t number = 0;
    for (Source known; next_source(rest, known); ++number) {
      if (known.pid != slot.source.pid || known.boot != slot.source.boot ||
          known.identifier != slot.source.identifier || !has_fields(rest, slot.source)) {
        continue;
      }
      slot.segment = first_sequence_;
      slot.number = number;
      return number;
    }
    char entry[kMaxSourceSize + kMaxFieldEntries];
    std::size_t size = encode_source(slot.source, entry);
    size += encode_fields(slot.source, entry + size, sizeof(entry) - size);
    const std::size_t used = static_cast<std::size_t>(got) - rest.size();
    if (used + size <= kSourceTableSize) {
      if (write_fully(index_.get(), entry, size, kSourceTableOffset + used) != size) break;
      slot.segment = first_sequence_;
      slot.number = number;
      return number;
    }
    if (records_ == 0 || !rotate(place)) break;
  }
  return kUnknownSource;
}

void UnitLog::append(const LogPlace& place, const BatchView& batch, SourceSlot& source) noexcept {
  if (batch.count == 0) return;
  report_losses(place, batch.text_size);
  // While the report itself does not fit, what follows it must not stand before it.
  const std::size_t written = lost_ == 0 ? write_batch(place, batch, source) : 0;
  lost_ += batch.count - written;
}

void UnitLog::report_losses(const LogPlace& place, std::size_t what_follows) noexcept {
  if (lost_ == 0) return;
  // On a full disk the report may just fit into the last block, where no line does: it would come
  // again and again.
  if (error_ == ENOSPC && !has_space(place.directory, kSpaceForReport + what_follows)) return;
  char message[160];
  const char* why = ::strerrordesc_np(error_);
  const int size =
      std::snprintf(message, sizeof(message), "%llu lines lost here: %s",
                    static_cast<unsigned long long>(lost_), why != nullptr ? why : "unknown error");
  if (write_own(place, {message, static_cast<std::size_t>(size)})) lost_ = 0;
}

void UnitLog::say(const LogPlace& place, std::string_view message) noexcept {
  if (!write_own(place, message)) ++lost_;
}

bool UnitLog::write_own(const LogPlace& place, std::string_view message) noexcept {
  if (message.size() > kMaxOwnMessage) message.remove_suffix(message.size() - kMaxOwnMessage);
  const std::int64_t now = place.wall_nsec();
  char text[kLineHeadSize + kMaxOwnMessage + 1];
  format_line_head(now, StreamKind::kStderr, false, text);
  std::memcpy(text + kLineHeadSize, message.data(), message.size());
  const std::size_t text_size = kLineHeadSize + message.size() + 1;
  text[text_size - 1] = '\n';
  IndexRecord record{};
  record.wall_usec = static_cast<std::uint64_t>(now) / 1000;
  record.flags = pack_flags(kPriorityWarning, StreamKind::kStderr, false);
  SourceSlot source;
  source.source = {place.own_pid, place.boot, "flotilla-logd"};
  return write_batch(place, {text, text_size, &record, 1}, source) == 1;
}

// Returns how many of the batch's lines are in the text.
std::size_t UnitLog::write_batch(const LogPlace& place, const BatchView& batch,
                                 SourceSlot& source) noexcept {
  if (!ensure_open(place)) return 0;
  if (records_ > 0 && text_size_ + batch.text_size > place.max_segment_size && !rotate(place)) {
    return 0;
  }
  const std::uint16_t number = number_of(place, source);
  if (!is_open()) return 0;  // a rotation for the source's sake has failed
  std::uint64_t size = 0;
  const std::size_t count = write_text(batch, size);
  if (count == 0 || !is_open()) return count;
  for (std::size_t i = 0; i < count; ++i) {
    IndexRecord& record = batch.records[i];
    record.offset += static_cast<std::uint32_t>(text_size_);
    record.source = number;
    seal_record(record);
  }
  if (!write_records(batch.records, count)) {
    // The lines are there; they get records when the segment is opened again.
    needs_repair_ = true;
    fail();
    return count;
  }
  text_size_ += size;
  return count;
}

// Returns how many lines are whole on disk, and their size; cuts off the rest.
std::size_t UnitLog::write_text(const BatchView& batch, std::uint64_t& size) noexcept {
  const std::size_t written = write_fully(text_.get(), batch.text, batch.text_size, text_size_);
  size = written;
  if (written == batch.text_size) return batch.count;
  error_ = errno;
  std::size_t count = 0;
  size = 0;
  while (count < batch.count && end_of(batch, count) <= written) size = end_of(batch, count++);
  if (written > size && ::ftruncate(text_.get(), static_cast<off_t>(text_size_ + size)) != 0) {
    needs_repair_ = true;
    close();
  }
  return count;
}

void UnitLog::sync_to_disk() noexcept {
  if (!is_open()) return;
  ::fdatasync(text_.get());
  ::fdatasync(index_.get());
}

}  // namespace flotilla::logs
