#include "engine/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace flotilla::engine {

namespace {

bool is_conflict(const Job& a, const Job& b) {
  return a.requirements->conflicts_with(b.name) || b.requirements->conflicts_with(a.name);
}

}  // namespace

Placement::Placement(const registry::Cluster& cluster) {
  for (const auto& [id, machine] : cluster.machines) {
    Host& host = hosts_[id];
    host.id = id;
    host.metadata = cluster.metadata_of(machine);
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
  host.globals.clear();
  for (Job* global : globals_) {
    if (!global->requirements->allows_metadata(host.metadata)) continue;
    if (find_conflict(*global, host) == nullptr) host.globals.emplace(global->name, global);
  }
  if (host.load() == before.first) return;
  by_load_.erase(before);
  by_load_.emplace(host.load(), host.id);
}

void Placement::place(Job& job, Host& host) {
  by_load_.erase({host.load(), host.id});
  host.jobs.emplace(job.name, &job);
  by_load_.emplace(host.load(), host.id);
  job.machine = host.id;
  settle_globals_of(host);
}

void Placement::remove(Job& job) {
  Host* host = find_host(job.machine);
  job.machine = {};
  if (host == nullptr) return;
  by_load_.erase({host->load(), host->id});
  host->jobs.erase(job.name);
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
  for (const std::string& peer : wants.peers) {
    if (!host.jobs.contains(peer) && !host.globals.contains(peer)) {
      return fmt::format("required peer Unit({}) is not scheduled locally", peer);
    }
  }
  if (const Job* other = find_conflict(job, host)) {
    return fmt::format("found conflict with locally-scheduled Unit([{}])", other->name);
  }
  if (mode == Mode::kMoveIn) {
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
  if (const Job* other = host.globals.contains(job.name) ? nullptr : find_conflict(job, host)) {
    return fmt::format("found conflict with locally-scheduled Unit([{}])", other->name);
  }
  return std::nullopt;
}

Host* Placement::find_machine_for(const Job& job) {
  for (const auto& [load, id] : by_load_) {
    Host& host = hosts_.at(id);
    if (!why_not(job, host, Mode::kMoveIn)) return &host;
  }
  return nullptr;
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
