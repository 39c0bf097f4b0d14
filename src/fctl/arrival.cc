#include "fctl/arrival.h"

#include <algorithm>
#include <optional>

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

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStay{1000};
// Between the new text and the start there is a reload of the manager, which may be busy.
constexpr milliseconds kIdleGrace{10'000};

// What one look after the other says about the unit.
class Watcher {
 public:
  Watcher(Pacer& pacer, const client::Unit& unit, milliseconds grace)
      : pacer_(pacer), unit_(unit), grace_(grace), last_good_(pacer.now()) {}

  Arrival judge(const std::vector<client::UnitState>& states) {
    const milliseconds now = pacer_.now();
    const Arrival arrival = judge_arrival(states, unit_);
    if (arrival == Arrival::kThere) {
      if (unit_.desired_state != "launched") return arrival;
      if (!has_arrived_) last_good_ = now;
      has_arrived_ = true;
      if (!arrived_) arrived_ = now;
      return now - *arrived_ >= kStay ? arrival : Arrival::kPending;
    }
    arrived_.reset();
    // Once it was up and fell again it has no more time than this, however often it rises.
    if (!has_arrived_ && arrival != Arrival::kFailed && !is_idle(states)) last_good_ = now;
    const bool is_broken = arrival == Arrival::kFailed || has_arrived_;
    const milliseconds grace = is_broken ? grace_ : std::max(grace_, kIdleGrace);
    return now - last_good_ >= grace ? Arrival::kFailed : Arrival::kPending;
  }

 private:
  // A unit whose text is there may still be about to be started, or to be started again by its
  // Restart=: a state that is none of those that lead up lasts for a while before it counts.
  bool is_idle(const std::vector<client::UnitState>& states) const {
    const std::string hash = unit::hash_hex(unit_.options);
    return std::any_of(states.begin(), states.end(), [&](const client::UnitState& state) {
      return state.hash == hash && unit_.desired_state == "launched" &&
             (state.active_state == "inactive" || state.active_state == "failed");
    });
  }

  Pacer& pacer_;
  const client::Unit& unit_;
  milliseconds grace_;
  milliseconds last_good_;
  std::optional<milliseconds> arrived_;  // since when it has been up
  bool has_arrived_ = false;             // ever
};

}  // namespace

base::Status wait_for_arrival(Context& context, const client::Unit& unit, Patience patience) {
  Watcher watcher(context.pacer, unit, milliseconds(2000 * std::max(1, patience.attempts)));
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(const std::vector<client::UnitState> states,
                    context.api.unit_states_of(unit.name));
    switch (watcher.judge(states)) {
      case Arrival::kThere:
        return true;
      case Arrival::kPending:
        return false;
      case Arrival::kFailed:
        break;
    }
    return base::conflict("unit {} did not come up with its file", unit.name);
  };
  FLOTILLA_ASSIGN(const bool done, wait_until(context, patience, look));
  if (!done) {
    return base::timed_out("timed out waiting for unit {} to report state {}", unit.name,
                           unit.desired_state);
  }
  return {};
}

}  // namespace flotilla::fctl
