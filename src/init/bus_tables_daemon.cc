// org.freedesktop.DBus as far as clients need it that take our own socket for a bus: busctl,
// systemctl and systemd-run with DBUS_SYSTEM_BUS_ADDRESS, and everything built on a D-Bus library.
// There is one service on this bus, ours, and every client hears every signal; so matches need no
// memory.

#include <unistd.h>

#include <cstring>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_table.h"

namespace flotilla::init {
namespace {

constexpr std::string_view kDaemon = "org.freedesktop.DBus";
constexpr std::string_view kOwnUniqueName = ":1.0";
constexpr uint32_t kAlreadyRunning = 2;  // of StartServiceByName
constexpr uint32_t kNotTheOwner = 3;     // of ReleaseName

std::string unique_name(const bus::Peer& peer) { return fmt::format(":1.{}", peer.connection); }

// Who has this name; nothing: nobody.
struct Owner {
  std::string name;
  uid_t uid;
  pid_t pid;
};
std::optional<Owner> owner_of(BusRequest& request, std::string_view name) {
  const Owner self{std::string(kOwnUniqueName), ::geteuid(), ::getpid()};
  if (name == kDaemon) return Owner{std::string(kDaemon), self.uid, self.pid};
  if (name == bus::kSystemd1Service || name == kOwnUniqueName) return self;
  for (const bus::Peer& peer : request.facade.peers()) {
    if (unique_name(peer) == name) return Owner{unique_name(peer), peer.uid, peer.pid};
  }
  return {};
}

// The owner of the name that is the first argument; else the call is answered.
std::optional<Owner> asked_owner(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  auto owner = owner_of(request, name);
  if (!owner) {
    answer_error(request, "org.freedesktop.DBus.Error.NameHasNoOwner",
                 fmt::format("Could not get owner of name '{}': no such name", name));
  }
  return owner;
}

void hello(BusRequest& request) {
  request.facade.on_hello(request.call.peer());
  answer_with(request,
              [&](bus::MessageWriter& body) { body.string(unique_name(request.call.peer())); });
}

void request_name(BusRequest& request) {
  answer_error(request, kBusAccessDenied,
               fmt::format("Connection \"{}\" is not allowed to own the service \"{}\": this bus "
                           "has no other service than {}",
                           unique_name(request.call.peer()),
                           request.call.arguments().string().value_or(""), bus::kSystemd1Service));
}

void release_name(BusRequest& request) {
  answer_with(request, [](bus::MessageWriter& body) { body.u32(kNotTheOwner); });
}

void start_service_by_name(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  if (!owner_of(request, name)) return answer_service_unknown(request.call, name);
  answer_with(request, [](bus::MessageWriter& body) { body.u32(kAlreadyRunning); });
}

void name_has_owner(BusRequest& request) {
  const bool any = owner_of(request, request.call.arguments().string().value_or("")).has_value();
  answer_with(request, [&](bus::MessageWriter& body) { body.boolean(any); });
}

void list_names(BusRequest& request) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("s").string(kDaemon).string(bus::kSystemd1Service).string(kOwnUniqueName);
    for (const bus::Peer& peer : request.facade.peers()) body.string(unique_name(peer));
    body.close();
  });
}

void list_activatable_names(BusRequest& request) {
  answer_with(request,
              [](bus::MessageWriter& body) { body.open_array("s").string(kDaemon).close(); });
}

void get_name_owner(BusRequest& request) {
  if (const auto owner = asked_owner(request)) {
    answer_with(request, [&](bus::MessageWriter& body) { body.string(owner->name); });
  }
}

void list_queued_owners(BusRequest& request) {
  if (const auto owner = asked_owner(request)) {
    answer_with(request, [&](bus::MessageWriter& body) {
      body.open_array("s").string(owner->name).close();
    });
  }
}

