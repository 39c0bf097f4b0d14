#include "engine/decision.h"

namespace flotilla::engine {

std::string_view to_string(Decision::Kind kind) {
  switch (kind) {
    case Decision::Kind::kUnschedule:
      return "UnscheduleUnit";
    case Decision::Kind::kSchedule:
      return "AttemptScheduleUnit";
    case Decision::Kind::kUpdate:
      return "UpdateUnit";
    case Decision::Kind::kPutGlobal:
      return "PutGlobalUnit";
    case Decision::Kind::kRemoveGlobal:
      return "RemoveGlobalUnit";
  }
  return "";
}

registry::ScheduleEntry schedule_entry_of(const registry::Unit& unit, std::string machine) {
  registry::ScheduleEntry entry;
  entry.name = unit.name;
  entry.machine = std::move(machine);
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  return entry;
}

registry::ScheduleEntry schedule_entry_of(const registry::Cluster& cluster, std::string_view unit,
                                          std::string machine) {
  registry::ScheduleEntry entry =
      schedule_entry_of(cluster.units.find(unit)->second, std::move(machine));
  entry.is_finished = cluster.find_finished(unit) != nullptr;
  return entry;
}

registry::GlobalEntry global_entry_of(const registry::Unit& unit) {
  registry::GlobalEntry entry;
  entry.name = unit.name;
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  return entry;
}

void apply_decisions(registry::Cluster& cluster, const std::vector<Decision>& decisions) {
  for (const Decision& decision : decisions) {
    switch (decision.kind) {
      case Decision::Kind::kUnschedule: {
        const auto found = cluster.schedule.find(decision.unit);
        if (found == cluster.schedule.end()) break;
        found->second.erase(decision.machine);
        if (found->second.empty()) cluster.schedule.erase(found);
        break;
      }
      case Decision::Kind::kSchedule:
      case Decision::Kind::kUpdate:
        cluster.schedule[decision.unit][decision.machine] =
            schedule_entry_of(cluster, decision.unit, decision.machine);
        break;
      case Decision::Kind::kPutGlobal:
        cluster.globals[decision.unit] = global_entry_of(cluster.units.at(decision.unit));
        break;
      case Decision::Kind::kRemoveGlobal:
        cluster.globals.erase(decision.unit);
        break;
    }
  }
}

}  // namespace flotilla::engine
