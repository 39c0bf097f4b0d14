#include "client/http_fleet_api.h"

#include <boost/json.hpp>

#include "client/answers.h"

namespace flotilla::client {
namespace {

namespace json = boost::json;

// A server that does not know it gives the pages it gives to all.
const std::string kLongPages = "&maxResults=5000";
const std::string kStatesTarget = "/fleet/v1/state?alt=json" + kLongPages;

// "?machine=ID", or nothing.
std::string machine_query(const std::string& machine, char separator = '?') {
  return machine.empty() ? std::string() : separator + ("machine=" + percent_encode(machine));
}

std::string finished_query(const Unit& unit) {
  if (unit.finished_on.empty()) return {};
  return fmt::format("&finishedOn={}&finishedUsec={}", percent_encode(unit.finished_on),
                     unit.finished_usec);
}

// An answer that a server gives which does not know the route: fleet's to every unknown path.
bool is_no_such_route(const HttpResponse& response) {
  if (response.status == 405 || response.status == 501) return true;
  return response.status == 404 && response.body.find("\"message\":\"\"") != std::string::npos;
}

base::Status status_of(const HttpResponse& response) {
  if (is_no_such_route(response)) {
    return base::unsupported("{}", error_of(response).message);
  }
  if (response.status / 100 != 2) return base::unexpected(error_of(response));
  return {};
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
        base::Errc::kTooLarge, base::Errc::kUnavailable, base::Errc::kTimedOut}) {
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
  FLOTILLA_ASSIGN(HttpResponse response, http_->request("GET", target, {}));
  if (response.status != 200) return base::unexpected(error_of(response));
  return std::move(response.body);
}

base::Result<std::vector<Unit>> HttpFleetApi::all_units(const std::string& query) {
  std::vector<Unit> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get("/fleet/v1/units?alt=json" + kLongPages + query +
            (token.empty() ? std::string() : "&nextPageToken=" + percent_encode(token))));
    FLOTILLA_ASSIGN(const json::object page, parse_object(body));
    for_each_object(page, "units",
                    [&](const json::object& unit) { result.push_back(unit_of(unit)); });
    token = text_of(page, "nextPageToken");
  } while (!token.empty());
  return result;
}

base::Result<std::vector<Unit>> HttpFleetApi::units() { return all_units({}); }

base::Result<std::vector<Unit>> HttpFleetApi::units_without_options() {
  // Google's form of a partial answer; a server that does not know it sends everything.
  return all_units("&fields=units(name,desiredState,currentState,machineID),nextPageToken");
}

namespace {

base::Result<std::optional<Unit>> unit_of_answer(const HttpResponse& response) {
  if (response.status == 404) return std::optional<Unit>();
  if (response.status != 200) return base::unexpected(error_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  return std::optional<Unit>(unit_of(object));
}

}  // namespace

base::Result<std::optional<Unit>> HttpFleetApi::unit(const std::string& name) {
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_->request("GET", unit_target(name) + "?alt=json", {}));
  return unit_of_answer(response);
}

base::Result<std::vector<std::optional<Unit>>> HttpFleetApi::units_named(
    const std::vector<std::string>& names) {
  std::vector<UnitRequest> requests;
  requests.reserve(names.size());
  for (const std::string& name : names) requests.push_back({"GET", name, {}});
  std::vector<std::optional<Unit>> units;
  for (const base::Result<HttpResponse>& response : send_all(requests)) {
    if (!response) return base::unexpected(response.error());
    FLOTILLA_ASSIGN(std::optional<Unit> unit, unit_of_answer(*response));
    units.push_back(std::move(unit));
  }
  return units;
}

