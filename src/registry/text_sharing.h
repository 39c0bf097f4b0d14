// How the records of one cluster come to share their texts: a name or a hash is looked up in the
// other records of the unit, so that no table of them is needed when they have been read; of words
// and machine ids, which stand everywhere, a table is kept.
//
// Loop thread only.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/objects.h"

namespace flotilla::registry {

// The unit's name as a record of the cluster has it already, or a new one.
SharedText name_in(const Cluster& cluster, const std::string& unit);
// `hash`, as a record of the unit has it already.
SharedText hash_in(const Cluster& cluster, const SharedText& unit, SharedText hash);

// The names and hashes of units while they are read by the thousand: finds at once what name_in()
// and hash_in() search for.
class UnitTexts {
 public:
  // The unit's name, as it was asked for first.
  SharedText name(std::string_view unit);
  // Requires: name() was asked for the unit. Of several hashes the one that came first is kept.
  SharedText hash(const SharedText& unit, const SharedText& hash);

 private:
  struct Texts {
    SharedText name;
    SharedText hash;
  };
  Texts& slot_of(std::string_view unit);

  // By the hash of the name, else the next free one; at most half of them are taken.
  std::vector<Texts> slots_;
  size_t taken_ = 0;
};

class Words {
 public:
  SharedText shared(std::string_view word);
  size_t size() const { return words_.size(); }

 private:
  std::set<SharedText, TextLess> words_;
  size_t sweep_at_ = 1000;  // words; those that nobody else has are forgotten then
};

}  // namespace flotilla::registry
