#include "api/routes.h"

#include <algorithm>
#include <array>

#include "api/json_text.h"

namespace flotilla::api {
namespace {

constexpr std::string_view kUnitName = "{unitName}";

constexpr std::array kRoutes = {
    Route{"/machines", "GET", &Handlers::list_machines, "Machines", "List", "fleet.Machine.List",
          "Lists the machines of the cluster, page by page.", "", "MachinePage", "nextPageToken"},
    Route{"/machines", "PATCH", &Handlers::patch_machines},
    Route{"/units", "GET", &Handlers::list_units, "Units", "List", "fleet.Unit.List",
          "Lists the units, page by page.", "", "UnitPage", "nextPageToken"},
    Route{"/units/{unitName}", "GET", &Handlers::get_unit, "Units", "Get", "fleet.Unit.Get",
          "Returns one unit.", "", "Unit", "", true, true},
    Route{"/units/{unitName}", "DELETE", &Handlers::delete_unit, "Units", "Delete",
          "fleet.Unit.Delete", "Destroys one unit."},
    Route{"/units/{unitName}", "PUT", &Handlers::put_unit, "Units", "Set", "fleet.Unit.Set",
          "Creates a unit, or changes one there is.", "Unit"},
    Route{"/units/{unitName}/contents", "PUT", &Handlers::put_contents},
    Route{"/units/{unitName}/import", "PUT", &Handlers::import_unit},
    Route{"/metadata", "GET", &Handlers::list_metadata},
    Route{"/units/{unitName}/explain", "GET", &Handlers::explain_unit},
    Route{.path = "/units/{unitName}/log",
          .method = "GET",
          .handler = &Handlers::get_log,
          .is_of_one_unit = true},
    Route{"/units/{unitName}/restart", "POST", &Handlers::restart_unit},
    Route{.path = "/units/{unitName}/status",
          .method = "GET",
          .handler = &Handlers::get_status,
          .is_of_one_unit = true},
    Route{"/state/{unitName}", "GET", &Handlers::get_state, "UnitState", "Get",
          "fleet.UnitState.Get", "Returns the state of one unit.", "", "UnitState", "", true, true},
    Route{"/state", "GET", &Handlers::list_states, "UnitState", "List", "fleet.UnitState.List",
          "Lists the states of units, page by page.", "", "UnitStatePage",
          "nextPageToken machineID unitName", true, true},
    Route{.path = "/discovery",
          .method = "GET",
          .handler = &Handlers::get_discovery,
          .needs_view = false},
    Route{"/events", "GET", &Handlers::get_events},
    Route{"/rebalance", "GET", &Handlers::get_rebalance},
    Route{"/rebalance", "POST", &Handlers::post_rebalance},
    Route{"/batch", "POST", &Handlers::run_batch},
};

struct Refusal {
  std::string_view path;
  int status;
  std::string_view message;
};

// The answer to methods that a path has not.
constexpr std::array kRefusals = {
    Refusal{"/machines", 405, "only GET and PATCH supported against this resource"},
    Refusal{"/units/{unitName}", 405, "only GET, PUT and DELETE supported against this resource"},
    Refusal{"/units/{unitName}/contents", 405, "only PUT supported against this resource"},
    Refusal{"/units/{unitName}/import", 405, "only PUT supported against this resource"},
    Refusal{"/units/{unitName}/restart", 405, "only POST supported against this resource"},
    Refusal{"/rebalance", 405, "only GET and POST supported against this resource"},
    Refusal{"/batch", 405, "only POST supported against this resource"},
    Refusal{"/discovery", 400, "only HTTP GET supported against this resource"},
};
constexpr Refusal kOnlyGet{"", 405, "only GET supported against this resource"};

const Refusal& refusal_of(std::string_view path) {
  for (const Refusal& refusal : kRefusals) {
    if (refusal.path == path) return refusal;
  }
  return kOnlyGet;
}

// The name in the path if it has the pattern's form; an empty one where the pattern has no name.
std::optional<std::string_view> match_path(std::string_view pattern, std::string_view path) {
  const size_t at = pattern.find(kUnitName);
  if (at == std::string_view::npos) {
    return pattern == path ? std::optional<std::string_view>("") : std::nullopt;
  }
  const std::string_view behind = pattern.substr(at + kUnitName.size());
  if (path.substr(0, at) != pattern.substr(0, at)) return std::nullopt;
  const size_t end = std::min(path.find('/', at), path.size());
  if (end == at || path.substr(end) != behind) return std::nullopt;
  return path.substr(at, end - at);
}

void append_texts(JsonText& json,
                  std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  for (const auto& [key, value] : members) json.key(key).text(value);
}

struct Property {
  std::string_view name;
  std::string_view kind;  // "string", "state", "time", "map", or "[Schema" for an array of those
  bool is_required = false;
};

void append_property(JsonText& json, const Property& property) {
  json.key(property.name).begin_object();
  if (property.kind == "map") {
    json.key("type").text("object").key("properties").begin_object().end_object();
    json.key("additionalProperties").begin_object().key("type").text("string").end_object();
  } else if (property.kind == "time") {
    append_texts(json, {{"type", "integer"}, {"format", "uint64"}});
  } else if (property.kind.front() == '[') {
    json.key("type").text("array").key("items").begin_object();
    json.key("$ref").text(property.kind.substr(1)).end_object();
  } else {
    json.key("type").text("string");
  }
  if (property.kind == "state") {
    json.key("enum").begin_array();
    for (const auto state : {registry::TargetState::kInactive, registry::TargetState::kLoaded,
                             registry::TargetState::kLaunched}) {
      json.text(to_string(state));
    }
    json.end_array();
  }
  if (property.is_required) json.key("required").boolean(true);
  json.end_object();
}

void append_schema(JsonText& json, std::string_view id,
                   std::initializer_list<Property> properties) {
  json.key(id).begin_object();
  append_texts(json, {{"id", id}, {"type", "object"}});
  json.key("properties").begin_object();
  for (const Property& property : properties) append_property(json, property);
  json.end_object().end_object();
}

void append_schemas(JsonText& json) {
  json.key("schemas").begin_object();
  append_schema(json, "Machine",
                {{"id", "string", true}, {"primaryIP", "string"}, {"metadata", "map"}});
  append_schema(json, "MachinePage", {{"machines", "[Machine"}, {"nextPageToken", "string"}});
  append_schema(json, "UnitOption",
                {{"section", "string", true}, {"name", "string", true}, {"value", "string", true}});
  append_schema(json, "Unit",
                {{"name", "string", true},
                 {"options", "[UnitOption"},
                 {"desiredState", "state"},
                 {"currentState", "state"},
                 {"machineID", "string", true}});
  append_schema(json, "UnitPage", {{"units", "[Unit"}, {"nextPageToken", "string"}});
  append_schema(json, "UnitState",
                {{"name", "string", true},
                 {"hash", "string", true},
                 {"machineID", "string", true},
                 {"systemdLoadState", "string", true},
                 {"systemdActiveState", "string", true},
                 {"systemdSubState", "string", true},
                 {"systemdActiveEnterTimestamp", "time"}});
  append_schema(json, "UnitStatePage", {{"states", "[UnitState"}, {"nextPageToken", "string"}});
  json.end_object();
}

void append_method(JsonText& json, const Route& route) {
  json.key(route.name).begin_object();
  append_texts(json, {{"id", route.id},
                      {"description", route.description},
                      {"httpMethod", route.method},
                      {"path", route.path.substr(1)}});
  json.key("parameters").begin_object();
  const bool has_name = route.path.find(kUnitName) != std::string_view::npos;
  if (has_name) {
    json.key("unitName").begin_object();
    append_texts(json, {{"type", "string"}, {"location", "path"}});
    json.key("required").boolean(true).end_object();
  }
  for (std::string_view rest = route.query; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    json.key(rest.substr(0, end)).begin_object();
    append_texts(json, {{"type", "string"}, {"location", "query"}});
    json.end_object();
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  json.end_object();
  if (has_name) json.key("parameterOrder").begin_array().text("unitName").end_array();
  for (const auto& [key, schema] :
       {std::pair("request", route.request), std::pair("response", route.response)}) {
    if (!schema.empty()) json.key(key).begin_object().key("$ref").text(schema).end_object();
  }
  json.end_object();
}

void append_resources(JsonText& json) {
  json.key("resources").begin_object();
  for (const std::string_view resource : {"Machines", "Units", "UnitState"}) {
    json.key(resource).begin_object().key("methods").begin_object();
    for (const Route& route : kRoutes) {
      if (route.resource == resource) append_method(json, route);
    }
    json.end_object().end_object();
  }
  json.end_object();
}

// Two blanks for each level, as the document has always been laid out.
std::string indented(std::string_view compact) {
  std::string out;
  size_t depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    const bool is_closing = !in_text && (c == '}' || c == ']');
    const bool is_opening = !in_text && (c == '{' || c == '[');
    const bool is_empty = is_opening && (compact[i + 1] == '}' || compact[i + 1] == ']');
    if (is_empty) {
      out.append(compact.substr(i++, 2));
      continue;
    }
    if (is_closing) out.append("\n").append(2 * --depth, ' ');
    out += c;
    if (c == '"') in_text = !in_text;
    if (c == '\\') out += compact[++i];
    if (in_text) continue;
    if (is_opening) out.append("\n").append(2 * ++depth, ' ');
    if (c == ',') out.append("\n").append(2 * depth, ' ');
    if (c == ':') out += ' ';
  }
  return out + "\n";
}

}  // namespace

Match match_route(std::string_view method, std::string_view path) {
  Match match;
  for (const Route& route : kRoutes) {
    const std::optional<std::string_view> unit = match_path(route.path, path);
    if (!unit) continue;
    if (route.method == method) return {&route, *unit, 200, {}};
    const Refusal& refusal = refusal_of(route.path);
    match.status = refusal.status;
    match.message = refusal.message;
  }
  return match;
}

std::string discovery_document() {
  JsonText json;
  json.begin_object();
  append_texts(json, {{"kind", "discovery#restDescription"},
                      {"discoveryVersion", "v1"},
                      {"id", "fleet:v1"},
                      {"name", "schema"},
                      {"version", "v1"},
                      {"title", "fleet API"},
                      {"description", ""},
                      {"documentationLink", "http://github.com/coreos/fleet"},
                      {"protocol", "rest"}});
  json.key("icons").begin_object();
  append_texts(json, {{"x16", ""}, {"x32", ""}});
  json.end_object().key("labels").begin_array().end_array();
  append_texts(json, {{"baseUrl", "$ENDPOINT/fleet/v1/"},
                      {"basePath", "/fleet/v1/"},
                      {"rootUrl", "$ENDPOINT/"},
                      {"servicePath", "fleet/v1/"},
                      {"batchPath", "batch"}});
  json.key("parameters").begin_object().end_object();
  json.key("auth").begin_object().end_object();
  append_schemas(json);
  append_resources(json);
  json.end_object();
  return indented(std::move(json).str());
}

}  // namespace flotilla::api
