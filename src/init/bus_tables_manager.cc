// org.freedesktop.systemd1.Manager: the tables.

#include <sys/prctl.h>
#include <sys/resource.h>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_limits.h"
#include "init/bus_methods.h"
#include "init/bus_table.h"
#include "init/bus_write.h"
#include "init/cgroup_settings.h"
#include "init/directives_values.h"
#include "init/manager_conf.h"

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

base::Status set_log_target(Manager& manager, bus::MessageReader value) {
  FLOTILLA_ASSIGN(const std::string target, value.string());
  return manager.set_log_target(target);
}

base::Status set_service_watchdogs(Manager& manager, bus::MessageReader value) {
  FLOTILLA_ASSIGN(const bool enabled, value.boolean());
  manager.set_service_watchdogs(enabled);
  return {};
}

CgroupSettings cgroup_of(const UnitSettings& settings) {
  return settings.extras->cgroup ? *settings.extras->cgroup : default_cgroup_settings();
}

// What processes get whose unit says nothing: the manager's own, but for what it raised for itself.
template <int Resource, rlim_t rlimit::*Bound>
void default_limit(S s, W w) {
  rlimit limit{};
  const UnitSettings unit = s.manager.default_service();
  if (const auto& set = unit.exec->limits[Resource]) {
    limit = *set;
  } else if (Resource == RLIMIT_NOFILE && s.manager.inherited_descriptors()) {
    limit = *s.manager.inherited_descriptors();
  } else {
    ::getrlimit(static_cast<__rlimit_resource>(Resource), &limit);
  }
  w.u64(limit.*Bound == RLIM_INFINITY ? UINT64_MAX : limit.*Bound);
}

void never(S, W w) { w.u64(0); }
#define FLOTILLA_NEVER(name) \
  BusProperty{name, "t", kConst, never}, BusProperty { name "Monotonic", "t", kConst, never }
#define FLOTILLA_TIME(name, of)                                                                  \
  BusProperty{name, "t", kConst, [](S s, W w) { write_wall(w, s.manager.of()); }}, BusProperty { \
    name "Monotonic", "t", kConst, [](S s, W w) { write_monotonic(w, s.manager.of()); }          \
  }
#define FLOTILLA_LIMIT(name, resource)                                                       \
  BusProperty{"DefaultLimit" name, "t", kConst, default_limit<resource, &rlimit::rlim_max>}, \
      BusProperty {                                                                          \
    "DefaultLimit" name "Soft", "t", kConst, default_limit<resource, &rlimit::rlim_cur>      \
  }

