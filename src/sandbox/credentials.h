// Credentials: small secrets handed to a unit as files in a directory that its user alone can read,
// on memory that is not swapped where the kernel allows it. For flotilla-exec; the manager removes
// the directory when the unit has ended (remove_credentials).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/settings.h"

namespace flotilla::sandbox {

inline constexpr size_t kMaxCredentialBytes = size_t{1024} * 1024;  // of one unit

// A name a credential may have: a short file name of printable ASCII without ":".
bool is_credential_name(std::string_view name) noexcept;

struct CredentialRequest {
  const Settings& settings;
  std::string unit;
  std::string directory;                   // e.g. "/run/credentials/a.service"
  const std::vector<std::string>& stores;  // where names without a path are looked up, in order
  uid_t uid = 0;                           // who reads them
};

struct LoadedCredential {
  std::string id, data;
};
// What the directory is to hold, LoadCredential= before SetCredential=.
base::Result<std::vector<LoadedCredential>> load_credentials(const CredentialRequest& request);

// Loads them and makes the directory, in place of one that is there.
base::Status write_credentials(const CredentialRequest& request);

void remove_credentials(const std::string& directory) noexcept;

}  // namespace flotilla::sandbox
