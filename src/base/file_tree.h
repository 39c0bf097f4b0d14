// The file tree seam: everything the service manager and the agent read and write by path goes
// through a FileTree. The real one can be rooted in a directory (--root=DIR): absolute paths and
// absolute links then resolve under DIR, and ".." does not leave it. The fake one holds its files
// in memory and can fail.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::base {

enum class FileKind { kRegular, kDirectory, kSymlink, kOther };

struct DirectoryEntry {
  std::string name;
  FileKind kind = FileKind::kOther;  // of the entry itself: links are not followed
};

struct FileStat {
  FileKind kind = FileKind::kOther;
  uint64_t size = 0;
  uint32_t mode = 0;       // permission bits
  int64_t mtime_usec = 0;  // modification time, microseconds since 1970
  uint64_t device = 0;
  uint64_t inode = 0;
};

class FileTree {
 public:
  virtual ~FileTree() = default;

  // The whole file, links followed. Fails with kTooLarge if it has more than max_bytes, with
  // kNotFound if there is none, with kInvalid if it is no regular file.
  virtual Result<std::string> read(std::string_view path, size_t max_bytes) const = 0;
  // The same, and what stat() says of the file that was read.
  virtual Result<std::string> read(std::string_view path, size_t max_bytes,
                                   FileStat& stat) const = 0;
  // The entries but "." and "..", sorted by name.
  virtual Result<std::vector<DirectoryEntry>> list(std::string_view path) const = 0;
  // The text of the link, unresolved.
  virtual Result<std::string> read_link(std::string_view path) const = 0;
  // Follows links / does not follow the last one.
  virtual Result<FileStat> stat(std::string_view path) const = 0;
  virtual Result<FileStat> lstat(std::string_view path) const = 0;
  // The path with every link resolved, as seen from inside the tree.
  virtual Result<std::string> canonical(std::string_view path) const = 0;

  // Writes a temporary file beside it, syncs, and renames over: after a crash the old or the new is
  // there, never half of one. Makes missing parent directories.
  virtual Status write_atomic(std::string_view path, std::string_view content, uint32_t mode) = 0;
  virtual Status make_directories(std::string_view path, uint32_t mode) = 0;
  // Replaces an existing link; fails with kAlreadyExists where another kind of file is.
  virtual Status make_symlink(std::string_view target, std::string_view path) = 0;
  // Removes a file or an empty directory; kNotFound if there is none.
  virtual Status remove(std::string_view path) = 0;

  // The path by which processes outside the tree (that is, the kernel) reach `path`.
  virtual std::string host_path(std::string_view path) const = 0;
};

}  // namespace flotilla::base
