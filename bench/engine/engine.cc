// bench/engine: how many decisions a second the leader's Scheduler makes on one core, in a cluster
// of many machines and units with metadata, conflicts, affinity, requests, weights, spreading,
// preferences and limits; and what it remembers of a unit.   engine [MACHINES] [UNITS]
// The floor is what cannot be saved: looking up a unit and the first machine in an ordered tree,
// and writing the decision down.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "engine/scheduler.h"
#include "harness/harness.h"

namespace flotilla::bench {
namespace {

using engine::Decision;
using engine::Scheduler;
using registry::TargetState;

constexpr size_t kUnitsOfAnApp = 100;

struct Cluster {
  size_t machines = 0;
  size_t units = 0;
};

std::string machine_name(size_t i) {
  char text[33];
  std::snprintf(text, sizeof text, "%032zx", i * 0x9e3779b97f4a7c15u);
  return text;
}

std::string unit_name(size_t i) {
  char text[64];
  std::snprintf(text, sizeof text, "app%05zu@%02zu.service", i / kUnitsOfAnApp, i % kUnitsOfAnApp);
  return text;
}

// Every app wants something else; the units of an app the same.
void add_wishes(size_t app, const std::string& name, std::vector<unit::UnitOption>& options) {
  const auto add = [&](const char* key, std::string value) {
    options.push_back({"X-Fleet", key, std::move(value)});
  };
  if (app % 2 == 0) add("MachineMetadata", "zone=z" + std::to_string(app % 10));
  if (app % 5 == 1) add("MachineMetadata", "disk=ssd");
  if (app % 7 == 2) add("MachineMetadata", "ram>=32G");
  if (app % 3 == 0) add("CPU", "100m");
  if (app % 3 != 2) add("Memory", "64M");
  if (app % 11 == 0) add("Disk", "1G");
  if (app % 4 == 1) add("Conflicts", name.substr(0, name.find('@')) + "@*");
  if (app % 6 == 3) add("MaxPerMachine", "2");
  if (app % 50 == 7) add("Spread", "zone");
  if (app % 50 == 13) add("Prefer", "disk=ssd");
  if (app % 9 == 4) add("Weight", "2");
}

registry::Unit make_unit(size_t i) {
  registry::Unit unit;
  unit.name = unit_name(i);
  unit.options = {{"Service", "ExecStart", "/usr/bin/app --number=" + std::to_string(i)}};
  const size_t app = i / kUnitsOfAnApp;
  // A tenth are sidecars of a unit of the app before.
  if (app % 10 == 9) {
    unit.options.push_back({"X-Fleet", "MachineOf", unit_name(i - kUnitsOfAnApp)});
  } else {
    add_wishes(app, unit.name, unit.options);
  }
  unit.hash = unit::hash_hex(unit.options);
  unit.desired = TargetState::kLaunched;
  return unit;
}

void tell_unit(Scheduler& scheduler, const registry::Unit& unit, const std::string& machine) {
  std::map<std::string, registry::ScheduleEntry> schedule;
  Scheduler::UnitFacts facts;
  facts.name = unit.name;
  facts.unit = &unit;
  if (!machine.empty()) {
    registry::ScheduleEntry& entry = schedule[machine];
    entry.hash = unit.hash;
    entry.target = unit.desired;
    facts.schedule = &schedule;
  }
  scheduler.set_unit(facts);
}

void tell_machines(Scheduler& scheduler, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    registry::Machine machine;
    machine.id = machine_name(i);
    machine.cpus = 64;
    machine.memory_bytes = uint64_t{i % 3 == 0 ? 64U : 16U} << 30;
    machine.disk_bytes = uint64_t{1} << 40;
    Scheduler::MachineFacts facts;
    facts.id = machine.id;
    facts.machine = &machine;
    facts.metadata = {{"zone", "z" + std::to_string(i % 10)},
                      {"disk", i % 4 == 0 ? "ssd" : "hdd"},
                      {"ram", i % 3 == 0 ? "64G" : "16G"}};
    scheduler.set_machine(facts);
  }
}

size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::string rate(size_t count, uint64_t ns) {
  return fixed(static_cast<double>(count) * 1e9 / static_cast<double>(ns) / 1e3, 0);
}

class Floor {
 public:
  explicit Floor(const Cluster& size) {
    for (size_t i = 0; i < size.machines; ++i) machines_.emplace(0, machine_name(i));
    for (size_t i = 0; i < size.units; ++i) units_.emplace(unit_name(i), 0);
  }
  uint64_t run() {
    std::vector<Decision> decisions;
    decisions.reserve(units_.size());
    const uint64_t begin = now_ns();
    for (const auto& [name, number] : units_) {
      auto machine = machines_.extract(machines_.begin());
      decisions.push_back({Decision::Kind::kSchedule, name, machine.value().second,
                           "target state launched and unit not scheduled",
                           Decision::Cause::kOther});
      ++machine.value().first;
      machines_.insert(std::move(machine));
    }
    return now_ns() - begin;
  }

