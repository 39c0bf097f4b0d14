#include "base/memory_file_tree.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

namespace flotilla::base {
namespace {

constexpr int kMaxLinks = 40;
constexpr size_t kMaxName = 255;

std::deque<std::string> split(std::string_view path) {
  std::deque<std::string> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return parts;
}

std::string absolute(std::string_view path) {
  return path.empty() || path.front() != '/' ? "/" + std::string(path) : std::string(path);
}

}  // namespace

struct MemoryFileTree::Node {
  FileKind kind = FileKind::kDirectory;
  uint32_t mode = 0755;
  uint64_t inode = 0;
  int64_t mtime_usec = 0;
  std::string content;                     // of a file, or the text of a link
  std::optional<std::string> synced;       // what a crash leaves of a file; nothing: the file goes
  std::map<std::string, NodePtr> entries;  // of a directory
};

MemoryFileTree::MemoryFileTree() { root_ = make_node(FileKind::kDirectory, 0755); }
MemoryFileTree::~MemoryFileTree() = default;

MemoryFileTree::NodePtr MemoryFileTree::make_node(FileKind kind, uint32_t mode) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->mode = mode;
  node->inode = next_inode_++;
  node->mtime_usec = ++now_usec_;
  return node;
}

int MemoryFileTree::injected(std::string_view path) const {
  const auto found = failures_.find(absolute(path));
  return found == failures_.end() ? 0 : found->second;
}

MemoryFileTree::NodePtr MemoryFileTree::resolve(std::string_view path, bool follow_last, int& error,
                                                std::string* canonical_path) const {
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    error = EINVAL;
    return nullptr;
  }
  const bool wants_directory = path.back() == '/';
  std::deque<std::string> todo = split(path);
  std::vector<std::pair<std::string, NodePtr>> way;  // from the root down
  NodePtr at = root_;
  int links = 0;
  while (!todo.empty()) {
    const std::string part = std::move(todo.front());
    todo.pop_front();
    if (at->kind != FileKind::kDirectory) {
      error = ENOTDIR;
      return nullptr;
    }
    if (part == "..") {
      if (!way.empty()) way.pop_back();
      at = way.empty() ? root_ : way.back().second;
      continue;
    }
    const auto found = at->entries.find(part);
    if (found == at->entries.end()) {
      error = part.size() > kMaxName ? ENAMETOOLONG : ENOENT;
      return nullptr;
    }
    const NodePtr& next = found->second;
    if (next->kind == FileKind::kSymlink && (!todo.empty() || follow_last || wants_directory)) {
      if (++links > kMaxLinks) {
        error = ELOOP;
        return nullptr;
      }
      if (next->content.empty() || next->content.front() == '/') {
        way.clear();
        at = root_;
      }
      std::deque<std::string> target = split(next->content);
      todo.insert(todo.begin(), target.begin(), target.end());
      continue;
    }
    at = next;
    way.emplace_back(part, next);
  }
  if (wants_directory && at->kind != FileKind::kDirectory) {
    error = ENOTDIR;
    return nullptr;
  }
  if (canonical_path != nullptr) {
    canonical_path->clear();
    for (const auto& [name, node] : way) *canonical_path += "/" + name;
    if (canonical_path->empty()) *canonical_path = "/";
  }
  return at;
}

Result<MemoryFileTree::NodePtr> MemoryFileTree::find(std::string_view path, bool follow_last,
                                                     std::string_view what) const {
  int error = injected(path);
  if (error != 0) return system_error(error, "{} {}", what, path);
  NodePtr node = resolve(path, follow_last, error);
  if (node == nullptr) return system_error(error, "{} {}", what, path);
  return node;
}

