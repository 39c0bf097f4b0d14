#include "init/bus_write.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "bus/object_path.h"

namespace flotilla::init {
namespace {

// Enough for any line that people read.
constexpr size_t kMaxCommandLine = 4096;

std::string read_small(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::array<char, kMaxCommandLine> buffer;
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

}  // namespace

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
  for (const pid_t pid : manager.processes(unit)) {
    body.open_struct("sus")
        .string(unit.cgroup_path)
        .u32(static_cast<uint32_t>(pid))
        .string(command_line_of(pid))
        .close();
  }
  body.close();
}

std::string command_line_of(pid_t pid) {
  std::string line = read_small(fmt::format("/proc/{}/cmdline", pid));
  while (!line.empty() && line.back() == '\0') line.pop_back();
  if (line.empty()) {
    std::string name = read_small(fmt::format("/proc/{}/comm", pid));
    while (!name.empty() && name.back() == '\n') name.pop_back();
    line = "[" + name + "]";
  }
  for (char& c : line) {
    // What a terminal would take for a command is not for a list of processes.
    if (c == '\0') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return line;
}

}  // namespace flotilla::init
