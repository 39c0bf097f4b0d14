// Namespaces other than that of mounts: network and IPC, which several processes may share, users,
// and host name. For flotilla-exec.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace flotilla::sandbox {

enum class SharedKind : uint8_t { kNetwork, kIpc };

// Joins the namespace that is kept in the pair of sockets at `store` and `store` + 1, or makes one
// and puts it there: whoever comes first makes it. kUnsupported where the kernel gives none.
base::Status enter_shared_namespace(SharedKind kind, int store);

// Joins the one at a path such as /run/netns/x.
base::Status join_namespace(SharedKind kind, const std::string& path);

// Only the user and group that the process has, and those given, are themselves; all others are
// nobody. kUnsupported where the kernel gives none.
base::Status enter_user_namespace(uid_t uid, gid_t gid);

// kUnsupported where the kernel gives none.
base::Status enter_host_name_namespace();

}  // namespace flotilla::sandbox