constexpr BusProperty kManagerProperties[] = {
    {"Version", "s", kConst, [](S s, W w) { w.string(s.manager.version()); }},
    {"Features", "s", kConst, [](S s, W w) { w.string(s.manager.features()); }},
    {"Virtualization", "s", kConst, [](S s, W w) { w.string(s.manager.virtualization()); }},
    {"Architecture", "s", kConst, [](S s, W w) { w.string(s.manager.architecture()); }},
    {"Tainted", "s", kConst, [](S s, W w) { w.string(s.manager.tainted()); }},
    // Of what goes before a manager that is started by others nothing is known.
    FLOTILLA_NEVER("FirmwareTimestamp"),
    FLOTILLA_NEVER("LoaderTimestamp"),
    {"KernelTimestamp", "t", kConst, [](S s, W w) { write_wall(w, s.manager.kernel_time()); }},
    {"KernelTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.kernel_time()); }},
    FLOTILLA_NEVER("InitRDTimestamp"),
    {"UserspaceTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.userspace_time()); }},
    {"UserspaceTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.userspace_time()); }},
    {"FinishTimestamp", "t", kConst, [](S s, W w) { write_wall(w, s.manager.finish_time()); }},
    {"FinishTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.finish_time()); }},
    FLOTILLA_NEVER("SecurityStartTimestamp"),
    FLOTILLA_NEVER("SecurityFinishTimestamp"),
    FLOTILLA_TIME("GeneratorsStartTimestamp", generators_start_time),
    FLOTILLA_TIME("GeneratorsFinishTimestamp", generators_finish_time),
    {"UnitsLoadStartTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.units_load_start_time()); }},
    {"UnitsLoadStartTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.units_load_start_time()); }},
    {"UnitsLoadFinishTimestamp", "t", kConst,
     [](S s, W w) { write_wall(w, s.manager.units_load_finish_time()); }},
    {"UnitsLoadFinishTimestampMonotonic", "t", kConst,
     [](S s, W w) { write_monotonic(w, s.manager.units_load_finish_time()); }},
    FLOTILLA_TIME("UnitsLoadTimestamp", units_reload_time),
    FLOTILLA_NEVER("InitRDSecurityStartTimestamp"),
    FLOTILLA_NEVER("InitRDSecurityFinishTimestamp"),
    FLOTILLA_NEVER("InitRDGeneratorsStartTimestamp"),
    FLOTILLA_NEVER("InitRDGeneratorsFinishTimestamp"),
    FLOTILLA_NEVER("InitRDUnitsLoadStartTimestamp"),
    FLOTILLA_NEVER("InitRDUnitsLoadFinishTimestamp"),
    {"LogLevel", "s", kNothing, [](S s, W w) { w.string(s.manager.log_level()); }, nullptr,
     set_log_level},
    {"LogTarget", "s", kNothing, [](S s, W w) { w.string(s.manager.log_target()); }, nullptr,
     set_log_target},
    {"NNames", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_names()); }},
    {"NFailedUnits", "u", kValue, [](S s, W w) { w.u32(s.manager.n_failed_units()); }},
    {"NJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_jobs()); }},
    {"NInstalledJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_installed_jobs()); }},
    {"NFailedJobs", "u", kNothing, [](S s, W w) { w.u32(s.manager.n_failed_jobs()); }},
    {"Progress", "d", kNothing, write_progress},
    {"Environment", "as", kNothing, [](S s, W w) { w.strings(s.manager.environment()); }},
    {"ConfirmSpawn", "b", kConst, [](S, W w) { w.boolean(false); }},
    {"ShowStatus", "b", kNothing, [](S s, W w) { w.boolean(s.manager.show_status()); }},
    {"UnitPath", "as", kConst, [](S s, W w) { w.strings(s.manager.unit_path()); }},
    {"DefaultStandardOutput", "s", kConst,
     [](S s, W w) {
       w.string(to_string(s.manager.default_service().exec->standard_output, false));
     }},
    {"DefaultStandardError", "s", kConst,
     [](S s, W w) {
       w.string(to_string(s.manager.default_service().exec->standard_error, false));
     }},
    // There is no watchdog device that we feed.
    {"WatchdogDevice", "s", kNothing, [](S, W w) { w.string(""); }},
    {"WatchdogLastPingTimestamp", "t", kNothing, never},
    {"WatchdogLastPingTimestampMonotonic", "t", kNothing, never},
    {"RuntimeWatchdogUSec", "t", kNothing, never},
    {"RuntimeWatchdogPreUSec", "t", kNothing, never},
    {"RuntimeWatchdogPreGovernor", "s", kNothing, [](S, W w) { w.string(""); }},
    {"RebootWatchdogUSec", "t", kNothing,
     [](S s, W w) { write_span(w, s.manager.shown_conf().reboot_watchdog); }},
    {"KExecWatchdogUSec", "t", kNothing, never},
    {"ServiceWatchdogs", "b", kNothing, [](S s, W w) { w.boolean(s.manager.service_watchdogs()); },
     nullptr, set_service_watchdogs},
    {"ControlGroup", "s", kNothing,
     [](S s, W w) {
       const std::string group = s.manager.control_group();
       w.string(group == "/" ? "" : group);
     },
     [](S s) { return s.manager.process_tracking() == "cgroup"; }},
    {"SystemState", "s", kNothing, [](S s, W w) { w.string(s.manager.system_state()); }},
    {"ExitCode", "y", kNothing,
     [](S s, W w) { w.u8(static_cast<uint8_t>(s.manager.exit_code())); }},
    // Defaults of settings, which nothing but the units' own files change.
    {"DefaultTimerAccuracyUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.shown_conf().timer_accuracy); }},
    {"DefaultTimeoutStartUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.default_service().service->timeout_start); }},
    {"DefaultTimeoutStopUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.default_service().service->timeout_stop); }},
    {"DefaultTimeoutAbortUSec", "t", kNothing,
     [](S s, W w) {
       const Shared<ServiceSettings> shared = s.manager.default_service().service;
       const ServiceSettings& service = *shared;
       write_span(w, service.timeout_abort.value_or(service.timeout_stop));
     }},
    {"DefaultDeviceTimeoutUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.shown_conf().device_timeout); }},
    {"DefaultRestartUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.default_service().service->restart_sec); }},
    {"DefaultStartLimitIntervalUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.manager.default_service().limits->start_interval); }},
    {"DefaultStartLimitBurst", "u", kConst,
     [](S s, W w) { w.u32(s.manager.default_service().limits->start_burst); }},
    {"DefaultCPUAccounting", "b", kConst,
     [](S s, W w) {
       w.boolean(cgroup_of(s.manager.default_service()).cpu_accounting.value_or(true));
     }},
    {"DefaultBlockIOAccounting", "b", kConst,
     [](S s, W w) { w.boolean(cgroup_of(s.manager.default_service()).block_io_accounting); }},
    {"DefaultMemoryAccounting", "b", kConst,
     [](S s, W w) {
       w.boolean(cgroup_of(s.manager.default_service()).memory_accounting.value_or(true));
     }},
    {"DefaultTasksAccounting", "b", kConst,
     [](S s, W w) {
       w.boolean(cgroup_of(s.manager.default_service()).tasks_accounting.value_or(true));
     }},
    FLOTILLA_EACH_LIMIT(FLOTILLA_LIMIT),
    {"DefaultTasksMax", "t", kNothing,
     [](S s, W w) { w.u64(tasks_max_in_force(cgroup_of(s.manager.default_service()))); }},
    {"TimerSlackNSec", "t", kConst,
     [](S, W w) { w.u64(static_cast<uint64_t>(::prctl(PR_GET_TIMERSLACK))); }},
    {"DefaultOOMPolicy", "s", kConst,
     [](S s, W w) { w.string(to_string(s.manager.default_service().service->oom_policy)); }},
    {"DefaultOOMScoreAdjust", "i", kConst,
     [](S s, W w) {
       w.i32(s.manager.default_service().exec->oom_score_adjust.value_or(
           s.manager.oom_score_adjust()));
     }},
    {"CtrlAltDelBurstAction", "s", kConst,
     [](S s, W w) { w.string(to_string(s.manager.shown_conf().ctrl_alt_del_burst)); }},
    // Ours.
    {"ProcessTracking", "s", kConst, [](S s, W w) { w.string(s.manager.process_tracking()); }},
};
#undef FLOTILLA_LIMIT
#undef FLOTILLA_NEVER
#undef FLOTILLA_TIME

void refuse_snapshots(BusRequest& request) {
  answer_error(request, kBusNotSupported, "Support for snapshots has been removed.");
}

constexpr BusMethod kManagerMethods[] = {
    {"CreateSnapshot", "sb", nullptr, Access::kRead, refuse_snapshots},
    {"RemoveSnapshot", "s", nullptr, Access::kRead, refuse_snapshots},
    {"GetUnit", "s", "o", Access::kRead, bus_get_unit},
    {"GetUnitByPID", "u", "o", Access::kRead, bus_get_unit_by_pid},
    {"GetUnitByInvocationID", "ay", "o", Access::kRead, bus_get_unit_by_invocation_id},
    {"GetUnitByControlGroup", "s", "o", Access::kRead, bus_get_unit_by_control_group},
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
    {"EnqueueUnitJob", "sss", "uososa(uosos)", Access::kChange, bus_enqueue_unit_job},
    {"KillUnit", "ssi", "", Access::kChange, bus_kill_unit},
    {"CleanUnit", "sas", "", Access::kChange, bus_clean_unit},
    {"FreezeUnit", "s", "", Access::kChange, bus_freeze_unit},
    {"ThawUnit", "s", "", Access::kChange, bus_thaw_unit},
    {"ResetFailedUnit", "s", "", Access::kChange, bus_reset_failed_unit},
    {"SetUnitProperties", "sba(sv)", "", Access::kChange, bus_set_unit_properties},
    {"BindMountUnit", "sssbb", "", Access::kChange, bus_bind_mount_unit},
    {"MountImageUnit", "sssbba(ss)", "", Access::kChange, bus_mount_image_unit},
    {"RefUnit", "s", "", Access::kChange, bus_ref_unit},
    {"UnrefUnit", "s", "", Access::kChange, bus_unref_unit},
    {"StartTransientUnit", "ssa(sv)a(sa(sv))", "o", Access::kChange, bus_start_transient_unit},
    {"GetUnitProcesses", "s", "a(sus)", Access::kRead, bus_get_unit_processes},
    {"AttachProcessesToUnit", "ssau", "", Access::kChange, bus_attach_processes_to_unit},
    {"AbandonScope", "s", "", Access::kChange, bus_abandon_scope},
    {"GetJob", "u", "o", Access::kRead, bus_get_job},
    {"GetJobAfter", "u", "a(usssoo)", Access::kRead, bus_get_job_after},
    {"GetJobBefore", "u", "a(usssoo)", Access::kRead, bus_get_job_before},
    {"CancelJob", "u", "", Access::kChange, bus_cancel_job},
    {"ClearJobs", "", "", Access::kChange, bus_clear_jobs},
    {"ResetFailed", "", "", Access::kChange, bus_reset_failed},
    {"SetShowStatus", "s", "", Access::kChange, bus_set_show_status},
    {"ListUnits", "", "a(ssssssouso)", Access::kRead, bus_list_units},
    {"ListUnitsFiltered", "as", "a(ssssssouso)", Access::kRead, bus_list_units_filtered},
    {"ListUnitsByPatterns", "asas", "a(ssssssouso)", Access::kRead, bus_list_units_by_patterns},
    {"ListUnitsByNames", "as", "a(ssssssouso)", Access::kRead, bus_list_units_by_names},
    {"ListJobs", "", "a(usssoo)", Access::kRead, bus_list_jobs},
    {"Subscribe", "", "", Access::kRead, bus_subscribe},
    {"Unsubscribe", "", "", Access::kRead, bus_unsubscribe},
    {"Dump", "", "s", Access::kRead, bus_dump},
    {"DumpUnitsMatchingPatterns", "as", "s", Access::kRead, bus_dump_units},
    {"DumpByFileDescriptor", "", "h", Access::kRead, bus_dump_by_fd},
    {"DumpUnitsMatchingPatternsByFileDescriptor", "as", "h", Access::kRead, bus_dump_units_by_fd},
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
    {"EnqueueMarkedJobs", "", "ao", Access::kChange, bus_enqueue_marked_jobs},
    {"ListUnitFiles", "", "a(ss)", Access::kRead, bus_list_unit_files},
    {"ListUnitFilesByPatterns", "asas", "a(ss)", Access::kRead, bus_list_unit_files_by_patterns},
    {"GetUnitFileState", "s", "s", Access::kRead, bus_get_unit_file_state},
    {"EnableUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_enable_unit_files},
    {"DisableUnitFiles", "asb", "a(sss)", Access::kChange, bus_disable_unit_files},
    {"EnableUnitFilesWithFlags", "ast", "ba(sss)", Access::kChange,
     bus_enable_unit_files_with_flags},
    {"DisableUnitFilesWithFlags", "ast", "a(sss)", Access::kChange,
     bus_disable_unit_files_with_flags},
    {"ReenableUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_reenable_unit_files},
    {"LinkUnitFiles", "asbb", "a(sss)", Access::kChange, bus_link_unit_files},
    {"PresetUnitFiles", "asbb", "ba(sss)", Access::kChange, bus_preset_unit_files},
    {"PresetUnitFilesWithMode", "assbb", "ba(sss)", Access::kChange,
     bus_preset_unit_files_with_mode},
    {"MaskUnitFiles", "asbb", "a(sss)", Access::kChange, bus_mask_unit_files},
    {"UnmaskUnitFiles", "asb", "a(sss)", Access::kChange, bus_unmask_unit_files},
    {"RevertUnitFiles", "as", "a(sss)", Access::kChange, bus_revert_unit_files},
    {"SetDefaultTarget", "sb", "a(sss)", Access::kChange, bus_set_default_target},
    {"GetDefaultTarget", "", "s", Access::kRead, bus_get_default_target},
    {"PresetAllUnitFiles", "sbb", "a(sss)", Access::kChange, bus_preset_all_unit_files},
    {"AddDependencyUnitFiles", "asssbb", "a(sss)", Access::kChange, bus_add_dependency_unit_files},
    {"GetUnitFileLinks", "sb", "as", Access::kRead, bus_get_unit_file_links},
    {"SetExitCode", "y", "", Access::kChange, bus_set_exit_code},
    {"LookupDynamicUserByName", "s", "u", Access::kRead, bus_lookup_dynamic_user_by_name},
    {"LookupDynamicUserByUID", "u", "s", Access::kRead, bus_lookup_dynamic_user_by_uid},
    {"GetDynamicUsers", "", "a(us)", Access::kRead, bus_get_dynamic_users},
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
  if (subject.unit == nullptr) {
    switch (subject.place) {
      case BusSubject::Place::kManager:
        return {&bus_manager_interface()};
      case BusSubject::Place::kLogControl:
        return {&bus_log_control_interface()};
      case BusSubject::Place::kBusDaemon:
        return bus_daemon_interfaces();
    }
  }
  return {&bus_type_interface(subject.unit->settings.name.type()), &bus_unit_interface()};
}

}  // namespace flotilla::init
