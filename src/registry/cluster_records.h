// ClusterRecords: the cluster that records of the store make, put and erased one by one, and which
// names that has changed. Of the records of a whole cluster it makes the ClusterView; of those that
// name a unit, what there is to know of that unit.
//
// Loop thread only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "registry/keys.h"
#include "registry/objects.h"
#include "registry/text_sharing.h"
#include "store/store.h"

namespace flotilla::registry {

// The names of what changed since the last call. All empty: only is_ready() has changed.
struct ClusterChange {
  store::Revision revision = 0;
  std::set<std::string> units;     // unit records
  std::set<std::string> schedule;  // units whose schedule or global entry changed
  std::set<std::string> machines;  // presence or metadata
  std::set<std::string> states;    // units whose state on some machine changed
  bool leader = false;
};

class ClusterRecords {
 public:
  explicit ClusterRecords(Keys keys) : keys_(std::move(keys)) {}

  // Keys that are none of the cluster's are left alone.
  void put(const store::KeyValue& kv);
  void erase(const std::string& raw_key);
  void clear();

  Cluster& cluster() { return cluster_; }
  const Cluster& cluster() const { return cluster_; }

  // What has changed since the last call; everything there is at the first one, before which
  // nothing is noted down.
  ClusterChange take_change();
  // The keys of all records with their revisions, where those are known from what became of them,
  // else 0.
  std::map<std::string, store::Revision> known() const;

 private:
  base::Status put_object(const ParsedKey& key, const store::KeyValue& kv);
  // Sets the unit's name, and `hash`, as the other records of the unit have them.
  void share_texts(const std::string& unit, SharedText& name, SharedText& hash);
  base::Status put_unit(const ParsedKey& key, const store::KeyValue& kv);
  base::Status put_schedule(const ParsedKey& key, const store::KeyValue& kv);
  base::Status put_machine(const ParsedKey& key, const store::KeyValue& kv);
  base::Status put_state(const ParsedKey& key, const store::KeyValue& kv);
  void erase_object(const ParsedKey& key);
  void forget_unreadable(const std::string& key);
  void name_unreadable();
  void mark(const ParsedKey& key);
  ClusterChange everything() const;

  const Keys keys_;
  Cluster cluster_;
  Words words_;           // in it
  ClusterChange change_;  // since the last was taken
  // While the cluster is read for the first time; then it finds them itself.
  std::optional<UnitTexts> texts_ = UnitTexts();
};

}  // namespace flotilla::registry