namespace {

// A batch is sent for more requests than this, in parts of so many requests and bytes.
constexpr size_t kFewRequests = 2;
constexpr size_t kMaxBatch = 500;
constexpr size_t kMaxBatchBytes = size_t{1} << 20;

// The results of one batch, in order.
base::Result<std::vector<HttpResponse>> read_results(const HttpResponse& response, size_t count) {
  if (response.status != 200) return base::unexpected(error_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  std::vector<HttpResponse> results;
  for_each_object(object, "results", [&](const json::object& result) {
    results.push_back({static_cast<int>(number_of(result, "status")), text_of(result, "body")});
  });
  if (results.size() != count) {
    return base::internal("the API answered {} requests of a batch of {}", results.size(), count);
  }
  return results;
}

}  // namespace

std::optional<std::vector<base::Result<HttpResponse>>> HttpFleetApi::send_batches(
    const std::vector<UnitRequest>& requests) {
  std::vector<base::Result<HttpResponse>> results;
  while (results.size() < requests.size()) {
    json::array items;
    for (size_t i = results.size(), bytes = 0;
         i < requests.size() && items.size() < kMaxBatch && bytes < kMaxBatchBytes; ++i) {
      const UnitRequest& request = requests[i];
      bytes += request.body.size() + request.unit.size();
      items.push_back(
          json::object{{"method", request.method}, {"unit", request.unit}, {"body", request.body}});
    }
    const size_t count = items.size();
    const std::string body = json::serialize(json::object{{"requests", std::move(items)}});
    base::Result<HttpResponse> response = http_->request("POST", "/fleet/v1/batch", body);
    if (!response && response.error().code == base::Errc::kTimedOut) {
      // What is in a batch may be asked for twice.
      response = http_->request("POST", "/fleet/v1/batch", body);
    }
    if (response && is_no_such_route(*response)) return std::nullopt;
    base::Result<std::vector<HttpResponse>> parts =
        response ? read_results(*response, count)
                 : base::Result<std::vector<HttpResponse>>(base::unexpected(response.error()));
    for (size_t i = 0; i < count; ++i) {
      if (parts) {
        results.emplace_back(std::move((*parts)[i]));
      } else {
        results.emplace_back(base::unexpected(parts.error()));
      }
    }
  }
  return results;
}

std::vector<base::Result<HttpResponse>> HttpFleetApi::send_all(
    const std::vector<UnitRequest>& requests) {
  if (has_batches_ && requests.size() > kFewRequests) {
    if (auto results = send_batches(requests)) return std::move(*results);
    has_batches_ = false;
  }
  std::vector<HttpRequest> single;
  single.reserve(requests.size());
  for (const UnitRequest& request : requests) {
    single.push_back({request.method, unit_target(request.unit) + "?alt=json", request.body});
  }
  return http_->exchange(single);
}

std::vector<base::Status> HttpFleetApi::change_all(const std::vector<UnitRequest>& requests) {
  std::vector<base::Status> results;
  for (const base::Result<HttpResponse>& response : send_all(requests)) {
    if (!response) {
      results.emplace_back(base::unexpected(response.error()));
    } else if (response->status / 100 != 2) {
      results.emplace_back(base::unexpected(error_of(*response)));
    } else {
      results.emplace_back();
    }
  }
  return results;
}

std::vector<base::Status> HttpFleetApi::create_units(const std::vector<Unit>& units) {
  std::vector<UnitRequest> requests;
  for (const Unit& unit : units) {
    json::object body{{"name", unit.name}, {"options", options_of(unit)}};
    if (!unit.desired_state.empty()) body["desiredState"] = unit.desired_state;
    requests.push_back({"PUT", unit.name, json::serialize(body)});
  }
  return change_all(requests);
}

std::vector<base::Status> HttpFleetApi::set_desired_states(const std::vector<std::string>& names,
                                                           const std::string& state) {
  std::vector<UnitRequest> requests;
  for (const std::string& name : names) {
    const json::object body{{"desiredState", state}, {"name", name}};
    requests.push_back({"PUT", name, json::serialize(body)});
  }
  return change_all(requests);
}

base::Status HttpFleetApi::replace_contents(const Unit& unit) {
  const json::object body{{"options", options_of(unit)}};
  FLOTILLA_ASSIGN(
      const HttpResponse response,
      http_->request("PUT", unit_target(unit.name) + "/contents", json::serialize(body)));
  base::Status replaced = status_of(response);
  if (replaced || replaced.error().code != base::Errc::kUnsupported) return replaced;
  // Without that route the same is one request, too, but it sets the state it has read before.
  Unit whole = unit;
  return create_units({std::move(whole)})[0];
}

std::vector<base::Status> HttpFleetApi::destroy_units(const std::vector<std::string>& names) {
  std::vector<UnitRequest> requests;
  requests.reserve(names.size());
  for (const std::string& name : names) requests.push_back({"DELETE", name, {}});
  return change_all(requests);
}

base::Status HttpFleetApi::edit_metadata(const std::string& machine, const std::string& key,
                                         const std::string& value) {
  json::object edit{{"op", value.empty() ? "remove" : "add"},
                    {"path", "/" + machine + "/metadata/" + key}};
  if (!value.empty()) edit["value"] = json::object{{"value", value}};
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_->request("PATCH", "/fleet/v1/machines?alt=json",
                                 json::serialize(json::array{std::move(edit)})));
  return status_of(response);
}

base::Result<std::vector<Machine>> HttpFleetApi::metadata_edits() {
  FLOTILLA_ASSIGN(const HttpResponse response, http_->request("GET", "/fleet/v1/metadata", {}));
  FLOTILLA_TRY(status_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  std::vector<Machine> machines;
  for_each_object(object, "machines",
                  [&](const json::object& machine) { machines.push_back(machine_of(machine)); });
  return machines;
}

base::Result<bool> HttpFleetApi::import_unit(const Unit& unit, bool replaces) {
  const json::object body{
      {"name", unit.name}, {"options", options_of(unit)}, {"desiredState", unit.desired_state}};
  const std::string target = fmt::format("{}/import?alt=json{}{}{}", unit_target(unit.name),
                                         machine_query(unit.machine_id, '&'), finished_query(unit),
                                         replaces ? "&replace" : "");
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_->request("PUT", target, json::serialize(body)));
  FLOTILLA_TRY(status_of(response));
  return response.status == 201;
}

