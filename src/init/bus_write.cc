#include "init/bus_write.h"

#include "bus/object_path.h"
#include "init/process_list.h"

namespace flotilla::init {
void write_span(bus::MessageWriter& body, Micros span) {
  body.u64(span == kInfinity ? UINT64_MAX : static_cast<uint64_t>(span.count()));
}

void write_wall(bus::MessageWriter& body, const Timestamps& time) {
  body.u64(static_cast<uint64_t>(time.wall.since_epoch.count()));
}

void write_monotonic(bus::MessageWriter& body, const Timestamps& time) {
  body.u64(static_cast<uint64_t>(time.monotonic.since_epoch.count()));
}

void write_unit_line(bus::MessageWriter& body, const Manager& manager, const Unit& unit) {
  std::optional<JobView> job;
  if (unit.job != 0) job = manager.find_job(unit.job);
  body.open_struct(kUnitLine)
      .string(unit.id)
      .string(unit.description())
      .string(unit.load_state())
      .string(unit.active_state())
      .string(unit.sub_state())
      .string("")  // the unit whose state it follows: only device units do
      .object_path(bus::unit_path(unit.id))
      .u32(job ? job->id : 0)
      .string(job ? job->type : "")
      .object_path(job ? bus::job_path(job->id) : "/")
      .close();
}

void write_job_line(bus::MessageWriter& body, const JobView& job) {
  body.open_struct(kJobLine)
      .u32(job.id)
      .string(job.unit)
      .string(job.type)
      .string(job.state)
      .object_path(bus::job_path(job.id))
      .object_path(bus::unit_path(job.unit))
      .close();
}

void write_file_changes(bus::MessageWriter& body, const std::vector<UnitFileChange>& changes) {
  body.open_array("(sss)");
  for (const UnitFileChange& change : changes) {
    body.open_struct("sss")
        .string(change.type)
        .string(change.file)
        .string(change.destination)
        .close();
  }
  body.close();
}

void write_processes(bus::MessageWriter& body, const Manager& manager, const Unit& unit) {
  body.open_array("(sus)");
  for (const ListedProcess& process : manager.processes(unit)) {
    body.open_struct("sus")
        .string(process.cgroup)
        .u32(static_cast<uint32_t>(process.pid))
        .string(command_line_of(process.pid))
        .close();
  }
  body.close();
}

}  // namespace flotilla::init