Result<MemoryFileTree::NodePtr> MemoryFileTree::parent_of(std::string_view path, std::string& last,
                                                          std::string_view what) {
  if (const int error = injected(path); error != 0) return system_error(error, "{} {}", what, path);
  const std::string whole = absolute(path);
  const size_t slash = whole.rfind('/');
  last = whole.substr(slash + 1);
  if (last.empty() || last == "." || last == ".." || last.find('\0') != std::string::npos) {
    return invalid("{} names no file that could be written or removed", path);
  }
  if (last.size() > kMaxName) return system_error(ENAMETOOLONG, "{} {}", what, path);
  int error = 0;
  NodePtr parent = resolve(whole.substr(0, slash + 1), true, error);
  if (parent == nullptr) return system_error(error, "{} {}", what, path);
  return parent;
}

Result<std::string> MemoryFileTree::read(std::string_view path, size_t max_bytes) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, true, "read"));
  if (node->kind != FileKind::kRegular) return invalid("read {}: not a regular file", path);
  if (node->content.size() > max_bytes) {
    return too_large("read {}: it has {} bytes, more than {}", path, node->content.size(),
                     max_bytes);
  }
  ++reads_;
  return node->content;
}

Result<std::vector<DirectoryEntry>> MemoryFileTree::list(std::string_view path) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, true, "list"));
  if (node->kind != FileKind::kDirectory) return system_error(ENOTDIR, "list {}", path);
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : node->entries) entries.push_back({name, child->kind});
  return entries;
}

Result<std::string> MemoryFileTree::read_link(std::string_view path) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, false, "read the link"));
  if (node->kind != FileKind::kSymlink) return system_error(EINVAL, "read the link {}", path);
  return node->content;
}

namespace {

template <typename N>
FileStat to_file_stat(const N& node) {
  FileStat to;
  to.kind = node.kind;
  to.size = node.content.size();
  to.mode = node.kind == FileKind::kSymlink ? 0777 : node.mode;
  to.mtime_usec = node.mtime_usec;
  to.device = 1;
  to.inode = node.inode;
  return to;
}

}  // namespace

Result<std::string> MemoryFileTree::read(std::string_view path, size_t max_bytes,
                                         FileStat& stat) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, true, "read"));
  stat = to_file_stat(*node);
  return read(path, max_bytes);
}

Result<FileStat> MemoryFileTree::stat(std::string_view path) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, true, "stat"));
  return to_file_stat(*node);
}

Result<FileStat> MemoryFileTree::lstat(std::string_view path) const {
  FLOTILLA_ASSIGN(const NodePtr node, find(path, false, "stat"));
  return to_file_stat(*node);
}

Result<std::string> MemoryFileTree::canonical(std::string_view path) const {
  int error = injected(path);
  std::string resolved;
  if (error != 0 || resolve(path, true, error, &resolved) == nullptr) {
    return system_error(error, "resolve {}", path);
  }
  return resolved;
}

Status MemoryFileTree::write_atomic(std::string_view path, std::string_view content,
                                    uint32_t mode) {
  const std::string whole = absolute(path);
  const size_t slash = whole.rfind('/');
  if (slash > 0) FLOTILLA_TRY(make_directories(whole.substr(0, slash), 0755));
  std::string last;
  FLOTILLA_ASSIGN(const NodePtr parent, parent_of(path, last, "write"));
  const auto old = parent->entries.find(last);
  if (old != parent->entries.end() && old->second->kind == FileKind::kDirectory) {
    return system_error(EISDIR, "write {}", path);
  }
  if (space_ && *space_ < content.size()) return system_error(ENOSPC, "write {}", path);
  if (space_) *space_ -= content.size();
  NodePtr file = make_node(FileKind::kRegular, mode);
  file->content = content;
  file->synced = file->content;
  parent->entries[last] = std::move(file);
  return {};
}

