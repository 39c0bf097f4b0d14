#include "client/answers.h"

#include <charconv>
#include <utility>

namespace flotilla::client {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

uint64_t number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() > 0) {
    return static_cast<uint64_t>(value->get_int64());
  }
  if (!value->is_string()) return 0;
  const json::string& text = value->get_string();
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

base::Result<json::object> parse_object(const std::string& body) {
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_object()) {
    return base::internal("the API's answer is no JSON object{}{}", error ? ": " : "",
                          error ? error.message() : "");
  }
  return std::move(value.get_object());
}

Unit unit_of(const json::object& object) {
  Unit unit{text_of(object, "name"),
            text_of(object, "currentState"),
            text_of(object, "desiredState"),
            text_of(object, "machineID"),
            {},
            text_of(object, "finishedOn"),
            number_of(object, "finishedUsec")};
  for_each_object(object, "options", [&](const json::object& option) {
    unit.options.push_back(
        {text_of(option, "section"), text_of(option, "name"), text_of(option, "value")});
  });
  return unit;
}

UnitState state_of(const json::object& object) {
  return {text_of(object, "name"),
          text_of(object, "machineID"),
          text_of(object, "hash"),
          text_of(object, "systemdLoadState"),
          text_of(object, "systemdActiveState"),
          text_of(object, "systemdSubState"),
          number_of(object, "systemdActiveEnterTimestamp"),
          text_of(object, "problem")};
}

Machine machine_of(const json::object& object) {
  Machine machine{text_of(object, "id"), text_of(object, "primaryIP"), {}};
  if (const json::value* metadata = object.if_contains("metadata");
      metadata != nullptr && metadata->is_object()) {
    for (const auto& [key, value] : metadata->get_object()) {
      if (value.is_string()) machine.metadata[std::string(key)] = std::string(value.get_string());
    }
  }
  return machine;
}

json::array options_of(const Unit& unit) {
  json::array options;
  for (const unit::UnitOption& option : unit.options) {
    options.push_back(
        json::object{{"name", option.name}, {"section", option.section}, {"value", option.value}});
  }
  return options;
}

}  // namespace flotilla::client
