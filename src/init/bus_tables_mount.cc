// org.freedesktop.systemd1.Mount: the table.
#include <iterator>
#include <vector>

#include "init/bus_methods.h"
#include "init/bus_table.h"
#include "init/bus_write.h"
#include "init/mount_table.h"

namespace flotilla::init {
namespace {

using S = const BusSubject&;
using W = bus::MessageWriter&;

const MountSettings& mount(S s) { return *s.unit->settings.extras->mount; }

// What is mounted goes before what the file says.
template <std::string MountLine::*OfLine, std::string MountSettings::*OfFile>
void parameter(S s, W w) {
  const MountLine* line = s.manager.mount_line(*s.unit);
  w.string(line != nullptr ? line->*OfLine : mount(s).*OfFile);
}

template <bool MountSettings::*Member>
void flag(S s, W w) {
  w.boolean(mount(s).*Member);
}

// A command stands there once it was run.
template <ServiceCommand Which>
void command(S s, W w) {
  w.open_array("(sasbttttuii)");
  const auto commands = s.unit->settings.commands[Which];
  if (!commands.empty() && s.unit->has_run(Which)) {
    w.open_struct("sasbttttuii").string(commands[0].path()).open_array("s");
    for (const std::string_view argument : commands[0].argv) w.string(argument);
    const CommandRun run = s.unit->command_run(Which, 0);
    w.close().boolean(false);
    write_wall(w, run.start);
    write_monotonic(w, run.start);
    write_wall(w, run.exit);
    write_monotonic(w, run.exit);
    w.u32(static_cast<uint32_t>(run.pid)).i32(run.code).i32(run.status).close();
  }
  w.close();
}

constexpr Emits kConst = Emits::kConst;
constexpr Emits kValue = Emits::kValue;

constexpr BusProperty kOwnProperties[] = {
    {"Where", "s", kConst, [](S s, W w) { w.string(mount(s).where); }},
    {"What", "s", kValue, parameter<&MountLine::what, &MountSettings::what>},
    {"Options", "s", kValue, parameter<&MountLine::options, &MountSettings::options>},
    {"Type", "s", kValue, parameter<&MountLine::type, &MountSettings::type>},
    {"TimeoutUSec", "t", kConst,
     [](S s, W w) { write_span(w, s.unit->settings.service->timeout_start); }},
    {"ControlPID", "u", kValue,
     [](S s, W w) { w.u32(static_cast<uint32_t>(s.unit->control_pid())); }},
    {"DirectoryMode", "u", kConst, [](S s, W w) { w.u32(mount(s).directory_mode); }},
    {"SloppyOptions", "b", kConst, flag<&MountSettings::sloppy_options>},
    {"LazyUnmount", "b", kConst, flag<&MountSettings::lazy_unmount>},
    {"ForceUnmount", "b", kConst, flag<&MountSettings::force_unmount>},
    {"ReadWriteOnly", "b", kConst, flag<&MountSettings::read_write_only>},
    {"Result", "s", kValue, [](S s, W w) { w.string(s.unit->result()); }},
    {"UID", "u", kValue, [](S s, W w) { w.u32(s.unit->uid()); }},
    {"GID", "u", kValue, [](S s, W w) { w.u32(s.unit->gid()); }},
    {"ExecMount", "a(sasbttttuii)", Emits::kInvalidates, command<ServiceCommand::kStart>},
    {"ExecUnmount", "a(sasbttttuii)", Emits::kInvalidates, command<ServiceCommand::kStop>},
    {"ExecRemount", "a(sasbttttuii)", Emits::kInvalidates, command<ServiceCommand::kReload>},
};

// Put together when first asked for: most managers never show a mount, and a table of its own would
// cost each of them its pages.
std::vector<BusProperty> all_properties() {
  std::vector<BusProperty> all(std::begin(kOwnProperties), std::end(kOwnProperties));
  const auto others = bus_process_properties();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

constexpr BusMethod kMethods[] = {
    {"GetProcesses", "", "a(sus)", Access::kRead, bus_unit_get_processes},
    {"AttachProcesses", "sau", "", Access::kChange, bus_unit_attach_processes},
};

}  // namespace

const BusInterface& bus_mount_interface() {
  static const std::vector<BusProperty> properties = all_properties();
  static const BusInterface interface {
    "org.freedesktop.systemd1.Mount", properties, kMethods, {}
  };
  return interface;
}

}  // namespace flotilla::init
