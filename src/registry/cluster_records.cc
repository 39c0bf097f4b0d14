#include "registry/cluster_records.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "registry/codec.h"

namespace flotilla::registry {

namespace {

template <typename Map>
void erase_nested(Map& map, const std::string& outer, const std::string& inner) {
  const auto found = map.find(outer);
  if (found == map.end()) return;
  found->second.erase(inner);
  if (found->second.empty()) map.erase(found);
}

}  // namespace

void ClusterRecords::put(const store::KeyValue& kv) {
  const std::optional<ParsedKey> key = keys_.parse(kv.key);
  if (!key) return;
  mark(*key);
  base::Status status = put_object(*key, kv);
  if (status) {
    forget_unreadable(kv.key);
    return;
  }
  // What was last known stays in force: a record nobody can read must never stop a unit.
  SPDLOG_ERROR("{}: unreadable record: {}", kv.key, status.error().message);
  cluster_.unreadable[kv.key] = status.error().message;
  name_unreadable();
}

void ClusterRecords::forget_unreadable(const std::string& key) {
  if (cluster_.unreadable.erase(key) > 0) name_unreadable();
}

void ClusterRecords::name_unreadable() {
  cluster_.unreadable_units.clear();
  cluster_.unreadable_machines.clear();
  for (const auto& [raw_key, reason] : cluster_.unreadable) {
    const std::optional<ParsedKey> key = keys_.parse(raw_key);
    if (!key) continue;
    if (key->kind == KeyKind::kUnit || key->kind == KeyKind::kGlobal) {
      cluster_.unreadable_units.insert(key->first);
    } else if (key->kind == KeyKind::kSchedule) {
      cluster_.unreadable_units.insert(key->second);
    } else if (key->kind == KeyKind::kMachine || key->kind == KeyKind::kMetadata) {
      cluster_.unreadable_machines.insert(key->first);
    }
  }
}

base::Status ClusterRecords::put_object(const ParsedKey& key, const store::KeyValue& kv) {
  switch (key.kind) {
    case KeyKind::kFormat:
      return {};
    case KeyKind::kUnit:
      return put_unit(key, kv);
    case KeyKind::kSchedule:
      return put_schedule(key, kv);
    case KeyKind::kGlobal: {
      FLOTILLA_ASSIGN(GlobalEntry entry, decode_global_entry(kv.value));
      entry.name = key.first;
      entry.mod_revision = kv.mod_revision;
      cluster_.globals.insert_or_assign(key.first, std::move(entry));
      return {};
    }
    case KeyKind::kMachine:
      return put_machine(key, kv);
    case KeyKind::kMetadata: {
      FLOTILLA_ASSIGN(Metadata edits, decode_metadata(kv.value));
      cluster_.metadata_edits.insert_or_assign(key.first, std::move(edits));
      return {};
    }
    case KeyKind::kState:
      return put_state(key, kv);
    case KeyKind::kHistory: {
      FLOTILLA_ASSIGN(UnitHistory history, decode_history(kv.value));
      history.name = key.first;
      history.mod_revision = kv.mod_revision;
      cluster_.histories.insert_or_assign(key.first, std::move(history));
      return {};
    }
    case KeyKind::kLeader: {
      FLOTILLA_ASSIGN(Leader leader, decode_leader(kv.value));
      leader.mod_revision = kv.mod_revision;
      leader.create_revision = kv.create_revision;
      leader.lease = kv.lease;
      cluster_.leader = std::move(leader);
      return {};
    }
    case KeyKind::kRebalance:
      cluster_.wants_rebalance = true;
      return {};
  }
  return {};
}

void ClusterRecords::share_texts(const std::string& unit, SharedText& name, SharedText& hash) {
  name = texts_ ? texts_->name(unit) : name_in(cluster_, unit);
  hash = texts_ ? texts_->hash(name, hash) : hash_in(cluster_, name, std::move(hash));
}

base::Status ClusterRecords::put_unit(const ParsedKey& key, const store::KeyValue& kv) {
  FLOTILLA_ASSIGN(Unit unit, decode_unit(kv.value));
  share_texts(key.first, unit.name, unit.hash);
  unit.mod_revision = kv.mod_revision;
  unit.options.shrink_to_fit();
  cluster_.units.insert_or_assign(cluster_.units.end(), unit.name, std::move(unit));
  return {};
}

base::Status ClusterRecords::put_schedule(const ParsedKey& key, const store::KeyValue& kv) {
  FLOTILLA_ASSIGN(ScheduleEntry entry, decode_schedule_entry(kv.value, EntryText::kLeftOut));
  entry.machine = words_.shared(key.first);
  share_texts(key.second, entry.name, entry.hash);
  entry.mod_revision = kv.mod_revision;
  cluster_.schedule[entry.name].insert_or_assign(entry.machine, std::move(entry));
  return {};
}

base::Status ClusterRecords::put_machine(const ParsedKey& key, const store::KeyValue& kv) {
  FLOTILLA_ASSIGN(Machine machine, decode_machine(kv.value));
  if (machine.id != key.first) return base::invalid("id \"{}\" is not the key's", machine.id);
  machine.mod_revision = kv.mod_revision;
  machine.create_revision = kv.create_revision;
  machine.lease = kv.lease;
  cluster_.machines.insert_or_assign(key.first, std::move(machine));
  return {};
}

base::Status ClusterRecords::put_state(const ParsedKey& key, const store::KeyValue& kv) {
  FLOTILLA_ASSIGN(UnitState state, decode_unit_state(kv.value));
  share_texts(key.first, state.name, state.hash);
  state.machine = words_.shared(key.second);
  for (SharedText* word : {&state.load_state, &state.active_state, &state.sub_state}) {
    *word = words_.shared(*word);
  }
  state.mod_revision = kv.mod_revision;
  // A reading gives them in this order.
  const auto of_unit = cluster_.states.try_emplace(cluster_.states.end(), state.name);
  of_unit->second.insert_or_assign(state.machine, std::move(state));
  return {};
}

void ClusterRecords::erase(const std::string& raw_key) {
  const std::optional<ParsedKey> key = keys_.parse(raw_key);
  if (!key) return;
  mark(*key);
  forget_unreadable(raw_key);
  erase_object(*key);
}

void ClusterRecords::erase_object(const ParsedKey& key) {
  switch (key.kind) {
    case KeyKind::kFormat:
      return;
    case KeyKind::kUnit:
      cluster_.units.erase(key.first);
      return;
    case KeyKind::kSchedule:
      erase_nested(cluster_.schedule, key.second, key.first);
      return;
    case KeyKind::kGlobal:
      cluster_.globals.erase(key.first);
      return;
    case KeyKind::kMachine:
      cluster_.machines.erase(key.first);
      return;
    case KeyKind::kMetadata:
      cluster_.metadata_edits.erase(key.first);
      return;
    case KeyKind::kState:
      erase_nested(cluster_.states, key.first, key.second);
      return;
    case KeyKind::kHistory:
      cluster_.histories.erase(key.first);
      return;
    case KeyKind::kLeader:
      cluster_.leader.reset();
      return;
    case KeyKind::kRebalance:
      cluster_.wants_rebalance = false;
      return;
  }
}

std::map<std::string, store::Revision> ClusterRecords::known() const {
  std::map<std::string, store::Revision> known;
  for (const auto& [name, unit] : cluster_.units) known[keys_.unit(name)] = unit.mod_revision;
  for (const auto& [name, machines] : cluster_.schedule) {
    for (const auto& [id, entry] : machines) {
      known[keys_.schedule(id, name)] = entry.mod_revision;
    }
  }
  for (const auto& [name, machines] : cluster_.states) {
    for (const auto& [id, state] : machines) known[keys_.state(name, id)] = state.mod_revision;
  }
  for (const auto& [name, entry] : cluster_.globals) {
    known[keys_.global(name)] = entry.mod_revision;
  }
  for (const auto& [id, machine] : cluster_.machines) {
    known[keys_.machine(id)] = machine.mod_revision;
  }
  for (const auto& [name, history] : cluster_.histories) {
    known[keys_.history(name)] = history.mod_revision;
  }
  for (const auto& [id, edits] : cluster_.metadata_edits) known[keys_.metadata(id)] = 0;
  if (cluster_.leader) known[keys_.leader()] = cluster_.leader->mod_revision;
  if (cluster_.wants_rebalance) known[keys_.rebalance()] = 0;
  // Of an unreadable one the record that stands is older than what was told.
  for (const auto& [key, reason] : cluster_.unreadable) known[key] = 0;
  return known;
}

void ClusterRecords::mark(const ParsedKey& key) {
  if (texts_) return;
  switch (key.kind) {
    case KeyKind::kFormat:
      return;
    case KeyKind::kUnit:
    case KeyKind::kHistory:  // told as a change of the unit
      change_.units.insert(key.first);
      return;
    case KeyKind::kSchedule:
      change_.schedule.insert(key.second);
      return;
    case KeyKind::kGlobal:
      change_.schedule.insert(key.first);
      return;
    case KeyKind::kMachine:
    case KeyKind::kMetadata:
      change_.machines.insert(key.first);
      return;
    case KeyKind::kState:
      change_.states.insert(key.first);
      return;
    case KeyKind::kRebalance:  // told as a change of the leader, whom it is for
    case KeyKind::kLeader:
      change_.leader = true;
      return;
  }
}

ClusterChange ClusterRecords::everything() const {
  ClusterChange change;
  const auto add = [](std::set<std::string>& names, const auto& map) {
    for (const auto& [name, value] : map) names.emplace_hint(names.end(), name);
  };
  add(change.units, cluster_.units);
  for (const auto& [name, history] : cluster_.histories) change.units.insert(name);
  add(change.schedule, cluster_.schedule);
  for (const auto& [name, entry] : cluster_.globals) change.schedule.insert(name);
  add(change.machines, cluster_.machines);
  for (const auto& [id, edits] : cluster_.metadata_edits) change.machines.insert(id);
  add(change.states, cluster_.states);
  for (const std::string& name : cluster_.unreadable_units) change.units.insert(name);
  for (const std::string& id : cluster_.unreadable_machines) change.machines.insert(id);
  change.leader = cluster_.leader || cluster_.wants_rebalance;
  return change;
}

ClusterChange ClusterRecords::take_change() {
  if (!texts_) return std::exchange(change_, {});
  texts_.reset();
  return everything();
}

void ClusterRecords::clear() {
  cluster_ = {};
  words_ = {};
  change_ = {};
  texts_.emplace();
}

}  // namespace flotilla::registry
