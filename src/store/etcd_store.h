// The store of many machines: a cluster of etcd v3 (3.4 or newer), over gRPC. docs/store.md says
// what it does about endpoints that fail, about answers that are lost and about time.
//
// Nothing is asked of etcd before the first call, and nothing while there are no calls, no watches
// and no leases to keep.
#pragma once

#include <memory>

#include "store/etcd_options.h"
#include "store/store.h"

namespace flotilla::store {

// Requires: `loop` outlives the store, options.endpoints is not empty.
std::unique_ptr<Store> make_etcd_store(EtcdOptions options, base::EventLoop& loop);

}  // namespace flotilla::store
