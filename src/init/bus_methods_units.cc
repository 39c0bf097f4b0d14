// The methods of the Manager interface that find and list units.

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_methods.h"
#include "init/bus_write.h"

namespace flotilla::init {

using base::Errc;
using base::Result;

namespace {

constexpr const char* kUnitLines = "(ssssssouso)";

bool matches(const std::vector<std::string>& patterns, const std::string& name) {
  if (patterns.empty()) return true;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
  });
}

bool has_state(const std::vector<std::string>& states, const Unit& unit) {
  if (states.empty()) return true;
  return std::any_of(states.begin(), states.end(), [&](const std::string& state) {
    return unit.load_state() == state || unit.active_state() == state || unit.sub_state() == state;
  });
}

void send_list(BusRequest& request, const std::vector<std::string>& states,
               const std::vector<std::string>& patterns) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array(kUnitLines);
    for (const Unit* unit : request.manager.units()) {
      if (!has_state(states, *unit) || !matches(patterns, unit->id)) continue;
      write_unit_line(body, request.manager, *unit);
    }
    body.close();
  });
}

void answer_unit_path(BusRequest& request, const Unit& unit) {
  answer_with(request,
              [&](bus::MessageWriter& body) { body.object_path(bus::unit_path(unit.id)); });
}

}  // namespace

void bus_get_unit(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  // No name means the unit of whoever asks.
  const Unit* unit = name.empty() ? request.manager.find_unit_by_pid(request.call.peer().pid)
                                  : request.manager.find_unit(name);
  if (unit == nullptr) {
    return answer_error(
        request, kBusNoSuchUnit,
        name.empty() ? "Client not member of any unit." : fmt::format("Unit {} not loaded.", name));
  }
  answer_unit_path(request, *unit);
}

void bus_get_unit_by_pid(BusRequest& request) {
  const uint32_t asked = request.call.arguments().u32().value_or(0);
  const pid_t pid = asked == 0 ? request.call.peer().pid : static_cast<pid_t>(asked);
  const Unit* unit = pid > 0 ? request.manager.find_unit_by_pid(pid) : nullptr;
  if (unit == nullptr) {
    return answer_error(request, "org.freedesktop.systemd1.NoUnitForPID",
                        fmt::format("PID {} does not belong to any loaded unit.", pid));
  }
  answer_unit_path(request, *unit);
}

void bus_get_unit_by_invocation_id(BusRequest& request) {
  const std::vector<uint8_t> bytes = request.call.arguments().bytes().value_or({});
  std::array<uint8_t, 16> id{};
  if (bytes.empty()) {
    const pid_t pid = request.call.peer().pid;
    const Unit* unit = request.manager.find_unit_by_pid(pid);
    if (unit != nullptr) return answer_unit_path(request, *unit);
    return answer_error(request, kBusNoSuchUnit,
                        fmt::format("Client {} not member of any unit.", pid));
  }
  if (bytes.size() != id.size()) {
    return answer_error(request, kBusInvalidArgs, "Invalid invocation ID");
  }
  std::copy(bytes.begin(), bytes.end(), id.begin());
  const Unit* unit = request.manager.find_unit_by_invocation(id);
  if (unit == nullptr) {
    std::string text;
    for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
    return answer_error(request, "org.freedesktop.systemd1.NoUnitForInvocationID",
                        fmt::format("No unit with the specified invocation ID {} known.", text));
  }
  answer_unit_path(request, *unit);
}

void bus_load_unit(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  if (name.empty()) return bus_get_unit(request);
  const Result<const Unit*> unit = request.manager.load_unit(name);
  if (!unit) return request.call.send_error(unit.error());
  answer_unit_path(request, **unit);
}

void bus_list_units(BusRequest& request) { send_list(request, {}, {}); }

void bus_list_units_filtered(BusRequest& request) {
  send_list(request, request.call.arguments().strings().value_or({}), {});
}

void bus_list_units_by_patterns(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> states = arguments.strings().value_or({});
  send_list(request, states, arguments.strings().value_or({}));
}

void bus_list_units_by_names(BusRequest& request) {
  const std::vector<std::string> names = request.call.arguments().strings().value_or({});
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array(kUnitLines);
    for (const std::string& name : names) {
      // Names that are none are left out, as systemd does.
      const Result<const Unit*> unit = request.manager.load_unit(name);
      if (unit) write_unit_line(body, request.manager, **unit);
    }
    body.close();
  });
}

void bus_get_unit_processes(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  const Unit* unit = request.manager.find_unit(name);
  if (unit == nullptr) {
    return answer_error(request, kBusNoSuchUnit, fmt::format("Unit {} not loaded.", name));
  }
  answer_with(request,
              [&](bus::MessageWriter& body) { write_processes(body, request.manager, *unit); });
}

void bus_unit_get_processes(BusRequest& request) {
  answer_with(request, [&](bus::MessageWriter& body) {
    write_processes(body, request.manager, *request.subject.unit);
  });
}

}  // namespace flotilla::init
