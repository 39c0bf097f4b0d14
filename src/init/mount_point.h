// What mount(8) finds: the directory to mount at, and who may look after mounts at all. System
// calls; what they work on is near and small.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "init/search_path.h"

namespace flotilla::init {

// Makes the directory with those above it. A path over a symbolic link is refused: it would be
// another that is mounted then.
base::Status make_mount_point(const std::string& where, mode_t mode);
bool is_filled_directory(const std::string& path);

// PID 1 of a mount namespace that may be another's has no business with what is mounted there: at
// its end it would take away what others use. A user's manager only looks.
bool owns_mounts(ManagerScope scope, bool is_pid1);

}  // namespace flotilla::init