 private:
  std::set<std::pair<size_t, std::string>> machines_;
  std::map<std::string, int> units_;
};

// Units that go, one by one, from all over the cluster, and new ones in their place: each change is
// told, decided on and confirmed by itself.
uint64_t churn(Scheduler& scheduler, const Cluster& size, size_t times) {
  uint64_t spent = 0;
  for (size_t i = 0; i < times; ++i) {
    registry::Unit unit = make_unit(i * 7919 % size.units);
    Scheduler::UnitFacts gone;
    gone.name = unit.name;
    unit.options[0].value += " --again";
    unit.hash = unit::hash_hex(unit.options);
    const uint64_t begin = now_ns();
    scheduler.set_unit(gone);
    scheduler.decide();
    tell_unit(scheduler, unit, "");
    for (const Decision& decision : scheduler.decide()) {
      if (decision.unit == unit.name) tell_unit(scheduler, unit, decision.machine);
    }
    spent += now_ns() - begin;
  }
  return spent;
}

int run(const Cluster& size) {
  Table table({"", "number", "seconds", "1000 a second"});
  const auto add = [&table](const char* what, size_t count, uint64_t ns) {
    table.add(
        {what, std::to_string(count), fixed(static_cast<double>(ns) / 1e9, 2), rate(count, ns)});
  };
  {
    Floor floor(size);
    add("floor: an ordered tree, and the text", size.units, floor.run());
  }
  malloc_trim(0);
  const size_t heap_before = heap_bytes();
  Scheduler scheduler;
  tell_machines(scheduler, size.machines);
  const size_t heap_machines = heap_bytes();
  uint64_t telling = 0;
  for (size_t i = 0; i < size.units; ++i) {
    const registry::Unit unit = make_unit(i);
    const uint64_t begin = now_ns();
    tell_unit(scheduler, unit, "");
    telling += now_ns() - begin;
  }
  add("units told of", size.units, telling);
  uint64_t begin = now_ns();
  std::vector<Decision> decisions = scheduler.decide();
  const uint64_t deciding = now_ns() - begin;
  add("decisions", decisions.size(), deciding);
  uint64_t confirming = 0;
  for (size_t i = 0; i < decisions.size(); ++i) {
    size_t app = 0;
    size_t instance = 0;
    std::sscanf(decisions[i].unit.c_str(), "app%zu@%zu", &app, &instance);
    const registry::Unit unit = make_unit(app * kUnitsOfAnApp + instance);
    begin = now_ns();
    tell_unit(scheduler, unit, decisions[i].machine);
    confirming += now_ns() - begin;
  }
  add("confirmed", decisions.size(), confirming);
  decisions = {};
  begin = now_ns();
  if (!scheduler.decide().empty()) die("something was left to decide");
  const size_t heap_units = heap_bytes();
  const size_t changes = 100'000;
  add("one unit at a time: gone, new, placed, confirmed", changes, churn(scheduler, size, changes));
  std::printf("%zu machines, %zu units, %zu without a machine\n", size.machines, size.units,
              scheduler.unplaced());
  table.print();
  std::printf("memory: %zu bytes a unit, %zu a machine\n",
              (heap_units - heap_machines) / size.units,
              (heap_machines - heap_before) / size.machines);
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  flotilla::bench::Cluster size;
  size.machines = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
  size.units = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  return flotilla::bench::run(size);
}
