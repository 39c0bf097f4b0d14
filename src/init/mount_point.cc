#include "init/mount_point.h"

#include <dirent.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "init/mount_settings.h"

namespace flotilla::init {

base::Status make_mount_point(const std::string& where, mode_t mode) {
  const std::vector<std::string> paths = paths_above(where);
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    struct stat status {};
    if (lstat(path->c_str(), &status) == 0) {
      if (!S_ISLNK(status.st_mode)) continue;
      return base::system_error(ELOOP, "Mount path {} is not canonical (contains a symlink)",
                                where);
    }
    // Where that fails mount(8) says so better.
    const mode_t before = umask(0);
    mkdir(path->c_str(), mode);
    umask(before);
  }
  return {};
}

bool is_filled_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory) return false;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return true;
  }
  return false;
}

bool owns_mounts(ManagerScope scope, bool is_pid1) {
  if (scope == ManagerScope::kUser) return true;
  if (!is_pid1) return false;
  char text[32];
  const ssize_t size = readlink("/proc/self", text, sizeof text);
  return size > 0 && std::string_view(text, static_cast<size_t>(size)) == std::to_string(getpid());
}

}  // namespace flotilla::init
