// Refuses malformed and oversized requests before any store acts on them, so that all stores refuse
// the same ones in the same words.
#pragma once

#include "base/result.h"
#include "store/store.h"

namespace flotilla::store {

// Each fails with kInvalid or kTooLarge and a sentence that names the key or the number.
base::Status check_request(const RangeRequest& request);
base::Status check_request(const TxnRequest& request);
base::Status check_request(const WatchRequest& request);
base::Status check_lease_ttl(std::chrono::seconds ttl);

// The bytes of all its keys and values.
size_t bytes_of(const TxnRequest& request);

}  // namespace flotilla::store
