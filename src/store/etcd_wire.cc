#include "store/etcd_wire.h"

#include <proto/etcd.pb.h>

#include <utility>

namespace flotilla::store {

namespace {

void fill(pb::RangeRequest& to, const RangeRequest& request) {
  to.set_key(request.key);
  to.set_range_end(request.range_end);
  to.set_limit(request.limit);
  to.set_revision(request.revision);
  to.set_keys_only(request.keys_only);
}

pb::Compare to_wire(const Compare& compare) {
  pb::Compare to;
  switch (compare.op) {
    case CompareOp::kEqual:
      to.set_result(pb::Compare::EQUAL);
      break;
    case CompareOp::kNotEqual:
      to.set_result(pb::Compare::NOT_EQUAL);
      break;
    case CompareOp::kLess:
      to.set_result(pb::Compare::LESS);
      break;
    case CompareOp::kGreater:
      to.set_result(pb::Compare::GREATER);
      break;
  }
  to.set_key(compare.key);
  const auto number = [&] { return std::get<int64_t>(compare.operand); };
  switch (compare.target) {
    case CompareTarget::kLease:
      to.set_target(pb::Compare::LEASE);
      to.set_lease(number());
      break;
    case CompareTarget::kVersion:
      to.set_target(pb::Compare::VERSION);
      to.set_version(number());
      break;
    case CompareTarget::kMod:
      to.set_target(pb::Compare::MOD);
      to.set_mod_revision(number());
      break;
    case CompareTarget::kCreate:
      to.set_target(pb::Compare::CREATE);
      to.set_create_revision(number());
      break;
    case CompareTarget::kValue:
      to.set_target(pb::Compare::VALUE);
      to.set_value(std::get<std::string>(compare.operand));
      break;
  }
  return to;
}

void fill(pb::PutRequest& to, const PutOp& put) {
  to.set_key(put.key);
  to.set_value(put.value);
  to.set_lease(put.lease);
}

pb::RequestOp to_wire(const Op& op) {
  pb::RequestOp to;
  if (const auto* put = std::get_if<PutOp>(&op)) {
    fill(*to.mutable_request_put(), *put);
  } else if (const auto* del = std::get_if<DeleteRangeOp>(&op)) {
    pb::DeleteRangeRequest& request = *to.mutable_request_delete_range();
    request.set_key(del->key);
    request.set_range_end(del->range_end);
  } else {
    fill(*to.mutable_request_range(), std::get<RangeRequest>(op));
  }
  return to;
}

KeyValue from_wire(pb::KeyValue& kv) {
  return {std::move(*kv.mutable_key()),
          std::move(*kv.mutable_value()),
          kv.create_revision(),
          kv.mod_revision(),
          kv.version(),
          kv.lease()};
}

}  // namespace

pb::RangeRequest to_wire(const RangeRequest& request) {
  pb::RangeRequest to;
  fill(to, request);
  return to;
}

pb::PutRequest to_wire(const PutOp& put) {
  pb::PutRequest to;
  fill(to, put);
  return to;
}

pb::TxnRequest to_wire(const TxnRequest& request) {
  pb::TxnRequest to;
  for (const Compare& compare : request.compares) *to.add_compare() = to_wire(compare);
  for (const Op& op : request.then_ops) *to.add_success() = to_wire(op);
  for (const Op& op : request.else_ops) *to.add_failure() = to_wire(op);
  return to;
}

pb::WatchRequest to_wire(const WatchRequest& request, Revision from) {
  pb::WatchRequest to;
  pb::WatchCreateRequest& create = *to.mutable_create_request();
  create.set_key(request.key);
  create.set_range_end(request.range_end);
  create.set_start_revision(from);
  create.set_prev_kv(request.with_prev);
  create.set_progress_notify(true);
  create.set_fragment(true);
  return to;
}

RangeResponse from_wire(pb::RangeResponse& response) {
  RangeResponse to;
  to.revision = response.header().revision();
  to.kvs.reserve(static_cast<size_t>(response.kvs_size()));
  for (pb::KeyValue& kv : *response.mutable_kvs()) to.kvs.push_back(from_wire(kv));
  to.more = response.more();
  to.count = response.count();
  return to;
}

Event from_wire(pb::Event& event) {
  Event to;
  to.type = event.type() == pb::Event::DELETE ? EventType::kDelete : EventType::kPut;
  to.kv = from_wire(*event.mutable_kv());
  if (event.has_prev_kv()) to.prev_kv = from_wire(*event.mutable_prev_kv());
  return to;
}

base::Result<TxnResponse> from_wire(pb::TxnResponse& response, const TxnRequest& request) {
  TxnResponse to;
  to.succeeded = response.succeeded();
  to.revision = response.header().revision();
  const std::vector<Op>& ops = to.succeeded ? request.then_ops : request.else_ops;
  bool fits = static_cast<size_t>(response.responses_size()) == ops.size();
  for (size_t i = 0; fits && i < ops.size(); ++i) {
    pb::ResponseOp& op = *response.mutable_responses(static_cast<int>(i));
    if (std::holds_alternative<PutOp>(ops[i])) {
      fits = op.has_response_put();
      to.responses.emplace_back(PutResponse{});
    } else if (std::holds_alternative<DeleteRangeOp>(ops[i])) {
      fits = op.has_response_delete_range();
      to.responses.emplace_back(DeleteRangeResponse{op.response_delete_range().deleted()});
    } else {
      fits = op.has_response_range();
      RangeResponse range = from_wire(*op.mutable_response_range());
      // Inside a transaction etcd does not tell the revision again.
      range.revision = to.revision;
      to.responses.emplace_back(std::move(range));
    }
  }
  if (!fits) return base::internal("etcd: the answer does not fit the transaction");
  return to;
}

}  // namespace flotilla::store
