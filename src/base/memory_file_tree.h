// A FileTree in memory, for tests. It resolves links as the real one does, and fails on request: a
// full disk, an error of one path, and a crash of the machine that loses what was not synced.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"

namespace flotilla::base {

class MemoryFileTree final : public FileTree {
 public:
  MemoryFileTree();
  ~MemoryFileTree() override;

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

  // --- The test's side ---
  // A file with its directories; not synced, as any other program's write.
  void add_file(std::string_view path, std::string_view content, uint32_t mode = 0644);

  // Bytes that may still be written; then writes fail with ENOSPC.
  void set_space(uint64_t bytes) { space_ = bytes; }
  // Every call on this exact path (before links are followed) fails with this errno; 0 ends it.
  void fail_path(std::string_view path, int error_number);
  // The machine loses power: what add_file() wrote since the last sync() is gone. What
  // write_atomic() wrote stays whole.
  void crash();
  void sync();
  // How often files were read; tests of caches look at it.
  uint64_t reads() const { return reads_; }

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  // Follows the path; `canonical_path` gets the resolved path. Null with an errno.
  NodePtr resolve(std::string_view path, bool follow_last, int& error,
                  std::string* canonical_path = nullptr) const;
  Result<NodePtr> find(std::string_view path, bool follow_last, std::string_view what) const;
  Result<NodePtr> parent_of(std::string_view path, std::string& last, std::string_view what);
  NodePtr make_node(FileKind kind, uint32_t mode);
  int injected(std::string_view path) const;

  NodePtr root_;
  uint64_t next_inode_ = 1;
  int64_t now_usec_ = 1'700'000'000'000'000;
  std::optional<uint64_t> space_;
  std::map<std::string, int, std::less<>> failures_;
  mutable uint64_t reads_ = 0;
};

}  // namespace flotilla::base
