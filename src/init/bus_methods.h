// The functions behind the method tables of the bus façade. Each reads its arguments, whose types
// the dispatcher has checked, calls the manager, and answers.
#pragma once

#include "init/bus_table.h"

namespace flotilla::init {

// Manager: units
void bus_get_unit(BusRequest& request);
void bus_get_unit_by_pid(BusRequest& request);
void bus_get_unit_by_invocation_id(BusRequest& request);
void bus_load_unit(BusRequest& request);
void bus_list_units(BusRequest& request);
void bus_list_units_filtered(BusRequest& request);
void bus_list_units_by_patterns(BusRequest& request);
void bus_list_units_by_names(BusRequest& request);
void bus_get_unit_processes(BusRequest& request);

void bus_ref_unit(BusRequest& request);
void bus_unref_unit(BusRequest& request);
void bus_get_unit_by_control_group(BusRequest& request);
void bus_attach_processes_to_unit(BusRequest& request);
void bus_freeze_unit(BusRequest& request);
void bus_thaw_unit(BusRequest& request);
void bus_dump(BusRequest& request);
void bus_dump_units(BusRequest& request);
void bus_dump_by_fd(BusRequest& request);
void bus_dump_units_by_fd(BusRequest& request);

void bus_abandon_scope(BusRequest& request);
void bus_bind_mount_unit(BusRequest& request);
void bus_mount_image_unit(BusRequest& request);
void bus_set_show_status(BusRequest& request);
void bus_lookup_dynamic_user_by_name(BusRequest& request);
void bus_lookup_dynamic_user_by_uid(BusRequest& request);
void bus_get_dynamic_users(BusRequest& request);

// Scope, Service
void bus_scope_abandon(BusRequest& request);
void bus_service_bind_mount(BusRequest& request);
void bus_service_mount_image(BusRequest& request);

// Manager: jobs
void bus_start_unit(BusRequest& request);
void bus_start_unit_with_flags(BusRequest& request);
void bus_start_unit_replace(BusRequest& request);
void bus_stop_unit(BusRequest& request);
void bus_reload_unit(BusRequest& request);
void bus_restart_unit(BusRequest& request);
void bus_try_restart_unit(BusRequest& request);
void bus_reload_or_restart_unit(BusRequest& request);
void bus_reload_or_try_restart_unit(BusRequest& request);
void bus_enqueue_unit_job(BusRequest& request);
void bus_enqueue_marked_jobs(BusRequest& request);
void bus_get_job(BusRequest& request);
void bus_get_job_after(BusRequest& request);
void bus_get_job_before(BusRequest& request);
void bus_list_jobs(BusRequest& request);
void bus_cancel_job(BusRequest& request);
void bus_clear_jobs(BusRequest& request);
void bus_kill_unit(BusRequest& request);
void bus_clean_unit(BusRequest& request);
void bus_reset_failed_unit(BusRequest& request);
void bus_reset_failed(BusRequest& request);

// Manager and Unit: units and settings that come over the bus
void bus_start_transient_unit(BusRequest& request);
void bus_set_unit_properties(BusRequest& request);
void bus_unit_set_properties(BusRequest& request);

// Manager: the rest
void bus_subscribe(BusRequest& request);
void bus_unsubscribe(BusRequest& request);
void bus_reload(BusRequest& request);
void bus_reexecute(BusRequest& request);
void bus_exit(BusRequest& request);
void bus_set_exit_code(BusRequest& request);
void bus_reboot(BusRequest& request);
void bus_power_off(BusRequest& request);
void bus_halt(BusRequest& request);
void bus_kexec(BusRequest& request);
void bus_set_environment(BusRequest& request);
void bus_unset_environment(BusRequest& request);
void bus_unset_and_set_environment(BusRequest& request);
void bus_link_unit_files(BusRequest& request);
void bus_enable_unit_files(BusRequest& request);
void bus_enable_unit_files_with_flags(BusRequest& request);
void bus_reenable_unit_files(BusRequest& request);
void bus_disable_unit_files(BusRequest& request);
void bus_disable_unit_files_with_flags(BusRequest& request);
void bus_mask_unit_files(BusRequest& request);
void bus_unmask_unit_files(BusRequest& request);
void bus_revert_unit_files(BusRequest& request);
void bus_preset_unit_files(BusRequest& request);
void bus_preset_unit_files_with_mode(BusRequest& request);
void bus_preset_all_unit_files(BusRequest& request);
void bus_add_dependency_unit_files(BusRequest& request);
void bus_get_unit_file_links(BusRequest& request);
void bus_get_unit_file_state(BusRequest& request);
void bus_list_unit_files(BusRequest& request);
void bus_list_unit_files_by_patterns(BusRequest& request);
void bus_get_default_target(BusRequest& request);
void bus_set_default_target(BusRequest& request);

// Unit
void bus_unit_start(BusRequest& request);
void bus_unit_stop(BusRequest& request);
void bus_unit_reload(BusRequest& request);
void bus_unit_restart(BusRequest& request);
void bus_unit_try_restart(BusRequest& request);
void bus_unit_reload_or_restart(BusRequest& request);
void bus_unit_reload_or_try_restart(BusRequest& request);
void bus_unit_enqueue_job(BusRequest& request);
void bus_unit_kill(BusRequest& request);
void bus_unit_clean(BusRequest& request);
void bus_unit_reset_failed(BusRequest& request);
void bus_unit_get_processes(BusRequest& request);
void bus_unit_attach_processes(BusRequest& request);
void bus_unit_ref(BusRequest& request);
void bus_unit_unref(BusRequest& request);
void bus_unit_freeze(BusRequest& request);
void bus_unit_thaw(BusRequest& request);

// Job
void bus_job_cancel(BusRequest& request);
void bus_job_get_after(BusRequest& request);
void bus_job_get_before(BusRequest& request);

}  // namespace flotilla::init
