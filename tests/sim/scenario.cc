#include "sim/scenario.h"

#include <fmt/format.h>

#include <array>

namespace flotilla::sim {

using registry::TargetState;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

namespace {

class Scenario {
 public:
  explicit Scenario(const ScenarioOptions& options)
      : options_(options), world_(options.world), random_(world_.random()) {}

  std::vector<std::string> run() {
    world_.run(2s);
    for (size_t i = 0; i < options_.units / 2; ++i) change_unit();
    world_.run(8s);
    for (int step = 0; step < options_.steps && world_.violations().empty(); ++step) {
      if (random_.one_in(2)) change_unit();
      if (!random_.one_in(3)) disturb();
      if (random_.one_in(8)) world_.rebalance();
      world_.run(random_.one_in(4) ? base::Micros(random_.between(2'000'000, 9'000'000))
                                   : base::Micros(random_.between(1'000, 1'500'000)));
    }
    if (!world_.violations().empty()) return world_.violations();
    world_.heal();
    for (size_t i = 0; i < world_.size(); ++i) {
      world_.edit_metadata(world_.machine(i).id(), "fleet.cordon", "");
    }
    world_.run(60s);
    world_.check_at_rest();
    even_out();
    const uint64_t writes = world_.schedule_writes();
    world_.run(20s);
    std::vector<std::string> violations = world_.violations();
    if (writes != world_.schedule_writes()) violations.emplace_back("at rest the schedule changes");
    return violations;
  }

 private:
  // What must stop first is placed anew when it has: by then somewhere else may be better.
  void even_out() {
    for (int attempt = 0; attempt < 5; ++attempt) {
      world_.rebalance();
      world_.run(20s);
      if (world_.is_even()) break;
    }
    world_.check_at_rest();
    world_.check_even();
  }

  static std::string wishful_name_of(size_t i) {
    switch (i % 6) {
      case 0:
      case 1:
        return fmt::format("spread@{}.service", i);
      case 2:
        return fmt::format("choosy{}.service", i);
      case 5:
        return fmt::format("pusher{}.service", i);
      default:
        return fmt::format("heavy{}.service", i);
    }
  }

  std::string wishes_of(size_t i) {
    switch (i % 6) {
      case 0:
      case 1:
        return "Spread=zone\nMaxPerMachine=2\n";
      case 2:
        return random_.one_in(2) ? "Prefer=disk=ssd\n" : "Prefer=disk=ssd\nOnPartition=keep\n";
      case 5:
        return fmt::format("Replaces=zoned{}.service\nWeight=2\n", i - 8);
      default:
        return fmt::format("CPU={}\nWeight={}\n", 1 + random_.below(3), random_.below(3));
    }
  }

  std::string name_of(size_t i) const {
    // The name tells the kind, so that a unit never changes its promise.
    if (i % 18 >= 12) return wishful_name_of(i);
    switch (i % 6) {
      case 0:
        return fmt::format("once{}.service", i);
      case 1:
        return fmt::format("apart@{}.service", i);
      case 2:
        return fmt::format("follower{}.service", i);
      case 3:
        return fmt::format("zoned{}.service", i);
      case 4:
        if (i % 12 == 10) return fmt::format("job{}.service", i);
        return fmt::format("plain{}.service", i);
      default:
        if (i == 11) return kFrail;
        return i == 5 ? "everywhere.service" : fmt::format("plain{}.service", i);
    }
  }

  std::string text_of(size_t i) {
    const std::string head =
        fmt::format("[Service]\nExecStart=/bin/run {}\n\n[X-Fleet]\n", random_.below(3));
    if (i % 18 >= 12) return head + wishes_of(i);
    switch (i % 6) {
      case 0:
        return head + "OnPartition=stop\n";
      case 1:
        return head + "Conflicts=apart@*\n";
      case 2:
        return head + fmt::format("MachineOf={}\n", name_of(i + 2));
      case 3:
        return head + (random_.one_in(2) ? "MachineMetadata=zone=a\n" : "MachineMetadata=zone=b\n");
      case 4:
        if (i % 12 == 10) {
          return fmt::format("[Service]\nType=oneshot\nExecStart=/bin/run {}\n", random_.below(3));
        }
        [[fallthrough]];
      default:
        if (i == 11) return head + fmt::format("RescheduleOnFailure={}\n", kFrailMoves);
        return i == 5 ? head + "Global=true\n" : head + "MachineMetadata=zone!=c\n";
    }
  }

  void change_unit() {
    const size_t i = random_.below(options_.units);
    switch (random_.below(6)) {
      case 0:
        return world_.destroy(name_of(i));
      case 1:
        return world_.set_desired(
            name_of(i), random_.pick(std::vector<TargetState>{
                            TargetState::kInactive, TargetState::kLoaded, TargetState::kLaunched}));
      default:
        return world_.put_unit(name_of(i), text_of(i), TargetState::kLaunched);
    }
  }

  // The leader more often than others: that is where it hurts.
  size_t victim() {
    if (random_.one_in(3)) {
      for (size_t i = 0; i < world_.size(); ++i) {
        if (&world_.machine(i) == world_.leader()) return i;
      }
    }
    return random_.below(world_.size());
  }

  // Two machines of one id that both find nobody there.
  void start_twins_together() {
    Machine& first = world_.machine(0);
    Machine& twin = world_.machine(world_.size() - 1);
    if (first.is_paused() || twin.is_paused()) return;
    for (Machine* machine : {&first, &twin}) {
      if (machine->is_on()) machine->power_off();
    }
    world_.run(10s);
    for (Machine* machine : {&first, &twin}) machine->power_on();
  }

  void disturb() {
    if (options_.world.has_twin && random_.one_in(16)) return start_twins_together();
    const size_t index = victim();
    Machine& machine = world_.machine(index);
    Network& network = world_.network(index);
    switch (random_.below(14)) {
      case 0:
      case 1:
        return machine.cut();
      case 2:
      case 3:
        return machine.mend();
      case 4:
        if (machine.is_on() && !machine.is_paused()) machine.power_off();
        return;
      case 5:
        return machine.power_on();
      case 6:
        // A daemon that comes back soon: what it left running runs on.
        if (machine.is_paused()) return;
        machine.kill_daemon();
        world_.run(base::Micros(random_.between(1'000, 1'500'000)));
        return machine.start_daemon();
      case 7:
        if (!machine.is_paused()) machine.pause();
        return;
      case 8:
        if (machine.is_paused()) machine.resume();
        return;
      case 9:
        machine.disturb();
        network.longest_delay =
            random_.one_in(2) ? 2ms : base::Micros(random_.between(5'000, 1'900'000));
        return;
      case 10:
        machine.disturb();
        network.lose_answer_one_in = random_.one_in(2) ? 0 : 2 + random_.below(6);
        return;
      case 11:
        if (machine.daemon() == nullptr) return;
        machine.disturb();
        return machine.daemon()->link.break_watches(base::Micros(random_.between(0, 2'000'000)));
      case 12:
        return world_.compact();
      default:
        return disturb_rarely(index, machine);
    }
  }

  void disturb_rarely(size_t index, Machine& machine) {
    switch (random_.below(7)) {
      case 6:
        // What runs there runs on, but for what must not run twice.
        if (machine.is_paused()) return;
        machine.kill_daemon();
        world_.run(base::Micros(random_.between(3'000'000, 15'000'000)));
        return machine.start_daemon();
      case 5:
        world_.fill_up();
        world_.run(base::Micros(random_.between(1'000'000, 15'000'000)));
        return world_.make_room();
      case 4:
        return world_.edit_metadata(machine.id(), "fleet.cordon",
                                    random_.one_in(2)   ? ""
                                    : random_.one_in(2) ? "drain"
                                                        : "cordon");
      case 0:
        // The store is away for everybody.
        for (size_t i = 0; i < world_.size(); ++i) world_.machine(i).cut();
        world_.run(base::Micros(random_.between(1'000'000, 20'000'000)));
        for (size_t i = 0; i < world_.size(); ++i) world_.machine(i).mend();
        return;
      case 1:
        if (machine.daemon() != nullptr) {
          machine.daemon()->loop.jump_wall(
              base::Micros(random_.between(-100'000'000, 100'000'000)));
        }
        return;
      case 2:
        return world_.edit_metadata(machine.id(), "zone", random_.one_in(2) ? "a" : "b");
      default:
        if (machine.is_paused() || world_.network(index).is_cut) return;
        machine.stop_daemon();
        world_.run(2100ms);
        return machine.start_daemon();
    }
  }

  const ScenarioOptions options_;
  World world_;
  Random& random_;
};

}  // namespace

ScenarioOptions scenario_of(uint64_t seed) {
  ScenarioOptions options;
  options.world.seed = seed;
  options.world.machines = 3 + seed % 4;
  options.world.engines = 3;
  options.world.has_twin = seed % 5 == 0;
  if (seed % 150 == 0) {
    options.world.machines = 200;
    options.units = 100;
    options.steps = 15;
  }
  return options;
}

std::vector<std::string> run_scenario(const ScenarioOptions& options) {
  return Scenario(options).run();
}

}  // namespace flotilla::sim
