#include "store/keyspace.h"

#include <algorithm>

namespace flotilla::store {

using base::invalid;
using base::not_found;
using base::Result;
using base::Status;

bool in_range(std::string_view key, std::string_view start, std::string_view range_end) {
  if (range_end.empty()) return key == start;
  return key >= start && (range_end == kToLastKey || key < range_end);
}

size_t Keyspace::bytes_of(const Map::value_type& entry, const Version& version) {
  return sizeof(Version) + entry.first.size() + (version.value ? version.value->size() : 0);
}

const Keyspace::Version* Keyspace::find_at(const Versions& versions, Revision at) {
  const auto after = std::upper_bound(
      versions.begin(), versions.end(), at,
      [](Revision revision, const Version& version) { return revision < version.id.revision; });
  return after == versions.begin() ? nullptr : &*std::prev(after);
}

KeyValue Keyspace::key_value(const std::string& key, const Version& version, bool keys_only) {
  return {key,
          keys_only || !version.value ? std::string() : *version.value,
          version.create_revision,
          version.id.revision,
          version.version,
          version.lease};
}

Result<RangeResponse> Keyspace::range(const RangeRequest& request, Revision now) const {
  const Revision at = request.revision == 0 ? now : request.revision;
  if (at > now) return invalid("revision {} is of the future: the store is at {}", at, now);
  if (at < compact_revision_) {
    return not_found("revision {} has been compacted: the oldest readable one is {}", at,
                     compact_revision_);
  }
  RangeResponse response;
  response.revision = now;
  for (auto it = keys_.lower_bound(request.key);
       it != keys_.end() && in_range(it->first, request.key, request.range_end); ++it) {
    const Version* version = find_at(it->second, at);
    if (version == nullptr || version->version == 0) continue;
    ++response.count;
    if (request.limit == 0 || response.count <= request.limit) {
      response.kvs.push_back(key_value(it->first, *version, request.keys_only));
    }
  }
  response.more = static_cast<size_t>(response.count) > response.kvs.size();
  return response;
}

namespace {

template <typename T>
bool compare_values(CompareOp op, const T& found, const T& operand) {
  switch (op) {
    case CompareOp::kEqual:
      return found == operand;
    case CompareOp::kNotEqual:
      return found != operand;
    case CompareOp::kLess:
      return found < operand;
    case CompareOp::kGreater:
      return found > operand;
  }
  return false;
}

}  // namespace

bool Keyspace::holds(const Compare& compare) const {
  static const Version kAbsent;
  const auto it = keys_.find(compare.key);
  const bool exists = it != keys_.end() && it->second.back().version != 0;
  const Version& version = exists ? it->second.back() : kAbsent;
  if (compare.target == CompareTarget::kValue) {
    return exists &&
           compare_values(compare.op, *version.value, std::get<std::string>(compare.operand));
  }
  int64_t found = 0;
  if (exists) {
    switch (compare.target) {
      case CompareTarget::kLease:
        found = version.lease;
        break;
      case CompareTarget::kVersion:
        found = version.version;
        break;
      case CompareTarget::kMod:
        found = version.id.revision;
        break;
      case CompareTarget::kCreate:
        found = version.create_revision;
        break;
      case CompareTarget::kValue:
        break;
    }
  }
  return compare_values(compare.op, found, std::get<int64_t>(compare.operand));
}

const std::set<std::string, std::less<>>& Keyspace::keys_of(LeaseId lease) const {
  static const std::set<std::string, std::less<>> kNone;
  const auto it = lease_keys_.find(lease);
  return it == lease_keys_.end() ? kNone : it->second;
}

std::vector<LeaseId> Keyspace::leases_in_use() const {
  std::vector<LeaseId> leases;
  leases.reserve(lease_keys_.size());
  for (const auto& [lease, keys] : lease_keys_) leases.push_back(lease);
  return leases;
}

void Keyspace::attach(LeaseId lease, const std::string& key) {
  if (lease != 0) lease_keys_[lease].insert(key);
}

void Keyspace::detach(LeaseId lease, const std::string& key) {
  const auto it = lease_keys_.find(lease);
  if (it == lease_keys_.end()) return;
  it->second.erase(key);
  if (it->second.empty()) lease_keys_.erase(it);
}

void Keyspace::push(const std::string& key, Version version, std::vector<Change>* changes) {
  const auto [it, is_new] = keys_.try_emplace(key);
  bool outlived_lease = false;
  if (!is_new) {
    const Version& old = it->second.back();
    superseded_bytes_ += bytes_of(*it, old);
    detach(old.lease, key);
    outlived_lease = old.version != 0 && old.lease == 0;
  }
  if (version.version == 0) superseded_bytes_ += bytes_of(*it, version);
  attach(version.lease, key);
  if (changes != nullptr) {
    const bool outlives_lease = version.version != 0 && version.lease == 0;
    changes->push_back({version.id, key, version.value, version.create_revision, version.version,
                        version.lease, !outlived_lease && !outlives_lease});
  }
  log_.push_back({version.id, it});
  it->second.push_back(std::move(version));
}

void Keyspace::put(const PutOp& op, ChangeId id, std::vector<Change>& changes) {
  Version version{id, std::make_shared<const std::string>(op.value), id.revision, 1, op.lease};
  const auto it = keys_.find(op.key);
  if (it != keys_.end() && it->second.back().version != 0) {
    version.create_revision = it->second.back().create_revision;
    version.version = it->second.back().version + 1;
  }
  push(op.key, std::move(version), &changes);
}

int64_t Keyspace::delete_range(const DeleteRangeOp& op, Revision revision, int32_t& sub,
                               std::vector<Change>& changes) {
  int64_t deleted = 0;
  for (auto it = keys_.lower_bound(op.key);
       it != keys_.end() && in_range(it->first, op.key, op.range_end); ++it) {
    if (it->second.back().version == 0) continue;
    push(it->first, Version{{revision, sub++}, nullptr, 0, 0, 0}, &changes);
    ++deleted;
  }
  return deleted;
}

std::vector<OpResponse> Keyspace::apply(const std::vector<Op>& ops, std::vector<Change>& changes) {
  const Revision revision = revision_ + 1;
  int32_t sub = 0;
  std::vector<OpResponse> responses;
  responses.reserve(ops.size());
  for (const Op& op : ops) {
    if (const auto* to_put = std::get_if<PutOp>(&op)) {
      put(*to_put, {revision, sub++}, changes);
      responses.emplace_back(PutResponse{});
    } else if (const auto* to_delete = std::get_if<DeleteRangeOp>(&op)) {
      responses.emplace_back(DeleteRangeResponse{delete_range(*to_delete, revision, sub, changes)});
    } else {
      auto read = range(std::get<RangeRequest>(op), sub > 0 ? revision : revision_);
      responses.emplace_back(read ? std::move(*read) : RangeResponse{});
    }
  }
  if (sub > 0) revision_ = revision;
  return responses;
}

void Keyspace::delete_keys_of(LeaseId lease, std::vector<Change>& changes) {
  const std::set<std::string, std::less<>> keys = keys_of(lease);  // a copy: deleting detaches
  int32_t sub = 0;
  for (const std::string& key : keys) {
    push(key, Version{{revision_ + 1, sub++}, nullptr, 0, 0, 0}, &changes);
  }
  if (sub > 0) ++revision_;
}

void Keyspace::truncate(Revision revision) {
  while (!log_.empty() && log_.back().id.revision > revision) {
    const Map::iterator it = log_.back().key;
    log_.pop_back();
    Versions& versions = it->second;
    const Version undone = std::move(versions.back());
    versions.pop_back();
    detach(undone.lease, it->first);
    if (undone.version == 0) superseded_bytes_ -= bytes_of(*it, undone);
    if (versions.empty()) {
      keys_.erase(it);
    } else {
      // A tombstone stays counted: it was superseded from its birth, and once more by `undone`.
      superseded_bytes_ -= bytes_of(*it, versions.back());
      attach(versions.back().lease, it->first);
    }
  }
  revision_ = std::min(revision_, revision);
}

std::vector<ChangeId> Keyspace::compact(Revision revision) {
  std::vector<ChangeId> removed;
  while (!log_.empty() && log_.front().id.revision <= revision) {
    const LogEntry entry = log_.front();
    log_.pop_front();
    Versions& versions = entry.key->second;
    // The last version at or before `revision` stays; its log entry removes all before it at once.
    const Version* last = find_at(versions, revision);
    if (last->id.revision != entry.id.revision) continue;
    const std::ptrdiff_t before = last - versions.data();
    for (const Version* old = versions.data(); old != last; ++old) {
      removed.push_back(old->id);
      superseded_bytes_ -= bytes_of(*entry.key, *old);
      if (old->version == 0) superseded_bytes_ -= bytes_of(*entry.key, *old);
    }
    versions.erase(versions.begin(), versions.begin() + before);
    const bool is_last = versions.size() == 1;
    if (is_last && versions[0].version == 0) {
      removed.push_back(versions[0].id);
      superseded_bytes_ -= bytes_of(*entry.key, versions[0]);
      keys_.erase(entry.key);
    }
  }
  compact_revision_ = revision;
  return removed;
}

Status Keyspace::restore(Change change) {
  const bool is_delete = change.value == nullptr;
  const bool ascends =
      log_.empty() || change.id.revision > log_.back().id.revision ||
      (change.id.revision == log_.back().id.revision && change.id.sub > log_.back().id.sub);
  const bool is_sane = !change.key.empty() && change.id.revision > 0 && change.id.sub >= 0 &&
                       change.lease >= 0 &&
                       (is_delete ? change.version == 0 && change.lease == 0
                                  : change.version > 0 && change.create_revision > 0 &&
                                        change.create_revision <= change.id.revision);
  if (!ascends || !is_sane) {
    return invalid("the change at revision {} makes no sense", change.id.revision);
  }
  revision_ = std::max(revision_, change.id.revision);
  push(change.key,
       Version{change.id, std::move(change.value), change.create_revision, change.version,
               change.lease},
       nullptr);
  return {};
}

void Keyspace::finish_restore(Revision revision, Revision compact_revision) {
  revision_ = std::max({revision_, revision, compact_revision});
  compact_revision_ = compact_revision;
  // Versions that survived the compaction are no part of the history that can be replayed.
  while (!log_.empty() && log_.front().id.revision <= compact_revision) log_.pop_front();
}

Event Keyspace::event_of(const LogEntry& entry, bool with_prev) const {
  const Versions& versions = entry.key->second;
  const Version* version = find_at(versions, entry.id.revision);
  Event event;
  event.type = version->version == 0 ? EventType::kDelete : EventType::kPut;
  event.kv = key_value(entry.key->first, *version, false);
  if (with_prev && version != versions.data() && (version - 1)->version != 0) {
    event.prev_kv = key_value(entry.key->first, *(version - 1), false);
  }
  return event;
}

Replay Keyspace::replay(const WatchRequest& watch, Revision from, Revision to, size_t max_events,
                        size_t max_bytes, size_t max_scanned) const {
  Replay replay;
  size_t bytes = 0;
  auto it = std::lower_bound(
      log_.begin(), log_.end(), from,
      [](const LogEntry& entry, Revision revision) { return entry.id.revision < revision; });
  for (size_t scanned = 0; it != log_.end() && it->id.revision <= to; ++scanned) {
    // Only whole revisions: look ahead to the end of this one before taking it.
    auto end = it;
    std::vector<Event> events;
    for (; end != log_.end() && end->id.revision == it->id.revision; ++end) {
      if (!in_range(end->key->first, watch.key, watch.range_end)) continue;
      events.push_back(event_of(*end, watch.with_prev));
      bytes += events.back().kv.key.size() + events.back().kv.value.size();
      if (events.back().prev_kv) bytes += events.back().prev_kv->value.size();
    }
    const bool is_full = replay.events.size() + events.size() > max_events || bytes > max_bytes;
    if ((is_full && !replay.events.empty()) || scanned > max_scanned) return replay;
    std::move(events.begin(), events.end(), std::back_inserter(replay.events));
    replay.scanned_to = it->id.revision;
    it = end;
  }
  replay.scanned_to = to;
  return replay;
}

}  // namespace flotilla::store
