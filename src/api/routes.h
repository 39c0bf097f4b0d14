// The routes of the API: one table, from which requests are dispatched and the discovery document
// is made.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/handlers.h"

namespace flotilla::api {

struct Route {
  std::string_view path;  // below the prefix; "{unitName}" stands for one segment
  std::string_view method;
  void (Handlers::*handler)(Call&);
  // The discovery document's names for it; those beyond fleet's API have none.
  std::string_view resource = {};  // "Units"
  std::string_view name = {};      // "Get"
  std::string_view id = {};        // "fleet.Unit.Get"
  std::string_view description = {};
  std::string_view request = {};   // schema of the body
  std::string_view response = {};  // schema of the answer
  std::string_view query = {};     // parameters, separated by blanks
  bool needs_view = true;          // of the cluster
  // Only reads what is there of one unit, which can be had without the view.
  bool is_of_one_unit = false;
};

// What a request comes to: a route and the name in its path, or a refusal.
struct Match {
  const Route* route = nullptr;
  std::string_view unit;
  int status = 404;
  std::string_view message;
};

// `path` is what follows the prefix: "/units/a.service". Pure.
Match match_route(std::string_view method, std::string_view path);

// Google's API discovery document (format "rest", v1) of the routes that have an id.
std::string discovery_document();

}  // namespace flotilla::api
