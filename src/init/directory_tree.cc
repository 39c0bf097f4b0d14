#include "init/directory_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "base/fd.h"

namespace flotilla::init {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(int at, const char* name) noexcept {
  base::Fd fd(openat(at, name, kDirectoryFlags));
  if (!fd) return nullptr;
  Directory directory(fdopendir(fd.get()));
  if (directory) static_cast<void>(fd.release());
  return directory;
}

// Calls `on_entry(fd, name, stat)` for all but "." and ".."; stops at the first errno it returns.
template <typename F>
int for_each_entry(DIR* directory, F on_entry) noexcept {
  const int fd = dirfd(directory);
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) return errno;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat found {};
    if (fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return errno;
    }
    if (const int error = on_entry(fd, entry->d_name, found); error != 0) return error;
  }
}

struct Owner {
  uid_t uid;
  gid_t gid;
  bool is_of(const struct stat& file) const noexcept {
    return (uid == UINT32_MAX || file.st_uid == uid) && (gid == UINT32_MAX || file.st_gid == gid);
  }
};

// A change of owner takes the set-id bits off, which belong to the mode the unit asks for.
int chown_one(int at, const char* name, const struct stat& file, Owner owner) noexcept {
  if (owner.is_of(file)) return 0;
  if (fchownat(at, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  const mode_t set_id = file.st_mode & (S_ISUID | S_ISGID);
  if (set_id == 0 || S_ISLNK(file.st_mode)) return 0;
  return fchmodat(at, name, file.st_mode & 07777, 0) == 0 ? 0 : errno;
}

int chown_entries(DIR* directory, dev_t device, Owner owner, size_t& budget, int depth) noexcept {
  if (depth > kMaxTreeDepth) return ELOOP;
  return for_each_entry(directory, [&](int fd, const char* name, const struct stat& found) -> int {
    if (budget == 0) return E2BIG;
    --budget;
    if (S_ISDIR(found.st_mode) && found.st_dev == device) {
      const Directory below = open_directory(fd, name);
      if (!below) return errno == ENOENT ? 0 : errno;
      const int error = chown_entries(below.get(), device, owner, budget, depth + 1);
      if (error != 0) return error;
    }
    return chown_one(fd, name, found, owner);
  });
}

int remove_entries(DIR* directory, dev_t device, int depth) noexcept {
  if (depth > kMaxTreeDepth) return ELOOP;
  int first_error = 0;
  const int read_error =
      for_each_entry(directory, [&](int fd, const char* name, const struct stat& found) -> int {
        int error = 0;
        const bool is_directory = S_ISDIR(found.st_mode);
        if (is_directory && found.st_dev != device) {
          error = EXDEV;
        } else if (is_directory) {
          const Directory below = open_directory(fd, name);
          if (below) error = remove_entries(below.get(), device, depth + 1);
        }
        if (error == 0 && unlinkat(fd, name, is_directory ? AT_REMOVEDIR : 0) != 0 &&
            errno != ENOENT) {
          error = errno;
        }
        if (first_error == 0) first_error = error;
        return 0;
      });
  return first_error != 0 ? first_error : read_error;
}

}  // namespace

int chown_tree(const std::string& path, uid_t uid, gid_t gid, size_t budget) noexcept {
  const Owner owner{uid, gid};
  struct stat top {};
  if (lstat(path.c_str(), &top) != 0) return errno;
  if (owner.is_of(top)) return 0;
  if (S_ISDIR(top.st_mode)) {
    const Directory directory = open_directory(AT_FDCWD, path.c_str());
    if (!directory) return errno;
    const int error = chown_entries(directory.get(), top.st_dev, owner, budget, 0);
    if (error != 0) return error;
  }
  return chown_one(AT_FDCWD, path.c_str(), top, owner);
}

int remove_tree(const std::string& path) noexcept {
  struct stat top {};
  if (lstat(path.c_str(), &top) != 0) return errno == ENOENT ? 0 : errno;
  const bool is_directory = S_ISDIR(top.st_mode);
  if (is_directory) {
    const Directory directory = open_directory(AT_FDCWD, path.c_str());
    if (!directory) return errno;
    const int error = remove_entries(directory.get(), top.st_dev, 0);
    if (error != 0) return error;
  }
  const int result = is_directory ? rmdir(path.c_str()) : unlink(path.c_str());
  return result == 0 || errno == ENOENT ? 0 : errno;
}

}  // namespace flotilla::init
