// The methods of the Manager interface that are about the manager itself and about unit files.

#include <fnmatch.h>

#include <algorithm>

#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_methods.h"
#include "init/bus_unit_files.h"
#include "init/bus_write.h"

namespace flotilla::init {

using base::Result;

void bus_subscribe(BusRequest& request) {
  // On a connection of its own every client hears all signals, as with systemd's private socket.
  request.call.send_empty();
}

void bus_reload(BusRequest& request) { answer_status(request, request.manager.reload()); }
void bus_reexecute(BusRequest& request) { answer_status(request, request.manager.reexecute()); }

void bus_exit(BusRequest& request) {
  request.call.send_empty();
  request.manager.exit(0);
}

namespace {

void shut_down(BusRequest& request, std::string_view how) {
  if (request.manager.is_user_manager()) {
    return answer_error(request, kBusNotSupported,
                        std::string(how) + " is only supported by the system manager.");
  }
  request.call.send_empty();
  request.manager.shutdown(how);
}

}  // namespace

void bus_reboot(BusRequest& request) { shut_down(request, "reboot"); }
void bus_power_off(BusRequest& request) { shut_down(request, "poweroff"); }
void bus_halt(BusRequest& request) { shut_down(request, "halt"); }
void bus_kexec(BusRequest& request) { shut_down(request, "kexec"); }

void bus_set_environment(BusRequest& request) {
  answer_status(request,
                request.manager.set_environment(request.call.arguments().strings().value_or({})));
}

void bus_unset_environment(BusRequest& request) {
  answer_status(request,
                request.manager.unset_environment(request.call.arguments().strings().value_or({})));
}

void bus_unset_and_set_environment(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> unset = arguments.strings().value_or({});
  const std::vector<std::string> set = arguments.strings().value_or({});
  base::Status status = request.manager.unset_environment(unset);
  if (status) status = request.manager.set_environment(set);
  answer_status(request, status);
}

namespace {

UnitFileLinks::Lifetime lifetime_of(bool runtime) {
  return runtime ? UnitFileLinks::Lifetime::kRuntime : UnitFileLinks::Lifetime::kLasting;
}

void send_unit_files(BusRequest& request, const std::vector<std::string>& states,
                     const std::vector<std::string>& patterns) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("(ss)");
    for (const UnitFileState& file : unit_file_links(request.manager).list()) {
      const std::string name = file.path.substr(file.path.rfind('/') + 1);
      const auto matches = [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
      };
      if (!states.empty() && std::find(states.begin(), states.end(), file.state) == states.end()) {
        continue;
      }
      if (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), matches)) continue;
      body.open_struct("ss").string(file.path).string(file.state).close();
    }
    body.close();
  });
}

}  // namespace

void bus_link_unit_files(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> paths = arguments.strings().value_or({});
  const bool runtime = arguments.boolean().value_or(false);
  const bool force = arguments.boolean().value_or(false);
  const Result<std::vector<UnitFileChange>> changes =
      request.manager.link_unit_files(paths, runtime, force);
  if (!changes) return request.call.send_error(changes.error());
  answer_with(request, [&](bus::MessageWriter& body) { write_file_changes(body, *changes); });
  if (!changes->empty()) request.facade.emit_unit_files_changed();
}

void bus_enable_unit_files(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> names = arguments.strings().value_or({});
  const bool runtime = arguments.boolean().value_or(false);
  const bool force = arguments.boolean().value_or(false);
  const auto enabled = unit_file_links(request.manager)
                           .enable(names, lifetime_of(runtime),
                                   force ? UnitFileLinks::Force::kYes : UnitFileLinks::Force::kNo);
  if (!enabled) return request.call.send_error(enabled.error());
  answer_with(request, [&](bus::MessageWriter& body) {
    body.boolean(enabled->carries_install_info);
    write_file_changes(body, enabled->changes);
  });
  if (!enabled->changes.empty()) request.facade.emit_unit_files_changed();
}

void bus_disable_unit_files(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> names = arguments.strings().value_or({});
  const bool runtime = arguments.boolean().value_or(false);
  const auto changes = unit_file_links(request.manager).disable(names, lifetime_of(runtime));
  if (!changes) return request.call.send_error(changes.error());
  answer_with(request, [&](bus::MessageWriter& body) { write_file_changes(body, *changes); });
  if (!changes->empty()) request.facade.emit_unit_files_changed();
}

void bus_get_unit_file_state(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  const Result<std::string> state = unit_file_links(request.manager).state_of(name);
  if (!state) return request.call.send_error(state.error());
  answer_with(request, [&](bus::MessageWriter& body) { body.string(*state); });
}

void bus_list_unit_files(BusRequest& request) { send_unit_files(request, {}, {}); }

void bus_list_unit_files_by_patterns(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> states = arguments.strings().value_or({});
  send_unit_files(request, states, arguments.strings().value_or({}));
}

void bus_get_default_target(BusRequest& request) {
  const std::string target = request.manager.default_target();
  if (target.empty()) {
    return answer_error(request, "org.freedesktop.DBus.Error.FileNotFound",
                        "There is no default target.");
  }
  answer_with(request, [&](bus::MessageWriter& body) { body.string(target); });
}

}  // namespace flotilla::init
