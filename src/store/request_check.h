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

}  // namespace flotilla::store
