// Carries out an Order: the steps from a process that has been spawned to the program it becomes,
// in systemd's sequence. The whole of flotilla-exec.
#pragma once

#include "sandbox/order.h"

namespace flotilla::sandbox {

// Returns only if a step has failed: what to report and the code to exit with. Warnings on the way
// go to `report_fd` at once.
Report run_order(const Order& order, int report_fd);

}  // namespace flotilla::sandbox
