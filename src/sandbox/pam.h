// A PAM session around a service (PAMName=). libpam is opened where it is installed; nothing of it
// is needed to build. For flotilla-exec.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace flotilla::sandbox {

// Opens the session, adds what its modules want in the environment, and leaves a process behind
// that closes the session when this one has ended. That process becomes `uid` and `gid`.
base::Status open_pam_session(const std::string& service, const std::string& user, uid_t uid,
                              gid_t gid, std::vector<std::string>& environment);

}  // namespace flotilla::sandbox
