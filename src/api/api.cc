#include "api/api.h"

#include "api/handlers.h"
#include "api/path.h"
#include "api/routes.h"
#include "registry/unit_reading.h"

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
Response redirect_to(const std::string& path, const ParsedTarget& target, std::string_view method) {
  std::string location = percent_encode_path(path);
  if (!target.raw_query.empty()) location += "?";
  // The query is as it was sent, and stays so but for bytes that have no place in a URL.
  for (const char c : target.raw_query) {
    const bool is_plain = c > ' ' && c < '\x7f';
    location += is_plain ? std::string(1, c) : percent_encode_path({&c, 1});
  }
  Response response;
  response.status = 301;
  response.headers.emplace_back("Location", location);
  // As Go has it: the note is for people, who use GET.
  if (method != "GET" && method != "HEAD") return response;
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.body = "<a href=\"" + escape_html(location) + "\">Moved Permanently</a>.\n\n";
  return response;
}

}  // namespace

struct Api::Impl : Handlers {
  using Handlers::Handlers;

  void route(const Request& request, const ParsedTarget& target, Respond respond);
  std::optional<Response> answer_probe(const Request& request, std::string_view path);
  // Where the view is opened on demand, a request waits for it instead.
  bool is_available() const {
    return parts.is_available() && (parts.on_demand != nullptr || parts.view.has_data());
  }
  void route_with_view(const Request& request, Respond respond);
  bool read_unit_for(const Request& request, const ParsedTarget& target, const Match& match,
                     const Respond& respond);
};

namespace {

void refuse_without_store(const Respond& respond) {
  Response response = error_response(503, "fleet server unable to communicate with etcd");
  response.is_ours = false;
  respond(std::move(response));
}

}  // namespace

Api::Api(ApiParts parts) : impl_(std::make_shared<Impl>(std::move(parts))) {}
Api::~Api() = default;

void Api::handle(const Request& request, Respond respond) {
  const std::optional<ParsedTarget> target = parse_target(request.target);
  if (target) {
    if (auto answer = impl_->answer_probe(request, target->path)) {
      return respond(std::move(*answer));
    }
  }
  if (request.role == Role::kReader && request.method != "GET" && request.method != "HEAD") {
    return respond(error_response(
        403, "your certificate may only read; api_admins= of fleetd names those that may change"));
  }
  if (!impl_->is_available()) return refuse_without_store(respond);
  if (!target) return respond(error_response(400, "malformed request target"));
  if (const std::string clean = clean_path(target->path); clean != target->path) {
    return respond(redirect_to(clean, *target, request.method));
  }
  impl_->route(request, *target, std::move(respond));
}

// Beyond fleet: whether the daemon lives, and whether it serves. Answered at any time.
std::optional<Response> Api::Impl::answer_probe(const Request& request, std::string_view path) {
  if (path != "/healthz" && path != "/readyz") return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") {
    return error_response(405, "only GET supported against this resource");
  }
  const bool is_shut_out = parts.why_not && !parts.why_not().empty();
  const bool is_fine = path == "/healthz" || (is_available() && !is_shut_out);
  Response response;
  response.status = is_fine ? 200 : 503;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = is_fine ? "ok\n" : "not registered in the cluster yet\n";
  return response;
}

void Api::Impl::route(const Request& request, const ParsedTarget& target, Respond respond) {
  if (target.path == "/") return respond(error_response(405, ""));
  if (target.path == "/metrics" && parts.metrics) {
    Response response;
    response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = parts.metrics();
    return respond(std::move(response));
  }
  const std::optional<std::string_view> path = below_prefix(target.path);
  if (const std::string why = parts.why_not ? parts.why_not() : std::string(); !why.empty()) {
    return respond(error_response(503, why));
  }
  if (!path) return respond(error_response(404, ""));
  if (path->empty()) return respond(error_response(405, ""));
  const Match match = match_route(request.method, *path);
  if (match.route == nullptr) return respond(error_response(match.status, match.message));
  if (match.route->needs_view && parts.on_demand != nullptr) {
    if (!parts.view.has_data() && read_unit_for(request, target, match, respond)) return;
    if (!parts.on_demand->use()) return route_with_view(request, std::move(respond));
  }
  Call call{request, target, match.unit, std::move(respond)};
  (this->*match.route->handler)(call);
}

// Later, by what the store has about the one unit that the request is about, if it is about one.
bool Api::Impl::read_unit_for(const Request& request, const ParsedTarget& target,
                              const Match& match, const Respond& respond) {
  if (!match.route->is_of_one_unit) return false;
  const std::string unit(match.unit.empty() ? target.parameter("unitName") : match.unit);
  if (unit.empty()) return false;
  std::vector<std::string> machines;
  if (const std::string_view named = target.parameter("machine"); !named.empty()) {
    machines.emplace_back(named);
  }
  registry::read_unit(
      parts.registry.store(), parts.registry.prefix(), unit, std::move(machines),
      [weak = weak_from_this(), request, target, handler = match.route->handler,
       has_name = !match.unit.empty(), unit, respond](std::optional<registry::Cluster> cluster) {
        const auto self = std::static_pointer_cast<Impl>(weak.lock());
        if (!self) return;
        if (!cluster) return self->route_with_view(request, respond);
        Call call{request, target, has_name ? std::string_view(unit) : std::string_view(), respond,
                  &*cluster};
        (self.get()->*handler)(call);
      });
  return true;
}

// Later, when there is a view.
void Api::Impl::route_with_view(const Request& request, Respond respond) {
  parts.on_demand->when_there(
      [weak = weak_from_this(), request, respond = std::move(respond)](bool is_there) {
        const auto self = std::static_pointer_cast<Impl>(weak.lock());
        if (!self) return;
        const std::optional<ParsedTarget> target = parse_target(request.target);
        if (!is_there || !target) return refuse_without_store(respond);
        self->route(request, *target, respond);
      });
}

}  // namespace flotilla::api