base::Result<std::vector<UnitState>> HttpFleetApi::all_states(const std::string& filter) {
  std::vector<UnitState> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get(kStatesTarget + filter +
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

base::Result<std::vector<UnitState>> HttpFleetApi::unit_states_named(
    const std::vector<std::string>& names) {
  std::vector<HttpRequest> requests;
  requests.reserve(names.size());
  for (const std::string& name : names) {
    requests.push_back({"GET", kStatesTarget + "&unitName=" + percent_encode(name), {}});
  }
  std::vector<UnitState> result;
  const std::vector<base::Result<HttpResponse>> responses = http_->exchange(requests);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!responses[i]) return base::unexpected(responses[i].error());
    if (responses[i]->status != 200) return base::unexpected(error_of(*responses[i]));
    FLOTILLA_ASSIGN(const json::object page, parse_object(responses[i]->body));
    std::vector<UnitState> states;
    for_each_object(page, "states",
                    [&](const json::object& state) { states.push_back(state_of(state)); });
    if (!text_of(page, "nextPageToken").empty()) {
      FLOTILLA_ASSIGN(states, unit_states_of(names[i]));
    }
    result.insert(result.end(), states.begin(), states.end());
  }
  return result;
}

base::Result<std::vector<Machine>> HttpFleetApi::machines() {
  std::vector<Machine> result;
  std::string token;
  do {
    FLOTILLA_ASSIGN(
        const std::string body,
        get("/fleet/v1/machines?alt=json" + kLongPages +
            (token.empty() ? std::string() : "&nextPageToken=" + percent_encode(token))));
    FLOTILLA_ASSIGN(const json::object page, parse_object(body));
    for_each_object(page, "machines",
                    [&](const json::object& machine) { result.push_back(machine_of(machine)); });
    token = text_of(page, "nextPageToken");
  } while (!token.empty());
  return result;
}

base::Result<StatusText> HttpFleetApi::unit_status(const std::string& name,
                                                   const std::string& machine) {
  FLOTILLA_ASSIGN(
      const HttpResponse response,
      http_->request("GET", unit_target(name) + "/status" + machine_query(machine), {}));
  FLOTILLA_TRY(status_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  StatusText status{text_of(object, "text"), 0};
  if (const json::value* exit_status = object.if_contains("exitStatus");
      exit_status != nullptr && exit_status->is_int64()) {
    status.exit_status = static_cast<int>(exit_status->get_int64());
  }
  return status;
}

base::Status HttpFleetApi::unit_log(const std::string& name, const std::string& machine,
                                    const LogWish& wish,
                                    const std::function<void(std::string_view)>& sink) {
  const std::string target =
      fmt::format("{}/log?lines={}{}{}{}", unit_target(name), wish.lines,
                  wish.follow ? "&follow" : "", machine_query(machine, '&'),
                  wish.form.empty() ? std::string() : "&output=" + percent_encode(wish.form));
  FLOTILLA_ASSIGN(const HttpResponse response, http_->stream(target, sink));
  return status_of(response);
}

base::Status HttpFleetApi::restart_unit(const std::string& name, const std::string& machine) {
  FLOTILLA_ASSIGN(
      const HttpResponse response,
      http_->request("POST", unit_target(name) + "/restart" + machine_query(machine), {}));
  return status_of(response);
}

base::Result<Rebalance> HttpFleetApi::rebalance_plan() {
  FLOTILLA_ASSIGN(const HttpResponse response, http_->request("GET", "/fleet/v1/rebalance", {}));
  FLOTILLA_TRY(status_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  Rebalance rebalance;
  for_each_object(object, "moves", [&](const json::object& move) {
    rebalance.moves.push_back(
        {text_of(move, "unit"), text_of(move, "from"), text_of(move, "to"), text_of(move, "why")});
  });
  const json::value* under_way = object.if_contains("underWay");
  rebalance.is_under_way = under_way != nullptr && under_way->is_bool() && under_way->get_bool();
  return rebalance;
}

base::Status HttpFleetApi::rebalance() {
  FLOTILLA_ASSIGN(const HttpResponse response, http_->request("POST", "/fleet/v1/rebalance", {}));
  return status_of(response);
}

base::Result<std::vector<Eligibility>> HttpFleetApi::explain(const std::string& name) {
  FLOTILLA_ASSIGN(const HttpResponse response,
                  http_->request("GET", unit_target(name) + "/explain", {}));
  FLOTILLA_TRY(status_of(response));
  FLOTILLA_ASSIGN(const json::object object, parse_object(response.body));
  std::vector<Eligibility> machines;
  for_each_object(object, "machines", [&](const json::object& machine) {
    const json::value* eligible = machine.if_contains("eligible");
    machines.push_back({text_of(machine, "id"),
                        eligible != nullptr && eligible->is_bool() && eligible->get_bool(),
                        text_of(machine, "reason")});
  });
  return machines;
}

base::Status HttpFleetApi::wait_for_change(std::chrono::milliseconds at_most) {
  if (!has_events_) return base::unsupported("the server has no events");
  base::Status waited = http_->wait_for_change(at_most);
  // Whatever the reason, who waits looks again at times of its own.
  if (!waited) has_events_ = false;
  return waited;
}

}  // namespace flotilla::client
