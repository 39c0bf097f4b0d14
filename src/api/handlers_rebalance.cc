// Rebalancing: what it would move, and the request to the leader to move it.
#include "api/handlers.h"
#include "api/json_text.h"
#include "registry/keys.h"

namespace flotilla::api {
namespace {

bool is_under_way(const registry::Cluster& cluster) {
  if (cluster.wants_rebalance) return true;
  for (const auto& [unit, machines] : cluster.schedule) {
    if (machines.size() < 2) continue;
    for (const auto& [machine, entry] : machines) {
      if (entry.is_leaving) return true;
    }
  }
  return false;
}

}  // namespace

void Handlers::get_rebalance(Call& call) {
  JsonText json;
  json.begin_object().key("moves").begin_array();
  if (parts.plan_moves) {
    for (const registry::Move& move : parts.plan_moves()) {
      json.begin_object().field("from", move.from).field("to", move.to);
      json.field("unit", move.unit).field("why", move.why).end_object();
    }
  }
  json.end_array().key("underWay").boolean(is_under_way(cluster())).end_object();
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::post_rebalance(Call& call) {
  store::TxnRequest txn;
  txn.then_ops.emplace_back(
      store::PutOp{registry::Keys(parts.registry.prefix()).rebalance(), "{}"});
  parts.registry.store().txn(std::move(txn), [self = shared_from_this(), respond = call.respond](
                                                 const base::Result<store::TxnResponse>& done) {
    if (!done) return respond(failure_response(done.error()));
    self->respond_at(done->revision, empty_response(204), respond);
  });
}

}  // namespace flotilla::api
