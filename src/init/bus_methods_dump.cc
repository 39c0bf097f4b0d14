// Dump and its kin: what the manager knows, as text for people. The text has no fixed form.

#include <fnmatch.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/fd.h"
#include "init/bus_answer.h"
#include "init/bus_methods.h"

namespace flotilla::init {
namespace {

using Lines = std::back_insert_iterator<std::string>;

void dump_list(Lines out, std::string_view name, const std::vector<std::string>& list) {
  for (const std::string& value : list) fmt::format_to(out, "\t{}: {}\n", name, value);
}

void dump_time(Lines out, std::string_view name, const Timestamps& time) {
  if (!time.is_set()) return;
  fmt::format_to(out, "\t{} Timestamp: {}us\n", name, time.monotonic.since_epoch.count());
}

void dump_dependencies(Lines out, const Manager& manager, const Unit& unit) {
  static constexpr std::pair<Dependency, std::string_view> kKinds[] = {
      {Dependency::kRequires, "Requires"},     {Dependency::kRequisite, "Requisite"},
      {Dependency::kWants, "Wants"},           {Dependency::kBindsTo, "BindsTo"},
      {Dependency::kPartOf, "PartOf"},         {Dependency::kUpholds, "Upholds"},
      {Dependency::kConflicts, "Conflicts"},   {Dependency::kBefore, "Before"},
      {Dependency::kAfter, "After"},           {Dependency::kOnFailure, "OnFailure"},
      {Dependency::kOnSuccess, "OnSuccess"},   {Dependency::kTriggers, "Triggers"},
      {Dependency::kRequiredBy, "RequiredBy"}, {Dependency::kWantedBy, "WantedBy"},
      {Dependency::kBoundBy, "BoundBy"},       {Dependency::kTriggeredBy, "TriggeredBy"}};
  for (const auto& [kind, name] : kKinds) dump_list(out, name, manager.dependencies(unit, kind));
}

void dump_unit(Lines out, const Manager& manager, const Unit& unit) {
  fmt::format_to(out, "-> Unit {}:\n\tDescription: {}\n\tUnit Load State: {}\n", unit.id,
                 unit.description(), unit.load_state());
  fmt::format_to(out, "\tUnit Active State: {}\n\tUnit Sub State: {}\n\tNeed Daemon Reload: {}\n",
                 unit.active_state(), unit.sub_state(),
                 manager.need_daemon_reload(unit) ? "yes" : "no");
  const UnitSettings& settings = unit.settings;
  if (const std::string path = settings.fragment_path(); !path.empty()) {
    fmt::format_to(out, "\tFragment Path: {}\n", path);
  }
  dump_list(out, "DropIn Path", settings.extras->drop_in_paths);
  dump_time(out, "State Change", unit.times[UnitMoment::kStateChange]);
  dump_time(out, "Inactive Exit", unit.times[UnitMoment::kInactiveExit]);
  dump_time(out, "Active Enter", unit.times[UnitMoment::kActiveEnter]);
  dump_time(out, "Active Exit", unit.times[UnitMoment::kActiveExit]);
  dump_time(out, "Inactive Enter", unit.times[UnitMoment::kInactiveEnter]);
  if (!unit.invocation_id().empty()) {
    fmt::format_to(out, "\tInvocation ID: {}\n", unit.invocation_id());
  }
  if (const std::string cgroup = manager.cgroup_path(unit); !cgroup.empty()) {
    fmt::format_to(out, "\tCGroup: {}\n", cgroup);
  }
  dump_dependencies(out, manager, unit);
  dump_list(out, "Ignored Directive", manager.ignored_directives(unit));
  if (unit.is_service()) {
    fmt::format_to(out, "\tResult: {}\n\tMain PID: {}\n\tControl PID: {}\n\tRestarts: {}\n",
                   unit.result(), unit.main_pid(), unit.control_pid(), unit.n_restarts());
  }
}

std::string dump(const Manager& manager, const std::vector<std::string>& patterns) {
  std::string text;
  const Lines out = std::back_inserter(text);
  if (patterns.empty()) {
    fmt::format_to(out, "Manager: {}\nFeatures: {}\nState: {}\nProcess Tracking: {}\n",
                   manager.version(), manager.features(), manager.system_state(),
                   manager.process_tracking());
    fmt::format_to(out, "Units: {}\nJobs: {}\n", manager.units().size(), manager.n_jobs());
  }
  for (const Unit* unit : manager.units()) {
    const auto matches = [&](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), unit->id.c_str(), FNM_NOESCAPE) == 0;
    };
    if (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), matches)) continue;
    dump_unit(out, manager, *unit);
  }
  if (patterns.empty()) {
    for (const JobView& job : manager.jobs()) {
      fmt::format_to(out, "-> Job {}:\n\tAction: {} -> {}\n\tState: {}\n", job.id, job.unit,
                     job.type, job.state);
    }
  }
  return text;
}

void answer_text(BusRequest& request, const std::vector<std::string>& patterns) {
  const std::string text = dump(request.manager, patterns);
  answer_with(request, [&](bus::MessageWriter& body) { body.string(text); });
}

void answer_file(BusRequest& request, const std::vector<std::string>& patterns) {
  const std::string text = dump(request.manager, patterns);
  const base::Fd file(::memfd_create("dump", MFD_CLOEXEC));
  // A memory file takes all or, without memory, nothing.
  if (!file ||
      ::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return answer_error(request, "org.freedesktop.DBus.Error.NoMemory", "No memory for the dump");
  }
  answer_with(request, [&](bus::MessageWriter& body) { body.fd(file.get()); });
}

}  // namespace

void bus_dump(BusRequest& request) { answer_text(request, {}); }
void bus_dump_units(BusRequest& request) {
  answer_text(request, request.call.arguments().strings().value_or({}));
}
void bus_dump_by_fd(BusRequest& request) { answer_file(request, {}); }
void bus_dump_units_by_fd(BusRequest& request) {
  answer_file(request, request.call.arguments().strings().value_or({}));
}

}  // namespace flotilla::init
