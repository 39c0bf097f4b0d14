// The FileTree of the real world, rooted in a directory: absolute paths, absolute links and ".."
// resolve under the root, which the kernel sees to (openat2 with RESOLVE_IN_ROOT). With the root
// "/" the plain calls are used.
//
// Holds one descriptor of the root; may be used from one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/file_tree.h"

namespace flotilla::base {

class RootedFileTree final : public FileTree {
 public:
  // `root` is an absolute or relative path of a directory that exists.
  static Result<std::unique_ptr<RootedFileTree>> open(std::string_view root);

  Result<std::string> read(std::string_view path, size_t max_bytes) const override;
  Result<std::string> read(std::string_view path, size_t max_bytes, FileStat& stat) const override;
  Result<std::vector<DirectoryEntry>> list(std::string_view path) const override;
  Result<std::string> read_link(std::string_view path) const override;
  Result<FileStat> stat(std::string_view path) const override;
  Result<FileStat> lstat(std::string_view path) const override;
  Result<std::string> canonical(std::string_view path) const override;

  Status write_atomic(std::string_view path, std::string_view content, uint32_t mode) override;
  Status make_directories(std::string_view path, uint32_t mode) override;
  Status make_symlink(std::string_view target, std::string_view path) override;
  Status remove(std::string_view path) override;

  std::string host_path(std::string_view path) const override;

 private:
  RootedFileTree(Fd root, std::string prefix) noexcept
      : root_(std::move(root)), prefix_(std::move(prefix)) {}
  enum class Links { kFollow, kRefuse };
  // Opens a path inside the tree; -1 with errno.
  int open_inside(const std::string& path, int flags, Links links = Links::kFollow) const noexcept;
  Result<Fd> open_parent(std::string_view path, std::string& last) const;

  Fd root_;
  std::string prefix_;  // the root's own path, absolute and resolved; empty for "/"
};

}  // namespace flotilla::base
