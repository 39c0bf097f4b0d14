// rebalance: the leader moves the units; here it is asked to, and waited for.
#include <algorithm>

#include "fctl/commands.h"
#include "fctl/machine_names.h"

namespace flotilla::fctl {

namespace {

constexpr std::chrono::milliseconds kAttempt{2000};
constexpr std::chrono::milliseconds kPause{250};

int fail(Context& context, const base::Error& error) {
  const bool is_older = error.code == base::Errc::kUnsupported;
  context.output.err_line("Error rebalancing: " +
                          (is_older ? "the fleetd at this endpoint is older" : error.message));
  return 1;
}

// Where the units are once nothing moves any more; nothing if the time is up.
base::Result<std::optional<std::vector<std::optional<client::Unit>>>> wait_for_moves(
    Context& context, const std::vector<client::Move>& moves) {
  std::vector<std::string> names;
  for (const client::Move& move : moves) names.push_back(move.unit);
  const Patience patience = patience_of(context.flags);
  const auto begin = context.pacer.now();
  for (;;) {
    FLOTILLA_ASSIGN(const client::Rebalance now, context.api.rebalance_plan());
    FLOTILLA_ASSIGN(auto units, context.api.units_named(names));
    // What must not run twice is nowhere in between.
    const bool is_settled =
        !now.is_under_way && std::none_of(units.begin(), units.end(), [](const auto& unit) {
          return unit && unit->desired_state != "inactive" && unit->machine_id.empty();
        });
    if (is_settled) return std::optional(std::move(units));
    if (patience.kind == Patience::Kind::kAttempts &&
        context.pacer.now() - begin >= kAttempt * patience.attempts) {
      return std::optional<std::vector<std::optional<client::Unit>>>();
    }
    context.pacer.pause(kPause);
  }
}

int report(Context& context, const std::vector<client::Move>& moves, const MachineNames& names) {
  const auto arrived = wait_for_moves(context, moves);
  if (!arrived) return fail(context, arrived.error());
  if (!*arrived) {
    context.output.err_line("Error rebalancing: units are still on their way");
    return 1;
  }
  for (size_t i = 0; i < moves.size(); ++i) {
    const std::optional<client::Unit>& unit = (**arrived)[i];
    if (!unit || unit->machine_id == moves[i].from) {
      context.output.out_line("Unit " + moves[i].unit + " was not moved");
    } else {
      context.output.out_line(fmt::format("Unit {} moved from {} to {}", moves[i].unit,
                                          names.shown(moves[i].from, false),
                                          names.shown(unit->machine_id, false)));
    }
  }
  return 0;
}

}  // namespace

int cmd_rebalance(Context& context) {
  const base::Result<client::Rebalance> plan = context.api.rebalance_plan();
  if (!plan) return fail(context, plan.error());
  if (plan->moves.empty()) {
    context.output.out_line("Nothing to move");
    return 0;
  }
  const auto machines = context.api.machines();
  if (!machines) return fail(context, machines.error());
  const MachineNames names(*machines);
  const bool is_dry = context.flags.is_set("dry-run");
  const bool is_waited_for = patience_of(context.flags).kind != Patience::Kind::kNone;
  if (!is_dry) {
    if (const base::Status asked = context.api.rebalance(); !asked) {
      return fail(context, asked.error());
    }
    if (is_waited_for) return report(context, plan->moves, names);
  }
  for (const client::Move& move : plan->moves) {
    std::string line =
        fmt::format("{} unit {} from {} to {}", is_dry ? "Would move" : "Triggered move of",
                    move.unit, names.shown(move.from, false), names.shown(move.to, false));
    if (is_dry && !move.why.empty()) line += ": " + move.why;
    context.output.out_line(line);
  }
  return 0;
}

}  // namespace flotilla::fctl
