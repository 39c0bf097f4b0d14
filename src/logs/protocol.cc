#include "logs/protocol.h"

#include <cstring>

namespace flotilla::logs {
namespace {

constexpr std::uint32_t kMagic = 0x31474c46;  // "FLG1"

struct MessageHeader {
  std::uint32_t magic;
  std::uint16_t type;
  std::uint16_t count;
  std::uint64_t argument;
};
static_assert(sizeof(MessageHeader) == 16);

struct StreamEntry {
  std::uint64_t id;
  std::int32_t pid;
  std::uint8_t stream;
  std::uint8_t priority;
  std::uint8_t flags;
  std::uint8_t unit_size;
  std::uint8_t identifier_size;
  std::uint8_t priority_max;
  std::uint8_t unused[2];
  std::uint32_t extras_size;  // of what follows the texts, in the few entries that have any
};
static_assert(sizeof(StreamEntry) == 24);
constexpr std::uint8_t kLevelPrefixFlag = 1;

// The head of an entry's extras; the fields stand behind it.
struct StreamExtras {
  std::uint64_t rate_interval_usec;
  std::uint32_t rate_burst;
  std::uint32_t unused;
};
static_assert(sizeof(StreamExtras) == 16);

struct PidEntry {
  std::uint64_t id;
  std::int32_t pid;
  std::int32_t unused;
};
static_assert(sizeof(PidEntry) == 16);

struct EventEntry {
  std::uint32_t type;
  std::int32_t detail;
  std::uint64_t id;
};
static_assert(sizeof(EventEntry) == 16);

}  // namespace

bool is_valid_unit_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxUnitName || name == "." || name == "..") return false;
  for (const char c : name) {
    if (c <= ' ' || c > '~' || c == '/') return false;
  }
  return true;
}

void MessageWriter::start(MessageType type, std::uint64_t argument) noexcept {
  const MessageHeader header{kMagic, static_cast<std::uint16_t>(type), 0, argument};
  count_ = 0;
  size_ = 0;
  if (capacity_ < sizeof(header)) return;
  std::memcpy(buffer_, &header, sizeof(header));
  size_ = sizeof(header);
}

bool MessageWriter::append(const void* head, std::size_t head_size, std::string_view first,
                           std::string_view second, std::string_view third) noexcept {
  const std::size_t needed = head_size + first.size() + second.size() + third.size();
  if (size_ == 0 || needed > capacity_ - size_) return false;
  char* out = buffer_ + size_;
  std::memcpy(out, head, head_size);
  if (!first.empty()) std::memcpy(out + head_size, first.data(), first.size());
  out += head_size + first.size();
  if (!second.empty()) std::memcpy(out, second.data(), second.size());
  if (!third.empty()) std::memcpy(out + second.size(), third.data(), third.size());
  size_ += needed;
  const auto count = static_cast<std::uint16_t>(++count_);
  std::memcpy(buffer_ + offsetof(MessageHeader, count), &count, sizeof(count));
  return true;
}

bool MessageWriter::add_stream(const StreamSpec& spec) noexcept {
  if (count_ >= kMaxStreamsPerMessage || spec.unit.size() > kMaxUnitName ||
      spec.identifier.size() > kMaxIdentifier || spec.fields.size() > kMaxFields) {
    return false;
  }
  StreamEntry entry{};
  entry.id = spec.id;
  entry.pid = spec.pid;
  entry.stream = static_cast<std::uint8_t>(spec.stream);
  entry.priority = spec.priority;
  entry.priority_max = spec.priority_max;
  entry.flags = spec.level_prefix ? kLevelPrefixFlag : 0;
  entry.unit_size = static_cast<std::uint8_t>(spec.unit.size());
  entry.identifier_size = static_cast<std::uint8_t>(spec.identifier.size());
  if (spec.fields.empty() && (spec.rate_interval_usec == 0 || spec.rate_burst == 0)) {
    return append(&entry, sizeof(entry), spec.unit, spec.identifier);
  }
  const StreamExtras head{spec.rate_interval_usec, spec.rate_burst, 0};
  char extras[sizeof(head) + kMaxFields];
  std::memcpy(extras, &head, sizeof(head));
  if (!spec.fields.empty()) {
    std::memcpy(extras + sizeof(head), spec.fields.data(), spec.fields.size());
  }
  const std::size_t size = sizeof(head) + spec.fields.size();
  entry.extras_size = static_cast<std::uint32_t>(size);
  return append(&entry, sizeof(entry), spec.unit, spec.identifier, {extras, size});
}

