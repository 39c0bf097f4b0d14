// Reads a range from etcd page by page, all pages at the first one's revision, so that neither the
// server nor the wire ever holds a large range at once; pages whose answers are too large are
// halved.
#pragma once

#include "store/etcd_client.h"

namespace flotilla::store {

// Requires: the request is well formed. `done` is not called once the client is gone.
void read_range(EtcdClient& client, RangeRequest request, Store::Callback<RangeResponse> done);

}  // namespace flotilla::store