Status MemoryFileTree::make_directories(std::string_view path, uint32_t mode) {
  if (const int error = injected(path); error != 0) {
    return system_error(error, "make the directory {}", path);
  }
  const std::string whole = absolute(path);
  if (whole.find('\0') != std::string::npos) return invalid("a path with a NUL byte in it");
  for (size_t begin = 1; begin < whole.size();) {
    const size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string name = whole.substr(begin, end - begin);
    const std::string so_far = whole.substr(0, end);
    int error = 0;
    NodePtr node = resolve(so_far, true, error);
    if (node == nullptr && error == ENOENT) {
      const NodePtr parent = resolve(whole.substr(0, begin), true, error);
      if (parent == nullptr) return system_error(error, "make the directory {}", so_far);
      // A link that leads nowhere is in the way.
      if (parent->entries.count(name) != 0) {
        return system_error(ENOENT, "make the directory {}", so_far);
      }
      node = make_node(FileKind::kDirectory, mode);
      parent->entries[name] = node;
    }
    if (node == nullptr) return system_error(error, "make the directory {}", so_far);
    if (node->kind != FileKind::kDirectory) {
      return system_error(ENOTDIR, "make the directory {}", so_far);
    }
    begin = end + 1;
  }
  return {};
}

Status MemoryFileTree::make_symlink(std::string_view target, std::string_view path) {
  const std::string whole = absolute(path);
  FLOTILLA_TRY(make_directories(whole.substr(0, whole.rfind('/') + 1), 0755));
  std::string last;
  FLOTILLA_ASSIGN(const NodePtr parent, parent_of(path, last, "make the link"));
  const auto old = parent->entries.find(last);
  if (old != parent->entries.end() && old->second->kind != FileKind::kSymlink) {
    return already_exists("make the link {}: there is a file that is no link", path);
  }
  NodePtr link = make_node(FileKind::kSymlink, 0777);
  link->content = target;
  link->synced = link->content;
  parent->entries[last] = std::move(link);
  return {};
}

Status MemoryFileTree::remove(std::string_view path) {
  std::string last;
  FLOTILLA_ASSIGN(const NodePtr parent, parent_of(path, last, "remove"));
  const auto found = parent->entries.find(last);
  if (found == parent->entries.end()) return system_error(ENOENT, "remove {}", path);
  if (!found->second->entries.empty()) return system_error(ENOTEMPTY, "remove {}", path);
  parent->entries.erase(found);
  return {};
}

std::string MemoryFileTree::host_path(std::string_view path) const { return absolute(path); }

void MemoryFileTree::add_file(std::string_view path, std::string_view content, uint32_t mode) {
  const std::string whole = absolute(path);
  std::string last;
  if (!make_directories(whole.substr(0, whole.rfind('/') + 1), 0755)) return;
  Result<NodePtr> parent = parent_of(path, last, "write");
  if (!parent) return;
  NodePtr& entry = (*parent)->entries[last];
  std::optional<std::string> synced;
  if (entry != nullptr) synced = entry->synced;
  entry = make_node(FileKind::kRegular, mode);
  entry->content = content;
  entry->synced = std::move(synced);
}

void MemoryFileTree::fail_path(std::string_view path, int error_number) {
  if (error_number == 0) {
    failures_.erase(absolute(path));
  } else {
    failures_[absolute(path)] = error_number;
  }
}

void MemoryFileTree::crash() {
  std::vector<NodePtr> todo{root_};
  while (!todo.empty()) {
    const NodePtr directory = std::move(todo.back());
    todo.pop_back();
    for (auto it = directory->entries.begin(); it != directory->entries.end();) {
      Node& node = *it->second;
      if (node.kind == FileKind::kDirectory) {
        todo.push_back(it->second);
      } else if (!node.synced) {
        it = directory->entries.erase(it);
        continue;
      } else {
        node.content = *node.synced;
      }
      ++it;
    }
  }
}

void MemoryFileTree::sync() {
  std::vector<NodePtr> todo{root_};
  while (!todo.empty()) {
    const NodePtr directory = std::move(todo.back());
    todo.pop_back();
    for (const auto& [name, node] : directory->entries) {
      node->synced = node->content;
      if (node->kind == FileKind::kDirectory) todo.push_back(node);
    }
  }
}

}  // namespace flotilla::base
