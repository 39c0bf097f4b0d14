// The methods of the Manager interface that are about the manager itself.

#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_methods.h"

namespace flotilla::init {

void bus_subscribe(BusRequest& request) {
  // On a connection of its own every client hears all signals, as with systemd's private socket.
  answer_status(request, request.facade.subscribe(request.call.peer()));
}

void bus_unsubscribe(BusRequest& request) {
  answer_status(request, request.facade.unsubscribe(request.call.peer()));
}

// The answer waits for the generators.
void bus_reload(BusRequest& request) {
  request.manager.reload_then(
      [&facade = request.facade, call = request.call.defer()] { facade.answer_later(call, {}); });
}
void bus_reexecute(BusRequest& request) { answer_status(request, request.manager.reexecute()); }

void bus_exit(BusRequest& request) {
  request.call.send_empty();
  request.manager.shutdown_now("exit");
}

void bus_set_exit_code(BusRequest& request) {
  answer_status(request, request.manager.set_exit_code(request.call.arguments().u8().value_or(0)));
}

namespace {

// Without stopping units: for that, the targets of these names are started.
void shut_down(BusRequest& request, std::string_view how, std::string_view what) {
  if (request.manager.is_user_manager()) {
    return answer_error(request, kBusNotSupported,
                        std::string(what) + " is only supported for system managers.");
  }
  request.call.send_empty();
  request.manager.shutdown_now(how);
}

}  // namespace

void bus_reboot(BusRequest& request) { shut_down(request, "reboot", "Reboot"); }
void bus_power_off(BusRequest& request) { shut_down(request, "poweroff", "Powering off"); }
void bus_halt(BusRequest& request) { shut_down(request, "halt", "Halt"); }
void bus_kexec(BusRequest& request) { shut_down(request, "kexec", "KExec"); }

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

}  // namespace flotilla::init
