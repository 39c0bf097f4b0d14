// The tables behind the bus façade: which interfaces an object has, and of each its properties,
// methods and signals with their D-Bus types. The dispatcher, GetAll and the introspection all read
// the same tables. Names and types are systemd's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "bus/message.h"
#include "bus/server.h"
#include "init/manager.h"

namespace flotilla::init {

class BusFacade;

// The object that a call or a property is about: the manager, or one of its units or jobs.
struct BusSubject {
  Manager& manager;
  const Unit* unit = nullptr;
  const JobView* job = nullptr;
  // Where none of both: the manager itself, or what else there is beside it.
  enum class Place : uint8_t { kManager, kLogControl, kBusDaemon } place = Place::kManager;
};

// One method call on its way to its function.
struct BusRequest {
  Manager& manager;
  BusFacade& facade;
  BusSubject subject;
  bus::MethodCall& call;
};

// What PropertiesChanged says about a property, as in its introspection annotation.
enum class Emits : uint8_t {
  kConst,        // never changes
  kNothing,      // changes in silence
  kValue,        // the signal carries the new value
  kInvalidates,  // the signal carries the name alone
};

struct BusProperty {
  std::string_view name;
  const char* signature;
  Emits emits;
  void (*write)(const BusSubject& subject, bus::MessageWriter& body);
  // Null: always there. A property that cannot be computed is absent, not made up.
  bool (*is_present)(const BusSubject& subject) = nullptr;
  // Null: read only.
  base::Status (*set)(Manager& manager, bus::MessageReader value) = nullptr;
};

// Who may call a method: everybody, or only root and the manager's own user.
enum class Access : uint8_t { kRead, kChange };

struct BusMethod {
  std::string_view name;
  const char* in;
  const char* out;  // null: called by old clients, and not told of
  Access access;
  void (*call)(BusRequest& request);
};

struct BusSignal {
  std::string_view name;
  const char* signature;
};

struct BusInterface {
  std::string_view name;
  std::span<const BusProperty> properties;
  std::span<const BusMethod> methods;
  std::span<const BusSignal> signals;

  const BusProperty* find_property(std::string_view property) const;
  const BusMethod* find_method(std::string_view method) const;
};

// org.freedesktop.systemd1.Manager, .Unit, .Job
const BusInterface& bus_manager_interface();
const BusInterface& bus_unit_interface();
const BusInterface& bus_job_interface();
const BusInterface& bus_log_control_interface();
std::vector<const BusInterface*> bus_daemon_interfaces();
const BusInterface& bus_mount_interface();
// Of a service's properties those that everything has that runs processes.
std::span<const BusProperty> bus_process_properties();
// .Service, .Target, ... : what units of this type have besides .Unit.
const BusInterface& bus_type_interface(unit::UnitType type);

// On our own socket clients may call the bus itself, or services that are not there.
bool is_for_bus_daemon(const bus::Message& message);
bool is_for_us(const bus::Message& message);
void answer_service_unknown(bus::MethodCall& call, std::string_view name);

// The interfaces of the object, the most special first.
std::vector<const BusInterface*> bus_interfaces_of(const BusSubject& subject);

}  // namespace flotilla::init
