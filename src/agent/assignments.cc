#include "agent/assignments.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "registry/codec.h"
#include "unit/fleet_glob.h"
#include "unit/oneshot.h"

namespace flotilla::agent {

namespace {

struct Taken {
  std::string name;
  unit::FleetRequirements requirements;
};

bool has_peers(const Taken& unit, const std::vector<Taken>& taken) {
  const std::vector<std::string>& peers = unit.requirements.peers;
  return std::all_of(peers.begin(), peers.end(), [&](const std::string& peer) {
    return std::any_of(taken.begin(), taken.end(), [&](const Taken& other) {
      return other.name == peer || unit::glob_matches(peer, other.name);
    });
  });
}

bool conflicts_with_any(const Taken& unit, const std::vector<Taken>& taken) {
  return std::any_of(taken.begin(), taken.end(), [&](const Taken& other) {
    return unit.requirements.conflicts_with(other.name) ||
           other.requirements.conflicts_with(unit.name);
  });
}

InstallSection install_section_of(const std::vector<unit::UnitOption>& options) {
  constexpr std::array<std::string_view, 4> kNames{"WantedBy", "RequiredBy", "UpheldBy", "Alias"};
  InstallSection section = InstallSection::kNone;
  for (const unit::UnitOption& option : options) {
    if (option.section != "Install") continue;
    const bool is_name = std::find(kNames.begin(), kNames.end(), option.name) != kNames.end();
    if (is_name && !option.value.empty()) return InstallSection::kNames;
    section = InstallSection::kOther;
  }
  return section;
}

}  // namespace

AssignedUnits assign(const std::map<std::string, registry::ScheduleEntry>& schedule,
                     const std::map<std::string, registry::GlobalEntry>& globals,
                     const registry::Metadata& metadata) {
  AssignedUnits assigned;
  std::vector<Taken> taken;
  const auto take = [&](const auto& entry, bool is_global) {
    const auto options = unit::parse_fleet_file(entry.text);
    if (!options) {
      SPDLOG_ERROR("Unit({}): unreadable text: {}", entry.name, options.error().message);
      assigned.untouchable.insert(entry.name);
      return;
    }
    Taken unit{entry.name, unit::extract_requirements(*options, entry.name)};
    if (is_global &&
        (!unit.requirements.allows_metadata(metadata) || assigned.units.contains(entry.name) ||
         !has_peers(unit, taken) || conflicts_with_any(unit, taken))) {
      return;
    }
    taken.push_back(std::move(unit));
    const bool runs_once = !is_global && taken.back().requirements.wishes.stops_on_partition;
    assigned.has_units_that_run_once |= runs_once;
    assigned.units[entry.name] = {entry.hash,
                                  entry.text,
                                  entry.target,
                                  runs_once,
                                  entry.mod_revision,
                                  install_section_of(*options),
                                  !is_global && unit::is_oneshot(*options)};
    if constexpr (std::is_same_v<std::decay_t<decltype(entry)>, registry::ScheduleEntry>) {
      assigned.units[entry.name].is_finished = entry.is_finished;
    }
  };
  for (const auto& [name, entry] : schedule) take(entry, false);
  for (const auto& [name, entry] : globals) take(entry, true);
  return assigned;
}

Assignments::Assignments(store::Store& store, base::EventLoop& loop, std::string prefix,
                         std::string machine, registry::Metadata own_metadata,
                         std::function<void()> on_change)
    : store_(store),
      loop_(loop),
      keys_(std::move(prefix)),
      machine_(std::move(machine)),
      own_metadata_(std::move(own_metadata)),
      on_change_(std::move(on_change)) {}

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

const AssignedUnits& Assignments::current() {
  if (is_stale_) {
    current_ = assign(schedule_, globals_, registry::merged_metadata(own_metadata_, edits_));
    for (const auto& [key, unit] : unreadable_) current_.untouchable.insert(unit);
    is_stale_ = false;
  }
  return current_;
}

void Assignments::on_put(const store::KeyValue& kv) {
  const auto key = keys_.parse(kv.key);
  if (!key) return;
  set_stale();
  if (base::Status status = take(*key, kv); status) {
    unreadable_.erase(kv.key);
  } else {
    // What was last known stays in force.
    SPDLOG_ERROR("{}: unreadable record: {}", kv.key, status.error().message);
    if (key->kind == registry::KeyKind::kSchedule) unreadable_[kv.key] = key->second;
    if (key->kind == registry::KeyKind::kGlobal) unreadable_[kv.key] = key->first;
  }
}

base::Status Assignments::take(const registry::ParsedKey& key, const store::KeyValue& kv) {
  if (key.kind == registry::KeyKind::kSchedule) {
    FLOTILLA_ASSIGN(registry::ScheduleEntry entry, registry::decode_schedule_entry(kv.value));
    entry.name = key.second;
    entry.machine = key.first;
    entry.mod_revision = kv.mod_revision;
    schedule_.insert_or_assign(key.second, std::move(entry));
  } else if (key.kind == registry::KeyKind::kGlobal) {
    FLOTILLA_ASSIGN(registry::GlobalEntry entry, registry::decode_global_entry(kv.value));
    entry.name = key.first;
    globals_.insert_or_assign(key.first, std::move(entry));
  } else if (key.kind == registry::KeyKind::kMetadata) {
    FLOTILLA_ASSIGN(edits_, registry::decode_metadata(kv.value));
  }
  return {};
}

void Assignments::on_delete(const std::string& raw_key) {
  const auto key = keys_.parse(raw_key);
  if (!key) return;
  set_stale();
  unreadable_.erase(raw_key);
  if (key->kind == registry::KeyKind::kSchedule) schedule_.erase(key->second);
  if (key->kind == registry::KeyKind::kGlobal) globals_.erase(key->first);
  if (key->kind == registry::KeyKind::kMetadata) edits_.clear();
}

}  // namespace flotilla::agent
