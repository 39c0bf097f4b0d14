// StartTransientUnit, SetUnitProperties and SetProperties.

#include <optional>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_methods.h"
#include "init/job.h"
#include "init/property_text.h"

namespace flotilla::init {

using base::Result;

namespace {

constexpr size_t kMaxProperties = 10'000;
constexpr size_t kMaxUnits = 1'000;

using Markers = std::optional<std::vector<std::string>>;

// Whether who calls can be told something by name, later: kNamed over its own connection alone.
enum class Caller : uint8_t { kOnBus, kNamed, kConnected };

Caller caller_of(const BusRequest& request) {
  if (!request.call.peer().bus_name.empty()) return Caller::kOnBus;
  return request.facade.may_refer(request.call.peer()) ? Caller::kNamed : Caller::kConnected;
}

// What is no setting among the properties.
struct Asides {
  Markers markers;        // of a unit that is there
  bool adds_ref = false;  // the unit is to be kept for the caller
};

// The next argument, "a(sv)", of a unit of this name.
Result<std::vector<PropertyText>> read_properties(bus::MessageReader& reader,
                                                  const unit::UnitName& unit, Caller caller,
                                                  bool is_new, Asides& asides) {
  std::vector<PropertyText> settings;
  PropertyWriter writer(unit);
  FLOTILLA_TRY(reader.enter('a', "(sv)"));
  while (true) {
    FLOTILLA_ASSIGN(const bool more, reader.enter('r', "sv"));
    if (!more) break;
    if (settings.size() >= kMaxProperties) return base::too_large("too many properties");
    FLOTILLA_ASSIGN(const std::string name, reader.string());
    FLOTILLA_ASSIGN(const bus::Value value, reader.value());
    FLOTILLA_TRY(reader.leave());
    if (name == "AddRef" && value.signature == "b") {
      asides.adds_ref = asides.adds_ref || value.as_bool(false);
      if (!asides.adds_ref || caller != Caller::kConnected) continue;
      return base::invalid("Invalid argument");
    }
    if (name == "Controller" && unit.type() == unit::UnitType::kScope && caller != Caller::kOnBus) {
      return base::unexpected({base::Errc::kUnsupported,
                               "Sorry, Controller= logic only supported via the bus.", 0,
                               "org.freedesktop.DBus.Error.NotSupported"});
    }
    if (!is_new && name == "Markers" && value.signature == "as") {
      asides.markers.emplace();
      for (const bus::Value& word : *value.as_list()) asides.markers->push_back(*word.as_string());
      continue;
    }
    FLOTILLA_ASSIGN(PropertyText text, writer.write(name, value));
    settings.push_back(std::move(text));
  }
  FLOTILLA_TRY(reader.leave());
  return settings;
}

base::Unexpected invalid_name() { return base::invalid("Invalid unit name or type."); }

// The units are read as a whole before anything is made of them.
// `referred`: those to be kept for the caller.
Result<std::vector<TransientUnit>> read_units(bus::MessageReader& reader, const std::string& name,
                                              Caller caller, std::vector<std::string>& referred) {
  std::vector<TransientUnit> units;
  const auto read = [&](const unit::UnitName& unit) {
    Asides asides;
    auto settings = read_properties(reader, unit, caller, true, asides);
    if (settings && asides.adds_ref) referred.push_back(unit.str());
    return settings;
  };
  const auto first = unit::UnitName::parse(name);
  if (!first) return invalid_name();
  FLOTILLA_ASSIGN(std::vector<PropertyText> settings, read(*first));
  units.push_back({name, std::move(settings)});
  FLOTILLA_TRY(reader.enter('a', "(sa(sv))"));
  while (true) {
    FLOTILLA_ASSIGN(const bool more, reader.enter('r', "sa(sv)"));
    if (!more) break;
    if (units.size() >= kMaxUnits) return base::too_large("too many units in one request");
    FLOTILLA_ASSIGN(const std::string other, reader.string());
    const auto parsed = unit::UnitName::parse(other);
    if (!parsed) return invalid_name();
    FLOTILLA_ASSIGN(std::vector<PropertyText> more_settings, read(*parsed));
    units.push_back({other, std::move(more_settings)});
    FLOTILLA_TRY(reader.leave());
  }
  return units;
}

void set_properties(BusRequest& request, bus::MessageReader& reader, const std::string& name) {
  const bool runtime = reader.boolean().value_or(false);
  const auto parsed = unit::UnitName::parse(name);
  if (!parsed)
    return answer_error(request, kBusInvalidArgs, "Unit name " + name + " is not valid.");
  Asides asides;
  const auto settings = read_properties(reader, *parsed, caller_of(request), false, asides);
  if (!settings) return request.call.send_error(settings.error());
  for (const PropertyText& setting : *settings) {
    if (setting.is_live) continue;
    return answer_error(request, "org.freedesktop.DBus.Error.PropertyReadOnly",
                        "Cannot set property " + setting.name + ", or unknown property.");
  }
  if (asides.markers) {
    const base::Status marked = request.manager.set_markers(name, *asides.markers);
    if (!marked || settings->empty()) return answer_status(request, marked);
  }
  answer_status(request, request.manager.set_properties(name, runtime, *settings));
}

}  // namespace

void bus_start_transient_unit(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::string name = reader.string().value_or("");
  const std::string mode = reader.string().value_or("");
  // The type comes before all that is said of the unit.
  if (const auto parsed = unit::UnitName::parse(name)) {
    const base::Status allowed = check_transient_type(parsed->type());
    if (!allowed) return request.call.send_error(allowed.error());
  }
  if (!parse_job_mode(mode)) {
    return answer_error(request, kBusInvalidArgs, "Job mode " + mode + " is invalid.");
  }
  // What exists is refused before what is said about it is looked at.
  if (const Unit* unit = request.manager.find_unit(name);
      unit != nullptr && unit->load_state() != "not-found" &&
      unit->settings.name.type() != unit::UnitType::kSlice) {
    return answer_error(request, "org.freedesktop.systemd1.UnitExists",
                        "Unit " + name + " was already loaded or has a fragment file.");
  }
  std::vector<std::string> referred;
  const auto units = read_units(reader, name, caller_of(request), referred);
  if (!units) return request.call.send_error(units.error());
  const Result<uint32_t> job = request.manager.start_transient(*units, mode);
  if (!job) return request.call.send_error(job.error());
  for (const std::string& unit : referred) {
    static_cast<void>(request.facade.add_ref(request.call.peer(), unit));
  }
  answer_with(request, [&](bus::MessageWriter& body) { body.object_path(bus::job_path(*job)); });
}

void bus_set_unit_properties(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::string name = reader.string().value_or("");
  set_properties(request, reader, name);
}

void bus_unit_set_properties(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  set_properties(request, reader, request.subject.unit->id);
}

}  // namespace flotilla::init
