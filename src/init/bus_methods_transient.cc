// StartTransientUnit, SetUnitProperties and SetProperties.

#include <optional>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_methods.h"
#include "init/job.h"
#include "init/property_text.h"

namespace flotilla::init {

using base::Result;

namespace {

constexpr size_t kMaxProperties = 10'000;
constexpr size_t kMaxUnits = 1'000;

using Markers = std::optional<std::vector<std::string>>;

// Whether who calls can be told something by name, later.
enum class Caller : uint8_t { kOnBus, kConnected };

Caller caller_of(const BusRequest& request) {
  return request.call.peer().bus_name.empty() ? Caller::kConnected : Caller::kOnBus;
}

// The next argument, "a(sv)", of a unit of this name. Marks are no setting: they go to `markers`.
Result<std::vector<PropertyText>> read_properties(bus::MessageReader& reader,
                                                  const unit::UnitName& unit, Caller caller,
                                                  Markers* markers = nullptr) {
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
    // Whether the caller wants the unit kept for it: it is for as long as it runs.
    if (name == "AddRef" && value.signature == "b") continue;
    if (name == "Controller" && unit.type() == unit::UnitType::kScope &&
        caller == Caller::kConnected) {
      return base::unexpected({base::Errc::kUnsupported,
                               "Sorry, Controller= logic only supported via the bus.", 0,
                               "org.freedesktop.DBus.Error.NotSupported"});
    }
    if (markers != nullptr && name == "Markers" && value.signature == "as") {
      markers->emplace();
      for (const bus::Value& word : *value.as_list()) (*markers)->push_back(*word.as_string());
      continue;
    }
    FLOTILLA_ASSIGN(PropertyText text, writer.write(name, value));
    settings.push_back(std::move(text));
  }
  FLOTILLA_TRY(reader.leave());
  return settings;
}

base::Unexpected invalid_name() {
  return base::unexpected({base::Errc::kInvalid, "Invalid unit name or type.", 0,
                           "org.freedesktop.DBus.Error.InvalidArgs"});
}

// The units are read as a whole before anything is made of them.
Result<std::vector<TransientUnit>> read_units(bus::MessageReader& reader, const std::string& name,
                                              Caller caller) {
  std::vector<TransientUnit> units;
  const auto first = unit::UnitName::parse(name);
  if (!first) return invalid_name();
  FLOTILLA_ASSIGN(std::vector<PropertyText> settings, read_properties(reader, *first, caller));
  units.push_back({name, std::move(settings)});
  FLOTILLA_TRY(reader.enter('a', "(sa(sv))"));
  while (true) {
    FLOTILLA_ASSIGN(const bool more, reader.enter('r', "sa(sv)"));
    if (!more) break;
    if (units.size() >= kMaxUnits) return base::too_large("too many units in one request");
    FLOTILLA_ASSIGN(const std::string other, reader.string());
    const auto parsed = unit::UnitName::parse(other);
    if (!parsed) return invalid_name();
    FLOTILLA_ASSIGN(std::vector<PropertyText> more_settings,
                    read_properties(reader, *parsed, caller));
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
  Markers markers;
  const auto settings = read_properties(reader, *parsed, caller_of(request), &markers);
  if (!settings) return request.call.send_error(settings.error());
  for (const PropertyText& setting : *settings) {
    if (setting.is_live) continue;
    return answer_error(request, "org.freedesktop.DBus.Error.PropertyReadOnly",
                        "Cannot set property " + setting.name + ", or unknown property.");
  }
  if (markers) {
    const base::Status marked = request.manager.set_markers(name, *markers);
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
  const auto units = read_units(reader, name, caller_of(request));
  if (!units) return request.call.send_error(units.error());
  const Result<uint32_t> job = request.manager.start_transient(*units, mode);
  if (!job) return request.call.send_error(job.error());
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
