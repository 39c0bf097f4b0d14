#include "base/rooted_file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>

namespace flotilla::base {
namespace {

FileKind kind_of_mode(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kRegular;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return FileKind::kOther;
}

FileStat to_file_stat(const struct stat& from) {
  FileStat to;
  to.kind = kind_of_mode(from.st_mode);
  to.size = static_cast<uint64_t>(from.st_size);
  to.mode = from.st_mode & 07777;
  to.mtime_usec =
      static_cast<int64_t>(from.st_mtim.tv_sec) * 1'000'000 + from.st_mtim.tv_nsec / 1000;
  to.device = from.st_dev;
  to.inode = from.st_ino;
  return to;
}

// Fails for what no system call would take as it is meant.
Result<std::string> checked_path(std::string_view path) {
  if (path.empty()) return invalid("the empty text is no path");
  if (path.find('\0') != std::string_view::npos) {
    return invalid("a path with a NUL byte in it: \"{}\"", path.substr(0, path.find('\0')));
  }
  return path.front() == '/' ? std::string(path) : "/" + std::string(path);
}

// The text of the link that `directory`/`name` is; `name` may be empty: the descriptor itself.
Result<std::string> read_link_at(int directory, const char* name, std::string_view path) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t size = readlinkat(directory, name, buffer.data(), buffer.size());
  if (size < 0) return system_error(errno, "read the link {}", path);
  return std::string(buffer.data(), static_cast<size_t>(size));
}

Status write_all(int fd, std::string_view content, std::string_view path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, "write {}", path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

// Without links on its way such a path is the one that resolving it would give.
bool is_plain(std::string_view path) {
  for (size_t slash = 0; slash < path.size();) {
    const size_t next = std::min(path.find('/', slash + 1), path.size());
    const std::string_view name = path.substr(slash + 1, next - slash - 1);
    if (name.empty() || name == "." || name == "..") return false;
    slash = next;
  }
  return true;
}

std::string temporary_name(std::string_view name) {
  static uint64_t counter = 0;  // one thread per tree; a clash fails with EEXIST and is tried again
  return fmt::format(".#{}.{}.{}", name.substr(0, 200), getpid(), ++counter);
}

}  // namespace

Result<std::unique_ptr<RootedFileTree>> RootedFileTree::open(std::string_view root) {
  const std::string path(root);
  Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error(errno, "open the root directory {}", root);
  std::array<char, PATH_MAX> resolved;
  if (realpath(path.c_str(), resolved.data()) == nullptr) {
    return system_error(errno, "resolve the root directory {}", root);
  }
  std::string prefix(resolved.data());
  if (prefix == "/") prefix.clear();
  return std::unique_ptr<RootedFileTree>(new RootedFileTree(std::move(fd), std::move(prefix)));
}

int RootedFileTree::open_inside(const std::string& path, int flags, Links links) const noexcept {
  if (prefix_.empty() && links == Links::kFollow) return ::open(path.c_str(), flags | O_CLOEXEC);
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  if (links == Links::kRefuse) how.resolve |= RESOLVE_NO_SYMLINKS;
  // The kernel gives EAGAIN where a rename elsewhere raced with "..": trying again is the answer.
  for (int attempt = 0; attempt < 16; ++attempt) {
    const long fd = syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) return static_cast<int>(fd);
  }
  return -1;
}

// Opens the directory a path is in, making it if it is not there; `last` is the name in it.
Result<Fd> RootedFileTree::open_parent(std::string_view path, std::string& last) const {
  FLOTILLA_ASSIGN(const std::string whole, checked_path(path));
  const size_t slash = whole.rfind('/');
  last = whole.substr(slash + 1);
  if (last.empty() || last == "." || last == "..") {
    return invalid("{} names no file that could be written or removed", path);
  }
  const std::string parent = slash == 0 ? "/" : whole.substr(0, slash);
  Fd fd(open_inside(parent, O_PATH | O_DIRECTORY));
  if (!fd) return system_error(errno, "open the directory {}", parent);
  return fd;
}

Result<std::string> RootedFileTree::read(std::string_view path, size_t max_bytes) const {
  FileStat ignored;
  return read(path, max_bytes, ignored);
}

