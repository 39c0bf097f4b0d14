#include "logs/log_stream.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace flotilla::logs {

UnitEntry::~UnitEntry() { std::free(rate); }

LogStream::LogStream(const StreamSpec& spec, std::string_view identifier, std::string_view fields,
                     base::Fd pipe_end, UnitEntry& of_unit) noexcept
    : fd(std::move(pipe_end)),
      kind(spec.stream),
      priority_max(spec.priority_max),
      is_limited(spec.rate_interval_usec > 0 && spec.rate_burst > 0),
      id(spec.id),
      unit(&of_unit),
      splitter(spec.priority, spec.level_prefix) {
  source.source.pid = spec.pid;
  source.source.identifier = identifier;
  source.source.fields = fields;
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

LogStream* StreamTable::add(const StreamSpec& spec, base::Fd pipe_end, UnitEntry& unit) noexcept {
  const std::string_view given = spec.identifier.empty() ? spec.unit : spec.identifier;
  auto* memory =
      static_cast<char*>(std::malloc(sizeof(LogStream) + given.size() + spec.fields.size()));
  if (memory == nullptr) return nullptr;
  char* const text = memory + sizeof(LogStream);
  std::memcpy(text, given.data(), given.size());
  const std::string_view identifier(text, given.size());
  const std::string_view fields(text + given.size(), spec.fields.size());
  if (!fields.empty()) std::memcpy(text + given.size(), spec.fields.data(), fields.size());
  auto* stream = new (memory) LogStream(spec, identifier, fields, std::move(pipe_end), unit);
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
