// ClassTable: sorts units into classes by what they ask for and by what others say of their names.
// Owned by Placement.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "unit/fleet_file.h"

namespace flotilla::engine {

// Of an instance its template; else empty.
std::string template_of(std::string_view name);

class ClassTable {
 public:
  ClassTable() = default;
  ~ClassTable();
  ClassTable(const ClassTable&) = delete;
  ClassTable& operator=(const ClassTable&) = delete;

  // The class of a unit; the caller counts as a user until release(). New tags may come of it: see
  // tags().take_new().
  Class& acquire(const std::vector<unit::UnitOption>& options, std::string_view name);
  // That of the same unit, after tags have come.
  Class& acquire_again(const Class& old, std::string_view name);
  void release(Class& cls);

  Tags& tags() { return tags_; }
  // Null if nobody names it.
  Peer* find_peer(std::string_view name);
  // Of the tags, those that MachineOf= or Replaces= of some unit names.
  bool is_followed(const Class& cls) const { return has_any(followed_, cls); }
  bool is_replaced(const Class& cls) const { return has_any(replaced_, cls); }
  // Of the MaxPerMachine= of the units of a template the lowest, or 0.
  uint32_t lowest_limit(TagId group) const;

 private:
  using TagUsers = std::unordered_map<TagId, size_t>;
  Wants& wants_of(const std::vector<unit::UnitOption>& options, std::string_view name);
  Wants& make_wants(std::string key, const std::vector<unit::UnitOption>& options,
                    std::string_view name);
  Class& class_of(Wants& wants, std::string_view name);
  std::unique_ptr<Class> make_class(Wants& wants, const std::string& template_name);
  void release_wants(Wants& wants);
  std::vector<TagId> add_patterns(const std::vector<std::string>& patterns, TagUsers* users);
  void drop_patterns(const std::vector<std::string>& patterns, const std::vector<TagId>& ids,
                     TagUsers* users);
  void add_peers(Wants& wants);
  void drop_peers(Wants& wants);
  static bool has_any(const TagUsers& users, const Class& cls);

  Tags tags_;
  NameMap<std::unique_ptr<Wants>> wants_;
  NameMap<std::unique_ptr<Class>> classes_;
  NameMap<std::unique_ptr<Peer>> peers_;
  NameMap<std::weak_ptr<Ranking>> rankings_;
  TagUsers followed_;
  TagUsers replaced_;
  std::unordered_map<TagId, std::multiset<uint32_t>> limits_;  // of classes, by group
  std::vector<TagId> found_;
  std::string key_;
};

}  // namespace flotilla::engine
