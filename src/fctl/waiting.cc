#include "fctl/waiting.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace flotilla::fctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAttempt{2000};
constexpr milliseconds kLongestPause{250};

// Asks `is_done` at once and then ever more slowly, up to every 250 ms, for the attempts that
// patience has. Returns whether it was done in time; an error of is_done ends the waiting.
base::Result<bool> poll(Pacer& pacer, Patience patience,
                        const std::function<base::Result<bool>()>& is_done) {
  const milliseconds begin = pacer.now();
  milliseconds pause{5};
  for (;;) {
    FLOTILLA_ASSIGN(const bool done, is_done());
    if (done) return true;
    if (patience.kind == Patience::Kind::kNone) return false;
    if (patience.kind == Patience::Kind::kAttempts &&
        pacer.now() - begin >= kAttempt * patience.attempts) {
      return false;
    }
    pacer.pause(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

// "on MACHINE" needs the machines; they are asked for once, when the first scheduled unit is there.
class Machines {
 public:
  explicit Machines(client::FleetApi& api) : api_(api) {}
  // " on 113f16a7.../192.0.2.10", or nothing where the machine is not registered.
  std::string place_of(const std::string& id) {
    if (id.empty()) return {};
    if (!read_ || known_.find(id) == known_.end()) {
      if (auto list = api_.machines()) {
        for (client::Machine& machine : *list)
          known_.insert_or_assign(machine.id, std::move(machine));
      }
      read_ = true;
    }
    const auto found = known_.find(id);
    return found == known_.end() ? std::string() : " on " + machine_label(found->second, false);
  }

 private:
  client::FleetApi& api_;
  std::map<std::string, client::Machine> known_;
  bool read_ = false;
};

}  // namespace

std::string machine_label(const client::Machine& machine, bool full) {
  std::string label = full ? machine.id : machine.id.substr(0, 8) + "...";
  if (!machine.primary_ip.empty()) label += "/" + machine.primary_ip;
  return label;
}

base::Status wait_for_states(Context& context, const std::vector<std::string>& names,
                             const std::string& state, Patience patience) {
  Machines machines(context.api);
  std::vector<std::string> waiting = names;
  const auto look = [&]() -> base::Result<bool> {
    for (auto name = waiting.begin(); name != waiting.end();) {
      FLOTILLA_ASSIGN(const std::optional<client::Unit> unit, context.api.unit(*name));
      // A global unit has no current state; it counts as created once it is there.
      const bool reached = unit && (unit->current_state == state ||
                                    (state == "inactive" && unit->current_state.empty()));
      if (!reached) {
        ++name;
        continue;
      }
      context.output.out_line("Unit " + *name + " " + unit->current_state +
                              machines.place_of(unit->machine_id));
      name = waiting.erase(name);
    }
    return waiting.empty();
  };
  const base::Result<bool> done = poll(context.pacer, patience, look);
  base::Error error;
  if (!done) {
    error = done.error();
  } else if (!*done) {
    error = {base::Errc::kTimedOut,
             "timed out waiting for unit " + waiting.front() + " to report state " + state};
  } else {
    return {};
  }
  context.output.err_line("Error waiting for units: " + error.message);
  return base::unexpected(std::move(error));
}

base::Status settle_states(Context& context, const std::vector<std::string>& names,
                           const std::string& command, const std::string& state,
                           Patience patience) {
  if (patience.kind == Patience::Kind::kNone) {
    for (const std::string& name : names)
      context.output.out_line("Triggered unit " + name + " " + command);
    return {};
  }
  return wait_for_states(context, names, state, patience);
}

base::Status wait_until_active(Context& context, const std::vector<std::string>& names,
                               Patience patience) {
  if (patience.kind == Patience::Kind::kNone) return {};
  for (const std::string& name : names) {
    const auto look = [&]() -> base::Result<bool> {
      FLOTILLA_ASSIGN(const std::vector<client::UnitState> states,
                      context.api.unit_states_of(name));
      return std::any_of(states.begin(), states.end(), [](const client::UnitState& state) {
        return state.active_state == "active" && state.load_state == "loaded";
      });
    };
    const base::Result<bool> done = poll(context.pacer, {Patience::Kind::kAttempts, 1}, look);
    if (!done || !*done) {
      const std::string why =
          "Failed to find an active unit " + name + " within 2s, err: " +
          (done ? std::string("Failed to fetch states within 2s") : done.error().message);
      context.output.err_line("Error waiting for units: " + why);
      return base::timed_out("{}", why);
    }
  }
  return {};
}

base::Status wait_until_gone(Context& context, const std::string& name, Patience patience) {
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(const std::optional<client::Unit> unit, context.api.unit(name));
    if (unit) return false;
    FLOTILLA_ASSIGN(const std::vector<client::UnitState> states, context.api.unit_states_of(name));
    return states.empty();
  };
  FLOTILLA_ASSIGN(const bool done, poll(context.pacer, patience, look));
  if (!done) return base::timed_out("timed out waiting for unit {} to be gone", name);
  return {};
}

}  // namespace flotilla::fctl
