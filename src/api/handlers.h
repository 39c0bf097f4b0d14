// The handlers behind the routes of api.cc. One instance, shared by all requests and kept alive by
// those that wait for the store.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/path.h"
#include "registry/objects.h"

namespace flotilla::api {

struct Handlers : std::enable_shared_from_this<Handlers> {
  explicit Handlers(ApiParts the_parts) : parts(std::move(the_parts)) {}

  void list_units(const ParsedTarget& target, const Respond& respond);
  void get_unit(std::string_view name, const Respond& respond);
  void put_unit(const Request& request, std::string_view name, Respond respond);
  void delete_unit(std::string_view name, Respond respond);
  void list_states(const ParsedTarget& target, const Respond& respond);
  void get_state(std::string_view name, const Respond& respond);
  void list_machines(const ParsedTarget& target, const Respond& respond);
  void patch_machines(const Request& request, Respond respond);
  void get_log(std::string_view name, const ParsedTarget& target, Respond respond);
  void get_status(std::string_view name, Respond respond);

  const registry::Cluster& cluster() const { return parts.view.cluster(); }
  // Answers once the view shows `revision`.
  void respond_at(store::Revision revision, Response response, Respond respond);

  ApiParts parts;
};

// The answer to a failed operation of the registry: 503 while the store is away, else 500 without a
// text, as fleet did; the cause goes to the log.
Response failure_response(const base::Error& error);

}  // namespace flotilla::api
