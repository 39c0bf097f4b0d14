// org.freedesktop.systemd1.Manager: the tables.

#include "bus/object_path.h"
#include "init/bus_methods.h"
#include "init/bus_table.h"
#include "init/bus_write.h"

namespace flotilla::init {
namespace {

using S = const BusSubject&;
using W = bus::MessageWriter&;

constexpr Emits kConst = Emits::kConst;
constexpr Emits kNothing = Emits::kNothing;
constexpr Emits kValue = Emits::kValue;

void write_progress(S s, W w) {
  const uint32_t installed = s.manager.n_installed_jobs();
  const bool finished = s.manager.finish_time().is_set() || installed == 0;
  w.f64(finished ? 1.0 : 1.0 - static_cast<double>(s.manager.n_jobs()) / installed);
}

base::Status set_log_level(Manager& manager, bus::MessageReader value) {
  FLOTILLA_ASSIGN(const std::string level, value.string());
  return manager.set_log_level(level);
}

constexpr BusProperty kManagerProperties[] = {
    {"Version", "s", kConst, [](S s, W w) { w.string(s.manager.version()); }},
    {"Features", "s", kConst, [](S s, W w) { w.string(s.manager.features()); }},
    {"UserspaceTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.userspace_time()); }},
    {"UserspaceTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.userspace_time()); }},
    {"FinishTimestamp", "t", kConst, [](S s, W w) { write_wall(w, s.manager.finish_time()); }},
    {"FinishTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.finish_time()); }},
    {"UnitsLoadStartTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.units_load_start_time()); }},
    {"UnitsLoadStartTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.units_load_start_time()); }},
    {"UnitsLoadFinishTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.units_load_finish_time()); }},
    {"UnitsLoadFinishTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.units_load_finish_time()); }},
    {"LogLevel", "s", kNothing, [](S s, W w) { w.string(s.manager.log_level()); }, nullptr,
     set_log_level},
    {"NNames", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_names()); }},
    {"NFailedUnits", "u", kValue, [](S s, W w) { w.u32(s.manager.n_failed_units()); }},
    {"NJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_jobs()); }},
    {"NInstalledJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_installed_jobs()); }},
    {"NFailedJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_failed_jobs()); }},
    {"Progress", "d", kNothing, write_progress},
    {"Environment", "as", kNothing, [](S s, W w) { w.strings(s.manager.environment()); }},
    {"ShowStatus", "b", kNothing, [](S s, W w) { w.boolean(s.manager.show_status()); }},
    {"UnitPath", "as", kConst, [](S s, W w) { w.strings(s.manager.unit_path()); }},
    {"ControlGroup", "s", kNothing, [](S s, W w) { w.string(s.manager.control_group()); },
     [](S s) { return s.manager.process_tracking() == "cgroup"; }},
    {"SystemState", "s", kNothing, [](S s, W w) { w.string(s.manager.system_state()); }},
    {"ExitCode", "y", kNothing,
     [](S s, W w) { w.u8(static_cast<uint8_t>(s.manager.exit_code())); }},
    // Ours.
    {"ProcessTracking", "s", kConst, [](S s, W w) { w.string(s.manager.process_tracking()); }},
};

constexpr BusMethod kManagerMethods[] = {
    {"GetUnit", "s", "o", Access::kRead, bus_get_unit},
    {"GetUnitByPID", "u", "o", Access::kRead, bus_get_unit_by_pid},
    {"GetUnitByInvocationID", "ay", "o", Access::kRead, bus_get_unit_by_invocation_id},
    {"LoadUnit", "s", "o", Access::kRead, bus_load_unit},
    {"StartUnit", "ss", "o", Access::kChange, bus_start_unit},
    {"StartUnitWithFlags", "sst", "o", Access::kChange, bus_start_unit_with_flags},
    {"StartUnitReplace", "sss", "o", Access::kChange, bus_start_unit_replace},
    {"StopUnit", "ss", "o", Access::kChange, bus_stop_unit},
    {"ReloadUnit", "ss", "o", Access::kChange, bus_reload_unit},
    {"RestartUnit", "ss", "o", Access::kChange, bus_restart_unit},
    {"TryRestartUnit", "ss", "o", Access::kChange, bus_try_restart_unit},
    {"ReloadOrRestartUnit", "ss", "o", Access::kChange, bus_reload_or_restart_unit},
    {"ReloadOrTryRestartUnit", "ss", "o", Access::kChange, bus_reload_or_try_restart_unit},
    {"KillUnit", "ssi", "", Access::kChange, bus_kill_unit},
    {"ResetFailedUnit", "s", "", Access::kChange, bus_reset_failed_unit},
    {"ResetFailed", "", "", Access::kChange, bus_reset_failed},
    {"GetUnitProcesses", "s", "a(sus)", Access::kRead, bus_get_unit_processes},
    {"GetJob", "u", "o", Access::kRead, bus_get_job},
    {"CancelJob", "u", "", Access::kChange, bus_cancel_job},
    {"ClearJobs", "", "", Access::kChange, bus_clear_jobs},
    {"ListUnits", "", "a(ssssssouso)", Access::kRead, bus_list_units},
    {"ListUnitsFiltered", "as", "a(ssssssouso)", Access::kRead, bus_list_units_filtered},
    {"ListUnitsByPatterns", "asas", "a(ssssssouso)", Access::kRead, bus_list_units_by_patterns},
    {"ListUnitsByNames", "as", "a(ssssssouso)", Access::kRead, bus_list_units_by_names},
    {"ListJobs", "", "a(usssoo)", Access::kRead, bus_list_jobs},
    {"Subscribe", "", "", Access::kRead, bus_subscribe},
    {"Unsubscribe", "", "", Access::kRead, bus_subscribe},
    {"Reload", "", "", Access::kChange, bus_reload},
    {"Reexecute", "", "", Access::kChange, bus_reexecute},
    {"Exit", "", "", Access::kChange, bus_exit},
    {"Reboot", "", "", Access::kChange, bus_reboot},
    {"PowerOff", "", "", Access::kChange, bus_power_off},
    {"Halt", "", "", Access::kChange, bus_halt},
    {"KExec", "", "", Access::kChange, bus_kexec},
    {"SetEnvironment", "as", "", Access::kChange, bus_set_environment},
    {"UnsetEnvironment", "as", "", Access::kChange, bus_unset_environment},
    {"UnsetAndSetEnvironment", "asas", "", Access::kChange, bus_unset_and_set_environment},
    {"LinkUnitFiles", "asbb", "a(sss)", Access::kChange, bus_link_unit_files},
    {"EnableUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_enable_unit_files},
    {"EnableUnitFilesWithFlags", "ast", "ba(sss)", Access::kChange,
     bus_enable_unit_files_with_flags},
    {"DisableUnitFiles", "asb", "a(sss)", Access::kChange, bus_disable_unit_files},
    {"DisableUnitFilesWithFlags", "ast", "a(sss)", Access::kChange,
     bus_disable_unit_files_with_flags},
    {"ReenableUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_reenable_unit_files},
    {"MaskUnitFiles", "asbb", "a(sss)", Access::kChange, bus_mask_unit_files},
    {"UnmaskUnitFiles", "asb", "a(sss)", Access::kChange, bus_unmask_unit_files},
    {"RevertUnitFiles", "as", "a(sss)", Access::kChange, bus_revert_unit_files},
    {"PresetUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_preset_unit_files},
    {"PresetUnitFilesWithMode", "assbb", "ba(sss)", Access::kChange,
     bus_preset_unit_files_with_mode},
    {"PresetAllUnitFiles", "sbb", "a(sss)", Access::kChange, bus_preset_all_unit_files},
    {"AddDependencyUnitFiles", "asssbb", "a(sss)", Access::kChange, bus_add_dependency_unit_files},
    {"GetUnitFileLinks", "sb", "as", Access::kRead, bus_get_unit_file_links},
    {"GetUnitFileState", "s", "s", Access::kRead, bus_get_unit_file_state},
    {"ListUnitFiles", "", "a(ss)", Access::kRead, bus_list_unit_files},
    {"ListUnitFilesByPatterns", "asas", "a(ss)", Access::kRead, bus_list_unit_files_by_patterns},
    {"GetDefaultTarget", "", "s", Access::kRead, bus_get_default_target},
    {"SetDefaultTarget", "sb", "a(sss)", Access::kChange, bus_set_default_target},
};

constexpr BusSignal kManagerSignals[] = {
    {"UnitNew", "so"},      {"UnitRemoved", "so"},         {"JobNew", "uos"},
    {"JobRemoved", "uoss"}, {"StartupFinished", "tttttt"}, {"UnitFilesChanged", ""},
    {"Reloading", "b"},
};

constexpr BusInterface kManagerInterface{bus::kManagerInterface, kManagerProperties,
                                         kManagerMethods, kManagerSignals};

}  // namespace

const BusInterface& bus_manager_interface() { return kManagerInterface; }

const BusProperty* BusInterface::find_property(std::string_view property) const {
  for (const BusProperty& candidate : properties) {
    if (candidate.name == property) return &candidate;
  }
  return nullptr;
}

const BusMethod* BusInterface::find_method(std::string_view method) const {
  for (const BusMethod& candidate : methods) {
    if (candidate.name == method) return &candidate;
  }
  return nullptr;
}

std::vector<const BusInterface*> bus_interfaces_of(const BusSubject& subject) {
  if (subject.job != nullptr) return {&bus_job_interface()};
  if (subject.unit == nullptr) return {&bus_manager_interface()};
  return {&bus_type_interface(subject.unit->settings.name.type()), &bus_unit_interface()};
}

}  // namespace flotilla::init
