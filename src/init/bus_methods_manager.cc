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

}  // namespace flotilla::init
