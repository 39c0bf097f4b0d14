// The routes that only read: lists by pages, single entities, and what the unit's own machine
// knows.
#include <algorithm>
#include <charconv>

#include "api/entities.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "unit/fleet_requirements.h"

namespace flotilla::api {
namespace {

constexpr int kMaxLogLines = 100'000;

// Answers with one page of `items`: {"LIST":[...],"nextPageToken":"..."}, in the alphabetical order
// of Go's encoder; {} if the page is empty.
template <typename Item, typename Append>
Response page_response(const ParsedTarget& target, uint16_t limit, std::string_view list,
                       const std::vector<Item>& items, Append append) {
  const base::Result<PageToken> token = page_token_of(target.all_values("nextPageToken"), limit);
  if (!token) return error_response(400, token.error().message);
  const size_t begin = std::min(items.size(), size_t{limit} * (token->page - 1U));
  const size_t end = std::min(items.size(), begin + limit);
  std::string next;
  if (end < items.size() && token->page < UINT16_MAX) {
    next = encode(PageToken{limit, static_cast<uint16_t>(token->page + 1)});
  }
  JsonText json;
  json.begin_object();
  const bool token_first = std::string_view("nextPageToken") < list;
  if (token_first) json.field("nextPageToken", next);
  if (begin < end) {
    json.key(list).begin_array();
    for (size_t i = begin; i < end; ++i) append(json, *items[i]);
    json.end_array();
  }
  if (!token_first) json.field("nextPageToken", next);
  json.end_object();
  return json_response(200, std::move(json).str());
}

}  // namespace

void Handlers::list_units(const ParsedTarget& target, const Respond& respond) {
  std::vector<const registry::Unit*> units;
  for (const auto& [name, unit] : cluster().units) units.push_back(&unit);
  respond(page_response(target, parts.page_limit, "units", units,
                        [this](JsonText& json, const registry::Unit& unit) {
                          append_unit(json, cluster(), unit, UnitShape::kListed);
                        }));
}

void Handlers::get_unit(std::string_view name, const Respond& respond) {
  const auto found = cluster().units.find(name);
  if (found == cluster().units.end()) return respond(error_response(404, "unit does not exist"));
  JsonText json;
  append_unit(json, cluster(), found->second, UnitShape::kSingle);
  respond(json_response(200, std::move(json).str()));
}

void Handlers::list_states(const ParsedTarget& target, const Respond& respond) {
  const std::string_view machine = target.parameter("machineID");
  const std::string_view unit = target.parameter("unitName");
  std::vector<const registry::UnitState*> states;
  const auto add = [&](const std::map<std::string, registry::UnitState>& by_machine) {
    for (const auto& [id, state] : by_machine) {
      if (machine.empty() || id == machine) states.push_back(&state);
    }
  };
  if (unit.empty()) {
    for (const auto& [name, by_machine] : cluster().states) add(by_machine);
  } else if (const auto found = cluster().states.find(unit); found != cluster().states.end()) {
    add(found->second);
  }
  respond(page_response(
      target, parts.page_limit, "states", states,
      [](JsonText& json, const registry::UnitState& state) { append_state(json, state); }));
}

void Handlers::get_state(std::string_view name, const Respond& respond) {
  JsonText json;
  const auto states = cluster().states.find(name);
  if (states != cluster().states.end() && !states->second.empty()) {
    append_state(json, states->second.begin()->second);
  } else if (cluster().units.find(name) != cluster().units.end()) {
    // fleet's own client crashes on a 404 while it waits for a unit that has no state yet.
    json.begin_object().field("name", name).end_object();
  } else {
    return respond(error_response(404, "unit state does not exist"));
  }
  respond(json_response(200, std::move(json).str()));
}

void Handlers::list_machines(const ParsedTarget& target, const Respond& respond) {
  std::vector<const registry::Machine*> machines;
  for (const auto& [id, machine] : cluster().machines) machines.push_back(&machine);
  respond(page_response(target, parts.page_limit, "machines", machines,
                        [this](JsonText& json, const registry::Machine& machine) {
                          append_machine(json, cluster(), machine);
                        }));
}

namespace {

// Why this machine cannot tell of the unit, as a response; nothing if it can.
std::optional<Response> refuse_inspection(const Handlers& handlers, std::string_view name) {
  const auto unit = handlers.cluster().units.find(name);
  if (unit == handlers.cluster().units.end()) return error_response(404, "unit does not exist");
  if (unit::extract_requirements(unit->second.options, name).global) return std::nullopt;
  const std::string* machine = handlers.cluster().machine_of(name);
  if (machine == nullptr) return error_response(409, "unit is not scheduled to any machine");
  if (*machine != handlers.parts.machine_id) {
    return error_response(
        503, fmt::format("unit runs on machine {}; ask the API of that machine", *machine));
  }
  return std::nullopt;
}

}  // namespace

void Handlers::get_log(std::string_view name, const ParsedTarget& target, Respond respond) {
  if (auto refusal = refuse_inspection(*this, name)) return respond(std::move(*refusal));
  int lines = 10;
  if (target.has_parameter("lines")) {
    const std::string_view text = target.parameter("lines");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
    if (error != std::errc() || end != text.data() + text.size() || lines < 0 ||
        lines > kMaxLogLines) {
      return respond(error_response(
          400, fmt::format("invalid value \"{}\" for lines: expected a number from 0 to {}", text,
                           kMaxLogLines)));
    }
  }
  const std::string_view follow = target.parameter("follow");
  const bool follows = target.has_parameter("follow") && follow != "false" && follow != "0";
  base::Result<std::shared_ptr<BodyStream>> stream =
      parts.inspector.log(std::string(name), lines, follows);
  if (!stream) {
    const int status = base::names_of(stream.error().code).http_status;
    return respond(error_response(status, stream.error().message));
  }
  Response response;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.stream = std::move(*stream);
  respond(std::move(response));
}

void Handlers::get_status(std::string_view name, Respond respond) {
  if (auto refusal = refuse_inspection(*this, name)) return respond(std::move(*refusal));
  parts.inspector.status(std::string(name), [respond](base::Result<UnitStatusText> status) {
    if (!status) {
      const int code = base::names_of(status.error().code).http_status;
      return respond(error_response(code, status.error().message));
    }
    JsonText json;
    json.begin_object()
        .key("exitStatus")
        .number(status->exit_status)
        .key("text")
        .text(status->text);
    json.end_object();
    respond(json_response(200, std::move(json).str()));
  });
}

}  // namespace flotilla::api
