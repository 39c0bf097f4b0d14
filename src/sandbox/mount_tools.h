// The small mounting steps that mount_namespace.cc is made of.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace flotilla::sandbox {

base::Status mount_at(const char* source, const std::string& target, const char* type,
                      unsigned long flags, const char* options = nullptr);

// Whether something is mounted exactly there. Missing: an error.
base::Result<bool> is_mount_point(const std::string& path);

base::Status make_directories(const std::string& path, mode_t mode);

// What a mount's options are changed to.
struct FlagChange {
  unsigned long set = 0, clear = 0;  // MS_RDONLY, MS_NOSUID, MS_NOEXEC
};
enum class Submounts : uint8_t { kIncluded, kLeftOut };
// Changes the mount at `path` and those below it, but not those at or below one of `except`.
base::Status change_mount_flags(const std::string& path, FlagChange change, Submounts submounts,
                                const std::vector<std::string>& except);

// A mount point of a mount table's line and its flags, for change_mount_flags() and its test.
struct MountLine {
  std::string path;
  std::string type;
  unsigned long flags = 0;  // MS_*
};
std::vector<MountLine> parse_mount_table(std::string_view text);

// A /dev of its own at `target`, with the pseudo devices alone.
base::Status mount_private_devices(const std::string& target);

// Something of the same kind as `path` that nobody has access to; made below `directory` if
// missing.
base::Result<std::string> inaccessible_node(const std::string& directory, mode_t kind);

}  // namespace flotilla::sandbox
