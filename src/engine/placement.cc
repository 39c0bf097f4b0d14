#include "engine/placement.h"

#include <algorithm>

namespace flotilla::engine {

namespace {

// A search that passes over so many machines in all is made in an order of its own from then on.
constexpr uint64_t kPatience = 4;

bool has(const std::vector<TagId>& tags, TagId tag) {
  return std::binary_search(tags.begin(), tags.end(), tag);
}

bool is_too_much(uint64_t wants, uint64_t used, uint64_t capacity) {
  return wants != 0 && capacity != 0 && (used > capacity || wants > capacity - used);
}

}  // namespace

Placement::Placement() = default;
Placement::~Placement() = default;

Host& Placement::host(std::string_view id) {
  const auto found = hosts_.find(id);
  if (found != hosts_.end()) return found->second;
  const auto made = hosts_.emplace(std::string(id), Host()).first;
  made->second.id = made->first;
  return made->second;
}

Host* Placement::find_host(std::string_view id) {
  const auto found = hosts_.find(id);
  return found == hosts_.end() ? nullptr : &found->second;
}

void Placement::reorder() {
  ++fleet_.epoch;
  values_.clear();
  crowds_.clear();
  fleet_.hosts.clear();
  for (auto& [id, host] : hosts_) {
    if (!host.is_present) continue;
    host.rank = static_cast<uint32_t>(fleet_.hosts.size());
    fleet_.hosts.push_back(&host);
  }
}

Job& Placement::job(std::string_view name) {
  const auto found = jobs_.lower_bound(name);
  if (found != jobs_.end() && found->first == name) return found->second;
  const auto made = jobs_.emplace_hint(found, std::string(name), Job());
  Job& job = made->second;
  job.name = made->first;
  if (Peer* peer = classes_.find_peer(name)) {
    peer->job = &job;
    job.is_peer = true;
  }
  return job;
}

Job* Placement::find_job(std::string_view name) {
  const auto found = jobs_.find(name);
  return found == jobs_.end() ? nullptr : &found->second;
}

std::vector<Job*> Placement::jobs_from(std::string_view prefix) {
  std::vector<Job*> found;
  for (auto it = jobs_.lower_bound(prefix); it != jobs_.end() && it->first.starts_with(prefix);
       ++it) {
    found.push_back(&it->second);
  }
  return found;
}

void Placement::erase(Job& job) {
  detach_peers(job);
  if (Peer* peer = job.is_peer ? classes_.find_peer(job.name) : nullptr) peer->job = nullptr;
  classes_.release(*job.cls);
  jobs_.erase(jobs_.find(job.name));
}

bool Placement::classify(Job& job, const std::vector<unit::UnitOption>* options) {
  Class& cls = options != nullptr ? classes_.acquire(*options, job.name)
                                  : classes_.acquire_again(*job.cls, job.name);
  if (&cls == job.cls) {
    classes_.release(cls);
    return false;
  }
  const bool was_counted = job.is_counted;
  if (was_counted) {
    count(*job.machine, job, -1);
    job.is_counted = false;
  }
  Class* old = job.cls;
  if (old != nullptr) detach_peers(job);
  job.cls = &cls;
  attach_peers(job);
  if (old != nullptr) classes_.release(*old);
  if (was_counted) {
    count(*job.machine, job, +1);
    job.is_counted = true;
  }
  return true;
}

void Placement::attach_peers(Job& job) {
  for (Peer* peer : job.cls->wants->peers) {
    if (peer->job == nullptr && (peer->job = find_job(peer->name)) != nullptr) {
      peer->job->is_peer = true;
    }
    peer->followers.insert(&job);
  }
}

void Placement::detach_peers(Job& job) {
  for (Peer* peer : job.cls->wants->peers) peer->followers.erase(&job);
}

void Placement::count(Host& host, const Job& job, int by) {
  // The globals do not count for MaxPerMachine= and Spread=.
  const TagId group = job.requirements().global ? job.cls->group : kNoTag;
  for (const TagId tag : job.cls->tags) {
    if (tag != group) host.counts.add_bearer(tag, by);
  }
  for (const TagId tag : job.cls->wants->conflicts) host.counts.add_opponent(tag, by);
  if (!crowds_.empty() && job.cls->group != group) count_crowd(host, job.cls->group, by);
  // What has finished uses nothing, and is still there for those that follow it.
  if (job.is_finished) return fleet_.note(host);
  const unit::PlacementWishes& wishes = job.requirements().wishes;
  const auto sign = static_cast<uint64_t>(int64_t{by});  // wraps round, and back
  host.load += sign * wishes.weight;
  host.used.cpu_millis += sign * wishes.cpu_millis;
  host.used.memory_bytes += sign * wishes.memory_bytes;
  host.used.disk_bytes += sign * wishes.disk_bytes;
  fleet_.note(host);
}

void Placement::move(Job& job, Host* host) {
  if (job.machine == host) return;
  if (!job.cls->wants->replaces.empty()) {
    for (Host* other : {job.machine, host}) {
      if (other != nullptr) fleet_.note(*other);
    }
  }
  if (job.machine != nullptr) {
    if (job.is_counted) count(*job.machine, job, -1);
    job.is_counted = false;
    std::vector<Job*>& jobs = job.machine->jobs;
    jobs.back()->slot = job.slot;
    jobs[job.slot] = jobs.back();
    jobs.pop_back();
  }
  job.machine = host;
  if (host == nullptr) return;
  job.slot = static_cast<uint32_t>(host->jobs.size());
  host->jobs.push_back(&job);
  recount(job);
}

void Placement::recount(Job& job) {
  const bool counts =
      job.machine != nullptr && !job.is_active_global() && (job.is_frozen || job.wants_to_run());
  if (counts == job.is_counted) return;
  count(*job.machine, job, counts ? +1 : -1);
  job.is_counted = counts;
}

void Placement::set_replacer(Job& job, bool is_replacer) {
  if (is_replacer) {
    replacers_.insert(&job);
  } else {
    replacers_.erase(&job);
  }
  ++fleet_.epoch;
}

void Placement::add_global(Job& job) {
  ++globals_epoch_;
  globals_.insert(&job);
}

std::vector<Host*> Placement::withdraw_global(Job& job) {
  ++globals_epoch_;
  globals_.erase(&job);
  std::vector<Host*> left;
  for (auto& [id, host] : hosts_) {
    if (std::erase(host.globals, &job) == 0) continue;
    count(host, job, -1);
    left.push_back(&host);
  }
  return left;
}

void Placement::collect_global_tags() {
  collected_epoch_ = globals_epoch_;
  global_tags_.clear();
  global_names_.clear();
  for (const Job* global : globals_) {
    const Wants& wants = *global->cls->wants;
    global_tags_.insert(wants.conflicts.begin(), wants.conflicts.end());
    global_tags_.insert(wants.patterns.begin(), wants.patterns.end());
    global_names_.insert(global->cls->tags.begin(), global->cls->tags.end());
  }
}

bool Placement::touches_globals(Class& cls) {
  if (globals_.empty()) return false;
  if (collected_epoch_ != globals_epoch_) collect_global_tags();
  if (cls.globals_epoch == globals_epoch_) return cls.touches_globals;
  cls.globals_epoch = globals_epoch_;
  const auto is_in = [](const std::set<TagId>& set) {
    return [&set](TagId tag) { return set.contains(tag); };
  };
  cls.touches_globals =
      std::any_of(cls.tags.begin(), cls.tags.end(), is_in(global_tags_)) ||
      std::any_of(cls.wants->conflicts.begin(), cls.wants->conflicts.end(), is_in(global_names_));
  return cls.touches_globals;
}

// Units that were scheduled here come first; among globals the first name wins.
bool Placement::settle_globals(Host& host) {
  host.is_unsettled = false;
  std::vector<Job*> before;
  before.swap(host.globals);
  for (Job* global : before) count(host, *global, -1);
  if (!host.is_present) return !before.empty();
  for (Job* global : globals_) {
    if (!global->requirements().allows_metadata(host.metadata)) continue;
    if (!has_peers(*global, host) || has_conflict(*global, host)) continue;
    host.globals.push_back(global);
    count(host, *global, +1);
  }
  return host.globals != before;
}

bool Placement::is_peer_there(const Peer& peer, const Host& host) const {
  if (peer.job == nullptr) return false;
  if (peer.job->is_counted && peer.job->machine == &host) return true;
  return peer.job->is_active_global() &&
         std::find(host.globals.begin(), host.globals.end(), peer.job) != host.globals.end();
}

bool Placement::has_peers(const Job& job, const Host& host) const {
  const Wants& wants = *job.cls->wants;
  for (const Peer* peer : wants.peers) {
    if (!is_peer_there(*peer, host)) return false;
  }
  const bool is_there = job.is_counted && job.machine == &host;
  for (const TagId tag : wants.patterns) {
    const uint32_t self = is_there && has(job.cls->tags, tag) ? 1 : 0;
    if (host.counts.of(tag).bearers <= self) return false;
  }
  return true;
}

bool Placement::has_conflict(const Job& job, const Host& host) const {
  const bool is_there = job.is_counted && job.machine == &host;
  const std::vector<TagId>& conflicts = job.cls->wants->conflicts;
  for (const TagId tag : conflicts) {
    const uint32_t self = is_there && has(job.cls->tags, tag) ? 1 : 0;
    if (host.counts.of(tag).bearers > self) return true;
  }
  for (const TagId tag : job.cls->tags) {
    const uint32_t self = is_there && has(conflicts, tag) ? 1 : 0;
    if (host.counts.of(tag).opponents > self) return true;
  }
  return false;
}

bool Placement::fits_group(const Job& job, const Host& host, bool is_there) const {
  const uint32_t limit = job.requirements().wishes.max_per_machine;
  if (limit == 0 || job.cls->group == kNoTag) return true;
  return host.counts.of(job.cls->group).bearers - (is_there ? 1 : 0) < limit;
}

bool Placement::fits_capacity(const Job& job, const Host& host, bool is_there) const {
  const unit::PlacementWishes& wishes = job.requirements().wishes;
  if (!wishes.asks_for_capacity() || job.is_finished) return true;
  const uint64_t self = is_there ? 1 : 0;
  return !is_too_much(wishes.cpu_millis, host.used.cpu_millis - self * wishes.cpu_millis,
                      host.capacity.cpu_millis) &&
         !is_too_much(wishes.memory_bytes, host.used.memory_bytes - self * wishes.memory_bytes,
                      host.capacity.memory_bytes) &&
         !is_too_much(wishes.disk_bytes, host.used.disk_bytes - self * wishes.disk_bytes,
                      host.capacity.disk_bytes);
}

bool Placement::is_overcommitted(const Host& host) const {
  const auto is_over = [](uint64_t used, uint64_t capacity) {
    return capacity != 0 && used > capacity;
  };
  return is_over(host.used.cpu_millis, host.capacity.cpu_millis) ||
         is_over(host.used.memory_bytes, host.capacity.memory_bytes) ||
         is_over(host.used.disk_bytes, host.capacity.disk_bytes);
}

// Without what the machine is: see Host::is_open_to().
bool Placement::fits(const Job& job, const Host& host, Mode mode) const {
  const bool is_there = job.is_counted && job.machine == &host;
  return has_peers(job, host) && !has_conflict(job, host) && fits_group(job, host, is_there) &&
         fits_capacity(job, host, is_there) &&
         (mode == Mode::kStay || find_replacer(job, host) == nullptr);
}

const Job* Placement::find_replacer(const Job& job, const Host& host) const {
  if (replacers_.empty() || !classes_.is_replaced(*job.cls)) return nullptr;
  for (const Job* replacer : replacers_) {
    if (replacer->machine == &host && host.is_present && replaces(*replacer, job)) return replacer;
  }
  return nullptr;
}

Host* Placement::find_machine_for(Job& job) {
  Class& cls = *job.cls;
  const unit::FleetRequirements& wants = cls.wants->requirements;
  if (wants.machine_id) {
    std::vector<Host*> named;
    for (auto it = hosts_.lower_bound(*wants.machine_id);
         it != hosts_.end() && it->first.starts_with(*wants.machine_id); ++it) {
      named.push_back(&it->second);
    }
    return find_among(named, job);
  }
  for (const Peer* peer : cls.wants->peers) {
    if (peer->job == nullptr) return nullptr;
    if (peer->job->is_active_global()) continue;
    return peer->job->is_counted ? find_among({peer->job->machine}, job) : nullptr;
  }
  if (is_still_hopeless(job)) return nullptr;
  const auto is_fit = [&](const Host& host) { return fits(job, host, Mode::kMoveIn); };
  const Ranking::Crowd crowd = crowd_for(job);
  if (!cls.strict && cls.steps > kPatience * fleet_.hosts.size() + 64) {
    cls.strict = std::make_unique<Ranking>(wants);
  }
  const auto mode = cls.strict ? Ranking::Mode::kStrict : Ranking::Mode::kLoose;
  Ranking& ranking = cls.strict ? *cls.strict : *cls.ranking;
  Host* found = ranking.find(fleet_, crowd, is_fit, mode, cls.steps);
  cls.has_failed = found == nullptr;
  cls.failed_epoch = fleet_.epoch;
  cls.failed_at = fleet_.log_end();
  return found;
}

Host* Placement::find_other_machine_for(const Job& job) {
  std::vector<Host*> others = fleet_.hosts;
  std::erase(others, job.machine);
  return find_among(others, job);
}

Ranking::Crowd Placement::crowd_for(const Job& job) {
  const std::string& key = job.requirements().wishes.spread;
  if (key.empty()) return {};
  Values& values = values_[key];
  if (values.epoch != fleet_.epoch) {
    values = {fleet_.epoch, 0, {}};
    std::map<std::string_view, uint32_t> numbers;
    for (const Host* host : fleet_.hosts) {
      const auto found = host->metadata.find(key);
      const std::string_view value =
          found == host->metadata.end() ? std::string_view() : std::string_view(found->second);
      const auto number = numbers.emplace(value, static_cast<uint32_t>(numbers.size())).first;
      values.of_host.push_back(number->second);
    }
    values.count = static_cast<uint32_t>(numbers.size());
  }
  const TagId group = job.cls->group;
  if (group == kNoTag) return {&values.of_host, nullptr};
  Crowd& crowd = crowds_[group][key];
  if (crowd.epoch != fleet_.epoch) {
    crowd = {fleet_.epoch, std::vector<uint32_t>(values.count)};
    for (const Host* host : fleet_.hosts) {
      crowd.units[values.of_host[host->rank]] += host->counts.of(group).bearers;
    }
  }
  return {&values.of_host, &crowd.units};
}

void Placement::count_crowd(const Host& host, TagId group, int by) {
  const auto found = crowds_.find(group);
  if (found == crowds_.end() || !host.is_present) return;
  for (auto& [key, crowd] : found->second) {
    const Values& values = values_.at(key);
    if (crowd.epoch != fleet_.epoch || host.rank >= values.of_host.size()) continue;
    crowd.units[values.of_host[host.rank]] += static_cast<uint32_t>(by);
  }
}

// Whether no machine could take a unit of the class, and none that could has changed since.
bool Placement::is_still_hopeless(Job& job) {
  Class& cls = *job.cls;
  const bool is_known =
      cls.has_failed && cls.failed_epoch == fleet_.epoch && cls.failed_at >= fleet_.log_begin();
  if (!is_known) return false;
  for (; cls.failed_at < fleet_.log_end(); ++cls.failed_at) {
    const Host& host = fleet_.at(cls.failed_at);
    if (fits(job, host, Mode::kMoveIn) && host.is_open_to(job.requirements())) return false;
  }
  return true;
}

// The few that its wishes name. With more than one, a shortened id, preferences hardly matter; but
// the order is the same as everywhere.
Host* Placement::find_among(const std::vector<Host*>& hosts, const Job& job) {
  std::vector<Host*> able;
  for (Host* host : hosts) {
    if (host->is_open_to(job.requirements()) && fits(job, *host, Mode::kMoveIn)) {
      able.push_back(host);
    }
  }
  if (able.size() < 2) return able.empty() ? nullptr : able.front();
  Fleet few = fleet_;
  Ranking ranking(job.requirements());
  uint64_t steps = 0;
  return ranking.find(
      few, crowd_for(job),
      [&able](const Host& host) {
        return std::find(able.begin(), able.end(), &host) != able.end();
      },
      Ranking::Mode::kLoose, steps);
}

bool Placement::replaces(const Job& job, const Job& other) const {
  return &job != &other && job.requirements().wants_to_replace(other.name) &&
         !reaches_by_replacing(other, job);
}

bool Placement::reaches_by_replacing(const Job& from, const Job& to) const {
  if (from.requirements().replaces.empty()) return false;
  std::vector<const Job*> open{&from};
  std::set<const Job*> seen{&from};
  while (!open.empty()) {
    const Job* job = open.back();
    open.pop_back();
    if (job->requirements().wants_to_replace(to.name)) return true;
    for (const Job* next : replacers_) {
      if (job->requirements().wants_to_replace(next->name) && seen.insert(next).second) {
        open.push_back(next);
      }
    }
  }
  return false;
}

}  // namespace flotilla::engine
