#include "agent/assignments.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "registry/codec.h"

namespace flotilla::agent {

Assignments::Assignments(store::Store& store, base::EventLoop& loop, std::string prefix,
                         std::string machine, registry::Metadata own_metadata,
                         std::function<void()> on_change)
    : store_(store),
      loop_(loop),
      keys_(std::move(prefix)),
      machine_(std::move(machine)),
      own_metadata_(std::move(own_metadata)),
      on_change_(std::move(on_change)) {
  assigner_.set_metadata(own_metadata_);
}

void Assignments::start() {
  schedule_mirror_ =
      mirror(keys_.schedule_of(machine_), store::prefix_end(keys_.schedule_of(machine_)));
  globals_mirror_ = mirror(keys_.globals(), store::prefix_end(keys_.globals()));
  metadata_mirror_ = mirror(keys_.metadata(machine_), {});
}

void Assignments::stop() {
  schedule_mirror_.reset();
  globals_mirror_.reset();
  metadata_mirror_.reset();
}

std::unique_ptr<registry::Mirror> Assignments::mirror(std::string key, std::string range_end) {
  registry::MirrorHandler handler;
  handler.on_put = [this](const store::KeyValue& kv) { on_put(kv); };
  handler.on_delete = [this](const std::string& deleted) { on_delete(deleted); };
  handler.on_step = [this](store::Revision) {
    if (has_data()) on_change_();
  };
  return std::make_unique<registry::Mirror>(store_, loop_, std::move(key), std::move(range_end),
                                            std::move(handler));
}

bool Assignments::has_data() const {
  return schedule_mirror_ && schedule_mirror_->has_data() && globals_mirror_->has_data() &&
         metadata_mirror_->has_data();
}

void Assignments::on_put(const store::KeyValue& kv) {
  const auto key = keys_.parse(kv.key);
  if (!key) return;
  ++version_;
  if (base::Status status = take(*key, kv); status) {
    return forget_unreadable(kv.key);
  } else {
    // What was last known stays in force.
    SPDLOG_ERROR("{}: unreadable record: {}", kv.key, status.error().message);
  }
  if (key->kind == registry::KeyKind::kMetadata) return;
  unreadable_[kv.key] = key->kind == registry::KeyKind::kSchedule ? key->second : key->first;
  assigner_.set_unreadable(unreadable_);
}

void Assignments::forget_unreadable(const std::string& key) {
  if (unreadable_.erase(key) > 0) assigner_.set_unreadable(unreadable_);
}

base::Status Assignments::take(const registry::ParsedKey& key, const store::KeyValue& kv) {
  if (key.kind == registry::KeyKind::kSchedule) {
    FLOTILLA_ASSIGN(registry::ScheduleEntry entry, registry::decode_schedule_entry(kv.value));
    entry.name = key.second;
    entry.machine = key.first;
    entry.mod_revision = kv.mod_revision;
    assigner_.put(entry);
  } else if (key.kind == registry::KeyKind::kGlobal) {
    FLOTILLA_ASSIGN(registry::GlobalEntry entry, registry::decode_global_entry(kv.value));
    entry.name = key.first;
    assigner_.put(entry);
  } else if (key.kind == registry::KeyKind::kMetadata) {
    FLOTILLA_ASSIGN(const registry::Metadata edits, registry::decode_metadata(kv.value));
    assigner_.set_metadata(registry::merged_metadata(own_metadata_, edits));
  }
  return {};
}

void Assignments::on_delete(const std::string& raw_key) {
  const auto key = keys_.parse(raw_key);
  if (!key) return;
  ++version_;
  forget_unreadable(raw_key);
  if (key->kind == registry::KeyKind::kSchedule) assigner_.erase_scheduled(key->second);
  if (key->kind == registry::KeyKind::kGlobal) assigner_.erase_global(key->first);
  if (key->kind == registry::KeyKind::kMetadata) assigner_.set_metadata(own_metadata_);
}

}  // namespace flotilla::agent
