#include "engine/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "unit/fleet_glob.h"

namespace flotilla::engine {

namespace {

bool is_conflict(const Job& a, const Job& b) {
  return a.requirements->conflicts_with(b.name) || b.requirements->conflicts_with(a.name);
}

bool has_peer(const Job& job, const Host& host, const std::string& peer) {
  if (host.jobs.contains(peer) || host.globals.contains(peer)) return true;
  if (peer.find_first_of("*?[") == std::string::npos) return false;
  for (const auto* members : {&host.jobs, &host.globals}) {
    for (const auto& [name, other] : *members) {
      if (name != job.name && unit::glob_matches(peer, name)) return true;
    }
  }
  return false;
}

std::optional<std::string> find_missing_peer(const Job& job, const Host& host) {
  for (const std::string& peer : job.requirements->peers) {
    if (has_peer(job, host, peer)) continue;
    return fmt::format("required peer Unit({}) is not scheduled locally", peer);
  }
  return std::nullopt;
}

void count_in(Host& host, const Job& job) {
  const unit::PlacementWishes& wishes = job.requirements->wishes;
  host.weight += wishes.weight;
  host.used.cpu_millis += wishes.cpu_millis;
  host.used.memory_bytes += wishes.memory_bytes;
  host.used.disk_bytes += wishes.disk_bytes;
}

void count_out(Host& host, const Job& job) {
  const unit::PlacementWishes& wishes = job.requirements->wishes;
  host.weight -= wishes.weight;
  host.used.cpu_millis -= wishes.cpu_millis;
  host.used.memory_bytes -= wishes.memory_bytes;
  host.used.disk_bytes -= wishes.disk_bytes;
}

std::optional<std::string> why_too_much(std::string_view what, std::string_view of, uint64_t wants,
                                        uint64_t used, uint64_t capacity) {
  if (wants == 0 || capacity == 0 || (used <= capacity && wants <= capacity - used)) {
    return std::nullopt;
  }
  return fmt::format("requests {} {}{}, {} of {} are free", wants, what, of,
                     used < capacity ? capacity - used : 0, capacity);
}

std::optional<std::string> why_no_room(const Job& job, const Host& host) {
  const unit::PlacementWishes& wishes = job.requirements->wishes;
  if (!wishes.asks_for_capacity()) return std::nullopt;
  Capacity used = host.used;
  if (host.jobs.contains(job.name)) {
    used.cpu_millis -= wishes.cpu_millis;
    used.memory_bytes -= wishes.memory_bytes;
    used.disk_bytes -= wishes.disk_bytes;
  }
  if (auto why = why_too_much("thousandths of a CPU", "", wishes.cpu_millis, used.cpu_millis,
                              host.capacity.cpu_millis)) {
    return why;
  }
  if (auto why = why_too_much("bytes", " of memory", wishes.memory_bytes, used.memory_bytes,
                              host.capacity.memory_bytes)) {
    return why;
  }
  return why_too_much("bytes", " of disk", wishes.disk_bytes, used.disk_bytes,
                      host.capacity.disk_bytes);
}

std::optional<std::string> why_too_many(const Job& job, const Host& host) {
  const uint32_t limit = job.requirements->wishes.max_per_machine;
  if (limit == 0 || job.group.empty()) return std::nullopt;
  const auto found = host.group_sizes.find(job.group);
  if (found == host.group_sizes.end()) return std::nullopt;
  const size_t others = found->second - (host.jobs.contains(job.name) ? 1 : 0);
  if (others < limit) return std::nullopt;
  return fmt::format("{} units of {} are here already, at most {} may be", others, job.group,
                     limit);
}

}  // namespace

Placement::Placement(const registry::Cluster& cluster) {
  for (const auto& [id, machine] : cluster.machines) {
    Host& host = hosts_[id];
    host.id = id;
    host.metadata = cluster.metadata_of(machine);
    host.cordon = registry::cordon_of(host.metadata);
    host.capacity = {uint64_t{machine.cpus} * 1000, machine.memory_bytes, machine.disk_bytes};
    by_load_.emplace(0, host.id);
  }
}

Host* Placement::find_host(std::string_view machine) {
  const auto found = hosts_.find(machine);
  return found == hosts_.end() ? nullptr : &found->second;
}

void Placement::settle_globals() {
  for (auto& [id, host] : hosts_) settle_globals_of(host);
}

// Units that were scheduled here come first; among globals the first name wins.
void Placement::settle_globals_of(Host& host) {
  if (globals_.empty()) return;
  const auto before = std::pair(host.load(), host.id);
  for (const auto& [name, global] : host.globals) count_out(host, *global);
  host.globals.clear();
  for (Job* global : globals_) {
    if (!global->requirements->allows_metadata(host.metadata)) continue;
    if (find_missing_peer(*global, host) || find_conflict(*global, host) != nullptr) continue;
    host.globals.emplace(global->name, global);
    count_in(host, *global);
  }
  if (host.load() == before.first) return;
  by_load_.erase(before);
  by_load_.emplace(host.load(), host.id);
}

void Placement::place(Job& job, Host& host) {
  by_load_.erase({host.load(), host.id});
  host.jobs.emplace(job.name, &job);
  count_in(host, job);
  if (!job.group.empty()) ++host.group_sizes[job.group];
  by_load_.emplace(host.load(), host.id);
  job.machine = host.id;
  settle_globals_of(host);
}

void Placement::remove(Job& job) {
  Host* host = find_host(job.machine);
  job.machine = {};
  if (host == nullptr) return;
  by_load_.erase({host->load(), host->id});
  if (host->jobs.erase(job.name) > 0) {
    count_out(*host, job);
    if (!job.group.empty()) --host->group_sizes[job.group];
  }
  by_load_.emplace(host->load(), host->id);
  settle_globals_of(*host);
}

const Job* Placement::find_conflict(const Job& job, const Host& host) const {
  for (const auto* members : {&host.jobs, &host.globals}) {
    for (const auto& [name, other] : *members) {
      if (name != job.name && is_conflict(job, *other)) return other;
    }
  }
  return nullptr;
}

std::optional<std::string> Placement::why_not(const Job& job, const Host& host, Mode mode) const {
  const unit::FleetRequirements& wants = *job.requirements;
  if (!wants.allows_machine(host.id)) {
    return fmt::format("agent ID \"{}\" does not match required \"{}\"", host.id,
                       wants.machine_id.value_or(""));
  }
  if (!wants.allows_metadata(host.metadata)) return "local Machine metadata insufficient";
  if (auto why = find_missing_peer(job, host)) return why;
  if (const Job* other = find_conflict(job, host)) {
    return fmt::format("found conflict with locally-scheduled Unit([{}])", other->name);
  }
  if (auto why = why_too_many(job, host)) return why;
  if (auto why = why_no_room(job, host)) return why;
  if (mode == Mode::kMoveIn) {
    if (host.cordon == registry::Cordon::kDraining) return "machine is being drained";
    if (host.cordon == registry::Cordon::kCordoned) return "machine is cordoned";
    for (const Job* replacer : replacers_) {
      if (replacer->machine == host.id && replaces(*replacer, job)) {
        return fmt::format("found replace with locally-scheduled Unit({})", replacer->name);
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> Placement::why_not_global(const Job& job, const Host& host) const {
  if (!job.requirements->allows_metadata(host.metadata)) {
    return "local Machine metadata insufficient";
  }
  if (auto why = find_missing_peer(job, host)) return why;
  if (const Job* other = host.globals.contains(job.name) ? nullptr : find_conflict(job, host)) {
    return fmt::format("found conflict with locally-scheduled Unit([{}])", other->name);
  }
  return std::nullopt;
}

Host* Placement::find_machine_for(const Job& job) {
  const unit::PlacementWishes& wishes = job.requirements->wishes;
  if (!wishes.prefer.empty() || !wishes.spread.empty()) return find_preferred(job);
  for (const auto& [load, id] : by_load_) {
    Host& host = hosts_.at(id);
    if (!why_not(job, host, Mode::kMoveIn)) return &host;
  }
  return nullptr;
}

Host* Placement::find_preferred(const Job& job) {
  const unit::PlacementWishes& wishes = job.requirements->wishes;
  const auto spread = count_by_value(wishes.spread, job.group);
  const auto value_of = [](const Host& host, const std::string& key) {
    const auto found = host.metadata.find(key);
    return found == host.metadata.end() ? std::string() : found->second;
  };
  struct Rank {
    size_t missed = 0;  // preferences
    size_t beside = 0;  // units of its template where the metadata are the same
    auto operator<=>(const Rank&) const = default;
  };
  Host* best = nullptr;
  Rank best_rank;
  // By load, then id: of equals the first stays.
  for (const auto& [load, id] : by_load_) {
    Host& host = hosts_.at(id);
    Rank rank;
    for (const auto& [key, rule] : wishes.prefer) {
      const auto found = host.metadata.find(key);
      const bool is_met = found != host.metadata.end() && rule.holds_for(found->second);
      rank.missed += is_met ? 0 : 1;
    }
    if (const auto found = spread.find(value_of(host, wishes.spread)); found != spread.end()) {
      rank.beside = found->second;
    }
    if (best != nullptr && rank >= best_rank) continue;
    if (why_not(job, host, Mode::kMoveIn)) continue;
    best = &host;
    best_rank = rank;
  }
  return best;
}

std::map<std::string, size_t> Placement::count_by_value(const std::string& key,
                                                        const std::string& group) const {
  std::map<std::string, size_t> counts;
  if (key.empty() || group.empty()) return counts;
  for (const auto& [id, host] : hosts_) {
    const auto members = host.group_sizes.find(group);
    if (members == host.group_sizes.end()) continue;
    const auto value = host.metadata.find(key);
    counts[value == host.metadata.end() ? std::string() : value->second] += members->second;
  }
  return counts;
}

bool Placement::replaces(const Job& job, const Job& other) const {
  return &job != &other && job.requirements->wants_to_replace(other.name) &&
         !reaches_by_replacing(other, job);
}

bool Placement::reaches_by_replacing(const Job& from, const Job& to) const {
  if (from.requirements->replaces.empty()) return false;
  std::vector<const Job*> open{&from};
  std::set<const Job*> seen{&from};
  while (!open.empty()) {
    const Job* job = open.back();
    open.pop_back();
    if (job->requirements->wants_to_replace(to.name)) return true;
    for (const Job* next : replacers_) {
      if (job->requirements->wants_to_replace(next->name) && seen.insert(next).second) {
        open.push_back(next);
      }
    }
  }
  return false;
}

}  // namespace flotilla::engine
