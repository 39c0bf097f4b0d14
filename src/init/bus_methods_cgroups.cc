// The methods that are about cgroups and processes, and about who holds on to a unit.

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_methods.h"

namespace flotilla::init {
namespace {

void attach(BusRequest& request, const std::string& unit, const std::string& subgroup,
            const std::vector<uint32_t>& pids) {
  base::Status status;
  for (const uint32_t pid : pids) {
    status = request.manager.attach_process(unit, subgroup, static_cast<pid_t>(pid));
    if (!status) break;
  }
  answer_status(request, status);
}

// The answer waits for the kernel.
void freeze(BusRequest& request, const std::string& unit, bool frozen) {
  request.manager.freeze_unit(
      unit, frozen,
      [&facade = request.facade, call = request.call.defer()](const base::Status& status) {
        facade.answer_later(call, status);
      });
}

}  // namespace

void bus_ref_unit(BusRequest& request) {
  const std::string unit = request.call.arguments().string().value_or("");
  answer_status(request, request.facade.add_ref(request.call.peer(), unit));
}

void bus_unref_unit(BusRequest& request) {
  const std::string unit = request.call.arguments().string().value_or("");
  answer_status(request, request.facade.drop_ref(request.call.peer(), unit));
}

void bus_unit_ref(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  answer_status(request, request.facade.add_ref(request.call.peer(), unit));
}

void bus_unit_unref(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  answer_status(request, request.facade.drop_ref(request.call.peer(), unit));
}

void bus_freeze_unit(BusRequest& request) {
  const std::string unit = request.call.arguments().string().value_or("");
  freeze(request, unit, true);
}

void bus_thaw_unit(BusRequest& request) {
  const std::string unit = request.call.arguments().string().value_or("");
  freeze(request, unit, false);
}

void bus_unit_freeze(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  freeze(request, unit, true);
}

void bus_unit_thaw(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  freeze(request, unit, false);
}

void bus_get_unit_by_control_group(BusRequest& request) {
  const std::string path = request.call.arguments().string().value_or("");
  if (path.empty() || path[0] != '/') {
    return answer_error(request, kBusInvalidArgs,
                        fmt::format("Control group path is not absolute: {}", path));
  }
  const Unit* unit = request.manager.find_unit_by_cgroup(path);
  if (unit == nullptr) {
    return answer_error(request, kBusNoSuchUnit,
                        fmt::format("Control group '{}' is not valid or not managed by this "
                                    "instance",
                                    path));
  }
  answer_with(request,
              [&](bus::MessageWriter& body) { body.object_path(bus::unit_path(unit->id)); });
}

void bus_attach_processes_to_unit(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  const std::string subgroup = arguments.string().value_or("");
  attach(request, unit, subgroup, arguments.u32s().value_or({}));
}

void bus_unit_attach_processes(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string subgroup = arguments.string().value_or("");
  const std::string unit = request.subject.unit->id;
  attach(request, unit, subgroup, arguments.u32s().value_or({}));
}

}  // namespace flotilla::init