Result<std::string> RootedFileTree::read(std::string_view path, size_t max_bytes,
                                         FileStat& stat) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  // Without O_NONBLOCK a FIFO would hang us before we can see that it is one.
  const Fd fd(open_inside(inside, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!fd) return system_error(errno, "read {}", path);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return system_error(errno, "read {}", path);
  if (!S_ISREG(status.st_mode)) return invalid("read {}: not a regular file", path);
  stat = to_file_stat(status);
  const auto size = stat.size;
  if (size > max_bytes) {
    return too_large("read {}: it has {} bytes, more than {}", path, size, max_bytes);
  }
  // One byte more than expected tells the end of the file by the first read. The size says nothing
  // in /proc, where some files can be read in one piece alone.
  std::string content;
  content.resize(size == 0 ? 4096 : static_cast<size_t>(size) + 1);
  size_t used = 0;
  for (;;) {
    if (used == content.size()) content.resize(std::max<size_t>(4096, content.size() * 2));
    const ssize_t count = ::read(fd.get(), content.data() + used, content.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(errno, "read {}", path);
    used += static_cast<size_t>(count);
    if (used > max_bytes) {
      return too_large("read {}: it has more than {} bytes", path, max_bytes);
    }
    if (count == 0 || (used == size && size != 0)) break;
  }
  content.resize(used);
  return content;
}

Result<std::vector<DirectoryEntry>> RootedFileTree::list(std::string_view path) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  Fd fd(open_inside(inside, O_RDONLY | O_DIRECTORY));
  if (!fd) return system_error(errno, "list {}", path);
  DIR* const directory = fdopendir(fd.get());
  if (directory == nullptr) return system_error(errno, "list {}", path);
  const int number = fd.release();
  std::vector<DirectoryEntry> entries;
  errno = 0;
  while (const dirent* const entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    DirectoryEntry one;
    one.name = name;
    struct stat status {};
    if (entry->d_type != DT_UNKNOWN) {
      one.kind = kind_of_mode(static_cast<mode_t>(DTTOIF(entry->d_type)));
    } else if (fstatat(number, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      one.kind = kind_of_mode(status.st_mode);
    }
    entries.push_back(std::move(one));
    errno = 0;
  }
  const int error = errno;
  closedir(directory);
  if (error != 0) return system_error(error, "list {}", path);
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Result<std::string> RootedFileTree::read_link(std::string_view path) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  if (prefix_.empty()) return read_link_at(AT_FDCWD, inside.c_str(), path);
  const Fd fd(open_inside(inside, O_PATH | O_NOFOLLOW));
  if (!fd) return system_error(errno, "read the link {}", path);
  struct stat status {};
  if (fstat(fd.get(), &status) == 0 && !S_ISLNK(status.st_mode)) {
    return system_error(EINVAL, "read the link {}", path);
  }
  return read_link_at(fd.get(), "", path);
}

Result<FileStat> RootedFileTree::stat(std::string_view path) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  struct stat status {};
  if (prefix_.empty()) {
    if (::stat(inside.c_str(), &status) != 0) return system_error(errno, "stat {}", path);
    return to_file_stat(status);
  }
  const Fd fd(open_inside(inside, O_PATH));
  if (!fd || fstat(fd.get(), &status) != 0) return system_error(errno, "stat {}", path);
  return to_file_stat(status);
}

Result<FileStat> RootedFileTree::lstat(std::string_view path) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  struct stat status {};
  if (prefix_.empty()) {
    if (::lstat(inside.c_str(), &status) != 0) return system_error(errno, "stat {}", path);
    return to_file_stat(status);
  }
  const Fd fd(open_inside(inside, O_PATH | O_NOFOLLOW));
  if (!fd || fstat(fd.get(), &status) != 0) return system_error(errno, "stat {}", path);
  return to_file_stat(status);
}

Result<std::string> RootedFileTree::canonical(std::string_view path) const {
  FLOTILLA_ASSIGN(const std::string inside, checked_path(path));
  const Fd fd(open_inside(inside, O_PATH));
  if (!fd) return system_error(errno, "resolve {}", path);
  const std::string self = fmt::format("/proc/self/fd/{}", fd.get());
  FLOTILLA_ASSIGN(const std::string whole, read_link_at(AT_FDCWD, self.c_str(), path));
  if (whole.size() == prefix_.size()) return std::string("/");
  if (whole.compare(0, prefix_.size(), prefix_) != 0 || whole[prefix_.size()] != '/') {
    return internal("resolve {}: it led to {}, outside of {}", path, whole, prefix_);
  }
  return whole.substr(prefix_.size());
}

