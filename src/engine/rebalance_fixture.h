// RebalanceFixture: a cluster to be evened out, and what comes of it.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/rebalance.h"
#include "engine/scheduler.h"
#include "registry/codec.h"

namespace flotilla::engine {

class RebalanceFixture : public testing::Test {
 protected:
  using Fleet = std::vector<std::pair<std::string, std::string>>;

  void machine(const std::string& id, registry::Metadata metadata = {}) {
    cluster.machines[id].id = id;
    cluster.machines[id].metadata = std::move(metadata);
  }
  void unit(const std::string& name, const std::string& on, const Fleet& fleet = {}) {
    registry::Unit& made = cluster.units[name];
    made.name = name;
    made.options = {{"Service", "ExecStart", "/bin/" + name}};
    for (const auto& [key, value] : fleet) made.options.push_back({"X-Fleet", key, value});
    made.hash = unit::hash_hex(made.options);
    made.desired = registry::TargetState::kLaunched;
    if (on.empty()) return;
    cluster.schedule[name][on] = schedule_entry_of(made, on);
    cluster.schedule[name][on].mod_revision = ++revision;
  }
  void runs(const std::string& name, const std::string& on) {
    registry::UnitState& state = cluster.states[name][on];
    state.hash = cluster.units.at(name).hash;
    state.active_state = "active";
    state.launched = true;
  }
  std::vector<std::string> plan() const {
    std::vector<std::string> lines;
    for (const registry::Move& move : plan_rebalance(cluster)) {
      lines.push_back(move.unit + " " + move.from + " " + move.to);
    }
    return lines;
  }
  std::vector<std::string> decisions() {
    std::vector<std::string> lines;
    const auto made = decide(cluster);
    std::set<std::pair<std::string, std::string>> keys_written;
    for (const Decision& d : made) {
      lines.push_back(std::string(to_string(d.kind)) + " " + d.unit + " " + d.machine);
      EXPECT_TRUE(keys_written.insert({d.unit, d.machine}).second)
          << "one key, one operation: " << lines.back();
    }
    apply_decisions(cluster, made);
    return lines;
  }
  // What the transaction says, as the view will show it.
  void begin() {
    const store::TxnRequest txn = begin_moves(cluster, keys, plan_rebalance(cluster), 7);
    for (const store::Op& op : txn.then_ops) {
      const auto* put = std::get_if<store::PutOp>(&op);
      const auto* erase = std::get_if<store::DeleteRangeOp>(&op);
      const auto key = keys.parse(put != nullptr ? put->key : erase->key);
      ASSERT_TRUE(key);
      if (put == nullptr) {
        if (key->kind == registry::KeyKind::kSchedule) cluster.schedule.erase(key->second);
        continue;
      }
      registry::ScheduleEntry entry = *registry::decode_schedule_entry(put->value);
      entry.name = key->second;
      entry.machine = key->first;
      cluster.schedule[key->second][key->first] = entry;
    }
  }

  registry::Cluster cluster;
  registry::Keys keys{"/a"};
  store::Revision revision = 0;
};

}  // namespace flotilla::engine
