// cordon, uncordon and drain: what may come to a machine, by a metadata key that the schedulers
// know.
#include <algorithm>
#include <optional>

#include "fctl/commands.h"
#include "fctl/machine_names.h"

namespace flotilla::fctl {

namespace {

constexpr const char* kKey = "fleet.cordon";
constexpr std::chrono::milliseconds kAttempt{2000};
constexpr std::chrono::milliseconds kPause{250};
// Whether what is left can go at all is asked once nothing has gone for so long, and again then.
constexpr std::chrono::milliseconds kStandstill{2000};

// The one machine whose id begins so; says what is wrong otherwise.
std::optional<client::Machine> find_machine(Context& context) {
  if (context.arguments.size() != 1 || context.arguments[0].empty()) {
    context.output.err_line("One machine must be provided.");
    return std::nullopt;
  }
  const std::string& prefix = context.arguments[0];
  const auto machines = context.api.machines();
  if (!machines) {
    context.output.err_line("Error retrieving list of machines: " + machines.error().message);
    return std::nullopt;
  }
  std::vector<client::Machine> found;
  for (const client::Machine& machine : *machines) {
    if (machine.id == prefix) return machine;
    if (machine.id.starts_with(prefix)) found.push_back(machine);
  }
  if (found.size() == 1) return found[0];
  context.output.err_line(found.empty() ? "Machine " + prefix + " does not exist."
                                        : "More than one machine begins with " + prefix + ".");
  return std::nullopt;
}

bool set_cordon(Context& context, const client::Machine& machine, const std::string& value) {
  const base::Status status = context.api.edit_metadata(machine.id, kKey, value);
  if (status) return true;
  context.output.err_line("Error changing machine " + machine_label(machine, false) + ": " +
                          status.error().message);
  return false;
}

// Units that are scheduled there; globals stay.
base::Result<std::vector<std::string>> units_on(Context& context, const client::Machine& machine) {
  FLOTILLA_ASSIGN(const std::vector<client::Unit> units, context.api.units_without_options());
  std::vector<std::string> names;
  for (const client::Unit& unit : units) {
    if (unit.machine_id == machine.id) names.push_back(unit.name);
  }
  return names;
}

// Whether none of them may run anywhere else, as far as the cluster can say.
bool are_stuck(Context& context, const client::Machine& machine,
               const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const auto places = context.api.explain(name);
    return places && !places->empty() &&
           std::none_of(places->begin(), places->end(), [&](const client::Eligibility& place) {
             return place.eligible && place.machine_id != machine.id;
           });
  });
}

// Tells when what is left has stood still, and been unable to go, for a while: nobody may be about
// to take it.
class Standstill {
 public:
  Standstill(Context& context, const client::Machine& machine)
      : context_(context), machine_(machine), since_(context.pacer.now()) {}

  bool has_come(const std::vector<std::string>& names) {
    if (names != names_) {
      names_ = names;
      since_ = context_.pacer.now();
      was_stuck_ = false;
    }
    if (context_.pacer.now() - since_ < kStandstill) return false;
    since_ = context_.pacer.now();
    const bool was_stuck = was_stuck_;
    was_stuck_ = are_stuck(context_, machine_, names);
    return was_stuck && was_stuck_;
  }

 private:
  Context& context_;
  const client::Machine& machine_;
  std::vector<std::string> names_;
  std::chrono::milliseconds since_;
  bool was_stuck_ = false;
};

int wait_until_drained(Context& context, const client::Machine& machine) {
  const Patience patience = patience_of(context.flags);
  const std::string label = machine_label(machine, false);
  if (patience.kind == Patience::Kind::kNone) {
    context.output.out_line("Triggered drain of machine " + label);
    return 0;
  }
  const auto begin = context.pacer.now();
  Standstill standstill(context, machine);
  for (;;) {
    const auto names = units_on(context, machine);
    if (!names) {
      context.output.err_line("Error retrieving list of units: " + names.error().message);
      return 1;
    }
    if (names->empty()) {
      context.output.out_line("Machine " + label + " is drained");
      return 0;
    }
    const bool is_over = patience.kind == Patience::Kind::kAttempts &&
                         context.pacer.now() - begin >= kAttempt * patience.attempts;
    if (is_over) {
      for (const std::string& name : *names) {
        context.output.err_line("Unit " + name + " is still on machine " + label);
      }
      return 1;
    }
    if (standstill.has_come(*names)) {
      for (const std::string& name : *names) {
        context.output.err_line("Unit " + name + " stays on machine " + label +
                                ": no other machine can take it, see fleetctl explain " + name);
      }
      return 1;
    }
    context.pacer.pause(kPause);
  }
}

int change(Context& context, const std::string& value, const std::string& done) {
  const auto machine = find_machine(context);
  if (!machine || !set_cordon(context, *machine, value)) return 1;
  context.output.out_line("Machine " + machine_label(*machine, false) + " " + done);
  return 0;
}

}  // namespace

int cmd_cordon(Context& context) { return change(context, "cordon", "is cordoned"); }

int cmd_uncordon(Context& context) { return change(context, "", "takes units again"); }

int cmd_drain(Context& context) {
  const auto machine = find_machine(context);
  if (!machine || !set_cordon(context, *machine, "drain")) return 1;
  return wait_until_drained(context, *machine);
}

}  // namespace flotilla::fctl
