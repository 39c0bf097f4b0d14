#include "init/fd_store.h"

#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace flotilla::init {
namespace {

constexpr size_t kMaxFdName = 255;

bool is_same_file(int a, int b) noexcept {
  const pid_t self = getpid();
  const long compared = syscall(SYS_kcmp, self, self, KCMP_FILE, a, b);
  if (compared >= 0) return compared == 0;
  // A kernel or filter without it: one inode opened twice counts as two only where that is sure.
  struct stat first {
  }, second{};
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

bool is_fd_name(std::string_view name) noexcept {
  return name.size() <= kMaxFdName && std::all_of(name.begin(), name.end(), [](char c) {
           return c >= ' ' && c < 127 && c != ':';
         });
}

bool FdStore::contains(int fd) const noexcept {
  return std::any_of(fds_.begin(), fds_.end(),
                     [fd](const auto& stored) { return is_same_file(stored->fd.get(), fd); });
}

StoredFd& FdStore::add(std::unique_ptr<StoredFd> stored) {
  return **fds_.insert(fds_.begin(), std::move(stored));
}

std::string FdStore::text() const {
  std::string text;
  for (auto at = fds_.rbegin(); at != fds_.rend(); ++at) {
    text += fmt::format("{} {} {}\n", (*at)->number, (*at)->is_polled ? 1 : 0, (*at)->name);
  }
  return text;
}

std::vector<FdStoreLine> parse_fd_store(std::string_view text) {
  std::vector<FdStoreLine> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    FdStoreLine read;
    const char* const end = line.data() + line.size();
    const auto [after, error] = std::from_chars(line.data(), end, read.number);
    if (error != std::errc() || end - after < 3 || after[0] != ' ' || after[2] != ' ') continue;
    read.is_polled = after[1] != '0';
    read.name.assign(after + 3, end);
    if (is_fd_name(read.name)) lines.push_back(std::move(read));
  }
  return lines;
}

}  // namespace flotilla::init
