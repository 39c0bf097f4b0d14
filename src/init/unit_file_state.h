// In what state unit files are ("enabled", "static", "masked", ...), from one look at all links of
// the search path: of one unit or of thousands at the same cost for the look.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "init/unit_file_search.h"

namespace flotilla::init {

class UnitFileStates {
 public:
  // Both outlive it.
  UnitFileStates(const base::FileTree& tree, const UnitFilePlaces& places);

  // error_number says why there is none: ENOENT, EBADMSG, ...
  base::Result<std::string> state_of(const std::string& name) const;

 private:
  struct Link {
    size_t place;  // of the search path, by number
    bool is_top;   // beside the unit files, not in a .wants directory or the like
    std::string name;
    std::string target;  // the file name that it leads to; of those at the top
  };
  // Which names count: those that enabling makes, or all.
  enum class Match { kInstalled, kAny };

  void look_into(size_t place);
  void add(Link link);
  // Empty: no link.
  std::string find_links(const FoundUnit& unit, Match match) const;
  std::vector<const Link*> links_about(const FoundUnit& unit) const;

  const base::FileTree& tree_;
  const UnitFilePlaces& places_;
  std::vector<Link> links_;
  std::unordered_multimap<std::string, size_t> by_name_;  // by name, its template, and target
};

}  // namespace flotilla::init
