#include "client/http_fleet_api.h"

#include <boost/json.hpp>

namespace flotilla::client {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
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

// Calls `each` with every object of the array `key`; anything else there is passed over.
template <typename Each>
void for_each_object(const json::object& page, std::string_view key, Each each) {
  const json::value* list = page.if_contains(json::string_view(key.data(), key.size()));
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& item : list->get_array()) {
    if (item.is_object()) each(item.get_object());
  }
}

Unit unit_of(const json::object& object) {
  Unit unit{text_of(object, "name"),
            text_of(object, "currentState"),
            text_of(object, "desiredState"),
            text_of(object, "machineID"),
            {}};
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
          text_of(object, "systemdSubState")};
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

std::string unit_target(const std::string& name) {
  return "/fleet/v1/units/" + percent_encode(name);
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@:";
  std::string result;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

base::Error error_of(const HttpResponse& response) {
  base::Errc code = base::Errc::kInternal;
  for (const base::Errc known :
       {base::Errc::kInvalid, base::Errc::kNotFound, base::Errc::kConflict, base::Errc::kDenied,
        base::Errc::kTooLarge, base::Errc::kUnavailable}) {
    if (base::names_of(known).http_status == response.status) code = known;
  }
  std::string message;
  boost::system::error_code ignored;
  const json::value body = json::parse(response.body, ignored);
  if (!ignored && body.is_object()) {
    if (const json::value* error = body.get_object().if_contains("error");
        error != nullptr && error->is_object()) {
      message = text_of(error->get_object(), "message");
    }
  }
  if (message.empty()) {
    return {code, fmt::format("googleapi: got HTTP response code {} with body: {}", response.status,
                              response.body)};
  }
  return {code, fmt::format("googleapi: Error {}: {}", response.status, message)};
}

base::Result<std::string> HttpFleetApi::get(const std::string& target) {
  FLOTILLA_ASSIGN(HttpResponse response, http_.request("GET", target, {}));
  if (response.status != 200) return base::unexpected(error_of(response));
  return std::move(response.body);
}

base::Result<std::vector<Unit>> HttpFleetApi::units() {
  std::vector<Unit> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get("/fleet/v1/units?alt=json" +
            (token.empty() ? std::string() : "&nextPageToken=" + percent_encode(token))));
    FLOTILLA_ASSIGN(const json::object page, parse_object(body));
    for_each_object(page, "units",
                    [&](const json::object& unit) { result.push_back(unit_of(unit)); });
    token = text_of(page, "nextPageToken");
  } while (!token.empty());
  return result;
}

base::Result<std::optional<Unit>> HttpFleetApi::unit(const std::string& name) {
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_.request("GET", unit_target(name) + "?alt=json", {}));
  if (response.status == 404) return std::optional<Unit>();
  if (response.status != 200) return base::unexpected(error_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  return std::optional<Unit>(unit_of(object));
}

base::Status HttpFleetApi::create_unit(const Unit& unit) {
  json::array options;
  for (const unit::UnitOption& option : unit.options) {
    options.push_back(
        json::object{{"name", option.name}, {"section", option.section}, {"value", option.value}});
  }
  json::object body{{"name", unit.name}, {"options", std::move(options)}};
  if (!unit.desired_state.empty()) body["desiredState"] = unit.desired_state;
  FLOTILLA_ASSIGN(
      const HttpResponse response,
      http_.request("PUT", unit_target(unit.name) + "?alt=json", json::serialize(body)));
  if (response.status / 100 != 2) return base::unexpected(error_of(response));
  return {};
}

base::Status HttpFleetApi::set_desired_state(const std::string& name, const std::string& state) {
  const json::object body{{"desiredState", state}, {"name", name}};
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_.request("PUT", unit_target(name) + "?alt=json", json::serialize(body)));
  if (response.status / 100 != 2) return base::unexpected(error_of(response));
  return {};
}

base::Status HttpFleetApi::destroy_unit(const std::string& name) {
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_.request("DELETE", unit_target(name) + "?alt=json", {}));
  if (response.status / 100 != 2) return base::unexpected(error_of(response));
  return {};
}

base::Result<std::vector<UnitState>> HttpFleetApi::all_states(const std::string& filter) {
  std::vector<UnitState> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get("/fleet/v1/state?alt=json" + filter +
            (token.empty() ? std::string() : "&nextPageToken=" + percent_encode(token))));
    FLOTILLA_ASSIGN(const json::object page, parse_object(body));
    for_each_object(page, "states",
                    [&](const json::object& state) { result.push_back(state_of(state)); });
    token = text_of(page, "nextPageToken");
  } while (!token.empty());
  return result;
}

base::Result<std::vector<UnitState>> HttpFleetApi::unit_states() { return all_states({}); }

base::Result<std::vector<UnitState>> HttpFleetApi::unit_states_of(const std::string& name) {
  return all_states("&unitName=" + percent_encode(name));
}

base::Result<std::vector<Machine>> HttpFleetApi::machines() {
  std::vector<Machine> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get("/fleet/v1/machines?alt=json" +
            (token.empty() ? std::string() : "&nextPageToken=" + percent_encode(token))));
    FLOTILLA_ASSIGN(const json::object page, parse_object(body));
    for_each_object(page, "machines",
                    [&](const json::object& machine) { result.push_back(machine_of(machine)); });
    token = text_of(page, "nextPageToken");
  } while (!token.empty());
  return result;
}

base::Result<StatusText> HttpFleetApi::unit_status(const std::string& name) {
  FLOTILLA_ASSIGN(const std::string body, get(unit_target(name) + "/status"));
  FLOTILLA_ASSIGN(const json::object object, parse_object(body));
  StatusText status{text_of(object, "text"), 0};
  if (const json::value* exit_status = object.if_contains("exitStatus");
      exit_status != nullptr && exit_status->is_int64()) {
    status.exit_status = static_cast<int>(exit_status->get_int64());
  }
  return status;
}

base::Status HttpFleetApi::unit_log(const std::string& name, int lines, bool follow,
                                    const std::function<void(std::string_view)>& sink) {
  const std::string target =
      fmt::format("{}/log?lines={}{}", unit_target(name), lines, follow ? "&follow" : "");
  FLOTILLA_ASSIGN(const HttpResponse response, http_.stream(target, sink));
  if (response.status != 200) return base::unexpected(error_of(response));
  return {};
}

}  // namespace flotilla::client
