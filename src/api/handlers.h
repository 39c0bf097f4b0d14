// The handlers behind the routes of api.cc. One instance, shared by all requests and kept alive by
// those that wait for the store.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/path.h"
#include "api/unit_body.h"
#include "registry/objects.h"

namespace flotilla::api {

// One request on its way to a handler.
struct Call {
  const Request& request;
  const ParsedTarget& target;
  std::string_view unit;  // from the path; empty where that has none
  Respond respond;
  // What was read for the call, where the view is not open; else null.
  const registry::Cluster* read = nullptr;
};

struct Handlers : std::enable_shared_from_this<Handlers> {
  explicit Handlers(ApiParts the_parts) : parts(std::move(the_parts)) {}

  void list_units(Call& call);
  void get_unit(Call& call);
  void put_unit(Call& call);
  void delete_unit(Call& call);
  void put_contents(Call& call);
  void import_unit(Call& call);
  void explain_unit(Call& call);
  void restart_unit(Call& call);
  void get_log(Call& call);
  void get_status(Call& call);
  void list_states(Call& call);
  void get_state(Call& call);
  void list_machines(Call& call);
  void list_metadata(Call& call);
  void patch_machines(Call& call);
  void get_discovery(Call& call);
  void get_events(Call& call);
  void get_rebalance(Call& call);
  void post_rebalance(Call& call);
  void run_batch(Call& call);

  const registry::Cluster& cluster() const { return parts.view.cluster(); }
  // For those calls that are about one unit (Route::is_of_one_unit).
  const registry::Cluster& cluster_for(const Call& call) const {
    return call.read != nullptr ? *call.read : cluster();
  }
  // Answers once the view shows `revision`.
  void respond_at(store::Revision revision, Response response, Respond respond);
  // Asks the API of that machine, unless the request has been passed on before.
  void forward(const Call& call, std::string_view machine, PeerRequest::Answer answer);
  // Answers what this machine does not serve itself: refuses or forwards it. False: it is ours.
  bool serve_elsewhere(Call& call, PeerRequest::Answer answer);

  ApiParts parts;
};

// The body of a request to change a unit. Errors: kInvalid with what is wrong with it by itself,
// whatever units there are.
base::Result<UnitBody> read_unit_body(const Call& call);
// The state a body asks for. fleet stored any text and could not read the unit again.
base::Result<registry::TargetState> desired_state_of(const UnitBody& body);

// Exactly one Content-Type, and that JSON; the message of a 415, or an empty text.
std::string refuse_content_type(const std::vector<std::string>& types);

// The answer to a failed operation of the registry: 503 while the store is away, else 500 without a
// text, as fleet did; the cause goes to the log.
Response failure_response(const base::Error& error);

}  // namespace flotilla::api
