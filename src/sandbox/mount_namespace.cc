#include "sandbox/mount_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "base/fd.h"
#include "sandbox/mount_tools.h"

namespace flotilla::sandbox {
namespace {

using base::Result;
using base::Status;

constexpr int kMaxLinks = 40;

class TreeBuilder {
 public:
  explicit TreeBuilder(const MountPlaces& places) : root_(places.staging), places_(places) {}

  Status mount_one(const MountEntry& entry) {
    const std::string target = at(entry);
    struct stat there {};
    const bool is_there = ::lstat(target.c_str(), &there) == 0;
    if (!is_there && errno != ENOENT) {
      if (entry.ignore_missing) return {};
      return base::system_error(errno, "{}", target);
    }
    if (!is_there && entry.ignore_missing && !makes_its_place(entry.mode)) return {};
    switch (entry.mode) {
      case MountMode::kInaccessible: {
        if (!is_there) return base::system_error(ENOENT, "{}", target);
        FLOTILLA_ASSIGN(const std::string node,
                        inaccessible_node(places_.inaccessible, there.st_mode));
        return mount_at(node.c_str(), target, nullptr, MS_BIND);
      }
      case MountMode::kBind:
      case MountMode::kBindRecursive:
      case MountMode::kPrivateTmp:
        return mount_bind(entry, target);
      case MountMode::kPrivateDevices:
        return mount_private_devices(target);
      case MountMode::kBindDevices:
        FLOTILLA_TRY(make_directories(target, 0755));
        return mount_at("/dev", target, nullptr, MS_BIND | MS_REC);
      case MountMode::kEmptyDirectory:
        FLOTILLA_TRY(make_directories(target, 0755));
        return mount_at("tmpfs", target, "tmpfs", MS_NODEV | MS_STRICTATIME,
                        "mode=0755,size=4m,nr_inodes=1k");
      case MountMode::kSysfs:
        return mount_sysfs(entry, target);
      case MountMode::kProcfs:
        return mount_procfs(entry, target);
      case MountMode::kReadOnly:
      case MountMode::kReadWrite:
      case MountMode::kReadWriteImplicit:
      case MountMode::kNoExec:
      case MountMode::kExec:
        return make_mount_point(target);
      case MountMode::kTmpfs:
        FLOTILLA_TRY(make_directories(target, 0755));
        return mount_at("tmpfs", target, "tmpfs", entry.flags, entry.options.c_str());
      case MountMode::kRun:
        FLOTILLA_TRY(make_directories(target, 0755));
        if (const auto is_mounted = is_mount_point(target); is_mounted && *is_mounted) return {};
        return mount_at("tmpfs", target, "tmpfs", entry.flags, entry.options.c_str());
      case MountMode::kMessageQueues:
        FLOTILLA_TRY(make_directories(target, 0755));
        return mount_at("mqueue", target, "mqueue", entry.flags);
    }
    return {};
  }

  Status change_flags(const std::vector<MountEntry>& entries) {
    std::vector<std::string> all;
    all.reserve(entries.size());
    for (const MountEntry& entry : entries) all.push_back(at(entry));
    const auto change = [&](const MountEntry& entry, FlagChange flags) -> Status {
      const std::string target = at(entry);
      struct stat there {};
      if (::lstat(target.c_str(), &there) != 0 && entry.ignore_missing) return {};
      // The rest of a private /dev, its shared memory above all, is to be written to.
      const bool is_alone = entry.mode == MountMode::kPrivateDevices;
      return change_mount_flags(target, flags,
                                is_alone ? Submounts::kLeftOut : Submounts::kIncluded, all);
    };
    for (const MountEntry& entry : entries) {
      if (entry.makes_read_only() || entry.mode == MountMode::kPrivateDevices) {
        FLOTILLA_TRY(change(entry, {MS_RDONLY, 0}));
      }
    }
    for (const MountEntry& entry : entries) {
      if (entry.makes_no_exec()) {
        FLOTILLA_TRY(change(entry, {MS_NOEXEC, 0}));
      } else if (entry.makes_exec()) {
        FLOTILLA_TRY(change(entry, {0, MS_NOEXEC}));
      }
    }
    for (const MountEntry& entry : entries) {
      if (entry.no_suid) FLOTILLA_TRY(change(entry, {MS_NOSUID, 0}));
    }
    return {};
  }

 private:
  static bool makes_its_place(MountMode mode) {
    return mode == MountMode::kBind || mode == MountMode::kBindRecursive ||
           mode == MountMode::kTmpfs;
  }
  std::string at(const MountEntry& entry) const {
    return entry.path == "/" ? root_ : root_ + entry.path;
  }

  Status make_mount_point(const std::string& target) {
    FLOTILLA_ASSIGN(const bool is_mounted, is_mount_point(target));
    if (is_mounted) return {};
    return mount_at(target.c_str(), target, nullptr, MS_BIND | MS_REC);
  }

