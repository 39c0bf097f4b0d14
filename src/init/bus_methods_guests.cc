// The methods for what others bring: processes of scopes that are left alone, mounts in a running
// service's own namespace, and the users that services with DynamicUser= have while they live.

#include "init/bus_answer.h"
#include "init/bus_methods.h"
#include "init/directives_values.h"
#include "unit/scalar.h"

namespace flotilla::init {
namespace {

// Nothing can be mounted for a service that sees the machine's own tree; and into a tree of its own
// nobody gets while it runs.
void refuse_mount(BusRequest& request, const std::string& name, bus::MessageReader& arguments) {
  const std::string source = arguments.string().value_or("");
  const std::string target = arguments.string().value_or("");
  const Unit* unit = request.manager.find_unit(name);
  if (unit == nullptr) {
    return answer_error(request, kBusNoSuchUnit, fmt::format("Unit {} not loaded.", name));
  }
  if (!unit->is_service() || unit->settings.name.type() != unit::UnitType::kService) {
    return answer_error(request, kBusInvalidArgs, "Unit is not of type .service");
  }
  if (!parse_absolute_path(source)) {
    return answer_error(request, kBusInvalidArgs, "Source path must be absolute and normalized.");
  }
  if (!target.empty() && !parse_absolute_path(target)) {
    return answer_error(request, kBusInvalidArgs,
                        "Destination path must be absolute and normalized.");
  }
  if (!unit->settings.exec->sandbox.is_set()) {
    return answer_error(request, kBusInvalidArgs,
                        "Unit not running in private mount namespace, cannot activate bind mount");
  }
  if (unit->is_inactive_or_failed()) {
    return answer_error(request, kBusInvalidArgs, "Unit is not running");
  }
  answer_error(request, kBusNotSupported,
               "Nothing can be mounted for a service that is running already.");
}

}  // namespace

void bus_bind_mount_unit(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string name = arguments.string().value_or("");
  refuse_mount(request, name, arguments);
}

void bus_mount_image_unit(BusRequest& request) { bus_bind_mount_unit(request); }

void bus_service_bind_mount(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string name = request.subject.unit->id;
  refuse_mount(request, name, arguments);
}

void bus_service_mount_image(BusRequest& request) { bus_service_bind_mount(request); }

void bus_abandon_scope(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  answer_status(request, request.manager.abandon_scope(name));
}

void bus_scope_abandon(BusRequest& request) {
  const std::string name = request.subject.unit->id;
  answer_status(request, request.manager.abandon_scope(name));
}

void bus_set_show_status(BusRequest& request) {
  const std::string wish = request.call.arguments().string().value_or("");
  answer_status(request, request.manager.set_show_status(wish));
}

void bus_get_dynamic_users(BusRequest& request) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("(us)");
    for (const auto& [uid, name] : request.manager.dynamic_users()) {
      body.open_struct("us").u32(uid).string(name).close();
    }
    body.close();
  });
}

void bus_lookup_dynamic_user_by_name(BusRequest& request) {
  const std::string wanted = request.call.arguments().string().value_or("");
  if (wanted.empty() || wanted.find_first_of(":/\n\t") != std::string::npos) {
    return answer_error(request, kBusInvalidArgs, fmt::format("User name invalid: {}", wanted));
  }
  for (const auto& [uid, name] : request.manager.dynamic_users()) {
    if (name != wanted) continue;
    return answer_with(request, [number = uid](bus::MessageWriter& body) { body.u32(number); });
  }
  answer_error(request, "org.freedesktop.systemd1.NoSuchDynamicUser",
               fmt::format("Dynamic user {} does not exist.", wanted));
}

void bus_lookup_dynamic_user_by_uid(BusRequest& request) {
  const uint32_t wanted = request.call.arguments().u32().value_or(UINT32_MAX);
  if (wanted == UINT32_MAX) {
    return answer_error(request, kBusInvalidArgs, fmt::format("User ID invalid: {}", wanted));
  }
  for (const auto& [uid, name] : request.manager.dynamic_users()) {
    if (uid != wanted) continue;
    return answer_with(request, [&text = name](bus::MessageWriter& body) { body.string(text); });
  }
  answer_error(request, "org.freedesktop.systemd1.NoSuchDynamicUser",
               fmt::format("Dynamic user ID {} does not exist.", wanted));
}

}  // namespace flotilla::init
