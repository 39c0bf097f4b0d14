// What a failed call to etcd means: whether it was done, what to do next, and how to say it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "store/etcd_options.h"
#include "store/etcd_transport.h"

namespace flotilla::store {

enum class RpcVerdict {
  kFinal,       // the request itself was refused: nothing was done, repeating it cannot help
  kBusy,        // nothing was done; the same endpoint may take it a little later
  kNotDone,     // nothing was done; the endpoint is of no use now
  kUnknown,     // the endpoint is of no use now, and whether the call was done is not known
  kRenewToken,  // nothing was done: the token has ended
};

// Requires: !status.is_ok().
RpcVerdict verdict_of(const RpcStatus& status);

// The status as a store's error. `is_write`: the call may have changed something.
base::Error error_of(const RpcStatus& status, bool is_write);

// One clause about an endpoint that cannot be used: "connection refused".
std::string describe(const RpcStatus& status);
// The same, by who knows which endpoint it is and with what certificate (PEM) it was asked.
std::string describe(const RpcStatus& status, const EtcdEndpoint& endpoint,
                     std::string_view certificate);

}  // namespace flotilla::store