  Status mount_bind(const MountEntry& entry, const std::string& target) {
    struct stat source {};
    if (::stat(entry.source.c_str(), &source) != 0) {
      if (errno == ENOENT && entry.ignore_missing) return {};
      return base::system_error(errno, "{}", entry.source);
    }
    struct stat there {};
    if (::lstat(target.c_str(), &there) != 0) {
      const std::string parent = target.substr(0, target.rfind('/'));
      FLOTILLA_TRY(make_directories(S_ISDIR(source.st_mode) ? target : parent, 0755));
      if (!S_ISDIR(source.st_mode)) {
        const base::Fd made(
            ::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
        if (!made) return base::system_error(errno, "{}", target);
      }
    }
    const unsigned long recursive = entry.mode == MountMode::kBind ? 0 : MS_REC;
    return mount_at(entry.source.c_str(), target, nullptr, MS_BIND | recursive);
  }

  // Without the right to mount one (in a container) what is there is kept.
  Status mount_sysfs(const MountEntry& entry, const std::string& target) {
    FLOTILLA_TRY(make_directories(target, 0755));
    if (::mount("sysfs", target.c_str(), "sysfs", entry.flags, nullptr) == 0) return {};
    return mount_at("/sys", target, nullptr, MS_BIND | MS_REC);
  }
  Status mount_procfs(const MountEntry& entry, const std::string& target) {
    FLOTILLA_TRY(make_directories(target, 0755));
    if (::mount("proc", target.c_str(), "proc", entry.flags, entry.options.c_str()) == 0) return {};
    // Kernels before 5.8 do not know the options.
    if (errno == EINVAL && !entry.options.empty() &&
        ::mount("proc", target.c_str(), "proc", entry.flags, nullptr) == 0) {
      return {};
    }
    if (errno != EPERM && errno != EACCES) return base::system_error(errno, "{}", target);
    return mount_at("/proc", target, nullptr, MS_BIND | MS_REC);
  }

  std::string root_;
  const MountPlaces& places_;
};

Status change_root_to(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return base::system_error(errno, "{}", root);
  // The old root ends on top of the new one, from where it is taken off.
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::umount2(".", MNT_DETACH) != 0) return base::system_error(errno, "unmount the old root");
  } else {
    // The root of an initial RAM disk cannot be pivoted.
    FLOTILLA_TRY(mount_at(root.c_str(), "/", nullptr, MS_MOVE));
    if (::chroot(".") != 0) return base::system_error(errno, "{}", root);
  }
  if (::chdir("/") != 0) return base::system_error(errno, "/");
  return {};
}

// What every tree has: without these there would be nothing to mount on.
void make_base_directories(const std::string& root) {
  struct Directory {
    const char* name;
    mode_t mode;
  };
  static constexpr Directory kDirectories[] = {{"root", 0755}, {"usr", 0755},  {"var", 0755},
                                               {"etc", 0755},  {"proc", 0555}, {"sys", 0555},
                                               {"dev", 0555},  {"run", 0555}};
  for (const Directory& one : kDirectories) {
    static_cast<void>(::mkdir((root + "/" + one.name).c_str(), one.mode));
  }
}

}  // namespace

std::string resolve_below(const std::string& root, const std::string& path) {
  std::string resolved, rest = path;
  int links = 0;
  while (!rest.empty()) {
    const size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) break;
    const size_t end = rest.find('/', begin);
    const std::string name = rest.substr(begin, end - begin);
    rest = end == std::string::npos ? std::string() : rest.substr(end);
    if (name == ".") continue;
    if (name == "..") {
      resolved.resize(resolved.empty() ? 0 : resolved.rfind('/'));
      continue;
    }
    std::string here = root == "/" ? std::string() : root;
    here.append(resolved).append("/").append(name);
    char target[PATH_MAX];
    const ssize_t size = ::readlink(here.c_str(), target, sizeof target);
    if (size <= 0 || ++links > kMaxLinks) {
      resolved += "/" + name;
      continue;
    }
    if (target[0] == '/') resolved.clear();
    rest.insert(0, target, static_cast<size_t>(size));
  }
  return resolved.empty() ? "/" : resolved;
}

Status enter_mount_namespace(const Settings& settings, const MountFacts& facts,
                             const MountPlaces& places) {
  if (::unshare(CLONE_NEWNS) != 0) {
    return base::unsupported("the kernel gives no mount namespace: {}",
                             base::describe_errno(errno));
  }
  // What is mounted from here on stays here; what the host mounts later still arrives.
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
    if (errno == EPERM || errno == EACCES) {
      return base::unsupported("mounts may not be made private: {}", base::describe_errno(errno));
    }
    return base::system_error(errno, "/");
  }
  FLOTILLA_TRY(make_directories(places.staging, 0755));
  // RootDirectory= itself may be reached through links.
  const std::string source = facts.has_root() ? resolve_below("/", facts.root_directory) : "/";
  struct stat there {};
  if (::stat(source.c_str(), &there) != 0) return base::system_error(errno, "{}", source);
  if (!S_ISDIR(there.st_mode)) return base::system_error(ENOTDIR, "{}", source);
  FLOTILLA_TRY(mount_at(source.c_str(), places.staging, nullptr, MS_BIND | MS_REC));

  if (facts.has_root()) make_base_directories(places.staging);

  std::vector<MountEntry> entries = plan_mounts(settings, facts);
  for (MountEntry& entry : entries) entry.path = resolve_below(places.staging, entry.path);
  normalize_mounts(entries);
  TreeBuilder builder(places);
  for (const MountEntry& entry : entries) FLOTILLA_TRY(builder.mount_one(entry));
  FLOTILLA_TRY(builder.change_flags(entries));
  if (places.no_suid) {
    static_cast<void>(change_mount_flags(places.staging, {MS_NOSUID, 0}, Submounts::kIncluded, {}));
  }
  FLOTILLA_TRY(change_root_to(places.staging));
  constexpr unsigned long kShared = MS_SHARED;
  const unsigned long propagation =
      settings.mount_flags != 0 ? static_cast<unsigned long>(settings.mount_flags) : kShared;
  return mount_at(nullptr, "/", nullptr, propagation | MS_REC);
}

}  // namespace flotilla::sandbox
