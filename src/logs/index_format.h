// The index beside each log segment: one record of fixed size per line, and a table of the sources
// that wrote them. docs/log-format.md is the contract. Numbers are little-endian on disk; all
// machines this runs on are.
//
//   0          header (64 bytes)
//   64         source table, to kIndexHeaderSize (sparse: unused pages take no disk)
//   32 KiB     records; record i belongs to sequence number first_sequence + i
//
// Each part carries a check of its own, so that a reader tells a half-written one from a whole one.
// Pure functions on bytes, libc alone: the log process links this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "logs/log_line.h"

namespace flotilla::logs {

inline constexpr std::uint32_t kIndexVersion = 1;
inline constexpr std::size_t kIndexHeaderSize = std::size_t{32} * 1024;
inline constexpr std::size_t kSourceTableOffset = 64;
inline constexpr std::size_t kSourceTableSize = kIndexHeaderSize - kSourceTableOffset;
inline constexpr std::size_t kMaxSourceIdentifier = 255;
// The source of a line whose index record was lost.
inline constexpr std::uint16_t kUnknownSource = 0xffff;

struct BootId {
  std::uint8_t bytes[16] = {};
  friend bool operator==(const BootId&, const BootId&) = default;
};

struct IndexHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_size;
  std::uint32_t record_size;
  std::uint32_t unused;
  std::uint64_t first_sequence;
  std::uint64_t created_usec;
  std::uint8_t reserved[20];
  std::uint32_t check;
};
static_assert(sizeof(IndexHeader) == kSourceTableOffset);

IndexHeader make_index_header(std::uint64_t first_sequence, std::uint64_t created_usec) noexcept;
// True for a header of this version for that segment.
bool is_valid(const IndexHeader& header, std::uint64_t first_sequence) noexcept;

// True for an index that a later version of this program wrote. The first 12 bytes of the header
// keep their meaning in all versions.
bool is_of_later_version(const IndexHeader& header) noexcept;

struct IndexRecord {
  std::uint64_t wall_usec;
  std::uint32_t offset;  // of the line in the segment
  std::uint16_t source;  // number in the source table, or kUnknownSource
  std::uint8_t flags;    // priority, stream, partial
  std::uint8_t check;

  std::uint8_t priority() const noexcept { return flags & 7; }
  StreamKind stream() const noexcept {
    return (flags & 8) != 0 ? StreamKind::kStderr : StreamKind::kStdout;
  }
  bool is_partial() const noexcept { return (flags & 16) != 0; }
};
static_assert(sizeof(IndexRecord) == 16);

inline std::uint8_t pack_flags(std::uint8_t priority, StreamKind stream, bool partial) noexcept {
  return static_cast<std::uint8_t>((priority & 7) | (stream == StreamKind::kStderr ? 8 : 0) |
                                   (partial ? 16 : 0));
}

// Never 0 for a record of zeros, so that a hole in the file is no record.
inline std::uint8_t check_of(const IndexRecord& record) noexcept {
  std::uint64_t mixed = record.wall_usec ^ 0x9e3779b97f4a7c15U;
  mixed ^= (static_cast<std::uint64_t>(record.offset) << 24) ^
           (static_cast<std::uint64_t>(record.source) << 8) ^ record.flags;
  mixed *= 0xff51afd7ed558ccdU;
  return static_cast<std::uint8_t>(mixed >> 56);
}
inline void seal_record(IndexRecord& record) noexcept { record.check = check_of(record); }
inline bool is_valid(const IndexRecord& record) noexcept {
  return record.check == check_of(record);
}

// Who wrote a line.
struct Source {
  std::int32_t pid = 0;  // 0: not known
  BootId boot;
  std::string_view identifier;
  std::string_view fields{};  // "NAME=VALUE", a NUL between two
};

// An entry of the source table: check (4 bytes), pid (4), boot id (16), size of the identifier (1),
// identifier. A pid that no process has says that the entry is no source: its text belongs to the
// fields of the source before it. Such entries are counted like all.
inline constexpr std::int32_t kFieldEntry = -1;      // a field begins
inline constexpr std::int32_t kFieldRestEntry = -2;  // the field before goes on
inline constexpr std::size_t kSourceHeadSize = 25;
inline constexpr std::size_t kMaxSourceSize = kSourceHeadSize + kMaxSourceIdentifier;

// Returns the size of the source's entry; `out` has room for kMaxSourceSize bytes. The identifier
// is cut at kMaxSourceIdentifier.
std::size_t encode_source(const Source& source, char* out) noexcept;
// The entries of its fields, which stand behind that. Returns their size; 0: it has none, or
// `capacity` is too little for them.
std::size_t encode_fields(const Source& source, char* out, std::size_t capacity) noexcept;
// Reads the entry at the beginning of `table` and moves `table` behind it. False at the table's end
// (an unused or damaged entry).
bool next_source(std::string_view& table, Source& out) noexcept;
// Whether the entries at the beginning of `table` are the fields of that source, and no others.
bool has_fields(std::string_view table, const Source& source) noexcept;

// Segments are named for their first sequence number in 20 digits, so that names sort as numbers.
enum class SegmentFile { kText, kIndex };
inline constexpr std::size_t kSegmentNameSize = 24;  // with suffix, without the final NUL
void format_segment_name(std::uint64_t first_sequence, SegmentFile file,
                         char (&out)[kSegmentNameSize + 1]) noexcept;
// Accepts text segments ("....log") only; sequence numbers start at 1.
bool parse_segment_name(std::string_view name, std::uint64_t& first_sequence) noexcept;

}  // namespace flotilla::logs
