#include "init/exec_directories.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "init/directory_tree.h"

namespace flotilla::init {
namespace {

// About a hundredth of a second's work.
constexpr size_t kChownBudget = 5000;

// The umask of the manager must not take bits from the modes that a unit asks for.
class NoUmask {
 public:
  NoUmask() noexcept : before_(umask(0)) {}
  ~NoUmask() { umask(before_); }
  NoUmask(const NoUmask&) = delete;
  NoUmask& operator=(const NoUmask&) = delete;

 private:
  mode_t before_;
};

// The directories above the last part of the path.
int make_parents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (mkdir(parent.c_str(), 0755) == 0 || errno == EEXIST) continue;
    // On the way there may be what we can pass and not write to.
    struct stat found {};
    const int error = errno;
    if (stat(parent.c_str(), &found) != 0) return error;
  }
  return 0;
}

int make_link(const std::string& target, const std::string& path) {
  if (const int error = make_parents(path); error != 0) return error;
  if (symlink(target.c_str(), path.c_str()) == 0) return 0;
  if (errno != EEXIST) return errno;
  char text[4096];
  const ssize_t size = readlink(path.c_str(), text, sizeof text);
  if (size < 0) return errno == EINVAL ? EEXIST : errno;
  // A link to elsewhere is somebody else's.
  return std::string_view(text, static_cast<size_t>(size)) == target ? 0 : EEXIST;
}

// "a/b" seen from the directory of "c/d/e" is "../../a/b".
std::string relative_target(const std::string& item, const std::string& link) {
  std::string target;
  for (size_t slash = link.find('/'); slash != std::string::npos;
       slash = link.find('/', slash + 1)) {
    target += "../";
  }
  return target + item;
}

bool is_link(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode);
}
bool is_there(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0;
}

// A link in the place of a run-time directory that leads out of what lives in memory, or nowhere:
// not the service's to remove.
bool leads_to_disk(const std::string& path) {
  if (!is_link(path)) return false;
  struct statfs found {};
  if (statfs(path.c_str(), &found) != 0) return true;
  const auto type = static_cast<unsigned long>(found.f_type) & 0xffffffffUL;
  return type != TMPFS_MAGIC && type != RAMFS_MAGIC && type != CGROUP_SUPER_MAGIC &&
         type != CGROUP2_SUPER_MAGIC;
}

// Makes `path` a link to the same name below "private", and moves there what it was before.
int make_private_place(const std::string& base, const std::string& item) {
  const std::string hidden = private_base(base), place = hidden + "/" + item;
  const std::string path = base + "/" + item;
  if (const int error = make_parents(path); error != 0) return error;
  if (const int error = make_parents(hidden); error != 0) return error;
  if (mkdir(hidden.c_str(), 0700) != 0) {
    struct stat found {};
    if (errno != EEXIST || lstat(hidden.c_str(), &found) != 0) return errno;
    if (!S_ISDIR(found.st_mode)) return ENOTDIR;
    // Where others may look, what a number leaves would be the next holder's.
    if ((found.st_mode & 077) != 0 || found.st_uid != geteuid()) return EEXIST;
  }
  if (const int error = make_parents(place); error != 0) return error;
  if (is_there(path) && !is_link(path) && rename(path.c_str(), place.c_str()) != 0) return errno;
  return make_link(relative_target("private/" + item, item), path);
}

// A unit that had a dynamic user once finds its directory where it belongs now.
int leave_private_place(const std::string& base, const std::string& item) {
  const std::string path = base + "/" + item, place = private_base(base) + "/" + item;
  if (!is_link(path) || !is_there(place)) return 0;
  char text[4096];
  const ssize_t size = readlink(path.c_str(), text, sizeof text);
  if (size < 0) return errno;
  const std::string_view target(text, static_cast<size_t>(size));
  if (target != relative_target("private/" + item, item) && target != place) return 0;
  if (unlink(path.c_str()) != 0) return errno;
  return rename(place.c_str(), path.c_str()) == 0 ? 0 : errno;
}

int make_one(const std::string& path, const DirectorySetting& setting, DirectoryKind kind,
             DirectoryOwner owner, std::vector<SlowChown>& slow) {
  if (const int error = make_parents(path); error != 0) return error;
  if (mkdir(path.c_str(), setting.mode) != 0) {
    if (errno != EEXIST) return errno;
    struct stat found {};
    // What is there is the administrator's: a service does not write to its configuration.
    if (kind == DirectoryKind::kConfiguration) return stat(path.c_str(), &found) == 0 ? 0 : errno;
    // A link could lead the owner's change of hands anywhere.
    if (lstat(path.c_str(), &found) != 0) return errno;
    if (!S_ISDIR(found.st_mode)) return S_ISLNK(found.st_mode) ? ENOTDIR : EEXIST;
  }
  if (chmod(path.c_str(), setting.mode) != 0) return errno;
  if (!owner.is_set) return 0;
  const int error = chown_tree(path, owner.uid, owner.gid, kChownBudget);
  if (error != E2BIG) return error;
  slow.push_back({path, owner.uid, owner.gid});
  return 0;
}

}  // namespace

