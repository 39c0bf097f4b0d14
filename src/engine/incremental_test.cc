// A scheduler that has followed a cluster through whatever happens decides what one does that has
// just read it, and what it decides keeps to the rules.
#include <gtest/gtest.h>

#include <random>

#include "engine/scheduler.h"

namespace flotilla::engine {
namespace {

using registry::Cluster;
using registry::ClusterChange;
using registry::TargetState;

using Fleet = std::vector<std::pair<std::string, std::string>>;

class RandomCluster {
 public:
  explicit RandomCluster(unsigned seed) : random_(seed) {}

  Cluster cluster;
  ClusterChange change;

  void happen() {
    switch (pick(12)) {
      case 0:
        return change_machine();
      case 1:
        return change_metadata();
      case 2:
        return delete_unit();
      case 3:
        return change_desired();
      case 4:
        return write_schedule();
      case 5:
        return change_state();
      case 6:
        return change_readability();
      case 7:
        return finish_unit();
      default:
        return put_unit();
    }
  }

  // All, some or none of them come to pass.
  void apply(std::vector<Decision> decisions) {
    const size_t outcome = pick(4);
    if (outcome == 0) return;
    if (outcome == 1) decisions.resize(pick(decisions.size() + 1));
    for (const Decision& decision : decisions) change.schedule.insert(decision.unit);
    apply_decisions(cluster, decisions);
  }

  size_t pick(size_t below) { return random_() % below; }

 private:
  std::string some_machine() { return "m" + std::to_string(pick(5)); }
  std::string some_unit() {
    const std::string number = std::to_string(pick(10));
    return pick(2) ? "u" + number + ".service" : "w@" + number + ".service";
  }

  void change_machine() {
    const std::string id = some_machine();
    change.machines.insert(id);
    if (pick(3) == 0) {
      cluster.machines.erase(id);
      return;
    }
    registry::Machine& machine = cluster.machines[id];
    machine.id = id;
    machine.metadata = {{"k", std::to_string(pick(3))}};
    machine.cpus = static_cast<uint32_t>(pick(4));
  }

  void change_metadata() {
    const std::string id = some_machine();
    change.machines.insert(id);
    constexpr std::array<const char*, 4> kCordons = {"", "", "drain", "cordon"};
    cluster.metadata_edits[id] = {{"fleet.cordon", kCordons[pick(4)]}};
    if (pick(3) == 0) cluster.metadata_edits[id]["k"] = std::to_string(pick(3));
  }

  void delete_unit() {
    const std::string name = some_unit();
    change.units.insert(name);
    cluster.units.erase(name);
  }

  void change_desired() {
    const std::string name = some_unit();
    const auto found = cluster.units.find(name);
    if (found == cluster.units.end()) return;
    change.units.insert(name);
    found->second.desired = static_cast<TargetState>(pick(3));
  }

  void write_schedule() {
    const std::string name = some_unit();
    change.schedule.insert(name);
    const auto unit = cluster.units.find(name);
    if (pick(3) == 0) {
      cluster.schedule.erase(name);
      cluster.globals.erase(name);
    } else if (unit == cluster.units.end() || pick(8) == 0) {
      cluster.globals[name].name = name;
    } else {
      const std::string machine = some_machine();
      cluster.schedule[name][machine] = schedule_entry_of(unit->second, machine);
      if (pick(4) == 0) cluster.schedule[name][machine].target = TargetState::kLoaded;
    }
  }

  void change_state() {
    const std::string name = some_unit();
    const std::string machine = some_machine();
    change.states.insert(name);
    const auto unit = cluster.units.find(name);
    if (pick(2)) {
      cluster.states.erase(name);
      return;
    }
    registry::UnitState& state = cluster.states[name][machine];
    state.name = name;
    state.machine = machine;
    state.launched = true;
    state.active_state = pick(3) ? "active" : "activating";
    if (unit != cluster.units.end()) state.hash = unit->second.hash;
  }

  void change_readability() {
    if (pick(3) == 0) {
      const std::string id = some_machine();
      change.machines.insert(id);
      if (cluster.unreadable_machines.erase(id) == 0) cluster.unreadable_machines.insert(id);
      return;
    }
    const std::string name = some_unit();
    change.units.insert(name);
    if (cluster.unreadable_units.erase(name) == 0 && pick(3) == 0) {
      cluster.unreadable_units.insert(name);
    }
  }

  void finish_unit() {
    const std::string name = some_unit();
    const auto unit = cluster.units.find(name);
    change.units.insert(name);
    if (cluster.histories.erase(name) > 0 || unit == cluster.units.end()) return;
    registry::UnitHistory& history = cluster.histories[name];
    history.hash = unit->second.hash;
    history.finished_on = some_machine();
  }

