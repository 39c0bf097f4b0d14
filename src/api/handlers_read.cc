// The routes that only read: lists by pages, and single entities.
#include <algorithm>
#include <charconv>
#include <optional>

#include "api/entities.h"
#include "api/handlers.h"
#include "api/json_text.h"
#include "api/routes.h"

namespace flotilla::api {
namespace {

// How many entities a page may have for who asks for more than fleet gave: small ones, and units
// with their options, which may be large.
constexpr uint16_t kMaxPage = 5000;
constexpr uint16_t kMaxPageOfTexts = 500;

// The length of the pages: the configured one, or the request's maxResults (Google's name for it).
uint16_t limit_of(const ParsedTarget& target, uint16_t configured, uint16_t most) {
  const std::string_view text = target.parameter("maxResults");
  uint16_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number && limit > 0 ? std::min(limit, most) : configured;
}

// Whether `fields` (Google's form of a partial answer) is given and does not name the options.
bool leaves_options_out(const ParsedTarget& target) {
  return target.has_parameter("fields") &&
         target.parameter("fields").find("options") == std::string_view::npos;
}

// Answers with one page: {"LIST":[...],"nextPageToken":"..."}, in the alphabetical order of Go's
// encoder; {} if the page is empty. `each` offers the items in their order and ends when it is told
// that no more are needed, so that the last page alone costs the whole list.
template <typename Each, typename Append>
Response page_response(const ParsedTarget& target, uint16_t limit, std::string_view list,
                       const Each& each, const Append& append) {
  const base::Result<PageToken> token = page_token_of(target.all_values("nextPageToken"), limit);
  if (!token) return error_response(400, token.error().message);
  const size_t begin = size_t{limit} * (token->page - 1U);
  size_t at = 0;
  bool has_more = false;
  JsonText items;
  items.begin_array();
  each([&](const auto& item) {
    has_more = at == begin + limit;
    if (!has_more && at >= begin) append(items, item);
    ++at;
    return !has_more;
  });
  items.end_array();
  std::string next;
  if (has_more && token->page < UINT16_MAX) {
    next = encode(PageToken{limit, static_cast<uint16_t>(token->page + 1)});
  }
  JsonText json;
  json.begin_object();
  const bool token_first = std::string_view("nextPageToken") < list;
  if (token_first) json.field("nextPageToken", next);
  if (at > begin) json.key(list).raw(std::move(items).str());
  if (!token_first) json.field("nextPageToken", next);
  json.end_object();
  return json_response(200, std::move(json).str());
}

// Offers the values of a map, as page_response() wants it.
template <typename Map>
auto each_value(const Map& map) {
  return [&map](const auto& take) {
    for (const auto& [key, value] : map) {
      if (!take(value)) return;
    }
  };
}

// Of a unit that has finished on a machine which has it no more.
std::optional<registry::UnitState> finished_state(const registry::Cluster& cluster,
                                                  std::string_view unit) {
  const registry::UnitHistory* finished = cluster.find_finished(unit);
  if (finished == nullptr || cluster.machine_of(unit) != nullptr) return std::nullopt;
  registry::UnitState state;
  state.name = finished->name;
  state.machine = finished->finished_on;
  state.hash = finished->hash;
  state.load_state = "loaded";
  state.active_state = "inactive";
  state.sub_state = "dead";
  return state;
}

}  // namespace

void Handlers::list_units(Call& call) {
  const UnitShape shape = leaves_options_out(call.target) ? UnitShape::kBrief : UnitShape::kListed;
  const uint16_t most = shape == UnitShape::kBrief ? kMaxPage : kMaxPageOfTexts;
  const uint16_t limit = limit_of(call.target, parts.page_limit, most);
  call.respond(page_response(call.target, limit, "units", each_value(cluster().units),
                             [this, shape](JsonText& json, const registry::Unit& unit) {
                               append_unit(json, cluster(), unit, shape);
                             }));
}

void Handlers::get_unit(Call& call) {
  const registry::Cluster& cluster = cluster_for(call);
  const auto found = cluster.units.find(call.unit);
  if (found == cluster.units.end()) return call.respond(error_response(404, "unit does not exist"));
  JsonText json;
  append_unit(json, cluster, found->second, UnitShape::kSingle);
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::list_states(Call& call) {
  const registry::Cluster& cluster = cluster_for(call);
  const std::string_view machine = call.target.parameter("machineID");
  const std::string_view unit = call.target.parameter("unitName");
  const auto each = [&](const auto& take) {
    const auto& states = cluster.states;
    const auto& histories = cluster.histories;
    auto it = unit.empty() ? states.begin() : states.find(unit);
    auto history = unit.empty() ? histories.begin() : histories.find(unit);
    const auto is_meant = [&](const std::string& id) { return machine.empty() || id == machine; };
    while (it != states.end() || history != histories.end()) {
      const bool has_states =
          it != states.end() && (history == histories.end() || it->first.str() <= history->first);
      if (has_states) {
        if (history != histories.end() && history->first == it->first) ++history;
        for (const auto& [id, state] : it->second) {
          if (is_meant(id) && !take(state)) return;
        }
        ++it;
      } else {
        const auto state = finished_state(cluster, history->first);
        if (state && is_meant(state->machine) && !take(*state)) return;
        ++history;
      }
      if (!unit.empty()) return;
    }
  };
  const uint16_t limit = limit_of(call.target, parts.page_limit, kMaxPage);
  call.respond(page_response(call.target, limit, "states", each, append_state));
}

void Handlers::get_state(Call& call) {
  const registry::Cluster& cluster = cluster_for(call);
  JsonText json;
  const auto states = cluster.states.find(call.unit);
  if (states != cluster.states.end() && !states->second.empty()) {
    append_state(json, states->second.begin()->second);
  } else if (const auto finished = finished_state(cluster, call.unit)) {
    append_state(json, *finished);
  } else if (cluster.units.find(call.unit) != cluster.units.end()) {
    // fleet's own client crashes on a 404 while it waits for a unit that has no state yet.
    json.begin_object().field("name", call.unit).end_object();
  } else {
    return call.respond(error_response(404, "unit state does not exist"));
  }
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::list_machines(Call& call) {
  const uint16_t limit = limit_of(call.target, parts.page_limit, kMaxPage);
  call.respond(page_response(call.target, limit, "machines", each_value(cluster().machines),
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