void get_connection_unix_user(BusRequest& request) {
  if (const auto owner = asked_owner(request)) {
    answer_with(request, [&](bus::MessageWriter& body) { body.u32(owner->uid); });
  }
}

void get_connection_unix_process_id(BusRequest& request) {
  if (const auto owner = asked_owner(request)) {
    answer_with(request,
                [&](bus::MessageWriter& body) { body.u32(static_cast<uint32_t>(owner->pid)); });
  }
}

void get_connection_credentials(BusRequest& request) {
  const auto owner = asked_owner(request);
  if (!owner) return;
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("{sv}");
    body.open_dict_entry("sv").string("UnixUserID").open_variant("u").u32(owner->uid);
    body.close().close();
    body.open_dict_entry("sv").string("ProcessID").open_variant("u");
    body.u32(static_cast<uint32_t>(owner->pid)).close().close();
    body.close();
  });
}

void no_security_context(BusRequest& request) {
  answer_error(request, "org.freedesktop.DBus.Error.SELinuxSecurityContextUnknown",
               "Security contexts are not known on this bus");
}

void done(BusRequest& request) { request.call.send_empty(); }

void become_monitor(BusRequest& request) {
  request.call.send_empty();
  request.facade.make_monitor(request.call.peer(), unique_name(request.call.peer()));
}

void get_id(BusRequest& request) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.string(fmt::format("{:032x}", static_cast<uint64_t>(::getpid())));
  });
}

constexpr BusMethod kMethods[] = {
    {"Hello", "", "s", Access::kRead, hello},
    {"RequestName", "su", "u", Access::kRead, request_name},
    {"ReleaseName", "s", "u", Access::kRead, release_name},
    {"StartServiceByName", "su", "u", Access::kRead, start_service_by_name},
    {"NameHasOwner", "s", "b", Access::kRead, name_has_owner},
    {"ListNames", "", "as", Access::kRead, list_names},
    {"ListActivatableNames", "", "as", Access::kRead, list_activatable_names},
    {"AddMatch", "s", "", Access::kRead, done},
    {"RemoveMatch", "s", "", Access::kRead, done},
    {"GetNameOwner", "s", "s", Access::kRead, get_name_owner},
    {"ListQueuedOwners", "s", "as", Access::kRead, list_queued_owners},
    {"GetConnectionUnixUser", "s", "u", Access::kRead, get_connection_unix_user},
    {"GetConnectionUnixProcessID", "s", "u", Access::kRead, get_connection_unix_process_id},
    {"GetConnectionCredentials", "s", "a{sv}", Access::kRead, get_connection_credentials},
    {"GetConnectionSELinuxSecurityContext", "s", "ay", Access::kRead, no_security_context},
    {"GetId", "", "s", Access::kRead, get_id},
    {"ReloadConfig", "", "", Access::kChange, done},
};

constexpr BusMethod kMonitoringMethods[] = {
    {"BecomeMonitor", "asu", "", Access::kChange, become_monitor},
};

constexpr BusInterface kInterface{"org.freedesktop.DBus", {}, kMethods, {}};
constexpr BusInterface kMonitoring{"org.freedesktop.DBus.Monitoring", {}, kMonitoringMethods, {}};

}  // namespace

std::vector<const BusInterface*> bus_daemon_interfaces() { return {&kInterface, &kMonitoring}; }

bool is_for_bus_daemon(const bus::Message& message) {
  if (message.destination() == kDaemon) return true;
  return message.destination().empty() && message.path() == "/org/freedesktop/DBus";
}

bool is_for_us(const bus::Message& message) {
  const std::string_view to = message.destination();
  return to.empty() || to == bus::kSystemd1Service || to == kOwnUniqueName;
}

void answer_service_unknown(bus::MethodCall& call, std::string_view name) {
  call.send_error("org.freedesktop.DBus.Error.ServiceUnknown",
                  fmt::format("The name {} was not provided by any .service files", name));
}

}  // namespace flotilla::init