Status RootedFileTree::write_atomic(std::string_view path, std::string_view content,
                                    uint32_t mode) {
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && slash > 0) {
    FLOTILLA_TRY(make_directories(path.substr(0, slash), 0755));
  }
  std::string last;
  FLOTILLA_ASSIGN(const Fd parent, open_parent(path, last));
  const std::string temporary = temporary_name(last);
  const Fd file(openat(parent.get(), temporary.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777));
  if (!file) return system_error(errno, "write {}", path);
  Status status = write_all(file.get(), content, path);
  if (status && fchmod(file.get(), mode) != 0) status = system_error(errno, "write {}", path);
  if (status && fsync(file.get()) != 0) status = system_error(errno, "write {}", path);
  if (status && renameat(parent.get(), temporary.c_str(), parent.get(), last.c_str()) != 0) {
    status = system_error(errno, "write {}", path);
  }
  if (!status) {
    unlinkat(parent.get(), temporary.c_str(), 0);
    return status;
  }
  // The rename itself must be on the disk too. A descriptor of O_PATH cannot be synced.
  const Fd directory(openat(parent.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) return system_error(errno, "sync {}", path);
  return {};
}

Status RootedFileTree::make_directories(std::string_view path, uint32_t mode) {
  FLOTILLA_ASSIGN(const std::string whole, checked_path(path));
  Fd directory(open_inside(whole, O_PATH | O_DIRECTORY));
  if (directory) return {};
  if (errno != ENOENT) return system_error(errno, "make the directory {}", path);
  // Mostly the last name alone is missing.
  if (const size_t slash = whole.rfind('/'); slash != 0 && slash + 1 < whole.size()) {
    const Fd parent(open_inside(whole.substr(0, slash), O_PATH | O_DIRECTORY));
    if (parent && mkdirat(parent.get(), whole.c_str() + slash + 1, mode) == 0) return {};
  }
  directory.reset(open_inside("/", O_PATH | O_DIRECTORY));
  for (size_t begin = 1; begin < whole.size();) {
    const size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string name = whole.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) continue;
    const std::string so_far = whole.substr(0, end);
    Fd next(open_inside(so_far, O_PATH | O_DIRECTORY));
    if (!next && errno == ENOENT) {
      if (mkdirat(directory.get(), name.c_str(), mode) != 0 && errno != EEXIST) {
        return system_error(errno, "make the directory {}", so_far);
      }
      next.reset(open_inside(so_far, O_PATH | O_DIRECTORY));
    }
    if (!next) return system_error(errno, "make the directory {}", so_far);
    directory = std::move(next);
  }
  return {};
}

Status RootedFileTree::make_symlink(std::string_view target, std::string_view path) {
  FLOTILLA_ASSIGN(const std::string whole, checked_path(path));
  FLOTILLA_TRY(make_directories(std::string_view(whole).substr(0, whole.rfind('/') + 1), 0755));
  std::string last;
  FLOTILLA_ASSIGN(const Fd parent, open_parent(path, last));
  const std::string text(target);
  if (symlinkat(text.c_str(), parent.get(), last.c_str()) == 0) return {};
  if (errno != EEXIST) return system_error(errno, "make the link {}", path);
  struct stat status {};
  if (fstatat(parent.get(), last.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISLNK(status.st_mode)) {
    return already_exists("make the link {}: there is a file that is no link", path);
  }
  const std::string temporary = temporary_name(last);
  if (symlinkat(text.c_str(), parent.get(), temporary.c_str()) != 0) {
    return system_error(errno, "make the link {}", path);
  }
  if (renameat(parent.get(), temporary.c_str(), parent.get(), last.c_str()) != 0) {
    const int error = errno;
    unlinkat(parent.get(), temporary.c_str(), 0);
    return system_error(error, "make the link {}", path);
  }
  return {};
}

Status RootedFileTree::remove(std::string_view path) {
  std::string last;
  FLOTILLA_ASSIGN(const Fd parent, open_parent(path, last));
  if (unlinkat(parent.get(), last.c_str(), 0) == 0) return {};
  if (errno != EISDIR && errno != EPERM) return system_error(errno, "remove {}", path);
  if (unlinkat(parent.get(), last.c_str(), AT_REMOVEDIR) == 0) return {};
  return system_error(errno, "remove {}", path);
}

std::string RootedFileTree::host_path(std::string_view path) const {
  std::string whole =
      path.empty() || path.front() != '/' ? "/" + std::string(path) : std::string(path);
  if (prefix_.empty()) return whole;
  // Links are resolved here, since outside of the tree absolute ones would lead elsewhere. A path
  // that the kernel follows without any, to its end or to where nothing is any more, has none.
  if (is_plain(whole)) {
    const Fd fd(open_inside(whole, O_PATH, Links::kRefuse));
    if (fd || errno == ENOENT) return prefix_ + whole;
  }
  if (Result<std::string> resolved = canonical(whole)) return prefix_ + *resolved;
  const size_t slash = whole.rfind('/');
  if (Result<std::string> parent = canonical(slash == 0 ? "/" : whole.substr(0, slash))) {
    return prefix_ + (*parent == "/" ? "" : *parent) + whole.substr(slash);
  }
  return prefix_ + whole;
}

}  // namespace flotilla::base
