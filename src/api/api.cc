#include "api/api.h"

#include "api/handlers.h"
#include "api/path.h"

namespace flotilla::api {
namespace {

// A path below the prefix, or nothing if it does not begin with one of the two.
std::optional<std::string_view> below_prefix(std::string_view path) {
  for (const std::string_view prefix : {"/fleet/v1", "/v1-alpha"}) {
    if (path.substr(0, prefix.size()) != prefix) continue;
    const std::string_view rest = path.substr(prefix.size());
    if (rest.empty() || rest[0] == '/') return rest;
  }
  return std::nullopt;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// The path was decoded: what a stranger put in it (a line end, a tag) is encoded again before it
// stands in a header and in HTML.
Response redirect_to(const std::string& path, const ParsedTarget& target) {
  std::string location = percent_encode_path(path);
  if (!target.raw_query.empty()) location += "?" + target.raw_query;
  Response response;
  response.status = 301;
  response.headers.emplace_back("Location", location);
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.body = "<a href=\"" + escape_html(location) + "\">Moved Permanently</a>.\n\n";
  return response;
}

// "/units/NAME/log" without its collection: the name and what follows. Empty if there is no name.
struct Item {
  std::string_view name;
  std::string_view rest;  // "" or "/log"
};

std::optional<Item> item_of(std::string_view path, std::string_view collection) {
  if (path.substr(0, collection.size()) != collection) return std::nullopt;
  path.remove_prefix(collection.size());
  if (path.size() < 2 || path[0] != '/') return std::nullopt;
  path.remove_prefix(1);
  const size_t slash = path.find('/');
  if (slash == 0) return std::nullopt;
  return Item{path.substr(0, slash),
              slash == std::string_view::npos ? std::string_view() : path.substr(slash)};
}

}  // namespace

struct Api::Impl : Handlers {
  using Handlers::Handlers;

  void route(Request& request, const ParsedTarget& target, Respond respond);
  void route_units(Request& request, const ParsedTarget& target, Respond respond);
  void route_unit(Request& request, const ParsedTarget& target, const Item& item, Respond respond);
};

Api::Api(ApiParts parts) : impl_(std::make_shared<Impl>(std::move(parts))) {}
Api::~Api() = default;

void Api::handle(Request request, Respond respond) {
  if (!impl_->parts.is_available() || !impl_->parts.view.has_data()) {
    Response response = error_response(503, "fleet server unable to communicate with etcd");
    response.is_ours = false;
    respond(std::move(response));
    return;
  }
  const std::optional<ParsedTarget> target = parse_target(request.target);
  if (!target) {
    respond(error_response(400, "malformed request target"));
    return;
  }
  if (const std::string clean = clean_path(target->path); clean != target->path) {
    respond(redirect_to(clean, *target));
    return;
  }
  impl_->route(request, *target, std::move(respond));
}

void Api::Impl::route(Request& request, const ParsedTarget& target, Respond respond) {
  if (target.path == "/") return respond(error_response(405, ""));
  const std::optional<std::string_view> path = below_prefix(target.path);
  if (!path) return respond(error_response(404, ""));
  if (path->empty()) return respond(error_response(405, ""));

  if (*path == "/machines") {
    if (request.method == "GET") return list_machines(target, respond);
    if (request.method == "PATCH") return patch_machines(request, std::move(respond));
    return respond(error_response(405, "only GET and PATCH supported against this resource"));
  }
  if (*path == "/state") {
    if (request.method == "GET") return list_states(target, respond);
    return respond(error_response(405, "only GET supported against this resource"));
  }
  if (const auto item = item_of(*path, "/state"); item && item->rest.empty()) {
    if (request.method == "GET") return get_state(item->name, respond);
    return respond(error_response(405, "only GET supported against this resource"));
  }
  if (*path == "/units") {
    if (request.method == "GET") return list_units(target, respond);
    return respond(error_response(405, "only GET supported against this resource"));
  }
  if (const auto item = item_of(*path, "/units"))
    return route_unit(request, target, *item, std::move(respond));
  respond(error_response(404, ""));
}

void Api::Impl::route_unit(Request& request, const ParsedTarget& target, const Item& item,
                           Respond respond) {
  if (item.rest == "/log" || item.rest == "/status") {
    if (request.method != "GET") {
      return respond(error_response(405, "only GET supported against this resource"));
    }
    if (item.rest == "/log") return get_log(item.name, target, std::move(respond));
    return get_status(item.name, std::move(respond));
  }
  if (!item.rest.empty()) return respond(error_response(404, ""));
  if (request.method == "GET") return get_unit(item.name, respond);
  if (request.method == "PUT") return put_unit(request, item.name, std::move(respond));
  if (request.method == "DELETE") return delete_unit(item.name, std::move(respond));
  respond(error_response(405, "only GET, PUT and DELETE supported against this resource"));
}

}  // namespace flotilla::api
