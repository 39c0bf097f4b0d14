// IPC objects that outlive the processes that made them (RemoveIPC=). For flotilla-exec.
#pragma once

#include <sys/types.h>

namespace flotilla::sandbox {

// Removes the System V and POSIX objects of the user and the group; never those of root.
void remove_ipc_objects(uid_t uid, gid_t gid);

}  // namespace flotilla::sandbox
