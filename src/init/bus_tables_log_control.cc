// org.freedesktop.LogControl1: what the manager logs, and where to.

#include "init/bus_table.h"

namespace flotilla::init {
namespace {

using S = const BusSubject&;
using W = bus::MessageWriter&;

base::Status set_level(Manager& manager, bus::MessageReader value) {
  FLOTILLA_ASSIGN(const std::string level, value.string());
  return manager.set_log_level(level);
}

base::Status set_target(Manager& manager, bus::MessageReader value) {
  FLOTILLA_ASSIGN(const std::string target, value.string());
  return manager.set_log_target(target);
}

constexpr BusProperty kProperties[] = {
    {"LogLevel", "s", Emits::kNothing, [](S s, W w) { w.string(s.manager.log_level()); }, nullptr,
     set_level},
    {"LogTarget", "s", Emits::kNothing, [](S s, W w) { w.string(s.manager.log_target()); }, nullptr,
     set_target},
    {"SyslogIdentifier", "s", Emits::kNothing, [](S, W w) { w.string("systemd"); }},
};

constexpr BusInterface kInterface{"org.freedesktop.LogControl1", kProperties, {}, {}};

}  // namespace

const BusInterface& bus_log_control_interface() { return kInterface; }

}  // namespace flotilla::init
