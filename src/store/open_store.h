// Makes the store that an address names. The one place that knows the implementations.
#pragma once

#include <memory>
#include <string_view>

#include "base/event_loop.h"
#include "base/result.h"
#include "store/store.h"

namespace flotilla::store {

// `address` is "sqlite:PATH" or "memory:". May block while it reads the file: call it at start-up.
// Requires: `loop` outlives the store.
// Returns kInvalid for any other address, kUnavailable for a file that another process holds,
// kUnsupported for one written by a newer version, kInvalid for one that is no store or is damaged.
base::Result<std::unique_ptr<Store>> open_store(std::string_view address, base::EventLoop& loop);

// Whether open_store() knows such an address; says nothing of what is there.
base::Status check_store_address(std::string_view address);

}  // namespace flotilla::store
