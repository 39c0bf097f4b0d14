// Who the process is to be: users and groups that only NSS knows, and the change to them with
// capabilities kept or dropped on the way. For flotilla-exec.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/order.h"

namespace flotilla::sandbox {

struct Identity {
  uint32_t uid = Order::kKeepId, gid = Order::kKeepId;
  bool set_groups = false;
  std::vector<gid_t> groups;
  // Of a user that NSS found; empty where the manager knew all.
  std::string user, home, shell;
};

// Looks up the names of the order. A user that is not there: kNotFound, and kGroup is not set.
struct IdentityFailure {
  bool is_group = false;
  std::string message;
};
bool find_identity(const Order& order, Identity& identity, IdentityFailure& failure);

base::Status apply_groups(const Identity& identity);
base::Status lower_bounding_set(uint64_t kept);
// Leaves the process with the ambient capabilities alone where it gives up being root.
base::Status become_user(const Identity& identity, uint64_t ambient, int secure_bits);

// Whether the process may still administer the system: then it needs no NoNewPrivileges for a
// filter of system calls.
bool has_admin_capability();

}  // namespace flotilla::sandbox
