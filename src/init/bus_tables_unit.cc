// org.freedesktop.systemd1.Unit and .Job: the tables.

#include <array>

#include "bus/object_path.h"
#include "init/bus_methods.h"
#include "init/bus_table.h"
#include "init/bus_write.h"
#include "init/job.h"

namespace flotilla::init {
namespace {

using S = const BusSubject&;
using W = bus::MessageWriter&;

// --- Shapes ---

template <Dependency Kind>
void dependencies(S s, W w) {
  w.strings(s.manager.dependencies(*s.unit, Kind));
}
template <UnitMoment Which>
void wall(S s, W w) {
  write_wall(w, s.unit->times[Which]);
}
template <UnitMoment Which>
void monotonic(S s, W w) {
  write_monotonic(w, s.unit->times[Which]);
}
template <Micros UnitLimits::*Limit>
void limit(S s, W w) {
  write_span(w, (*s.unit->settings.limits).*Limit);
}
template <auto Setting>
void setting(S s, W w) {
  const auto& value = s.unit->settings.*Setting;
  using T = std::decay_t<decltype(value)>;
  if constexpr (std::is_same_v<T, bool>) {
    w.boolean(value);
  } else if constexpr (std::is_same_v<T, Micros>) {
    write_span(w, value);
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    w.u32(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    w.string(value);
  } else {
    w.strings(value);
  }
}
template <std::vector<std::string> UnitExtras::*Member>
void extra(S s, W w) {
  w.strings(s.unit->settings.extras.get().*Member);
}

// --- What takes more than one line ---

void write_names(S s, W w) {
  w.open_array("s").string(s.unit->id);
  for (const unit::UnitName& alias : s.unit->settings.extras->aliases) {
    if (alias.str() != s.unit->id) w.string(alias.str());
  }
  w.close();
}

bool is_loaded(const Unit& unit) { return unit.settings.load_state == LoadState::kLoaded; }
bool can_start(const Unit& unit) {
  // Scopes are made by those whose processes are in them.
  return is_loaded(unit) && !unit.settings.refuse_manual_start &&
         unit.settings.name.type() != unit::UnitType::kScope;
}
bool can_stop(const Unit& unit) {
  return !unit.settings.refuse_manual_stop && !Manager::is_perpetual(unit);
}

// It works both ways, and is told of whose file says so.
void write_joined_namespaces(S s, W w) {
  w.strings(s.manager.declared_dependencies(*s.unit, Dependency::kJoinsNamespaceOf));
}

void write_can_reload(S s, W w) { w.boolean(s.manager.can_reload(*s.unit)); }

template <EmergencyAction UnitActions::*Action>
void action(S s, W w) {
  w.string(to_string((*s.unit->settings.extras->actions).*Action));
}
template <std::optional<uint8_t> UnitActions::*Status>
void action_status(S s, W w) {
  const auto& status = (*s.unit->settings.extras->actions).*Status;
  w.i32(status ? *status : -1);
}
template <std::string UnitActions::*Text>
void action_text(S s, W w) {
  w.string((*s.unit->settings.extras->actions).*Text);
}
template <JobMode UnitSettings::*Mode>
void job_mode(S s, W w) {
  w.string(to_string(s.unit->settings.*Mode));
}

// What timers and paths tell of why they triggered.
void write_activation_details(S, W w) { w.open_array("(ss)").close(); }

void write_markers(S s, W w) {
  w.open_array("s");
  const auto has = [&](UnitMarker marker) {
    return (s.unit->markers & static_cast<uint8_t>(marker)) != 0;
  };
  if (has(UnitMarker::kNeedsReload)) w.string("needs-reload");
  if (has(UnitMarker::kNeedsRestart)) w.string("needs-restart");
  w.close();
}

// What is mounted without a file is a unit because the kernel says so.
void write_source_path(S s, W w) {
  const UnitSettings& settings = s.unit->settings;
  const bool is_of_kernel = settings.name.type() == unit::UnitType::kMount && is_loaded(*s.unit) &&
                            settings.fragment_directory.empty() && !Manager::is_perpetual(*s.unit);
  w.string(is_of_kernel ? "/proc/self/mountinfo" : settings.extras->source_path);
}

void write_job(S s, W w) {
  const uint32_t id = s.unit->job;
  w.open_struct("uo").u32(id).object_path(id != 0 ? bus::job_path(id) : "/").close();
}

// In the order in which they are looked at.
void write_conditions(W w, std::string_view prefix, const std::vector<Condition>& conditions) {
  w.open_array("(sbbsi)");
  for (auto last = conditions.rbegin(); last != conditions.rend(); ++last) {
    w.open_struct("sbbsi")
        .string(std::string(prefix) + last->kind)
        .boolean(last->trigger)
        .boolean(last->negate)
        .string(last->parameter)
        .i32(last->result)
        .close();
  }
  w.close();
}

void write_all_conditions(S s, W w) {
  write_conditions(w, "Condition", s.unit->settings.extras->conditions);
}
void write_all_asserts(S s, W w) {
  write_conditions(w, "Assert", s.unit->settings.extras->assertions);
}

void write_load_error(S s, W w) {
  const UnitSettings& settings = s.unit->settings;
  w.open_struct("ss")
      .string(settings.extras->load_error_bus_name)
      .string(settings.extras->load_error)
      .close();
}

void write_unit_file_state(S s, W w) { w.string(s.manager.unit_file_state(*s.unit)); }
void write_unit_file_preset(S s, W w) { w.string(s.manager.unit_file_preset(*s.unit)); }

void write_invocation_id(S s, W w) {
  const bool any = !s.unit->invocation_id().empty();
  w.bytes(s.unit->invocation.data(), any ? s.unit->invocation.size() : 0);
}

constexpr Emits kConst = Emits::kConst;
constexpr Emits kNothing = Emits::kNothing;
constexpr Emits kValue = Emits::kValue;
constexpr Emits kInvalidates = Emits::kInvalidates;

constexpr BusProperty kUnitProperties[] = {
    {"Id", "s", kConst, [](S s, W w) { w.string(s.unit->id); }},
    {"Names", "as", kConst, write_names},
    // Only devices follow others.
    {"Following", "s", kNothing, [](S, W w) { w.string(""); }},
    {"Requires", "as", kConst, dependencies<Dependency::kRequires>},
    {"Requisite", "as", kConst, dependencies<Dependency::kRequisite>},
    {"Wants", "as", kConst, dependencies<Dependency::kWants>},
    {"BindsTo", "as", kConst, dependencies<Dependency::kBindsTo>},
    {"PartOf", "as", kConst, dependencies<Dependency::kPartOf>},
    {"Upholds", "as", kConst, dependencies<Dependency::kUpholds>},
    {"RequiredBy", "as", kConst, dependencies<Dependency::kRequiredBy>},
    {"RequisiteOf", "as", kConst, dependencies<Dependency::kRequisiteOf>},
    {"WantedBy", "as", kConst, dependencies<Dependency::kWantedBy>},
    {"BoundBy", "as", kConst, dependencies<Dependency::kBoundBy>},
    {"UpheldBy", "as", kConst, dependencies<Dependency::kUpheldBy>},
    {"ConsistsOf", "as", kConst, dependencies<Dependency::kConsistsOf>},
    {"Conflicts", "as", kConst, dependencies<Dependency::kConflicts>},
    {"ConflictedBy", "as", kConst, dependencies<Dependency::kConflictedBy>},
    {"Before", "as", kConst, dependencies<Dependency::kBefore>},
    {"After", "as", kConst, dependencies<Dependency::kAfter>},
    {"OnSuccess", "as", kConst, dependencies<Dependency::kOnSuccess>},
    {"OnSuccessOf", "as", kConst, dependencies<Dependency::kOnSuccessOf>},
    {"OnFailure", "as", kConst, dependencies<Dependency::kOnFailure>},
    {"OnFailureOf", "as", kConst, dependencies<Dependency::kOnFailureOf>},
    {"Triggers", "as", kConst, dependencies<Dependency::kTriggers>},
    {"TriggeredBy", "as", kConst, dependencies<Dependency::kTriggeredBy>},
    {"PropagatesReloadTo", "as", kConst, dependencies<Dependency::kPropagatesReloadTo>},
    {"ReloadPropagatedFrom", "as", kConst, dependencies<Dependency::kReloadPropagatedFrom>},
    {"PropagatesStopTo", "as", kConst, dependencies<Dependency::kPropagatesStopTo>},
    {"StopPropagatedFrom", "as", kConst, dependencies<Dependency::kStopPropagatedFrom>},
    {"JoinsNamespaceOf", "as", kConst, write_joined_namespaces},
    {"SliceOf", "as", kConst, [](S s, W w) { w.strings(s.manager.units_in_slice(*s.unit)); }},
    {"RequiresMountsFor", "as", kConst, extra<&UnitExtras::requires_mounts_for>},
    {"Documentation", "as", kConst, extra<&UnitExtras::documentation>},
    {"Description", "s", kConst, [](S s, W w) { w.string(s.unit->description()); }},
    {"AccessSELinuxContext", "s", kConst, [](S, W w) { w.string(""); }},
    {"LoadState", "s", kConst, [](S s, W w) { w.string(s.unit->load_state()); }},
    {"ActiveState", "s", kValue, [](S s, W w) { w.string(s.unit->active_state()); }},
    {"FreezerState", "s", kValue, [](S s, W w) { w.string(s.manager.freezer_state(*s.unit)); }},
    {"SubState", "s", kValue, [](S s, W w) { w.string(s.unit->sub_state()); }},
    {"FragmentPath", "s", kConst, [](S s, W w) { w.string(s.unit->settings.fragment_path()); }},
    {"SourcePath", "s", kConst, write_source_path},
    {"DropInPaths", "as", kConst, extra<&UnitExtras::drop_in_paths>},
    {"UnitFileState", "s", kNothing, write_unit_file_state},
    {"UnitFilePreset", "s", kNothing, write_unit_file_preset},
    {"StateChangeTimestamp", "t", kValue, wall<UnitMoment::kStateChange>},
    {"StateChangeTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kStateChange>},
    {"InactiveExitTimestamp", "t", kValue, wall<UnitMoment::kInactiveExit>},
    {"InactiveExitTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kInactiveExit>},
    {"ActiveEnterTimestamp", "t", kValue, wall<UnitMoment::kActiveEnter>},
    {"ActiveEnterTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kActiveEnter>},
    {"ActiveExitTimestamp", "t", kValue, wall<UnitMoment::kActiveExit>},
    {"ActiveExitTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kActiveExit>},
    {"InactiveEnterTimestamp", "t", kValue, wall<UnitMoment::kInactiveEnter>},
    {"InactiveEnterTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kInactiveEnter>},
    {"CanStart", "b", kConst, [](S s, W w) { w.boolean(can_start(*s.unit)); }},
    {"CanStop", "b", kConst, [](S s, W w) { w.boolean(can_stop(*s.unit)); }},
    {"CanReload", "b", kConst, write_can_reload},
    {"CanIsolate", "b", kConst,
     [](S s, W w) { w.boolean(can_start(*s.unit) && s.unit->settings.allow_isolate); }},
    {"CanClean", "as", kConst, [](S s, W w) { w.strings(s.unit->can_clean()); }},
    {"CanFreeze", "b", kConst, [](S s, W w) { w.boolean(s.manager.can_freeze(*s.unit)); }},
    {"Job", "(uo)", kValue, write_job},
    {"StopWhenUnneeded", "b", kConst, setting<&UnitSettings::stop_when_unneeded>},
    {"RefuseManualStart", "b", kConst, setting<&UnitSettings::refuse_manual_start>},
    {"RefuseManualStop", "b", kConst, setting<&UnitSettings::refuse_manual_stop>},
    {"AllowIsolate", "b", kConst, setting<&UnitSettings::allow_isolate>},
    {"DefaultDependencies", "b", kConst, setting<&UnitSettings::default_dependencies>},
    {"OnSuccessJobMode", "s", kConst, job_mode<&UnitSettings::on_success_job_mode>},
    {"OnFailureJobMode", "s", kConst, job_mode<&UnitSettings::on_failure_job_mode>},
    {"IgnoreOnIsolate", "b", kConst, setting<&UnitSettings::ignore_on_isolate>},
    {"NeedDaemonReload", "b", kNothing,
     [](S s, W w) { w.boolean(s.manager.need_daemon_reload(*s.unit)); }},
    {"Markers", "as", kNothing, write_markers},
    {"JobTimeoutUSec", "t", kConst, limit<&UnitLimits::job_timeout>},
    {"JobRunningTimeoutUSec", "t", kConst, limit<&UnitLimits::job_running_timeout>},
    {"JobTimeoutAction", "s", kConst, action<&UnitActions::job_timeout>},
    {"JobTimeoutRebootArgument", "s", kConst,
     action_text<&UnitActions::job_timeout_reboot_argument>},
    {"ConditionResult", "b", kValue, [](S s, W w) { w.boolean(s.unit->condition_result); }},
    {"AssertResult", "b", kValue, [](S s, W w) { w.boolean(s.unit->assert_result); }},
    {"ConditionTimestamp", "t", kValue, wall<UnitMoment::kCondition>},
    {"ConditionTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kCondition>},
    {"AssertTimestamp", "t", kValue, wall<UnitMoment::kAssert>},
    {"AssertTimestampMonotonic", "t", kValue, monotonic<UnitMoment::kAssert>},
    {"Conditions", "a(sbbsi)", kInvalidates, write_all_conditions},
    {"Asserts", "a(sbbsi)", kInvalidates, write_all_asserts},
    {"LoadError", "(ss)", kConst, write_load_error},
    {"Transient", "b", kConst, [](S s, W w) { w.boolean(s.unit->transient); }},
    {"Perpetual", "b", kConst, [](S s, W w) { w.boolean(Manager::is_perpetual(*s.unit)); }},
    {"StartLimitIntervalUSec", "t", kConst, limit<&UnitLimits::start_interval>},
    {"StartLimitBurst", "u", kConst, [](S s, W w) { w.u32(s.unit->settings.limits->start_burst); }},
    {"StartLimitAction", "s", kConst, action<&UnitActions::start_limit>},
    {"FailureAction", "s", kConst, action<&UnitActions::failure>},
    {"FailureActionExitStatus", "i", kConst, action_status<&UnitActions::failure_exit_status>},
    {"SuccessAction", "s", kConst, action<&UnitActions::success>},
    {"SuccessActionExitStatus", "i", kConst, action_status<&UnitActions::success_exit_status>},
    {"RebootArgument", "s", kConst, action_text<&UnitActions::reboot_argument>},
    {"InvocationID", "ay", kValue, write_invocation_id},
    {"CollectMode", "s", kConst,
     [](S s, W w) {
       w.string(s.unit->settings.collect_failed ? "inactive-or-failed" : "inactive");
     }},
    // Who holds on to it has no name where there is no bus.
    {"Refs", "as", kNothing, [](S, W w) { w.open_array("s").close(); },
     [](S s) { return s.unit->refs == 0; }},
    {"ActivationDetails", "a(ss)", kConst, write_activation_details},
    // Ours: what the files say that this manager does not do, and how it knows a unit's processes.
    {"IgnoredDirectives", "as", kConst,
     [](S s, W w) { w.strings(s.manager.ignored_directives(*s.unit)); }},
    {"ProcessTracking", "s", kConst, [](S s, W w) { w.string(s.unit->process_tracking()); }},
};

constexpr BusMethod kUnitMethods[] = {
    {"Start", "s", "o", Access::kChange, bus_unit_start},
    {"Stop", "s", "o", Access::kChange, bus_unit_stop},
    {"Reload", "s", "o", Access::kChange, bus_unit_reload},
    {"Restart", "s", "o", Access::kChange, bus_unit_restart},
    {"TryRestart", "s", "o", Access::kChange, bus_unit_try_restart},
    {"ReloadOrRestart", "s", "o", Access::kChange, bus_unit_reload_or_restart},
    {"ReloadOrTryRestart", "s", "o", Access::kChange, bus_unit_reload_or_try_restart},
    {"EnqueueJob", "ss", "uososa(uosos)", Access::kChange, bus_unit_enqueue_job},
    {"Kill", "si", "", Access::kChange, bus_unit_kill},
    {"ResetFailed", "", "", Access::kChange, bus_unit_reset_failed},
    {"SetProperties", "ba(sv)", "", Access::kChange, bus_unit_set_properties},
    {"Ref", "", "", Access::kChange, bus_unit_ref},
    {"Unref", "", "", Access::kChange, bus_unit_unref},
    {"Clean", "as", "", Access::kChange, bus_unit_clean},
    {"Freeze", "", "", Access::kChange, bus_unit_freeze},
    {"Thaw", "", "", Access::kChange, bus_unit_thaw},
};

// --- Jobs ---

void write_unit_of_job(S s, W w) {
  w.open_struct("so").string(s.job->unit).object_path(bus::unit_path(s.job->unit)).close();
}

constexpr BusProperty kJobProperties[] = {
    {"Id", "u", kConst, [](S s, W w) { w.u32(s.job->id); }},
    {"Unit", "(so)", kConst, write_unit_of_job},
    {"JobType", "s", kConst, [](S s, W w) { w.string(s.job->type); }},
    {"State", "s", kValue, [](S s, W w) { w.string(s.job->state); }},
    {"ActivationDetails", "a(ss)", kConst, write_activation_details},
};

constexpr BusMethod kJobMethods[] = {
    {"Cancel", "", "", Access::kChange, bus_job_cancel},
    {"GetAfter", "", "a(usssoo)", Access::kRead, bus_job_get_after},
    {"GetBefore", "", "a(usssoo)", Access::kRead, bus_job_get_before},
};

constexpr BusInterface kUnitInterface{bus::kUnitInterface, kUnitProperties, kUnitMethods, {}};
constexpr BusInterface kJobInterface{bus::kJobInterface, kJobProperties, kJobMethods, {}};

}  // namespace

const BusInterface& bus_unit_interface() { return kUnitInterface; }
const BusInterface& bus_job_interface() { return kJobInterface; }

}  // namespace flotilla::init
