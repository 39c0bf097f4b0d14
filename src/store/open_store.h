// Makes the store that an address names. The one place that knows the implementations.
#pragma once

#include <memory>
#include <string_view>

#include "base/event_loop.h"
#include "base/result.h"
#include "store/etcd_options.h"
#include "store/store.h"

namespace flotilla::store {

// `address` is "sqlite:PATH", "etcd:URL,URL…" (etcd_options.h) or "memory:". May block while it
// reads files: call it at start-up. An etcd is not asked yet whether it is there. Requires: `loop`
// outlives the store. Returns kInvalid for any other address or settings that make no sense,
// kUnavailable for a file that another process holds, kUnsupported for one written by a newer
// version, kInvalid for one that is no store or is damaged.
base::Result<std::unique_ptr<Store>> open_store(std::string_view address, base::EventLoop& loop,
                                                const EtcdSettings& etcd = {});

// Whether open_store() knows such an address; says nothing of what is there.
base::Status check_store_address(std::string_view address);

// Whether a store of such an address lets one daemon in at a time.
bool is_for_one_daemon(std::string_view address);

}  // namespace flotilla::store
