// Apart from what loads credentials: the service manager, which judges names alone, must not take
// up the rest with it.
#include <algorithm>

#include "sandbox/credentials.h"

namespace flotilla::sandbox {

bool is_credential_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < 127 && c != '/' && c != ':'; });
}

}  // namespace flotilla::sandbox
