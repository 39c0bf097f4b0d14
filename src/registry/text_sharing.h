// How the records of one cluster come to share their texts: a name or a hash is looked up in the
// other records of the unit, so that no table of them is needed; of words and machine ids, which
// stand everywhere, a table is kept.
//
// Loop thread only.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "registry/objects.h"

namespace flotilla::registry {

// The unit's name as a record of the cluster has it already, or a new one.
SharedText name_in(const Cluster& cluster, const std::string& unit);
// `hash`, as a record of the unit has it already.
SharedText hash_in(const Cluster& cluster, const SharedText& unit, SharedText hash);

class Words {
 public:
  SharedText shared(std::string_view word);
  size_t size() const { return words_.size(); }

 private:
  std::set<SharedText, TextLess> words_;
  size_t sweep_at_ = 1000;  // words; those that nobody else has are forgotten then
};

}  // namespace flotilla::registry
