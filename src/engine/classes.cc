#include "engine/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/ranking.h"
#include "unit/fleet_name.h"

namespace flotilla::engine {

namespace {

bool is_pattern(const std::string& peer) { return peer.find_first_of("*?[") != std::string::npos; }

void add_part(std::string& key, std::string_view part) {
  fmt::format_to(std::back_inserter(key), "{}:", part.size());
  key += part;
}

void add_number(std::string& key, uint64_t number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// What of the wishes orders machines and shuts some out for good.
std::string describe_ranking(const unit::FleetRequirements& wants) {
  std::string key;
  for (const auto& [name, values] : wants.metadata) {
    add_part(key, name);
    for (const std::string& value : values) add_part(key, value);
    key += ';';
  }
  key += '|';
  const auto add_rule = [&key](const std::string& name, const unit::MetadataRule& rule) {
    add_part(key, name);
    key += to_string(rule.op);
    add_part(key, rule.value);
  };
  for (const auto& [name, rules] : wants.metadata_rules) {
    for (const unit::MetadataRule& rule : rules) add_rule(name, rule);
  }
  key += '|';
  for (const auto& [name, rule] : wants.wishes.prefer) add_rule(name, rule);
  key += '|';
  add_part(key, wants.wishes.spread);
  return key;
}

}  // namespace

std::string template_of(std::string_view name) {
  if (name.find('@') == std::string_view::npos) return {};
  const auto split = unit::split_fleet_name(name);
  return split && split->is_instance() ? split->template_name : std::string();
}

ClassTable::~ClassTable() = default;

Class& ClassTable::acquire(const std::vector<unit::UnitOption>& options, std::string_view name) {
  return class_of(wants_of(options, name), name);
}

Class& ClassTable::acquire_again(const Class& old, std::string_view name) {
  return class_of(*old.wants, name);
}

Wants& ClassTable::wants_of(const std::vector<unit::UnitOption>& options, std::string_view name) {
  key_.clear();
  bool is_own = false;
  for (const unit::UnitOption& option : options) {
    if (option.section != "X-Fleet") continue;
    add_part(key_, option.name);
    add_part(key_, option.value);
    is_own |= option.value.find('%') != std::string::npos;
  }
  // Specifiers make of it what the unit's name is.
  if (is_own) add_part(key_, name);
  const auto found = wants_.find(key_);
  return found != wants_.end() ? *found->second : make_wants(key_, options, name);
}

Wants& ClassTable::make_wants(std::string key, const std::vector<unit::UnitOption>& options,
                              std::string_view name) {
  auto& made = wants_[key];
  made = std::make_unique<Wants>();
  Wants& wants = *made;
  wants.key = std::move(key);
  wants.requirements = unit::extract_requirements(options, name);
  const unit::FleetRequirements& asks = wants.requirements;
  wants.ranking_key = describe_ranking(asks);
  wants.conflicts = add_patterns(asks.conflicts, nullptr);
  wants.replaces = add_patterns(asks.replaces, &replaced_);
  wants.counts_group = asks.wishes.max_per_machine != 0 || !asks.wishes.spread.empty();
  add_peers(wants);
  return wants;
}

std::vector<TagId> ClassTable::add_patterns(const std::vector<std::string>& patterns,
                                            TagUsers* users) {
  std::vector<TagId> ids;
  for (const std::string& pattern : patterns) ids.push_back(tags_.add_pattern(pattern));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (users != nullptr) {
    for (const TagId id : ids) ++(*users)[id];
  }
  return ids;
}

void ClassTable::drop_patterns(const std::vector<std::string>& patterns,
                               const std::vector<TagId>& ids, TagUsers* users) {
  for (const std::string& pattern : patterns) tags_.drop_pattern(pattern);
  if (users == nullptr) return;
  for (const TagId id : ids) {
    const auto found = users->find(id);
    if (--found->second == 0) users->erase(found);
  }
}

void ClassTable::add_peers(Wants& wants) {
  std::vector<std::string> patterns;
  for (const std::string& name : wants.requirements.peers) {
    if (is_pattern(name)) {
      patterns.push_back(name);
      continue;
    }
    auto& peer = peers_[name];
    if (!peer) {
      peer = std::make_unique<Peer>();
      peer->name = name;
    }
    ++peer->users;
    wants.peers.push_back(peer.get());
  }
  wants.patterns = add_patterns(patterns, &followed_);
}

void ClassTable::drop_peers(Wants& wants) {
  std::vector<std::string> patterns;
  for (const std::string& name : wants.requirements.peers) {
    if (is_pattern(name)) patterns.push_back(name);
  }
  drop_patterns(patterns, wants.patterns, &followed_);
  for (Peer* peer : wants.peers) {
    if (--peer->users > 0) continue;
    if (peer->job != nullptr) peer->job->is_peer = false;
    peers_.erase(peers_.find(peer->name));
  }
}

Class& ClassTable::class_of(Wants& wants, std::string_view name) {
  const std::string template_name = template_of(name);
  const bool holds_group = wants.counts_group && !template_name.empty();
  if (holds_group) tags_.add_group(template_name);
  tags_.collect(name, template_name, found_);
  key_.clear();
  add_number(key_, reinterpret_cast<uintptr_t>(&wants));
  for (const TagId tag : found_) add_number(key_, tag);
  // Who replaces whom depends on names, round many corners.
  if (!wants.replaces.empty()) key_ += name;
  auto& cls = classes_[key_];
  if (cls) {
    if (holds_group) tags_.drop_group(template_name);
  } else {
    cls = make_class(wants, template_name);
    if (holds_group) cls->held_group = template_name;
  }
  ++cls->users;
  return *cls;
}

std::unique_ptr<Class> ClassTable::make_class(Wants& wants, const std::string& template_name) {
  auto cls = std::make_unique<Class>();
  cls->wants = &wants;
  cls->key = key_;
  cls->tags = found_;
  ++wants.users;
  if (!template_name.empty()) cls->group = tags_.group(template_name);
  const uint32_t limit = wants.requirements.wishes.max_per_machine;
  if (limit != 0 && cls->group != kNoTag) limits_[cls->group].insert(limit);
  std::weak_ptr<Ranking>& known = rankings_[wants.ranking_key];
  cls->ranking = known.lock();
  if (!cls->ranking) {
    cls->ranking = std::make_shared<Ranking>(wants.requirements);
    known = cls->ranking;
  }
  return cls;
}

void ClassTable::release(Class& cls) {
  if (--cls.users > 0) return;
  Wants& wants = *cls.wants;
  if (cls.ranking.use_count() == 1) rankings_.erase(rankings_.find(wants.ranking_key));
  if (const auto limits = limits_.find(cls.group); limits != limits_.end()) {
    const uint32_t limit = wants.requirements.wishes.max_per_machine;
    if (limit != 0) limits->second.erase(limits->second.find(limit));
    if (limits->second.empty()) limits_.erase(limits);
  }
  if (!cls.held_group.empty()) tags_.drop_group(cls.held_group);
  classes_.erase(classes_.find(std::string(cls.key)));
  release_wants(wants);
}

void ClassTable::release_wants(Wants& wants) {
  if (--wants.users > 0) return;
  drop_patterns(wants.requirements.conflicts, wants.conflicts, nullptr);
  drop_patterns(wants.requirements.replaces, wants.replaces, &replaced_);
  drop_peers(wants);
  wants_.erase(wants_.find(std::string(wants.key)));
}

uint32_t ClassTable::lowest_limit(TagId group) const {
  const auto found = limits_.find(group);
  return found == limits_.end() ? 0 : *found->second.begin();
}

Peer* ClassTable::find_peer(std::string_view name) {
  const auto found = peers_.find(name);
  return found == peers_.end() ? nullptr : found->second.get();
}

bool ClassTable::has_any(const TagUsers& users, const Class& cls) {
  if (users.empty()) return false;
  return std::any_of(cls.tags.begin(), cls.tags.end(),
                     [&users](TagId tag) { return users.contains(tag); });
}

}  // namespace flotilla::engine
