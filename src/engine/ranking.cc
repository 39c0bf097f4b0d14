#include "engine/ranking.h"

#include <algorithm>
#include <tuple>

namespace flotilla::engine {

namespace {

constexpr size_t kFew = 64;

}  // namespace

void Fleet::note(Host& host) {
  // Whoever is further behind than this reads everything anew.
  if (log_.size() > 2 * hosts.size() + 64) {
    const size_t half = log_.size() / 2;
    log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(half));
    first_ += half;
  }
  log_.push_back(&host);
}

void MinTree::reset(size_t size) {
  half_ = 1;
  while (half_ < size) half_ *= 2;
  nodes_.assign(2 * half_, kNone);
}

void MinTree::build() {
  for (size_t i = half_ - 1; i > 0; --i) nodes_[i] = std::min(nodes_[2 * i], nodes_[2 * i + 1]);
}

void MinTree::set(size_t index, uint32_t value) {
  size_t i = half_ + index;
  nodes_[i] = value;
  while (i > 1) {
    i /= 2;
    const uint32_t smaller = std::min(nodes_[2 * i], nodes_[2 * i + 1]);
    if (nodes_[i] == smaller) return;
    nodes_[i] = smaller;
  }
}

size_t MinTree::first_min() const {
  size_t i = 1;
  while (i < half_) {
    i *= 2;
    if (nodes_[i] != nodes_[i / 2]) ++i;
  }
  return i - half_;
}

Ranking::Ranking(const unit::FleetRequirements& wants)
    : wants_{.machine_id = {},
             .peers = {},
             .conflicts = {},
             .replaces = {},
             .metadata = wants.metadata,
             .metadata_rules = wants.metadata_rules,
             .global = false,
             .wishes = wants.wishes,
             .unknown = {}} {}

Host* Ranking::find(Fleet& fleet, const Crowd& crowd, const Fits& fits, Mode mode,
                    uint64_t& steps) {
  crowd_ = crowd;
  update(fleet, fits, mode);
  std::vector<const Host*> passed_over;
  Host* found = nullptr;
  while (Bucket* bucket = best()) {
    const size_t index = bucket->tree.first_min();
    Host* host = bucket->hosts[index];
    if (mode == Mode::kStrict || fits(*host)) {
      found = host;
      break;
    }
    bucket->tree.set(index, MinTree::kNone);
    passed_over.push_back(host);
  }
  for (const Host* host : passed_over) refresh(*host, fits, mode);
  steps += passed_over.size();
  return found;
}

void Ranking::update(Fleet& fleet, const Fits& fits, Mode mode) {
  const uint64_t end = fleet.log_end();
  const bool is_behind = epoch_ != fleet.epoch || (!is_small_ && position_ < fleet.log_begin()) ||
                         (!is_small_ && end - position_ > fleet.hosts.size());
  if (is_behind) return rebuild(fleet, fits, mode);
  if (is_small_) return fill_buckets(fits, mode);
  for (; position_ < end; ++position_) refresh(fleet.at(position_), fits, mode);
}

void Ranking::rebuild(Fleet& fleet, const Fits& fits, Mode mode) {
  epoch_ = fleet.epoch;
  position_ = fleet.log_end();
  buckets_.clear();
  numbers_.clear();
  places_.assign(fleet.hosts.size(), {});
  size_t members = 0;
  for (Host* host : fleet.hosts) {
    if (!host->is_open_to(wants_)) continue;
    add_member(*host, crowd_.value_of != nullptr ? (*crowd_.value_of)[host->rank] : 0);
    ++members;
  }
  is_small_ = members <= kFew;
  if (is_small_) places_ = {};
  for (Bucket& bucket : buckets_) bucket.tree.reset(bucket.hosts.size());
  fill_buckets(fits, mode);
}

void Ranking::add_member(Host& host, uint32_t value) {
  const std::pair key(count_missed(host), value);
  const auto [number, is_new] = numbers_.emplace(key, static_cast<uint32_t>(buckets_.size()));
  if (is_new) {
    buckets_.emplace_back();
    std::tie(buckets_.back().missed, buckets_.back().value) = key;
  }
  Bucket& bucket = buckets_[number->second];
  Place& place = places_[host.rank];
  place.bucket = number->second;
  place.index = static_cast<uint32_t>(bucket.hosts.size());
  bucket.hosts.push_back(&host);
}

void Ranking::fill_buckets(const Fits& fits, Mode mode) {
  for (Bucket& bucket : buckets_) {
    for (size_t i = 0; i < bucket.hosts.size(); ++i) {
      bucket.tree.fill(i, load_of(*bucket.hosts[i], fits, mode));
    }
    bucket.tree.build();
  }
}

void Ranking::refresh(const Host& host, const Fits& fits, Mode mode) {
  if (is_small_ || !host.is_present) return;
  const Place& place = places_[host.rank];
  if (place.bucket == UINT32_MAX) return;
  buckets_[place.bucket].tree.set(place.index, load_of(host, fits, mode));
}

uint32_t Ranking::load_of(const Host& host, const Fits& fits, Mode mode) const {
  if (mode == Mode::kStrict && !fits(host)) return MinTree::kNone;
  return static_cast<uint32_t>(std::min<uint64_t>(host.load, MinTree::kNone - 1));
}

uint32_t Ranking::count_missed(const Host& host) const {
  uint32_t missed = 0;
  for (const auto& [key, rule] : wants_.wishes.prefer) {
    const auto found = host.metadata.find(key);
    if (found == host.metadata.end() || !rule.holds_for(found->second)) ++missed;
  }
  return missed;
}

bool Ranking::is_better(const Bucket& a, const Bucket& b) const {
  const auto rank = [this](const Bucket& bucket) {
    return std::tuple(bucket.missed, crowd_.units != nullptr ? (*crowd_.units)[bucket.value] : 0,
                      bucket.tree.min(), bucket.hosts[bucket.tree.first_min()]->rank);
  };
  return rank(a) < rank(b);
}

Ranking::Bucket* Ranking::best() {
  Bucket* best = nullptr;
  for (Bucket& bucket : buckets_) {
    if (bucket.tree.min() == MinTree::kNone) continue;
    if (best == nullptr || is_better(bucket, *best)) best = &bucket;
  }
  return best;
}

}  // namespace flotilla::engine