bool MessageWriter::add_pid(const PidChange& change) noexcept {
  const PidEntry entry{change.id, change.pid, 0};
  return count_ < UINT16_MAX && append(&entry, sizeof(entry), {}, {});
}

bool MessageWriter::add_unit(std::string_view unit) noexcept {
  if (count_ > 0 || unit.size() > kMaxUnitName) return false;
  const auto size = static_cast<std::uint8_t>(unit.size());
  return append(&size, sizeof(size), unit, {});
}

bool MessageWriter::add_event(const Event& event) noexcept {
  const EventEntry entry{static_cast<std::uint32_t>(event.type), event.detail, event.id};
  return count_ < kMaxEventsPerMessage && append(&entry, sizeof(entry), {}, {});
}

MessageReader::MessageReader(std::string_view message) noexcept : rest_(message) {
  MessageHeader header{};
  if (!take(&header, sizeof(header)) || header.magic != kMagic ||
      header.type < static_cast<std::uint16_t>(MessageType::kAddStreams) ||
      header.type > static_cast<std::uint16_t>(MessageType::kAddInlet)) {
    damaged_ = true;
    return;
  }
  type_ = static_cast<MessageType>(header.type);
  left_ = header.count;
  argument_ = header.argument;
}

bool MessageReader::take(void* out, std::size_t size) noexcept {
  if (damaged_ || rest_.size() < size) {
    damaged_ = true;
    return false;
  }
  std::memcpy(out, rest_.data(), size);
  rest_.remove_prefix(size);
  return true;
}

bool MessageReader::take_text(std::size_t size, std::string_view& out) noexcept {
  if (damaged_ || rest_.size() < size) {
    damaged_ = true;
    return false;
  }
  out = std::string_view(rest_.data(), size);
  rest_.remove_prefix(size);
  return true;
}

bool MessageReader::begin_entry(MessageType type) noexcept {
  if (damaged_ || type_ != type || left_ == 0) return false;
  --left_;
  return true;
}

bool MessageReader::next_stream(StreamSpec& out) noexcept {
  if (!begin_entry(MessageType::kAddStreams)) return false;
  StreamEntry entry{};
  if (!take(&entry, sizeof(entry))) return false;
  if (entry.stream > static_cast<std::uint8_t>(StreamKind::kStderr) ||
      entry.priority > kPriorityMax || entry.priority_max > kPriorityMax) {
    damaged_ = true;
    return false;
  }
  out.id = entry.id;
  out.pid = entry.pid;
  out.stream = static_cast<StreamKind>(entry.stream);
  out.priority = entry.priority;
  out.priority_max = entry.priority_max;
  out.level_prefix = (entry.flags & kLevelPrefixFlag) != 0;
  if (!take_text(entry.unit_size, out.unit) || !take_text(entry.identifier_size, out.identifier)) {
    return false;
  }
  out.fields = {};
  out.rate_interval_usec = out.rate_burst = 0;
  if (entry.extras_size == 0) return true;
  StreamExtras extras{};
  if (entry.extras_size < sizeof(extras) || entry.extras_size > sizeof(extras) + kMaxFields) {
    damaged_ = true;
    return false;
  }
  if (!take(&extras, sizeof(extras))) return false;
  out.rate_interval_usec = extras.rate_interval_usec;
  out.rate_burst = extras.rate_burst;
  return take_text(entry.extras_size - sizeof(extras), out.fields);
}

bool MessageReader::next_pid(PidChange& out) noexcept {
  if (!begin_entry(MessageType::kSetPid)) return false;
  PidEntry entry{};
  if (!take(&entry, sizeof(entry))) return false;
  out = {entry.id, entry.pid};
  return true;
}

bool MessageReader::next_unit(std::string_view& out) noexcept {
  if (!begin_entry(MessageType::kForgetUnit)) return false;
  std::uint8_t size = 0;
  return take(&size, sizeof(size)) && take_text(size, out);
}

bool MessageReader::next_event(Event& out) noexcept {
  if (!begin_entry(MessageType::kEvents)) return false;
  EventEntry entry{};
  if (!take(&entry, sizeof(entry))) return false;
  if (entry.type < static_cast<std::uint32_t>(EventType::kStreamEnded) ||
      entry.type > static_cast<std::uint32_t>(EventType::kSyncDone)) {
    damaged_ = true;
    return false;
  }
  out = {static_cast<EventType>(entry.type), entry.detail, entry.id};
  return true;
}

}  // namespace flotilla::logs
