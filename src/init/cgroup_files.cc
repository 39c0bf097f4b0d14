// The half of CgroupTracker that is about the kernel's files: controllers, limits, accounting.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "init/cgroup.h"
#include "init/cgroup_plan.h"

namespace flotilla::init {
namespace {

// Where the manager's own processes go when the root may have none any more.
constexpr const char* kInitScope = "init.scope";

// A path that openat() takes: of the root itself too.
std::string relative(std::string_view path, std::string_view name = {}) {
  std::string text(path.empty() ? "." : path);
  if (!name.empty()) text.append("/").append(name);
  return text;
}

// 0, or the errno.
int write_at(int root, const std::string& file, std::string_view text) {
  const base::Fd fd(openat(root, file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  return write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

bool make_at(int root, const std::string& path) {
  return mkdirat(root, path.c_str(), 0755) == 0 || errno == EEXIST;
}

// "8:16" of a block device, or of that which a file's file system is on; empty for neither.
std::string device_number(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  const dev_t device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
  if (!S_ISBLK(status.st_mode) && (S_ISCHR(status.st_mode) || major(device) == 0)) return {};
  return fmt::format("{}:{}", major(device), minor(device));
}

}  // namespace

std::string CgroupTracker::read_file(std::string_view path, const char* name) const {
  std::string text;
  const base::Fd fd(openat(root_.get(), relative(path, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = read(fd.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}

std::string CgroupTracker::cgroup_path(std::string_view path) const {
  if (faccessat(root_.get(), relative(path).c_str(), F_OK, 0) != 0) return {};
  if (path.empty()) return root_path_;
  return (root_path_ == "/" ? "/" : root_path_ + "/") + std::string(path);
}

uint64_t CgroupTracker::cgroup_id(std::string_view path) const {
  struct stat status {};
  if (fstatat(root_.get(), relative(path).c_str(), &status, 0) != 0) return 0;
  return status.st_ino;
}

std::vector<std::string> CgroupTracker::subgroups(std::string_view path) const {
  std::vector<std::string> names;
  const int directory =
      openat(root_.get(), relative(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = directory >= 0 ? fdopendir(directory) : nullptr;
  if (entries == nullptr) {
    if (directory >= 0) close(directory);
    return names;
  }
  while (const dirent* const entry = readdir(entries)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(entries);
  return names;
}

base::Status CgroupTracker::freeze(std::string_view path, bool frozen, std::function<void()> done) {
  return freezer_.set(relative(path), frozen, std::move(done));
}

uint16_t CgroupTracker::controllers() {
  if (!controllers_) controllers_ = parse_controller_list(read_file({}, "cgroup.controllers"));
  return *controllers_;
}

// Controllers of a cgroup with processes in it cannot be handed on: as PID 1 of a container we may
// be among them.
bool CgroupTracker::leave_root() {
  if (!own_directory_.empty() || !make_at(root_.get(), kInitScope)) return false;
  const std::string procs = read_file({}, "cgroup.procs");
  const std::string target = relative(kInitScope, "cgroup.procs");
  for (size_t at = 0; at < procs.size();) {
    const size_t end = std::min(procs.find('\n', at), procs.size());
    static_cast<void>(write_at(root_.get(), target, procs.substr(at, end - at)));
    at = end + 1;
  }
  return true;
}

uint16_t CgroupTracker::enable(const std::string& path, uint16_t wanted) {
  auto known = enabled_.find(path);
  if (known == enabled_.end()) {
    const std::string now = read_file(path, "cgroup.subtree_control");
    known = enabled_.emplace(path, parse_controller_list(now)).first;
  }
  uint16_t& enabled = known->second;
  for (unsigned i = 0; i < static_cast<unsigned>(CgroupController::kCount); ++i) {
    const auto controller = static_cast<CgroupController>(i);
    const CgroupMask bit = mask_of(controller);
    if ((wanted & bit) == 0 || (enabled & bit) != 0) continue;
    const std::string text = fmt::format("+{}", to_string(controller));
    const std::string file = relative(path, "cgroup.subtree_control");
    int error = write_at(root_.get(), file, text);
    if (error == EBUSY && path.empty() && leave_root()) {
      error = write_at(root_.get(), file, text);
    }
    if (error == 0) enabled = static_cast<uint16_t>(enabled | bit);
  }
  return enabled;
}

base::Status CgroupTracker::configure(std::string_view path, const CgroupPlan& plan,
                                      uint16_t allowed) {
  CgroupMask has = static_cast<CgroupMask>(plan.wants & allowed & controllers());
  if (has == 0) return {};
  // From the root down: a cgroup can hand on only what it was given.
  std::string above;
  for (size_t at = 0;;) {
    has = static_cast<CgroupMask>(has & enable(above, has));
    const size_t slash = path.find('/', at);
    const std::string_view below = path.substr(0, slash);
    if (!make_at(root_.get(), std::string(below))) {
      return base::system_error(errno, "make the cgroup {}", below);
    }
    if (slash == std::string_view::npos) break;
    above = below;
    at = slash + 1;
  }
  base::Status status;
  for (const CgroupWrite& write : plan.writes) {
    if ((mask_of(write.controller) & has) == 0) continue;
    std::string value = write.value;
    if (!write.device.empty()) {
      const std::string number = device_number(write.device);
      if (number.empty()) continue;
      value = number + " " + value;
    }
    const int error = write_at(root_.get(), relative(path, write.file), value);
    if (error != 0 && error != ENOENT) {
      status = base::system_error(error, "Failed to set '{}' attribute on '{}' to '{}'", write.file,
                                  path, value);
    }
  }
  return status;
}

base::Status CgroupTracker::delegate(std::string_view path, uid_t uid, gid_t gid) {
  static constexpr const char* kFiles[] = {"cgroup.procs", "cgroup.subtree_control",
                                           "cgroup.threads"};
  if (fchownat(root_.get(), relative(path).c_str(), uid, gid, 0) != 0) {
    return base::system_error(errno, "hand the cgroup {} to user {}", path, uid);
  }
  for (const char* file : kFiles) {
    if (fchownat(root_.get(), relative(path, file).c_str(), uid, gid, 0) != 0 && errno != ENOENT) {
      return base::system_error(errno, "hand the cgroup {} to user {}", path, uid);
    }
  }
  return {};
}

}  // namespace flotilla::init
