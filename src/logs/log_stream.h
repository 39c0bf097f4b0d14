// One pipe the log process reads, and one unit it writes: the entries of its two tables. Made and
// freed by the tables alone, with malloc: a stream for which there is no memory is refused, lines
// of a unit for which there is none are lost, and nothing else is affected. libc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fd.h"
#include "logs/line_splitter.h"
#include "logs/protocol.h"
#include "logs/rate_limit.h"
#include "logs/unit_log.h"

namespace flotilla::logs {

struct UnitEntry {
  // The name stands behind the entry.
  explicit UnitEntry(const char* name) noexcept : log(name) {}
  ~UnitEntry();
  UnitEntry(const UnitEntry&) = delete;
  UnitEntry& operator=(const UnitEntry&) = delete;

  UnitLog log;
  RateLimit* rate = nullptr;  // made with the first stream that has one; the entry's own
  std::size_t streams = 0;
  std::uint64_t unlimited_at = 0;  // no limits on what it logs by itself, by this count of changes
  UnitEntry* next_in_bucket = nullptr;
  // In the list of open logs, the last written one first.
  UnitEntry* newer = nullptr;
  UnitEntry* older = nullptr;
  bool listed_open = false;
};

// There are as many as services, and most of them say nothing: nothing here is larger than it must
// be, and what a stream needs for its lines is made with the first of them.
struct LogStream {
  // The unit's name, the identifier and the fields stand behind the stream.
  LogStream(const StreamSpec& spec, base::Fd pipe_end) noexcept;
  ~LogStream();
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  std::string_view unit_name() const noexcept { return {text(), unit_size_}; }
  // The unit's name where the service has no other.
  std::string_view identifier() const noexcept;
  std::string_view fields() const noexcept {
    return {text() + unit_size_ + identifier_size_, fields_size_};
  }
  // What its lines are written under, for one call.
  SourceSlot source(const BootId& boot) const noexcept;
  void set_pid(std::int32_t new_pid) noexcept;
  void note_number_of(const SourceSlot& slot) noexcept;

  // Keeps the beginning of a line until its end comes. False when there is no memory.
  bool keep(std::string_view left_over) noexcept;
  // Gives memory back that an empty rest does not need.
  void trim() noexcept;
  std::string_view rest() const noexcept {
    return rest_ != nullptr ? std::string_view(rest_->text(), rest_->size) : std::string_view();
  }

  base::Fd fd;
  const StreamKind kind;
  const std::uint8_t priority_max;
  const bool is_limited : 1;  // by its unit's rate limit
  bool ended : 1;
  // Of the line whose pieces are coming: those of one that is left out are, all of them.
  bool in_line : 1, is_left_out : 1;

 private:
  const std::uint8_t unit_size_, identifier_size_;
  const std::uint16_t fields_size_;
  std::uint16_t number_ = kUnknownSource;  // as SourceSlot has it

 public:
  LineSplitter splitter;
  std::int32_t pid;
  const std::uint64_t id;
  UnitEntry* unit = nullptr;  // null: it has written nothing yet, and has no limit
  LogStream* next_in_bucket = nullptr;
  LogStream* next_ended = nullptr;

 private:
  struct Rest {
    std::size_t size, capacity;
    char* text() noexcept { return reinterpret_cast<char*>(this + 1); }
  };
  const char* text() const noexcept { return reinterpret_cast<const char*>(this + 1); }

  std::uint64_t segment_ = 0;
  Rest* rest_ = nullptr;
};

// Units by name. Entries stay where they are until they are erased.
class UnitTable {
 public:
  UnitTable() = default;
  ~UnitTable();
  UnitTable(const UnitTable&) = delete;
  UnitTable& operator=(const UnitTable&) = delete;

  UnitEntry* find(std::string_view name) const noexcept;
  UnitEntry* find_or_add(std::string_view name) noexcept;  // null: no memory
  void erase(UnitEntry* entry) noexcept;
  template <typename Visit>
  void for_each(Visit&& visit) noexcept {
    for (UnitEntry* entry : buckets_) {
      while (entry != nullptr) {
        UnitEntry* next = entry->next_in_bucket;
        visit(*entry);
        entry = next;
      }
    }
  }

 private:
  static constexpr std::size_t kBuckets = 1024;
  static std::size_t bucket_of(std::string_view name) noexcept;
  UnitEntry* buckets_[kBuckets] = {};
};

// Streams by id.
class StreamTable {
 public:
  StreamTable() = default;
  ~StreamTable();
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  LogStream* find(std::uint64_t id) const noexcept;
  LogStream* add(const StreamSpec& spec, base::Fd pipe_end) noexcept;  // null: no memory
  void erase(LogStream* stream) noexcept;
  std::size_t size() const noexcept { return size_; }
  template <typename Visit>
  void for_each(Visit&& visit) noexcept {
    for (LogStream* stream : buckets_) {
      while (stream != nullptr) {
        LogStream* next = stream->next_in_bucket;
        visit(*stream);
        stream = next;
      }
    }
  }

 private:
  static constexpr std::size_t kBuckets = 1024;
  LogStream* buckets_[kBuckets] = {};
  std::size_t size_ = 0;
};

}  // namespace flotilla::logs
