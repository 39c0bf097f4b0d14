// The routes that only read: lists by pages, and single entities.
#include <algorithm>

#include "api/entities.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "api/routes.h"

namespace flotilla::api {
namespace {

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

void Handlers::list_units(Call& call) {
  std::vector<const registry::Unit*> units;
  for (const auto& [name, unit] : cluster().units) units.push_back(&unit);
  call.respond(page_response(call.target, parts.page_limit, "units", units,
                             [this](JsonText& json, const registry::Unit& unit) {
                               append_unit(json, cluster(), unit, UnitShape::kListed);
                             }));
}

void Handlers::get_unit(Call& call) {
  const auto found = cluster().units.find(call.unit);
  if (found == cluster().units.end())
    return call.respond(error_response(404, "unit does not exist"));
  JsonText json;
  append_unit(json, cluster(), found->second, UnitShape::kSingle);
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::list_states(Call& call) {
  const std::string_view machine = call.target.parameter("machineID");
  const std::string_view unit = call.target.parameter("unitName");
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
  call.respond(page_response(
      call.target, parts.page_limit, "states", states,
      [](JsonText& json, const registry::UnitState& state) { append_state(json, state); }));
}

void Handlers::get_state(Call& call) {
  JsonText json;
  const auto states = cluster().states.find(call.unit);
  if (states != cluster().states.end() && !states->second.empty()) {
    append_state(json, states->second.begin()->second);
  } else if (cluster().units.find(call.unit) != cluster().units.end()) {
    // fleet's own client crashes on a 404 while it waits for a unit that has no state yet.
    json.begin_object().field("name", call.unit).end_object();
  } else {
    return call.respond(error_response(404, "unit state does not exist"));
  }
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::list_machines(Call& call) {
  std::vector<const registry::Machine*> machines;
  for (const auto& [id, machine] : cluster().machines) machines.push_back(&machine);
  call.respond(page_response(call.target, parts.page_limit, "machines", machines,
                             [this](JsonText& json, const registry::Machine& machine) {
                               append_machine(json, cluster(), machine);
                             }));
}

void Handlers::get_discovery(Call& call) {
  static const std::string document = discovery_document();
  call.respond(json_response(200, document));
}

void Handlers::explain_unit(Call& call) {
  if (cluster().units.find(call.unit) == cluster().units.end()) {
    return call.respond(error_response(404, "unit does not exist"));
  }
  JsonText json;
  json.begin_object().key("machines").begin_array();
  if (parts.explain) {
    for (const Eligibility& machine : parts.explain(std::string(call.unit))) {
      json.begin_object().key("id").text(machine.machine);
      json.key("eligible").boolean(machine.is_eligible).key("reason").text(machine.reason);
      json.end_object();
    }
  }
  json.end_array().end_object();
  call.respond(json_response(200, std::move(json).str()));
}

}  // namespace flotilla::api
