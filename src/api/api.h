// The HTTP API, version 1, without its sockets. Reads are answered from the ClusterView, writes go
// through the Registry and are answered once the view shows them, so that a client reads its own
// writes.
//
// Owned by fleetd's composition; loop thread only. Answers are given once each, at once or later.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/message.h"
#include "api/page_token.h"
#include "api/peer_api.h"
#include "api/unit_inspector.h"
#include "registry/cluster_view.h"
#include "registry/registry.h"
#include "registry/view_on_demand.h"

namespace flotilla::api {

// Whether a machine may run a unit, and if not, why.
struct Eligibility {
  std::string machine;
  bool is_eligible = false;
  std::string reason;
};

struct ApiParts {
  registry::Registry& registry;
  registry::ClusterView& view;
  UnitInspector& inspector;
  std::string machine_id;  // of this machine
  // Whether this machine is registered: until then every answer is 503.
  std::function<bool()> is_available;
  uint16_t page_limit = kPageLimit;
  // What the scheduler says of each machine for this unit.
  std::function<std::vector<Eligibility>(const std::string& unit)> explain = {};
  // The text of /metrics; none: no such path.
  std::function<std::string()> metrics = {};
  // The APIs of the other machines; none: what is asked of those is answered 503.
  PeerApi* peers = nullptr;
  // What the leader would move to even out what machines have.
  std::function<std::vector<registry::Move>()> plan_moves = {};
  // Opens `view` for the requests that need it, which wait until it is there. None: it is open.
  registry::ViewOnDemand* on_demand = nullptr;
  // Why nothing is answered from the store though this machine is registered; empty: it is. None:
  // never.
  std::function<std::string()> why_not = {};
};

class Api {
 public:
  explicit Api(ApiParts parts);
  ~Api();

  void handle(const Request& request, Respond respond);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::api
