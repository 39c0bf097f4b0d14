#include "agent/assigner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "unit/fleet_file.h"
#include "unit/fleet_glob.h"
#include "unit/oneshot.h"

namespace flotilla::agent {

namespace {

struct Taken {
  const std::string& name;
  const unit::FleetRequirements& requirements;
};

bool has_peers(const Taken& unit, const std::vector<Taken>& taken) {
  const std::vector<std::string>& peers = unit.requirements.peers;
  return std::all_of(peers.begin(), peers.end(), [&](const std::string& peer) {
    return std::any_of(taken.begin(), taken.end(), [&](const Taken& other) {
      return other.name == peer || unit::glob_matches(peer, other.name);
    });
  });
}

bool conflicts_with_any(const Taken& unit, const std::vector<Taken>& taken) {
  return std::any_of(taken.begin(), taken.end(), [&](const Taken& other) {
    return unit.requirements.conflicts_with(other.name) ||
           other.requirements.conflicts_with(unit.name);
  });
}

InstallSection install_section_of(const std::vector<unit::UnitOption>& options) {
  constexpr std::array<std::string_view, 4> kNames{"WantedBy", "RequiredBy", "UpheldBy", "Alias"};
  InstallSection section = InstallSection::kNone;
  for (const unit::UnitOption& option : options) {
    if (option.section != "Install") continue;
    const bool is_name = std::find(kNames.begin(), kNames.end(), option.name) != kNames.end();
    if (is_name && !option.value.empty()) return InstallSection::kNames;
    section = InstallSection::kOther;
  }
  return section;
}

template <typename Entry>
std::optional<std::vector<unit::UnitOption>> read_text(const Entry& entry) {
  auto options = unit::parse_fleet_file(entry.text);
  if (options) return std::move(*options);
  SPDLOG_ERROR("Unit({}): unreadable text: {}", entry.name, options.error().message);
  return std::nullopt;
}

template <typename Entry>
Assignment assignment_of(const Entry& entry, const std::vector<unit::UnitOption>& options) {
  Assignment assignment;
  assignment.hash = entry.hash;
  assignment.text = entry.text;
  assignment.target = entry.target;
  assignment.entry_revision = entry.mod_revision;
  assignment.install = install_section_of(options);
  return assignment;
}

}  // namespace

void Assigner::put(const registry::ScheduleEntry& entry) {
  const std::string& unit = entry.name;
  forget_scheduled(unit);
  are_globals_stale_ |= !globals_.empty();
  const auto options = read_text(entry);
  if (!options) {
    broken_scheduled_.insert(unit);
    return name_untouchable();
  }
  unit::FleetRequirements requirements = unit::extract_requirements(*options, unit);
  Assignment assignment = assignment_of(entry, *options);
  assignment.runs_once = requirements.wishes.stops_on_partition;
  assignment.is_oneshot = unit::is_oneshot(*options);
  assignment.is_finished = entry.is_finished;
  running_once_ += assignment.runs_once ? 1 : 0;
  assigned_.has_units_that_run_once = running_once_ > 0;
  chosen_.erase(unit);
  assigned_.units.insert_or_assign(unit, std::move(assignment));
  scheduled_.insert_or_assign(unit, std::move(requirements));
}

void Assigner::put(const registry::GlobalEntry& entry) {
  const std::string& unit = entry.name;
  erase_global(unit);
  const auto options = read_text(entry);
  if (!options) {
    broken_globals_.insert(unit);
    return name_untouchable();
  }
  globals_.insert_or_assign(
      unit, Global{assignment_of(entry, *options), unit::extract_requirements(*options, unit)});
}

void Assigner::erase_scheduled(const std::string& unit) {
  forget_scheduled(unit);
  are_globals_stale_ |= !globals_.empty();
}

void Assigner::forget_scheduled(const std::string& unit) {
  if (broken_scheduled_.erase(unit) > 0) name_untouchable();
  if (scheduled_.erase(unit) == 0) return;
  const auto found = assigned_.units.find(unit);
  running_once_ -= found->second.runs_once ? 1 : 0;
  assigned_.has_units_that_run_once = running_once_ > 0;
  assigned_.units.erase(found);
}

void Assigner::erase_global(const std::string& unit) {
  if (broken_globals_.erase(unit) > 0) name_untouchable();
  globals_.erase(unit);
  are_globals_stale_ = true;
}

void Assigner::set_metadata(registry::Metadata metadata) {
  metadata_ = std::move(metadata);
  are_globals_stale_ = true;
}

void Assigner::set_unreadable(const std::map<std::string, std::string>& units_by_key) {
  unreadable_.clear();
  for (const auto& [key, unit] : units_by_key) unreadable_.insert(unit);
  name_untouchable();
}

void Assigner::name_untouchable() {
  assigned_.untouchable = unreadable_;
  assigned_.untouchable.insert(broken_scheduled_.begin(), broken_scheduled_.end());
  assigned_.untouchable.insert(broken_globals_.begin(), broken_globals_.end());
}

const AssignedUnits& Assigner::assigned() {
  if (std::exchange(are_globals_stale_, false)) choose_globals();
  return assigned_;
}

void Assigner::choose_globals() {
  for (const std::string& unit : std::exchange(chosen_, {})) assigned_.units.erase(unit);
  if (globals_.empty()) return;
  std::vector<Taken> taken;
  for (const auto& [unit, requirements] : scheduled_) taken.push_back({unit, requirements});
  for (const auto& [unit, global] : globals_) {
    const Taken wanted{unit, global.requirements};
    if (!global.requirements.allows_metadata(metadata_) || assigned_.units.contains(unit) ||
        !has_peers(wanted, taken) || conflicts_with_any(wanted, taken)) {
      continue;
    }
    taken.push_back(wanted);
    chosen_.insert(unit);
    assigned_.units.emplace(unit, global.assignment);
  }
}

}  // namespace flotilla::agent
