#include "sandbox/mount_tools.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/fd.h"
#include "sandbox/mount_plan.h"

namespace flotilla::sandbox {
namespace {

using base::Result;
using base::Status;

constexpr size_t kMaxTable = size_t{64} << 20;

struct FlagName {
  std::string_view name;
  unsigned long flag;
};
constexpr FlagName kFlagNames[] = {
    {"ro", MS_RDONLY},         {"nosuid", MS_NOSUID},
    {"nodev", MS_NODEV},       {"noexec", MS_NOEXEC},
    {"noatime", MS_NOATIME},   {"nodiratime", MS_NODIRATIME},
    {"relatime", MS_RELATIME}, {"nosymfollow", 256 /* MS_NOSYMFOLLOW */},
};

// Blanks and backslashes stand as octal escapes in a mount table.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 3 >= text.size()) {
      out += text[i];
      continue;
    }
    int value = 0;
    for (size_t k = 1; k <= 3; ++k) value = value * 8 + (text[i + k] - '0');
    out += static_cast<char>(value);
    i += 3;
  }
  return out;
}

std::string_view take_field(std::string_view& line) {
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), field.size() + 1));
  return field;
}

Result<std::string> read_own_mount_table() {
  const base::Fd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!file) return base::system_error(errno, "open /proc/self/mountinfo");
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer, sizeof buffer);
    if (size < 0) return base::system_error(errno, "read /proc/self/mountinfo");
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > kMaxTable) return base::too_large("the mount table has no end");
  }
}

uint64_t attributes_of(unsigned long flags) {
  uint64_t attributes = 0;
  if ((flags & MS_RDONLY) != 0) attributes |= MOUNT_ATTR_RDONLY;
  if ((flags & MS_NOSUID) != 0) attributes |= MOUNT_ATTR_NOSUID;
  if ((flags & MS_NOEXEC) != 0) attributes |= MOUNT_ATTR_NOEXEC;
  return attributes;
}

// One call for a whole tree where the kernel has it.
bool change_at_once(const std::string& path, FlagChange change, Submounts submounts) {
  mount_attr attributes{};
  attributes.attr_set = attributes_of(change.set);
  attributes.attr_clr = attributes_of(change.clear);
  const unsigned flags =
      submounts == Submounts::kIncluded ? AT_RECURSIVE | AT_SYMLINK_NOFOLLOW : AT_SYMLINK_NOFOLLOW;
  return ::mount_setattr(AT_FDCWD, path.c_str(), flags, &attributes, sizeof attributes) == 0;
}

}  // namespace

Status mount_at(const char* source, const std::string& target, const char* type,
                unsigned long flags, const char* options) {
  if (::mount(source, target.c_str(), type, flags, options) == 0) return {};
  return base::system_error(errno, "{}", target);
}

Result<bool> is_mount_point(const std::string& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &info) !=
      0) {
    return base::system_error(errno, "{}", path);
  }
  if ((info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
    return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  }
  // Kernels before 5.8: what lies on another device than its parent is one; a bind mount within a
  // file system that this misses gets one mount more, which does no harm.
  struct stat own {
  }, parent{};
  const std::string above = path.substr(0, path.rfind('/') + 1);
  if (::lstat(path.c_str(), &own) != 0 || ::stat(above.c_str(), &parent) != 0) {
    return base::system_error(errno, "{}", path);
  }
  return own.st_dev != parent.st_dev;
}

Status make_directories(const std::string& path, mode_t mode) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      const int error = errno;
      struct stat there {};
      // A read-only file system says so before it says that the directory is there.
      if (::stat(part.c_str(), &there) != 0 || !S_ISDIR(there.st_mode)) {
        return base::system_error(error, "{}", part);
      }
    }
    if (end == std::string::npos) return {};
  }
}

std::vector<MountLine> parse_mount_table(std::string_view text) {
  std::vector<MountLine> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    // 36 35 98:0 /root /path rw,noatime shared:1 - ext4 /dev/root rw
    for (int skipped = 0; skipped < 4; ++skipped) take_field(line);
    MountLine one;
    one.path = unescape(take_field(line));
    std::string_view options = take_field(line);
    while (!line.empty() && take_field(line) != "-") {
    }
    one.type = std::string(take_field(line));
    while (!options.empty()) {
      const std::string_view word = options.substr(0, options.find(','));
      options.remove_prefix(std::min(options.size(), word.size() + 1));
      for (const FlagName& row : kFlagNames) {
        if (row.name == word) one.flags |= row.flag;
      }
    }
    if (!one.path.empty() && one.path[0] == '/') lines.push_back(std::move(one));
  }
  return lines;
}

Status change_mount_flags(const std::string& path, FlagChange change, Submounts submounts,
                          const std::vector<std::string>& except) {
  bool is_whole = true;
  for (const std::string& other : except) {
    is_whole = is_whole && (other == path || !is_path_below(other, path));
  }
  if ((is_whole || submounts == Submounts::kLeftOut) && change_at_once(path, change, submounts)) {
    return {};
  }
  FLOTILLA_ASSIGN(const std::string table, read_own_mount_table());
  for (const MountLine& line : parse_mount_table(table)) {
    if (submounts == Submounts::kLeftOut ? line.path != path : !is_path_below(line.path, path)) {
      continue;
    }
    bool is_excepted = line.type == "autofs";
    for (const std::string& other : except) {
      if (other != path && is_path_below(other, path) && is_path_below(line.path, other)) {
        is_excepted = true;
      }
    }
    if (is_excepted) continue;
    const unsigned long flags = (line.flags & ~change.clear) | change.set;
    if (flags == line.flags && line.path != path) continue;
    if (::mount(nullptr, line.path.c_str(), nullptr, MS_BIND | MS_REMOUNT | flags, nullptr) == 0) {
      continue;
    }
    // A mount that another hides cannot be reached by its path, and needs nothing.
    if (line.path != path && (errno == ENOENT || errno == EINVAL || errno == EACCES)) continue;
    return base::system_error(errno, "{}", line.path);
  }
  return {};
}

Result<std::string> inaccessible_node(const std::string& directory, mode_t kind) {
  struct Kind {
    mode_t kind;
    const char* name;
  };
  static constexpr Kind kKinds[] = {{S_IFDIR, "dir"}, {S_IFREG, "reg"},  {S_IFCHR, "chr"},
                                    {S_IFBLK, "blk"}, {S_IFIFO, "fifo"}, {S_IFSOCK, "sock"}};
  FLOTILLA_TRY(make_directories(directory, 0755));
  for (const Kind& row : kKinds) {
    if (row.kind != (kind & S_IFMT)) continue;
    std::string path = directory + "/" + row.name;
    if (::access(path.c_str(), F_OK) == 0) return path;
    const int made =
        row.kind == S_IFDIR ? ::mkdir(path.c_str(), 0) : ::mknod(path.c_str(), row.kind, 0);
    if (made == 0 || errno == EEXIST) return path;
    // In a container device nodes are refused; a socket nobody listens on is as good.
    if (row.kind == S_IFCHR || row.kind == S_IFBLK) return inaccessible_node(directory, S_IFSOCK);
    return base::system_error(errno, "{}", path);
  }
  return base::invalid("{}: there is no such kind of file", directory);
}

}  // namespace flotilla::sandbox
