// Where a namespace that several processes share is kept while none of them may live: a message
// with its descriptor, in a pair of datagram sockets that the manager holds.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace flotilla::sandbox {

// Puts a copy of `fd` into the store, by the socket that is written to.
base::Status keep_namespace(int store, int fd);

// Takes out what is kept, by the socket that is read from; empty: nothing yet. Never waits.
base::Result<base::Fd> take_kept_namespace(int store);

}  // namespace flotilla::sandbox