  void put_unit() {
    const std::string name = some_unit();
    change.units.insert(name);
    registry::Unit& unit = cluster.units[name];
    unit.name = name;
    unit.options = {{"Service", "ExecStart", "/bin/" + std::to_string(pick(2))}};
    if (pick(4) == 0) unit.options.push_back({"Service", "Type", "oneshot"});
    for (const auto& [key, value] : some_wishes()) unit.options.push_back({"X-Fleet", key, value});
    unit.hash = unit::hash_hex(unit.options);
    unit.desired = pick(8) ? TargetState::kLaunched : TargetState::kInactive;
  }

  Fleet some_wishes() {
    Fleet fleet;
    const auto some_pattern = [this] {
      constexpr std::array<const char*, 6> kPatterns = {
          "w@*", "u1*", "*3.service", "u?.service", "w@[1-4].service", "%p@*"};
      return pick(3) ? std::string(kPatterns[pick(6)]) : some_unit();
    };
    switch (pick(14)) {
      case 0:
      case 1:
        fleet.emplace_back("Conflicts", some_pattern());
        break;
      case 2:
        fleet.emplace_back("MachineOf", some_unit());
        break;
      case 3:
        fleet.emplace_back("MachineOf", some_pattern());
        break;
      case 4:
        fleet.emplace_back("Replaces", some_pattern());
        break;
      case 5:
        fleet.emplace_back("Global", "true");
        if (pick(2)) fleet.emplace_back("Conflicts", some_pattern());
        if (pick(3) == 0) fleet.emplace_back("MachineOf", some_pattern());
        break;
      case 6:
        fleet.emplace_back("MachineID", some_machine());
        break;
      case 7:
        fleet.emplace_back("MaxPerMachine", std::to_string(1 + pick(2)));
        break;
      case 8:
        fleet.emplace_back("Spread", "k");
        break;
      case 9:
        fleet.emplace_back("Prefer", "k=" + std::to_string(pick(3)));
        break;
      case 10:
        fleet.emplace_back("CPU", "700m");
        break;
      case 11:
        fleet.emplace_back("OnPartition", "stop");
        break;
      default:
        break;
    }
    if (pick(5) == 0) fleet.emplace_back("MachineMetadata", "k=" + std::to_string(pick(3)));
    if (pick(8) == 0) fleet.emplace_back("MachineMetadata", "k>0");
    if (pick(8) == 0) fleet.emplace_back("Weight", std::to_string(1 + pick(3)));
    return fleet;
  }

  std::mt19937 random_;
};

std::string told(const std::vector<Decision>& decisions) {
  std::string text;
  for (const Decision& decision : decisions) {
    text += std::string(to_string(decision.kind)) + " " + decision.unit + " " + decision.machine +
            ": " + decision.reason + "\n";
  }
  return text;
}

std::string told(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict& verdict : verdicts) text += verdict.machine + ": " + verdict.why_not + "\n";
  return text;
}

TEST(Incremental, DecidesAsIfItHadReadEverythingAnew) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    RandomCluster random(seed);
    Scheduler scheduler;
    scheduler.read(random.cluster);
    for (int step = 0; step < 150; ++step) {
      for (size_t i = random.pick(4); i > 0; --i) random.happen();
      scheduler.update(random.cluster, std::exchange(random.change, {}));
      const Absence absence = random.pick(6) ? Absence::kTrusted : Absence::kDoubted;
      Scheduler fresh;
      fresh.read(random.cluster);
      const std::string unit = "u" + std::to_string(random.pick(10)) + ".service";
      ASSERT_EQ(told(scheduler.explain(unit)), told(fresh.explain(unit)))
          << "seed " << seed << " step " << step;
      const std::vector<Decision> decisions = scheduler.decide(absence);
      ASSERT_EQ(told(decisions), told(fresh.decide(absence)))
          << "seed " << seed << " step " << step;
      ASSERT_EQ(scheduler.unplaced(), fresh.unplaced()) << "seed " << seed << " step " << step;
      random.apply(decisions);
    }
  }
}

TEST(Incremental, AppliedThereIsNothingLeftToDecide) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    RandomCluster random(seed);
    Scheduler scheduler;
    scheduler.read(random.cluster);
    for (int step = 0; step < 50; ++step) {
      for (size_t i = random.pick(6); i > 0; --i) random.happen();
      // What must not run twice is placed in a pass of its own, and a drained unit leaves in one.
      std::vector<Decision> decisions;
      for (int pass = 0; pass < 4; ++pass) {
        scheduler.update(random.cluster, std::exchange(random.change, {}));
        decisions = scheduler.decide();
        apply_decisions(random.cluster, decisions);
        for (const Decision& decision : decisions) random.change.schedule.insert(decision.unit);
      }
      ASSERT_EQ(told(decisions), "") << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace flotilla::engine
