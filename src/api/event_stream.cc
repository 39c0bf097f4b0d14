#include "api/event_stream.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "api/json_text.h"

namespace flotilla::api {
namespace {

constexpr size_t kMaxPending = size_t{256} << 10;

}  // namespace

std::optional<ClusterEvent> told_of(const registry::Keys& keys, const store::Event& event) {
  std::optional<registry::ParsedKey> key = keys.parse(event.kv.key);
  if (!key) return std::nullopt;
  ClusterEvent told{event.kv.mod_revision, "unit", std::move(key->first), {}};
  switch (key->kind) {
    case registry::KeyKind::kUnit:
    case registry::KeyKind::kGlobal:
      return told;
    case registry::KeyKind::kSchedule:
      told.machine = std::exchange(told.name, std::move(key->second));
      return told;
    case registry::KeyKind::kState:
      told.type = "state";
      told.machine = std::move(key->second);
      return told;
    case registry::KeyKind::kMachine:
    case registry::KeyKind::kMetadata:
      told.type = "machine";
      return told;
    case registry::KeyKind::kFormat:
    case registry::KeyKind::kLeader:
    case registry::KeyKind::kRebalance:
    case registry::KeyKind::kHistory:
      break;
  }
  return std::nullopt;
}

std::string event_text(const ClusterEvent& event, bool is_last) {
  JsonText json;
  json.begin_object().key("revision").number(event.revision);
  json.field("type", event.type).field("name", event.name).field("machine", event.machine);
  json.end_object();
  const std::string id = is_last ? fmt::format("id: {}\n", event.revision) : std::string();
  return fmt::format("{}data: {}\n\n", id, std::move(json).str());
}

EventStream::EventStream(store::Store& store, std::string prefix, store::Revision since)
    : store_(store),
      keys_(std::move(prefix)),
      position_(since),
      // Tells where the client stands before anything has happened.
      pending_(fmt::format("id: {}\n\n", since)) {}

void EventStream::start(std::function<void()> ready) {
  ready_ = std::move(ready);
  listen();
}

void EventStream::listen() {
  store::WatchRequest request;
  request.key = keys_.all();
  request.range_end = store::prefix_end(request.key);
  request.from_revision = position_ + 1;
  store::WatchHandler handler;
  handler.on_events = [this](const store::WatchBatch& batch) { on_events(batch); };
  const auto end = [this] {
    watch_.reset();
    is_over_ = true;
    const auto ready = ready_;  // the call may end the stream
    ready();
  };
  handler.on_compacted = [end](store::Revision) { end(); };
  handler.on_lost = [end](const base::Error&) { end(); };
  watch_ = store_.watch(std::move(request), std::move(handler));
}

void EventStream::on_events(const store::WatchBatch& batch) {
  std::vector<ClusterEvent> told;
  for (const store::Event& event : batch.events) {
    if (auto one = told_of(keys_, event)) told.push_back(std::move(*one));
  }
  for (size_t i = 0; i < told.size(); ++i) {
    const bool is_last = i + 1 == told.size() || told[i + 1].revision != told[i].revision;
    pending_ += event_text(told[i], is_last);
  }
  position_ = batch.revision;
  if (told.empty()) return;
  if (pending_.size() > kMaxPending) watch_.reset();
  const auto ready = ready_;  // the call may end the stream
  ready();
}

bool EventStream::read(std::string& out) {
  out += std::exchange(pending_, {});
  if (is_over_) return false;
  if (!watch_ && ready_) listen();
  return true;
}

}  // namespace flotilla::api
