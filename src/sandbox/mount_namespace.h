// Gives the calling process a mount namespace of its own with what mount_plan.h planned: puts a new
// tree together at a staging place and makes it the root. For flotilla-exec, which is the process
// that becomes the service.
#pragma once

#include <string>

#include "base/result.h"
#include "sandbox/mount_plan.h"

namespace flotilla::sandbox {

struct MountPlaces {
  std::string staging;       // a directory; made if missing
  std::string inaccessible;  // a directory of nodes with no access; made if missing
  bool no_suid = false;      // on everything
};

// Fails with kUnsupported where the kernel gives no namespace, before anything has changed; with
// the path and the errno where a mount cannot be made.
base::Status enter_mount_namespace(const Settings& settings, const MountFacts& facts,
                                   const MountPlaces& places);

// The path inside `root` with links resolved as a process would that has it as its root. What does
// not exist stays as it is.
std::string resolve_below(const std::string& root, const std::string& path);

}  // namespace flotilla::sandbox