DirectoryBases directory_bases(const unit::HostValues& host) {
  return {host.runtime_directory.value_or(""), host.state_directory.value_or(""),
          host.cache_directory.value_or(""), host.log_directory.value_or(""),
          host.configuration_directory.value_or("")};
}

bool make_directories(const ExecExtras& extras, const DirectoryBases& bases, DirectoryOwner owner,
                      std::vector<SlowChown>& slow, DirectoryFailure& failure) {
  const NoUmask exact_modes;
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    const DirectorySetting& setting = extras.directories[i];
    if (bases[i].empty()) continue;
    failure.kind = static_cast<DirectoryKind>(i);
    const auto path_of = [&](const std::string& name) { return bases[i] + "/" + name; };
    for (const DirectorySetting::Item& item : setting.items) {
      std::string path = path_of(item.path);
      const bool is_private = owner.is_dynamic && is_private_kind(extras, failure.kind);
      if (is_private) {
        failure.error = make_private_place(bases[i], item.path);
        path = private_base(bases[i]) + "/" + item.path;
      } else if (failure.kind != DirectoryKind::kConfiguration) {
        failure.error = leave_private_place(bases[i], item.path);
      }
      if (failure.error != 0) return false;
      failure.error = make_one(path, setting, failure.kind, owner, slow);
      if (failure.error != 0) return false;
    }
    for (const DirectorySetting::Item& item : setting.items) {
      for (const std::string& link : item.links) {
        failure.error = make_link(relative_target(item.path, link), path_of(link));
        if (failure.error != 0) return false;
      }
    }
  }
  return true;
}

bool is_private_kind(const ExecExtras& extras, DirectoryKind kind) {
  if (kind == DirectoryKind::kRuntime) {
    return extras.runtime_directory_preserve != DirectoryPreserve::kNo;
  }
  return kind != DirectoryKind::kConfiguration;
}

std::string private_base(const std::string& base) { return base + "/private"; }

std::string directory_list(const ExecExtras& extras, const DirectoryBases& bases,
                           DirectoryKind kind) {
  const auto index = static_cast<size_t>(kind);
  std::string list;
  if (bases[index].empty()) return list;
  for (const DirectorySetting::Item& item : extras.directories[index].items) {
    if (!list.empty()) list += ':';
    list.append(bases[index]).append("/").append(item.path);
  }
  return list;
}

std::vector<std::string> directory_paths(const ExecExtras& extras, const DirectoryBases& bases,
                                         DirectoryKind kind) {
  const auto index = static_cast<size_t>(kind);
  std::vector<std::string> paths;
  if (bases[index].empty()) return paths;
  for (const DirectorySetting::Item& item : extras.directories[index].items) {
    paths.push_back(bases[index] + "/" + item.path);
    for (const std::string& link : item.links) paths.push_back(bases[index] + "/" + link);
  }
  return paths;
}

void remove_runtime_directories(const ExecExtras& extras, const DirectoryBases& bases,
                                bool is_dynamic) {
  const std::string& base = bases[static_cast<size_t>(DirectoryKind::kRuntime)];
  if (is_dynamic && is_private_kind(extras, DirectoryKind::kRuntime) && !base.empty()) {
    // The link to it stays.
    for (const auto& item : extras.directories[static_cast<size_t>(DirectoryKind::kRuntime)].items)
      static_cast<void>(remove_tree(private_base(base) + "/" + item.path));
    return;
  }
  const auto& items = extras.directories[static_cast<size_t>(DirectoryKind::kRuntime)].items;
  for (const DirectorySetting::Item& item : items) {
    if (base.empty() || leads_to_disk(base + "/" + item.path)) continue;
    static_cast<void>(remove_tree(fmt::format("{}/{}", base, item.path)));
    for (const std::string& link : item.links) {
      static_cast<void>(remove_tree(fmt::format("{}/{}", base, link)));
    }
  }
}

std::vector<std::string> dynamic_user_paths(const ExecExtras& extras, const DirectoryBases& bases) {
  std::vector<std::string> paths;
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    const auto kind = static_cast<DirectoryKind>(i);
    if (kind == DirectoryKind::kConfiguration || bases[i].empty()) continue;
    const std::string base = is_private_kind(extras, kind) ? private_base(bases[i]) : bases[i];
    for (const auto& item : extras.directories[i].items) paths.push_back(base + "/" + item.path);
  }
  return paths;
}

}  // namespace flotilla::init
