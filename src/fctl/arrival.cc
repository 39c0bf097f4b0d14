#include "fctl/arrival.h"

#include <algorithm>

#include "fctl/unit_args.h"
#include "fctl/waiting.h"
#include "unit/fleet_file.h"

namespace flotilla::fctl {
namespace {

bool is_oneshot(const client::Unit& unit) {
  bool oneshot = false;
  for (const unit::UnitOption& option : unit.options) {
    if (option.section == "Service" && option.name == "Type") oneshot = option.value == "oneshot";
  }
  return oneshot;
}

Arrival judge_state(const client::UnitState& state, const client::Unit& unit) {
  if (state.hash != unit::hash_hex(unit.options)) return Arrival::kPending;
  if (state.load_state != "loaded") return Arrival::kFailed;
  if (unit.desired_state != "launched" || state.active_state == "active") return Arrival::kThere;
  if (state.active_state == "failed" || state.sub_state == "auto-restart") return Arrival::kFailed;
  if (state.active_state == "inactive" && is_oneshot(unit)) return Arrival::kThere;
  return Arrival::kPending;
}

}  // namespace

Arrival judge_arrival(const std::vector<client::UnitState>& states, const client::Unit& unit) {
  if (unit.desired_state == "inactive") return Arrival::kThere;
  Arrival all = states.empty() ? Arrival::kPending : Arrival::kThere;
  for (const client::UnitState& state : states) {
    const Arrival one = judge_state(state, unit);
    if (one == Arrival::kFailed) return one;
    if (one == Arrival::kPending) all = one;
  }
  return all;
}

base::Status wait_for_arrival(Context& context, const client::Unit& unit, Patience patience) {
  using std::chrono::milliseconds;
  // A unit whose text is there may still be about to be started, or be started again by its
  // Restart=: a state that is none of those that lead up lasts for a while before it counts.
  const milliseconds grace{2000 * std::max(1, patience.attempts)};
  const std::string hash = unit::hash_hex(unit.options);
  milliseconds last_good = context.pacer.now();
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(const std::vector<client::UnitState> states,
                    context.api.unit_states_of(unit.name));
    const Arrival arrival = judge_arrival(states, unit);
    if (arrival == Arrival::kThere) return true;
    const bool is_idle =
        std::any_of(states.begin(), states.end(), [&](const client::UnitState& state) {
          return state.hash == hash && unit.desired_state == "launched" &&
                 (state.active_state == "inactive" || state.active_state == "failed" ||
                  state.sub_state == "auto-restart");
        });
    if (!is_idle && arrival != Arrival::kFailed) last_good = context.pacer.now();
    if (context.pacer.now() - last_good >= grace) {
      return base::conflict("unit {} did not come up with the new file", unit.name);
    }
    return false;
  };
  FLOTILLA_ASSIGN(const bool done, wait_until(context, patience, look));
  if (!done) {
    return base::timed_out("timed out waiting for unit {} to report state {}", unit.name,
                           unit.desired_state);
  }
  return {};
}

}  // namespace flotilla::fctl
