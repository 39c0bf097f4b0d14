#include "init/bus_facade.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_introspect.h"
#include "init/bus_write.h"

namespace flotilla::init {

using base::Result;
using base::Status;

namespace {

constexpr std::string_view kIntrospectable = "org.freedesktop.DBus.Introspectable";
constexpr std::string_view kLogControlPath = "/org/freedesktop/LogControl1";
constexpr std::string_view kUnitRoot = "/org/freedesktop/systemd1/unit";
constexpr std::string_view kJobRoot = "/org/freedesktop/systemd1/job";

// The nodes between the root and our objects, each with its child.
constexpr std::pair<std::string_view, std::string_view> kSteps[] = {
    {"/", "org"},
    {"/org", "freedesktop"},
    {"/org/freedesktop", "LogControl1"},
    {"/org/freedesktop", "systemd1"}};

bool may_change(const bus::Peer& peer) { return peer.uid == 0 || peer.uid == ::geteuid(); }

bool is_present(const BusProperty& property, const BusSubject& subject) {
  return property.is_present == nullptr || property.is_present(subject);
}

void write_entry(bus::MessageWriter& body, const BusProperty& property, const BusSubject& subject) {
  body.open_dict_entry("sv").string(property.name).open_variant(property.signature);
  property.write(subject, body);
  body.close().close();
}

void unknown_object(bus::MethodCall& call) {
  call.send_error("org.freedesktop.DBus.Error.UnknownObject",
                  fmt::format("Unknown object '{}'.", call.message().path()));
}

// There is nothing at the path of the call; of a unit's path it says why.
void refuse_object(bus::MethodCall& call) {
  const std::optional<std::string> name = bus::unit_of_path(call.message().path());
  if (!name || *name == "self") return unknown_object(call);
  call.send_error(
      kBusInvalidArgs,
      fmt::format("Unit name {} is neither a valid invocation ID nor unit name.", *name));
}

void unknown_method(bus::MethodCall& call) {
  call.send_error("org.freedesktop.DBus.Error.UnknownMethod",
                  fmt::format("Unknown method {} or interface {}.", call.message().member(),
                              call.message().interface()));
}

// True if the arguments have these types; else the call is answered.
bool check_arguments(bus::MethodCall& call, std::string_view expected) {
  const bus::Message& message = call.message();
  if (message.signature() == expected) return true;
  call.send_error(
      kBusInvalidArgs,
      fmt::format("Invalid arguments '{}' to call {}.{}(), expecting '{}'.", message.signature(),
                  message.interface(), message.member(), expected));
  return false;
}

}  // namespace

BusFacade::BusFacade(base::EventLoop& loop, Manager& manager, base::Fd listening_socket,
                     std::function<void(const std::string&)> log, bus::ServerLimits limits)
    : loop_(loop),
      log_(log),
      manager_(manager),
      server_(loop, std::move(listening_socket), std::string(bus::kSystemd1Service), limits, *this,
              std::move(log)) {
  manager_.set_observer(this);
}

BusFacade::~BusFacade() { manager_.set_observer(nullptr); }

// --- Calls ---

std::optional<BusFacade::Object> BusFacade::find_object(std::string_view path,
                                                        const bus::MethodCall& call) {
  if (path == bus::kSystemd1Path) return Object{};
  if (path == kLogControlPath) return Object{nullptr, {}, BusSubject::Place::kLogControl};
  if (const std::optional<std::string> name = bus::unit_of_path(path)) {
    if (*name == "self") {
      const Unit* own = manager_.find_unit_by_pid(call.peer().pid);
      if (own == nullptr) return {};
      return Object{own, {}, BusSubject::Place::kManager};
    }
    // Asking about a unit by its path loads it.
    const Result<const Unit*> unit = manager_.load_unit(*name);
    if (!unit) return {};
    return Object{*unit, {}, BusSubject::Place::kManager};
  }
  if (const std::optional<uint32_t> id = bus::job_of_path(path)) {
    std::optional<JobView> job = manager_.find_job(*id);
    if (!job) return {};
    return Object{nullptr, std::move(job), BusSubject::Place::kManager};
  }
  return {};
}

void BusFacade::on_call(bus::MethodCall& call) {
  const bus::Message& message = call.message();
  manager_.list_mounts();
  if (call.peer().bus_name.empty() && is_for_bus_daemon(message)) {
    dispatch(call, {manager_, nullptr, nullptr, BusSubject::Place::kBusDaemon});
    return;
  }
  const bool is_ours = !call.peer().bus_name.empty() || is_for_us(message);
  if (!is_ours) return answer_service_unknown(call, message.destination());
  if (message.member() == "Introspect" &&
      (message.interface().empty() || message.interface() == kIntrospectable)) {
    introspect_path(call);
    return;
  }
  const std::optional<Object> object = find_object(message.path(), call);
  if (!object) return refuse_object(call);
  const BusSubject subject = object->subject(manager_);
  if (message.interface() == bus::kPropertiesInterface) {
    call_properties(call, subject);
  } else {
    dispatch(call, subject);
  }
}

void BusFacade::dispatch(bus::MethodCall& call, const BusSubject& subject) {
  const std::string_view wanted = call.message().interface();
  const BusMethod* method = nullptr;
  for (const BusInterface* interface : bus_interfaces_of(subject)) {
    if (!wanted.empty() && interface->name != wanted) continue;
    method = interface->find_method(call.message().member());
    if (method != nullptr) break;
  }
  if (method == nullptr) return unknown_method(call);
  if (!check_arguments(call, method->in)) return;
  if (method->access == Access::kChange && !may_change(call.peer())) {
    return call.send_error(kBusAccessDenied, "Access denied");
  }
  BusRequest request{manager_, *this, subject, call};
  method->call(request);
}

void BusFacade::call_properties(bus::MethodCall& call, const BusSubject& subject) {
  const std::string_view member = call.message().member();
  if (member == "Get") {
    if (check_arguments(call, "ss")) get_property(call, subject);
  } else if (member == "GetAll") {
    if (check_arguments(call, "s")) get_all(call, subject);
  } else if (member == "Set") {
    if (check_arguments(call, "ssv")) set_property(call, subject);
  } else {
    unknown_method(call);
  }
}

void BusFacade::get_property(bus::MethodCall& call, const BusSubject& subject) {
  bus::MessageReader arguments = call.arguments();
  const std::string wanted = arguments.string().value_or("");
  const std::string name = arguments.string().value_or("");
  for (const BusInterface* interface : bus_interfaces_of(subject)) {
    if (interface->name != wanted) continue;
    const BusProperty* property = interface->find_property(name);
    if (property == nullptr || !is_present(*property, subject)) continue;
    Result<bus::MessageWriter> reply = call.new_reply();
    if (!reply) return call.send_error(reply.error());
    reply->open_variant(property->signature);
    property->write(subject, *reply);
    reply->close();
    return call.send(std::move(*reply));
  }
  call.send_error("org.freedesktop.DBus.Error.UnknownProperty",
                  fmt::format("Unknown interface {} or property {}.", wanted, name));
}

void BusFacade::get_all(bus::MethodCall& call, const BusSubject& subject) {
  const std::string wanted = call.arguments().string().value_or("");
  Result<bus::MessageWriter> reply = call.new_reply();
  if (!reply) return call.send_error(reply.error());
  reply->open_array("{sv}");
  bool known = wanted.empty() || wanted == bus::kPropertiesInterface || wanted == kIntrospectable ||
               wanted == "org.freedesktop.DBus.Peer";
  for (const BusInterface* interface : bus_interfaces_of(subject)) {
    if (!wanted.empty() && interface->name != wanted) continue;
    known = true;
    for (const BusProperty& property : interface->properties) {
      if (is_present(property, subject)) write_entry(*reply, property, subject);
    }
  }
  reply->close();
  if (!known) {
    return call.send_error("org.freedesktop.DBus.Error.UnknownInterface",
                           fmt::format("Unknown interface '{}'.", wanted));
  }
  call.send(std::move(*reply));
}

void BusFacade::set_property(bus::MethodCall& call, const BusSubject& subject) {
  bus::MessageReader arguments = call.arguments();
  const std::string wanted = arguments.string().value_or("");
  const std::string name = arguments.string().value_or("");
  const BusProperty* property = nullptr;
  for (const BusInterface* interface : bus_interfaces_of(subject)) {
    if (interface->name == wanted) property = interface->find_property(name);
    if (property != nullptr) break;
  }
  if (property == nullptr) {
    return call.send_error("org.freedesktop.DBus.Error.UnknownProperty",
                           fmt::format("Unknown interface {} or property {}.", wanted, name));
  }
  if (property->set == nullptr) {
    return call.send_error("org.freedesktop.DBus.Error.PropertyReadOnly",
                           fmt::format("Property '{}' is not writable.", name));
  }
  if (!may_change(call.peer())) return call.send_error(kBusAccessDenied, "Access denied");
  if (!arguments.enter('v', property->signature).value_or(false)) {
    return call.send_error("org.freedesktop.DBus.Error.InvalidSignature",
                           fmt::format("Incorrect parameters for property '{}', expected '{}'.",
                                       name, property->signature));
  }
  const Status status = property->set(manager_, arguments);
  if (!status) return call.send_error(status.error());
  call.send_empty();
}

void BusFacade::introspect_path(bus::MethodCall& call) {
  if (!check_arguments(call, "")) return;
  const std::string_view path = call.message().path();
  std::vector<const BusInterface*> interfaces;
  std::vector<std::string> children;
  for (const auto& [node, child] : kSteps) {
    if (path == node) children.emplace_back(child);
  }
  if (path == kUnitRoot) {
    for (const Unit* unit : manager_.units()) {
      children.push_back(bus::escape_path_element(unit->id));
    }
  } else if (path == kJobRoot) {
    for (const JobView& job : manager_.jobs()) children.push_back(std::to_string(job.id));
  } else if (children.empty()) {
    const std::optional<Object> object = find_object(path, call);
    if (!object) return refuse_object(call);
    interfaces = bus_interfaces_of(object->subject(manager_));
    if (path == bus::kSystemd1Path) children = {"unit", "job"};
  }
  Result<bus::MessageWriter> reply = call.new_reply();
  if (!reply) return call.send_error(reply.error());
  reply->string(introspect(interfaces, children));
  call.send(std::move(*reply));
}

// --- The real bus ---

void BusFacade::set_system_bus(std::string socket_path) {
  system_bus_path_ = std::move(socket_path);
  look_for_system_bus();
}

void BusFacade::look_for_system_bus() {
  if (system_bus_path_.empty() || system_bus_) return;
  const Unit* unit = manager_.find_unit("dbus.service");
  if (unit == nullptr || unit->active() != ActiveState::kActive) return;
  auto opened = bus::BusService::open(loop_, system_bus_path_, std::string(bus::kSystemd1Service),
                                      *this, log_, [this] { system_bus_.reset(); });
  if (!opened) return log_("bus: " + opened.error().message);
  system_bus_ = std::move(*opened);
  system_bus_->set_on_owner([this](const std::string& name, bool is_owned) {
    const auto service = services_.find(name);
    if (service != services_.end()) manager_.set_bus_name_owned(service->second, is_owned);
  });
  services_.clear();
  for (const Unit* known : manager_.units()) watch_name_of(*known);
}

// A service of the bus is running once its name is there.
void BusFacade::watch_name_of(const Unit& unit) {
  const std::string& name = unit.settings.service->extras->bus_name;
  if (name.empty() || !system_bus_ || unit.active() == ActiveState::kInactive) return;
  services_[name] = unit.id;
  system_bus_->watch_name(name);
}

base::Status BusFacade::subscribe(const bus::Peer& peer) {
  if (peer.bus_name.empty() || !system_bus_ || system_bus_->subscribe(peer)) return {};
  return base::unexpected({base::Errc::kAlreadyExists, "Client is already subscribed.", 0,
                           "org.freedesktop.systemd1.AlreadySubscribed"});
}

base::Status BusFacade::unsubscribe(const bus::Peer& peer) {
  if (peer.bus_name.empty() || !system_bus_ || system_bus_->unsubscribe(peer)) return {};
  return base::unexpected({base::Errc::kNotFound, "Client is not subscribed.", 0,
                           "org.freedesktop.systemd1.NotSubscribed"});
}

void BusFacade::emit(std::string_view path, std::string_view interface, std::string_view member,
                     const Fill& fill) {
  server_.emit(path, interface, member, fill);
  if (system_bus_) system_bus_->emit(path, interface, member, fill);
}

bool BusFacade::is_heard() const {
  return server_.connection_count() != 0 || (system_bus_ && system_bus_->has_subscribers());
}

// --- What clients hold on to ---

bool BusFacade::may_refer(const bus::Peer& peer) const {
  return !peer.bus_name.empty() || named_.count(peer.connection) != 0;
}

base::Status BusFacade::add_ref(const bus::Peer& peer, const std::string& unit) {
  FLOTILLA_TRY(manager_.add_ref(unit));
  if (!may_refer(peer)) {
    manager_.drop_ref(unit);
    return base::invalid("Invalid argument");
  }
  refs_[peer.connection].push_back(unit);
  if (!peer.bus_name.empty() && system_bus_) system_bus_->watch(peer);
  return {};
}

base::Status BusFacade::drop_ref(const bus::Peer& peer, const std::string& unit) {
  if (manager_.find_unit(unit) == nullptr) {
    return base::not_found("Unit {} not loaded.", unit);
  }
  auto& held = refs_[peer.connection];
  const auto found = std::find(held.begin(), held.end(), unit);
  if (found == held.end()) {
    return base::unexpected({base::Errc::kNotFound, "Unit has not been referenced yet.", 0,
                             "org.freedesktop.systemd1.NotReferenced"});
  }
  held.erase(found);
  manager_.drop_ref(unit);
  return {};
}

void BusFacade::on_disconnected(const bus::Peer& peer) {
  if (on_quiet_ && connection_count() == 0) on_quiet_();
  named_.erase(peer.connection);
  const auto found = refs_.find(peer.connection);
  if (found == refs_.end()) return;
  for (const std::string& unit : found->second) manager_.drop_ref(unit);
  refs_.erase(found);
}

// --- Signals ---

void BusFacade::make_monitor(const bus::Peer& peer, const std::string& unique_name) {
  server_.set_monitor(peer.connection);
  // A monitor has no name any more; that it is told so is what it waits for.
  server_.emit(
      "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameLost",
      [&](bus::MessageWriter& body) { body.string(unique_name); },
      [&](const bus::Peer& to) { return to.connection == peer.connection; });
}

void BusFacade::emit_manager(std::string_view member, const Fill& fill) {
  emit(bus::kSystemd1Path, bus::kManagerInterface, member, fill);
}

void BusFacade::answer_later(const bus::DeferredCall& call, const base::Status& status) {
  const auto answer = [&](bus::MethodCall& resumed) {
    status ? resumed.send_empty() : resumed.send_error(status.error());
  };
  if (call.peer.bus_name.empty()) return server_.resume(call, answer);
  if (system_bus_) system_bus_->resume(call, answer);
}

void BusFacade::emit_unit_files_changed() { emit_manager("UnitFilesChanged", nullptr); }

void BusFacade::on_unit_new(const std::string& unit) {
  emit_manager("UnitNew", [&](bus::MessageWriter& body) {
    body.string(unit).object_path(bus::unit_path(unit));
  });
}

void BusFacade::on_unit_removed(const std::string& unit) {
  emit_manager("UnitRemoved", [&](bus::MessageWriter& body) {
    body.string(unit).object_path(bus::unit_path(unit));
  });
}

void BusFacade::on_job_new(uint32_t id, const std::string& unit) {
  emit_manager("JobNew", [&](bus::MessageWriter& body) {
    body.u32(id).object_path(bus::job_path(id)).string(unit);
  });
}

void BusFacade::on_job_removed(uint32_t id, const std::string& unit, std::string_view result) {
  emit_manager("JobRemoved", [&](bus::MessageWriter& body) {
    body.u32(id).object_path(bus::job_path(id)).string(unit).string(result);
  });
}

void BusFacade::on_reloading(bool active) {
  emit_manager("Reloading", [&](bus::MessageWriter& body) { body.boolean(active); });
}

void BusFacade::on_startup_finished(base::Micros userspace) {
  // Firmware, boot loader, kernel and initrd are not ours to time: zero says so.
  emit_manager("StartupFinished", [&](bus::MessageWriter& body) {
    const auto spent = static_cast<uint64_t>(userspace.count());
    body.u64(0).u64(0).u64(0).u64(0).u64(spent).u64(spent);
  });
}

void BusFacade::emit_changed(std::string_view path, const BusInterface& interface,
                             const BusSubject& subject) {
  bool any = false;
  for (const BusProperty& property : interface.properties) {
    any = any || property.emits == Emits::kValue || property.emits == Emits::kInvalidates;
  }
  if (!any) return;
  emit(path, bus::kPropertiesInterface, "PropertiesChanged", [&](bus::MessageWriter& body) {
    body.string(interface.name).open_array("{sv}");
    for (const BusProperty& property : interface.properties) {
      if (property.emits != Emits::kValue || !is_present(property, subject)) continue;
      write_entry(body, property, subject);
    }
    body.close().open_array("s");
    for (const BusProperty& property : interface.properties) {
      if (property.emits == Emits::kInvalidates) body.string(property.name);
    }
    body.close();
  });
}

void BusFacade::on_unit_changed(const std::string& name) {
  const Unit* unit = manager_.find_unit(name);
  if (unit == nullptr) return;
  if (!system_bus_path_.empty() && !system_bus_ && unit == manager_.find_unit("dbus.service")) {
    look_for_system_bus();
  }
  if (!unit->settings.service->extras->bus_name.empty()) watch_name_of(*unit);
  if (!is_heard()) return;
  const BusSubject subject{manager_, unit, nullptr};
  const std::string path = bus::unit_path(unit->id);
  for (const BusInterface* interface : bus_interfaces_of(subject)) {
    emit_changed(path, *interface, subject);
  }
}

void BusFacade::on_job_changed(uint32_t id) {
  if (!is_heard()) return;
  const std::optional<JobView> job = manager_.find_job(id);
  if (!job) return;
  emit_changed(bus::job_path(id), bus_job_interface(), BusSubject{manager_, nullptr, &*job});
}

}  // namespace flotilla::init
