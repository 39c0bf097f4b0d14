// PrivateDevices=: a /dev with the pseudo devices, terminals and shared memory, and nothing of the
// machine's hardware.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "sandbox/mount_tools.h"

namespace flotilla::sandbox {
namespace {

using base::Status;

constexpr const char* kNodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
struct Mounted {
  const char* name;
  bool is_needed;
};
constexpr Mounted kMounted[] = {
    {"pts", true}, {"shm", true}, {"mqueue", false}, {"hugepages", false}};
struct Link {
  const char *target, *name;
};
constexpr Link kLinks[] = {{"/proc/kcore", "core"},       {"/proc/self/fd", "fd"},
                           {"/proc/self/fd/0", "stdin"},  {"/proc/self/fd/1", "stdout"},
                           {"/proc/self/fd/2", "stderr"}, {"/run/systemd/journal/dev-log", "log"}};

// "/dev/char/1:3" leads to the node, as udev has it.
Status link_by_number(const std::string& target, const char* name, dev_t device) {
  const std::string directory = target + "/char";
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return base::system_error(errno, "{}", directory);
  }
  const std::string path = fmt::format("{}/{}:{}", directory, major(device), minor(device));
  if (::symlink((std::string("../") + name).c_str(), path.c_str()) == 0) return {};
  return base::system_error(errno, "{}", path);
}

// The host's node once more; where none may be made, the host's own is mounted over a file.
Status copy_node(const std::string& target, const char* name) {
  const std::string from = std::string("/dev/") + name, to = target + "/" + name;
  struct stat host {};
  if (::stat(from.c_str(), &host) != 0) {
    if (errno == ENOENT) return {};
    return base::system_error(errno, "{}", from);
  }
  if (!S_ISCHR(host.st_mode) && !S_ISBLK(host.st_mode)) return {};
  const mode_t before = ::umask(0);
  const int made = ::mknod(to.c_str(), host.st_mode, host.st_rdev);
  const int error = errno;
  ::umask(before);
  if (made == 0) {
    static_cast<void>(!::chown(to.c_str(), host.st_uid, host.st_gid));
    return link_by_number(target, name, host.st_rdev);
  }
  if (error != EPERM) return base::system_error(error, "{}", to);
  if (::mknod(to.c_str(), S_IFREG, 0) != 0) return base::system_error(errno, "{}", to);
  return mount_at(from.c_str(), to, nullptr, MS_BIND);
}

Status copy_ptmx(const std::string& target) {
  char link[PATH_MAX];
  const ssize_t size = ::readlink("/dev/ptmx", link, sizeof link - 1);
  if (size < 0) return copy_node(target, "ptmx");
  link[size] = '\0';
  const std::string path = target + "/ptmx";
  if (::symlink(link, path.c_str()) == 0) return {};
  return base::system_error(errno, "{}", path);
}

}  // namespace

Status mount_private_devices(const std::string& target) {
  FLOTILLA_TRY(mount_at("tmpfs", target, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_STRICTATIME,
                        "mode=0755,size=4m,nr_inodes=64k"));
  for (const Mounted& one : kMounted) {
    const std::string from = std::string("/dev/") + one.name, to = target + "/" + one.name;
    struct stat host {};
    const bool is_there = ::stat(from.c_str(), &host) == 0;
    if (::mkdir(to.c_str(), 0755) != 0) return base::system_error(errno, "{}", to);
    if (!is_there) continue;
    if (const auto mounted = mount_at(from.c_str(), to, nullptr, MS_BIND | MS_REC);
        !mounted && one.is_needed) {
      return mounted;
    }
  }
  for (const char* name : kNodes) FLOTILLA_TRY(copy_node(target, name));
  FLOTILLA_TRY(copy_ptmx(target));
  for (const Link& link : kLinks) {
    if (std::string_view(link.name) == "core" && ::access(link.target, F_OK) != 0) continue;
    const std::string path = target + "/" + link.name;
    if (::symlink(link.target, path.c_str()) != 0) return base::system_error(errno, "{}", path);
  }
  return {};
}

}  // namespace flotilla::sandbox
