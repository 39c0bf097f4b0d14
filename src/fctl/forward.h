// Two streams made one: what `fleetctl fd-forward` does between its own streams and a socket.
#pragma once

#include "base/result.h"

namespace flotilla::fctl {

// Copies `in` to `peer` and `peer` to `out` until one of them ends. After the end of `in` what the
// peer still sends is waited for, but for at most half a second of silence.
base::Status forward(int in, int out, int peer);

}  // namespace flotilla::fctl
