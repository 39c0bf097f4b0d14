#include "logs/index_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace flotilla::logs {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

constexpr char kMagic[8] = {'F', 'L', 'T', 'L', 'I', 'D', 'X', '\n'};
constexpr std::size_t kDigits = 20;

// FNV-1a; never 0, so that an unused entry fails its check.
std::uint32_t checksum(const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t hash = 0x811c9dc5U;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x01000193U;
  return hash == 0 ? 1 : hash;
}

std::uint32_t check_of(const IndexHeader& header) noexcept {
  return checksum(&header, offsetof(IndexHeader, check));
}

}  // namespace

IndexHeader make_index_header(std::uint64_t first_sequence, std::uint64_t created_usec) noexcept {
  IndexHeader header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kIndexVersion;
  header.header_size = kIndexHeaderSize;
  header.record_size = sizeof(IndexRecord);
  header.first_sequence = first_sequence;
  header.created_usec = created_usec;
  header.check = check_of(header);
  return header;
}

bool is_valid(const IndexHeader& header, std::uint64_t first_sequence) noexcept {
  return std::memcmp(header.magic, kMagic, sizeof(kMagic)) == 0 &&
         header.version == kIndexVersion && header.header_size == kIndexHeaderSize &&
         header.record_size == sizeof(IndexRecord) && header.first_sequence == first_sequence &&
         header.check == check_of(header);
}

bool is_of_later_version(const IndexHeader& header) noexcept {
  return std::memcmp(header.magic, kMagic, sizeof(kMagic)) == 0 && header.version > kIndexVersion;
}

std::size_t encode_source(const Source& source, char* out) noexcept {
  const std::size_t size = source.identifier.size() < kMaxSourceIdentifier
                               ? source.identifier.size()
                               : kMaxSourceIdentifier;
  std::memcpy(out + 4, &source.pid, 4);
  std::memcpy(out + 8, source.boot.bytes, 16);
  out[24] = static_cast<char>(size);
  if (size > 0) std::memcpy(out + kSourceHeadSize, source.identifier.data(), size);
  const std::uint32_t check = checksum(out + 4, kSourceHeadSize - 4 + size);
  std::memcpy(out, &check, 4);
  return kSourceHeadSize + size;
}

std::size_t encode_fields(const Source& source, char* out, std::size_t capacity) noexcept {
  std::size_t used = 0;
  for (std::string_view rest = source.fields; !rest.empty();) {
    // No substr(): its exception would bring all that libstdc++ has for it into the log process.
    std::string_view field(rest.data(), std::min(rest.find('\0'), rest.size()));
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    for (std::int32_t kind = kFieldEntry; !field.empty(); kind = kFieldRestEntry) {
      const Source part{
          kind, source.boot, {field.data(), std::min(field.size(), kMaxSourceIdentifier)}};
      if (capacity - used < kSourceHeadSize + part.identifier.size()) return 0;
      used += encode_source(part, out + used);
      field.remove_prefix(part.identifier.size());
    }
  }
  return used;
}

bool has_fields(std::string_view table, const Source& source) noexcept {
  std::string_view rest = source.fields;
  bool is_first = true;
  Source entry;
  while (next_source(table, entry) && entry.pid < 0) {
    if (entry.pid == kFieldEntry && !is_first) {
      if (rest.empty() || rest.front() != '\0') return false;
      rest.remove_prefix(1);
    }
    is_first = false;
    const std::size_t size = entry.identifier.size();
    if (rest.size() < size || std::string_view(rest.data(), size) != entry.identifier) return false;
    rest.remove_prefix(size);
  }
  return rest.empty();
}

bool next_source(std::string_view& table, Source& out) noexcept {
  if (table.size() < kSourceHeadSize) return false;
  const std::size_t identifier_size = static_cast<unsigned char>(table[24]);
  const std::size_t size = kSourceHeadSize + identifier_size;
  if (table.size() < size) return false;
  std::uint32_t check = 0;
  std::memcpy(&check, table.data(), 4);
  if (check != checksum(table.data() + 4, size - 4)) return false;
  std::memcpy(&out.pid, table.data() + 4, 4);
  std::memcpy(out.boot.bytes, table.data() + 8, 16);
  out.identifier = std::string_view(table.data() + kSourceHeadSize, identifier_size);
  out.fields = {};
  table.remove_prefix(size);
  return true;
}

void format_segment_name(std::uint64_t first_sequence, SegmentFile file,
                         char (&out)[kSegmentNameSize + 1]) noexcept {
  for (std::size_t i = kDigits; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + first_sequence % 10);
    first_sequence /= 10;
  }
  std::memcpy(out + kDigits, file == SegmentFile::kText ? ".log" : ".idx", 5);
}

bool parse_segment_name(std::string_view name, std::uint64_t& first_sequence) noexcept {
  if (name.size() != kSegmentNameSize || std::memcmp(name.data() + kDigits, ".log", 4) != 0) {
    return false;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kDigits; ++i) {
    if (name[i] < '0' || name[i] > '9') return false;
    const auto digit = static_cast<std::uint64_t>(name[i] - '0');
    // 2^62 lines will do, and leaves room to add to a sequence number.
    if (value > (UINT64_MAX / 4 - digit) / 10) return false;
    value = value * 10 + digit;
  }
  first_sequence = value;
  return value > 0;
}

}  // namespace flotilla::logs
