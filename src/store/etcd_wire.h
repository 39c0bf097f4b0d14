// Between the store's types and etcd's messages. Pure; requests are well formed (request_check.h).
#pragma once

#include "store/store.h"

namespace etcdserverpb {
class Event;
class KeyValue;
class PutRequest;
class RangeRequest;
class RangeResponse;
class TxnRequest;
class TxnResponse;
class WatchRequest;
}  // namespace etcdserverpb

namespace flotilla::store {

namespace pb = ::etcdserverpb;

pb::RangeRequest to_wire(const RangeRequest& request);
pb::PutRequest to_wire(const PutOp& put);
pb::TxnRequest to_wire(const TxnRequest& request);
pb::WatchRequest to_wire(const WatchRequest& request, Revision from);

// These take the strings out of the messages.
RangeResponse from_wire(pb::RangeResponse& response);
Event from_wire(pb::Event& event);
// kInternal for an answer that does not fit the request's operations.
base::Result<TxnResponse> from_wire(pb::TxnResponse& response, const TxnRequest& request);

}  // namespace flotilla::store
