// bench/engine: how many decisions a second the leader's Scheduler makes on one core, in a cluster
// of many machines and units with metadata, conflicts, affinity, requests, weights, spreading,
// preferences and limits; and what it remembers of a unit.   engine [MACHINES] [UNITS]
// The floor is what cannot be saved: looking up a unit and the first machine in an ordered tree,
// and writing the decision down.
#include <malloc.h>
#include <time.h>

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
constexpr size_t kChanges = 10'000;  // made one by one

struct Cluster {
  size_t machines = 0;
  size_t units = 0;
};

// Of this thread: nothing here waits, and what else runs on the machine does not count.
uint64_t cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

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

registry::Unit make_unit(size_t i, bool is_again = false) {
  registry::Unit unit;
  unit.name = unit_name(i);
  unit.options = {{"Service", "ExecStart",
                   "/usr/bin/app --number=" + std::to_string(i) + (is_again ? " --again" : "")}};
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
  registry::ByName<registry::ScheduleEntry> schedule;
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
    const uint64_t begin = cpu_ns();
    for (const auto& [name, number] : units_) {
      auto machine = machines_.extract(machines_.begin());
      decisions.push_back({Decision::Kind::kSchedule, name, machine.value().second,
                           "target state launched and unit not scheduled",
                           Decision::Cause::kOther});
      ++machine.value().first;
      machines_.insert(std::move(machine));
    }
    return cpu_ns() - begin;
  }

 private:
  std::set<std::pair<size_t, std::string>> machines_;
  std::map<std::string, int> units_;
};

size_t number_of(const std::string& name) {
  size_t app = 0;
  size_t instance = 0;
  std::sscanf(name.c_str(), "app%zu@%zu", &app, &instance);
  return app * kUnitsOfAnApp + instance;
}

// Units that go, one by one, from all over the cluster, and new ones in their place: each change is
// told, decided on and confirmed by itself. Their followers move with them.
class Churn {
 public:
  Churn(Scheduler& scheduler, const Cluster& size) : scheduler_(scheduler), is_again_(size.units) {}

  uint64_t run(size_t times) {
    for (size_t i = 0; i < times; ++i) {
      const size_t number = i * 7919 % is_again_.size();
      is_again_[number] = true;
      const registry::Unit unit = make_unit(number, true);
      Scheduler::UnitFacts gone;
      gone.name = unit.name;
      uint64_t begin = cpu_ns();
      scheduler_.set_unit(gone);
      std::vector<Decision> decisions = scheduler_.decide();
      spent_ += cpu_ns() - begin;
      confirm(decisions);
      begin = cpu_ns();
      tell_unit(scheduler_, unit, "");
      decisions = scheduler_.decide();
      spent_ += cpu_ns() - begin;
      confirm(decisions);
    }
    return spent_;
  }
  size_t decisions() const { return decisions_; }

 private:
  void confirm(const std::vector<Decision>& decisions) {
    decisions_ += decisions.size();
    std::map<std::string, std::string> machines;
    for (const Decision& decision : decisions) {
      machines[decision.unit] =
          decision.kind == Decision::Kind::kUnschedule ? "" : decision.machine;
    }
    for (const auto& [name, machine] : machines) {
      const size_t number = number_of(name);
      const registry::Unit unit = make_unit(number, is_again_[number]);
      const uint64_t begin = cpu_ns();
      tell_unit(scheduler_, unit, machine);
      spent_ += cpu_ns() - begin;
    }
  }

  Scheduler& scheduler_;
  std::vector<bool> is_again_;
  uint64_t spent_ = 0;
  size_t decisions_ = 0;
};

// The same changes in a cluster with fewer units: they must cost the same.
uint64_t churn_with(const Cluster& size, size_t& count) {
  Scheduler scheduler;
  tell_machines(scheduler, size.machines);
  for (size_t i = 0; i < size.units; ++i) tell_unit(scheduler, make_unit(i), "");
  for (const Decision& decision : scheduler.decide()) {
    tell_unit(scheduler, make_unit(number_of(decision.unit)), decision.machine);
  }
  if (!scheduler.decide().empty()) die("something was left to decide");
  Churn churn(scheduler, size);
  const uint64_t spent = churn.run(kChanges);
  count = churn.decisions();
  return spent;
}

int run(const Cluster& size) {
  Table table({"", "number", "CPU seconds", "1000 a second"});
  const auto add = [&table](const char* what, size_t count, uint64_t ns) {
    table.add(
        {what, std::to_string(count), fixed(static_cast<double>(ns) / 1e9, 2), rate(count, ns)});
    std::fprintf(stderr, "%s: %.2f s\n", what, static_cast<double>(ns) / 1e9);
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
    const uint64_t begin = cpu_ns();
    tell_unit(scheduler, unit, "");
    telling += cpu_ns() - begin;
  }
  add("units told of", size.units, telling);
  uint64_t begin = cpu_ns();
  std::vector<Decision> decisions = scheduler.decide();
  const uint64_t deciding = cpu_ns() - begin;
  add("decisions", decisions.size(), deciding);
  uint64_t confirming = 0;
  for (size_t i = 0; i < decisions.size(); ++i) {
    const registry::Unit unit = make_unit(number_of(decisions[i].unit));
    begin = cpu_ns();
    tell_unit(scheduler, unit, decisions[i].machine);
    confirming += cpu_ns() - begin;
  }
  add("confirmed", decisions.size(), confirming);
  decisions = {};
  begin = cpu_ns();
  if (!scheduler.decide().empty()) die("something was left to decide");
  const size_t heap_units = heap_bytes();
  Churn churn(scheduler, size);
  const uint64_t churning = churn.run(kChanges);
  add("one by one: gone, new, placed, confirmed", churn.decisions(), churning);
  size_t count = 0;
  const uint64_t spent = churn_with({.machines = size.machines, .units = size.units / 10}, count);
  add("the same with a tenth of the units", count, spent);
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
