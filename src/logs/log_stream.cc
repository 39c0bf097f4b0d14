#include "logs/log_stream.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace flotilla::logs {

UnitEntry::~UnitEntry() { std::free(rate); }

LogStream::LogStream(const StreamSpec& spec, base::Fd pipe_end) noexcept
    : fd(std::move(pipe_end)),
      kind(spec.stream),
      priority_max(spec.priority_max),
      is_limited(spec.rate_interval_usec > 0 && spec.rate_burst > 0),
      ended(false),
      in_line(false),
      is_left_out(false),
      unit_size_(static_cast<std::uint8_t>(spec.unit.size())),
      identifier_size_(static_cast<std::uint8_t>(spec.identifier.size())),
      fields_size_(static_cast<std::uint16_t>(spec.fields.size())),
      splitter(spec.priority, spec.level_prefix),
      pid(spec.pid),
      id(spec.id) {
  char* end = reinterpret_cast<char*>(this + 1);
  for (const std::string_view part : {spec.unit, spec.identifier, spec.fields}) {
    if (part.empty()) continue;
    std::memcpy(end, part.data(), part.size());
    end += part.size();
  }
}

std::string_view LogStream::identifier() const noexcept {
  if (identifier_size_ == 0) return unit_name();
  return {text() + unit_size_, identifier_size_};
}

SourceSlot LogStream::source(const BootId& boot) const noexcept {
  return {{pid, boot, identifier(), fields()}, segment_, number_};
}

void LogStream::set_pid(std::int32_t new_pid) noexcept {
  pid = new_pid;
  segment_ = 0;
}

void LogStream::note_number_of(const SourceSlot& slot) noexcept {
  segment_ = slot.segment;
  number_ = slot.number;
}

LogStream::~LogStream() { std::free(rest_); }

bool LogStream::keep(std::string_view left_over) noexcept {
  if (left_over.size() > (rest_ != nullptr ? rest_->capacity : 0)) {
    std::size_t capacity = 256;
    while (capacity < left_over.size()) capacity *= 2;
    void* bigger = std::realloc(rest_, sizeof(Rest) + capacity);
    if (bigger == nullptr) return false;
    rest_ = static_cast<Rest*>(bigger);
    rest_->capacity = capacity;
  }
  if (rest_ == nullptr) return true;
  if (!left_over.empty()) std::memcpy(rest_->text(), left_over.data(), left_over.size());
  rest_->size = left_over.size();
  return true;
}

void LogStream::trim() noexcept {
  if (!rest().empty() || rest_ == nullptr) return;
  std::free(rest_);
  rest_ = nullptr;
}

UnitTable::~UnitTable() {
  for_each([this](UnitEntry& entry) { erase(&entry); });
}

std::size_t UnitTable::bucket_of(std::string_view name) noexcept {
  std::uint32_t hash = 0x811c9dc5U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return hash % kBuckets;
}

UnitEntry* UnitTable::find(std::string_view name) const noexcept {
  UnitEntry* entry = buckets_[bucket_of(name)];
  while (entry != nullptr && entry->log.unit() != name) entry = entry->next_in_bucket;
  return entry;
}

UnitEntry* UnitTable::find_or_add(std::string_view name) noexcept {
  if (UnitEntry* known = find(name)) return known;
  auto* memory = static_cast<char*>(std::malloc(sizeof(UnitEntry) + name.size() + 1));
  if (memory == nullptr) return nullptr;
  char* const text = memory + sizeof(UnitEntry);
  std::memcpy(text, name.data(), name.size());
  text[name.size()] = '\0';
  auto* entry = new (memory) UnitEntry(text);
  UnitEntry*& bucket = buckets_[bucket_of(name)];
  entry->next_in_bucket = bucket;
  bucket = entry;
  return entry;
}

void UnitTable::erase(UnitEntry* entry) noexcept {
  UnitEntry** link = &buckets_[bucket_of(entry->log.unit())];
  while (*link != entry) link = &(*link)->next_in_bucket;
  *link = entry->next_in_bucket;
  entry->~UnitEntry();
  std::free(entry);
}

StreamTable::~StreamTable() {
  for_each([this](LogStream& stream) { erase(&stream); });
}

LogStream* StreamTable::find(std::uint64_t id) const noexcept {
  LogStream* stream = buckets_[id % kBuckets];
  while (stream != nullptr && stream->id != id) stream = stream->next_in_bucket;
  return stream;
}

LogStream* StreamTable::add(const StreamSpec& spec, base::Fd pipe_end) noexcept {
  const std::size_t text_size = spec.unit.size() + spec.identifier.size() + spec.fields.size();
  void* const memory = std::malloc(sizeof(LogStream) + text_size);
  if (memory == nullptr) return nullptr;
  auto* stream = new (memory) LogStream(spec, std::move(pipe_end));
  LogStream*& bucket = buckets_[spec.id % kBuckets];
  stream->next_in_bucket = bucket;
  bucket = stream;
  ++size_;
  return stream;
}

void StreamTable::erase(LogStream* stream) noexcept {
  LogStream** link = &buckets_[stream->id % kBuckets];
  while (*link != stream) link = &(*link)->next_in_bucket;
  *link = stream->next_in_bucket;
  stream->~LogStream();
  std::free(stream);
  --size_;
}

}  // namespace flotilla::logs
