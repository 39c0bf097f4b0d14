// Why a unit cannot run on a machine, in words. Slow: for people, and for units that have to leave.
#include <fmt/format.h>

#include <algorithm>

#include "engine/placement.h"
#include "unit/fleet_glob.h"

namespace flotilla::engine {

namespace {

bool is_conflict(const Job& a, const Job& b) {
  return a.requirements().conflicts_with(b.name) || b.requirements().conflicts_with(a.name);
}

std::optional<std::string> why_too_much(std::string_view what, std::string_view of, uint64_t wants,
                                        uint64_t used, uint64_t capacity) {
  if (wants == 0 || capacity == 0 || (used <= capacity && wants <= capacity - used)) {
    return std::nullopt;
  }
  return fmt::format("requests {} {}{}, {} of {} are free", wants, what, of,
                     used < capacity ? capacity - used : 0, capacity);
}

}  // namespace

std::optional<std::string> Placement::find_missing_peer(const Job& job, const Host& host) const {
  const auto matches = [&job](const std::string& peer) {
    return [&job, &peer](const Job* other) {
      return other != &job && unit::glob_matches(peer, other->name);
    };
  };
  std::vector<const Job*> jobs;
  std::copy_if(host.jobs.begin(), host.jobs.end(), std::back_inserter(jobs),
               [](const Job* other) { return other->is_counted; });
  size_t exact = 0;
  for (const std::string& peer : job.requirements().peers) {
    const bool is_pattern = peer.find_first_of("*?[") != std::string::npos;
    const bool is_there =
        is_pattern ? std::any_of(jobs.begin(), jobs.end(), matches(peer)) ||
                         std::any_of(host.globals.begin(), host.globals.end(), matches(peer))
                   : is_peer_there(*job.cls->wants->peers[exact++], host);
    if (!is_there) return fmt::format("required peer Unit({}) is not scheduled locally", peer);
  }
  return std::nullopt;
}

const Job* Placement::find_conflict(const Job& job, const Host& host) const {
  if (!has_conflict(job, host)) return nullptr;
  const Job* first = nullptr;
  for (const Job* other : host.jobs) {
    const bool is_first = first == nullptr || other->name < first->name;
    if (other != &job && other->is_counted && is_first && is_conflict(job, *other)) first = other;
  }
  if (first != nullptr) return first;
  for (const Job* other : host.globals) {
    if (other != &job && is_conflict(job, *other)) return other;
  }
  return nullptr;
}

std::optional<std::string> Placement::why_too_many(const Job& job, const Host& host) const {
  const bool is_there = job.is_counted && job.machine == &host;
  if (fits_group(job, host, is_there)) return std::nullopt;
  return fmt::format("{} units of {} are here already, at most {} may be",
                     host.counts.of(job.cls->group).bearers - (is_there ? 1 : 0),
                     template_of(job.name), job.requirements().wishes.max_per_machine);
}

std::optional<std::string> Placement::why_no_room(const Job& job, const Host& host) const {
  const unit::PlacementWishes& wishes = job.requirements().wishes;
  Capacity used = host.used;
  if (job.is_counted && job.machine == &host) {
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

std::optional<std::string> Placement::why_not(const Job& job, const Host& host, Mode mode) const {
  const unit::FleetRequirements& wants = job.requirements();
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
  if (mode == Mode::kStay) return std::nullopt;
  if (host.cordon == registry::Cordon::kDraining) return "machine is being drained";
  if (host.cordon == registry::Cordon::kCordoned) return "machine is cordoned";
  if (const Job* replacer = find_replacer(job, host)) {
    return fmt::format("found replace with locally-scheduled Unit({})", replacer->name);
  }
  return std::nullopt;
}

std::string Placement::describe_rank(const Job& job, const Host& host) const {
  const unit::PlacementWishes& wishes = job.requirements().wishes;
  const bool is_spread = !wishes.spread.empty() && job.cls->group != kNoTag;
  const bool counts_instances = !wishes.spread.empty() || wishes.max_per_machine != 0;
  std::string text;
  if (counts_instances && job.cls->group == kNoTag) {
    text = "no instance of a template, which MaxPerMachine= and Spread= are about";
  }
  if (wishes.prefer.empty() && !is_spread && wishes.weight == 1) return text;
  if (!text.empty()) text += "; ";
  const bool is_there = job.is_counted && job.machine == &host;
  if (!wishes.prefer.empty()) {
    const auto met = std::count_if(wishes.prefer.begin(), wishes.prefer.end(), [&](const auto& p) {
      const auto value = host.metadata.find(p.first);
      return value != host.metadata.end() && p.second.holds_for(value->second);
    });
    text += fmt::format("meets {} of {} preferences; ", met, wishes.prefer.size());
  }
  if (is_spread) {
    const auto value_of = [&wishes](const Host& any) {
      const auto value = any.metadata.find(wishes.spread);
      return value == any.metadata.end() ? std::string() : value->second;
    };
    uint64_t others = 0;
    for (const Host* any : fleet_.hosts) {
      if (value_of(*any) == value_of(host)) others += any->counts.of(job.cls->group).bearers;
    }
    if (job.is_counted && value_of(*job.machine) == value_of(host)) --others;
    text += fmt::format("{}={} has {} other units of {}; ", wishes.spread, value_of(host), others,
                        template_of(job.name));
  }
  text += fmt::format("load {}", host.load - (is_there ? wishes.weight : 0));
  if (wishes.weight != 1) text += fmt::format(", the unit counts as {}", wishes.weight);
  return text;
}

std::optional<std::string> Placement::why_not_global(const Job& job, const Host& host) const {
  if (!job.requirements().allows_metadata(host.metadata)) {
    return "local Machine metadata insufficient";
  }
  if (auto why = find_missing_peer(job, host)) return why;
  const bool is_there =
      std::find(host.globals.begin(), host.globals.end(), &job) != host.globals.end();
  if (const Job* other = is_there ? nullptr : find_conflict(job, host)) {
    return fmt::format("found conflict with locally-scheduled Unit([{}])", other->name);
  }
  return std::nullopt;
}

}  // namespace flotilla::engine
