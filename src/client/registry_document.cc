#include "client/registry_document.h"

#include <boost/json.hpp>
#include <set>

#include "unit/fleet_name.h"

namespace flotilla::client {
namespace {

namespace json = boost::json;

constexpr int64_t kFormat = 1;

json::array to_array(const std::vector<unit::UnitOption>& options) {
  json::array array;
  for (const unit::UnitOption& option : options) {
    array.push_back(
        json::object{{"section", option.section}, {"name", option.name}, {"value", option.value}});
  }
  return array;
}

// A list of objects, each on a line of its own.
template <typename List, typename ToObject>
std::string lines_of(const List& list, const ToObject& to_object) {
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i) {
    text += (i == 0 ? "\n    " : ",\n    ") + json::serialize(to_object(list[i]));
  }
  return text + (list.empty() ? "]" : "\n  ]");
}

// The text of a member; what is no text, or is missing where it must be there, is an error.
base::Result<std::string> text_of(const json::object& object, json::string_view key,
                                  const std::string& where, bool is_needed) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr && !is_needed) return std::string();
  if (value == nullptr || !value->is_string()) {
    return base::invalid("{}: expected a text \"{}\"", where, std::string_view(key));
  }
  return std::string(value->get_string());
}

base::Result<const json::array*> list_of(const json::object& object, json::string_view key,
                                         const std::string& where) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) {
    return base::invalid("{}: expected a list \"{}\"", where, std::string_view(key));
  }
  return &value->get_array();
}

base::Result<Unit> unit_of(const json::value& value, const std::string& where) {
  if (!value.is_object()) return base::invalid("{}: expected an object", where);
  const json::object& object = value.get_object();
  Unit unit;
  FLOTILLA_ASSIGN(unit.name, text_of(object, "name", where, true));
  if (const base::Status valid = unit::validate_fleet_name(unit.name); !valid) {
    return base::invalid("{}: {}", where, valid.error().message);
  }
  FLOTILLA_ASSIGN(unit.desired_state, text_of(object, "desiredState", where, true));
  const std::string& state = unit.desired_state;
  if (state != "inactive" && state != "loaded" && state != "launched") {
    return base::invalid("{}: desiredState: expected inactive, loaded or launched, got \"{}\"",
                         where, state);
  }
  FLOTILLA_ASSIGN(unit.machine_id, text_of(object, "machineID", where, false));
  FLOTILLA_ASSIGN(unit.finished_on, text_of(object, "finishedOn", where, false));
  if (const json::value* usec = object.if_contains("finishedUsec")) {
    if (!usec->is_int64() || usec->get_int64() < 0) {
      return base::invalid("{}: finishedUsec: expected a number of microseconds", where);
    }
    unit.finished_usec = static_cast<uint64_t>(usec->get_int64());
  }
  FLOTILLA_ASSIGN(const json::array* options, list_of(object, "options", where));
  for (const json::value& item : *options) {
    if (!item.is_object()) return base::invalid("{}: options: expected objects", where);
    unit::UnitOption option;
    FLOTILLA_ASSIGN(option.section, text_of(item.get_object(), "section", where, true));
    FLOTILLA_ASSIGN(option.name, text_of(item.get_object(), "name", where, true));
    FLOTILLA_ASSIGN(option.value, text_of(item.get_object(), "value", where, false));
    unit.options.push_back(std::move(option));
  }
  if (unit.options.empty()) return base::invalid("{}: options: there are none", where);
  return unit;
}

base::Result<Machine> machine_of(const json::value& value, const std::string& where) {
  if (!value.is_object()) return base::invalid("{}: expected an object", where);
  const json::object& object = value.get_object();
  Machine machine;
  FLOTILLA_ASSIGN(machine.id, text_of(object, "id", where, true));
  const json::value* metadata = object.if_contains("metadata");
  if (machine.id.empty() || metadata == nullptr || !metadata->is_object()) {
    return base::invalid("{}: expected an id and an object \"metadata\"", where);
  }
  for (const auto& [key, text] : metadata->get_object()) {
    if (!text.is_string()) return base::invalid("{}: metadata: expected texts", where);
    machine.metadata[std::string(key)] = std::string(text.get_string());
  }
  return machine;
}

base::Status check_head(const json::object& object) {
  const json::value* kind = object.if_contains("kind");
  const json::value* format = object.if_contains("format");
  if (kind == nullptr || *kind != "flotilla-registry" || format == nullptr || !format->is_int64()) {
    return base::invalid("this is no document of fleetctl export");
  }
  if (format->get_int64() > kFormat) {
    return base::unsupported("the document has format {}; this version knows {}",
                             format->get_int64(), kFormat);
  }
  return {};
}

}  // namespace

std::string to_json(const RegistryDocument& document) {
  const auto unit_object = [](const Unit& unit) {
    json::object object{{"name", unit.name}, {"desiredState", unit.desired_state}};
    if (!unit.machine_id.empty()) object["machineID"] = unit.machine_id;
    if (!unit.finished_on.empty()) {
      object["finishedOn"] = unit.finished_on;
      object["finishedUsec"] = unit.finished_usec;
    }
    object["options"] = to_array(unit.options);
    return object;
  };
  const auto machine_object = [](const Machine& machine) {
    json::object metadata;
    for (const auto& [key, value] : machine.metadata) metadata[key] = value;
    return json::object{{"id", machine.id}, {"metadata", std::move(metadata)}};
  };
  return fmt::format(
      "{{\n  \"kind\": \"flotilla-registry\",\n  \"format\": {},\n  \"machines\": {},\n  "
      "\"units\": "
      "{}\n}}\n",
      kFormat, lines_of(document.machines, machine_object), lines_of(document.units, unit_object));
}

base::Result<RegistryDocument> parse_registry_document(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return base::invalid("this is no JSON: {}", error.message());
  if (!value.is_object()) return base::invalid("this is no document of fleetctl export");
  const json::object& object = value.get_object();
  FLOTILLA_TRY(check_head(object));
  RegistryDocument document;
  std::set<std::string> names;
  FLOTILLA_ASSIGN(const json::array* machines, list_of(object, "machines", "document"));
  for (size_t i = 0; i < machines->size(); ++i) {
    FLOTILLA_ASSIGN(Machine machine, machine_of((*machines)[i], fmt::format("machine {}", i + 1)));
    if (!names.insert(machine.id).second) {
      return base::invalid("machine {}: {} was there before", i + 1, machine.id);
    }
    document.machines.push_back(std::move(machine));
  }
  names.clear();
  FLOTILLA_ASSIGN(const json::array* units, list_of(object, "units", "document"));
  for (size_t i = 0; i < units->size(); ++i) {
    FLOTILLA_ASSIGN(Unit unit, unit_of((*units)[i], fmt::format("unit {}", i + 1)));
    if (!names.insert(unit.name).second) {
      return base::invalid("unit {}: {} was there before", i + 1, unit.name);
    }
    document.units.push_back(std::move(unit));
  }
  return document;
}

}  // namespace flotilla::client
