// Tags: the patterns that units name in Conflicts=, Replaces= and MachineOf=, and the templates of
// which units are counted, each with a number. A machine counts how many of its units bear a tag,
// so that a conflict is found without looking at the units there; and a unit's own tags are found
// from its name without trying every pattern.
//
// Owned by ClassTable. A tag lives as long as somebody names it; its number is never used again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flotilla::engine {

using TagId = uint32_t;
inline constexpr TagId kNoTag = 0;

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <typename Value>
using NameMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

class Tags {
 public:
  // Counts one more user of it. A tag that is new is handed out by take_new().
  TagId add_pattern(const std::string& pattern);
  TagId add_group(const std::string& template_name);
  void drop_pattern(const std::string& pattern);
  void drop_group(const std::string& template_name);

  // Which names bear it: those that begin with `prefix`; a closer look may say no.
  struct New {
    std::string prefix;
    bool is_whole = false;  // the name is `prefix`
  };
  std::vector<New> take_new();

  // The tags that a unit of this name bears, in order. `template_name`: of an instance, else empty.
  void collect(std::string_view name, std::string_view template_name,
               std::vector<TagId>& out) const;
  // kNoTag if nobody counts the units of the template.
  TagId group(std::string_view template_name) const;

 private:
  struct Known {
    TagId id = kNoTag;
    size_t users = 0;
  };
  struct Glob {
    std::string pattern;
    TagId id = kNoTag;
  };
  TagId last_ = kNoTag;
  NameMap<Known> patterns_;
  NameMap<Known> groups_;
  NameMap<std::vector<Glob>> globs_;         // by what stands before their first wildcard
  std::map<size_t, size_t> prefix_lengths_;  // of globs_, with how many have it
  std::vector<New> new_;
};

}  // namespace flotilla::engine
