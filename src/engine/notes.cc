#include "engine/notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/failure_moves.h"

namespace flotilla::engine {

namespace {

using registry::Cluster;
using registry::ScheduleEntry;
using registry::TargetState;

// Nothing where all is as it should be, or is known to be on its way there.
std::string tell_difference(const Cluster& cluster, std::string_view unit,
                            const std::string& machine, const ScheduleEntry& entry) {
  const registry::UnitState* here = cluster.find_state(unit, machine);
  if (here != nullptr && !here->problem.empty()) return here->problem;
  if (entry.is_finished || cluster.find_finished(unit) != nullptr) return {};
  if (here == nullptr) return "the machine has told nothing of it yet";
  if (here->hash != entry.hash) return "another text of it is loaded there";
  if (entry.target == TargetState::kLaunched && !here->launched) return "it is not started";
  if (entry.target == TargetState::kLoaded && here->launched) return "it is not stopped yet";
  return {};
}

bool has_failed(const Cluster& cluster, std::string_view unit, const std::string& machine) {
  const registry::UnitState* here = cluster.find_state(unit, machine);
  return here != nullptr && here->active_state == "failed";
}

std::string note_of(const Cluster& cluster, std::string_view unit, const std::string& machine,
                    const ScheduleEntry& entry) {
  std::string note = tell_moves(cluster, unit);
  const std::string difference = tell_difference(cluster, unit, machine, entry);
  if (difference.empty()) {
    const bool is_untold = note.empty() && has_failed(cluster, unit, machine);
    return is_untold ? "scheduled here, but: it has failed" : note;
  }
  return fmt::format("scheduled here, but: {}{}{}", difference, note.empty() ? "" : "; ", note);
}

}  // namespace

void add_notes(const Cluster& cluster, std::string_view unit, Holding holding,
               std::vector<Verdict>& verdicts) {
  const auto wanted = cluster.units.find(unit);
  if (wanted == cluster.units.end()) return;
  const auto scheduled = cluster.schedule.find(unit);
  if (scheduled == cluster.schedule.end()) {
    const bool is_waiting = !cluster.leader && wanted->second.desired != TargetState::kInactive &&
                            !cluster.globals.contains(unit);
    if (!is_waiting) return;
    for (Verdict& verdict : verdicts) {
      if (!verdict.why_not.empty()) continue;
      verdict.note += verdict.note.empty() ? "" : "; ";
      verdict.note += "waits for a fleetd that leads: there is none";
    }
    return;
  }
  for (const auto& [machine, entry] : scheduled->second) {
    const auto verdict =
        std::find_if(verdicts.begin(), verdicts.end(),
                     [&id = machine](const Verdict& known) { return known.machine == id; });
    if (verdict != verdicts.end()) {
      const std::string note = entry.is_leaving ? "runs here until it runs at its new place"
                                                : note_of(cluster, unit, machine, entry);
      if (!note.empty() && !verdict->note.empty()) verdict->note += "; ";
      verdict->note += note;
      continue;
    }
    verdicts.push_back(
        {machine, holding == Holding::kStorm
                      ? "scheduled here, but the machine is away; many vanished together, so that "
                        "the leader waits for one more lease time"
                      : "scheduled here, but the machine is away"});
  }
}

}  // namespace flotilla::engine
