#include "init/process_stat.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>

#include "base/fd.h"

namespace flotilla::init {
namespace {

constexpr size_t kMaxEnvironment = size_t{256} * 1024;

base::Fd open_of(pid_t pid, std::string_view file) noexcept {
  constexpr std::string_view kProc = "/proc/";
  std::array<char, 64> path{};  // ends with a NUL: no file's name is that long
  char* at = std::copy(kProc.begin(), kProc.end(), path.data());
  at = std::to_chars(at, path.data() + path.size(), pid).ptr;
  *at++ = '/';
  std::copy(file.begin(), file.end(), at);
  return base::Fd(open(path.data(), O_RDONLY | O_CLOEXEC));
}

template <typename T>
bool next_number(std::string_view& text, T& number) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// With a NUL before and behind each assignment.
std::string read_environment(pid_t pid) {
  std::string text(1, '\0');
  const base::Fd fd = open_of(pid, "environ");
  if (!fd) return text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; text.size() < kMaxEnvironment &&
                         (size = read(fd.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  text.push_back('\0');
  return text;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) noexcept {
  ProcessStat stat;
  if (!next_number(text, stat.pid)) return std::nullopt;
  // The name is in parentheses and may hold anything, parentheses too: the last one ends it.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  stat.state = text[name_end + 2];
  text.remove_prefix(name_end + 3);
  // Fields 4 to 22: parent, process group, session, 13 others, threads, another, start time.
  int64_t skipped = 0;
  if (!next_number(text, stat.parent) || !next_number(text, skipped)) return std::nullopt;
  if (!next_number(text, stat.session)) return std::nullopt;
  for (int i = 0; i < 15; ++i) {
    uint64_t large = 0;
    if (!next_number(text, skipped) && !next_number(text, large)) return std::nullopt;
    if (i == 13) stat.threads = skipped;
  }
  if (!next_number(text, stat.start_ticks)) return std::nullopt;
  return stat;
}

std::optional<ProcessStat> read_process_stat(pid_t pid) noexcept {
  const base::Fd fd = open_of(pid, "stat");
  if (!fd) return std::nullopt;
  std::array<char, 1024> text;
  const ssize_t size = read(fd.get(), text.data(), text.size());
  if (size <= 0) return std::nullopt;
  return parse_process_stat({text.data(), static_cast<size_t>(size)});
}

bool has_in_environment(pid_t pid, std::string_view assignment) {
  std::string wanted(1, '\0');
  wanted.append(assignment).push_back('\0');
  return read_environment(pid).find(wanted) != std::string::npos;
}

std::string find_in_environment(pid_t pid, std::string_view name) {
  const std::string text = read_environment(pid);
  std::string wanted(1, '\0');
  wanted.append(name).push_back('=');
  const size_t at = text.find(wanted);
  if (at == std::string::npos) return {};
  return text.c_str() + at + wanted.size();
}

namespace {

bool add_children(pid_t pid, pid_t thread, std::vector<pid_t>& children) {
  std::array<char, 32> name{};
  fmt::format_to_n(name.data(), name.size() - 1, "task/{}/children", thread);
  const base::Fd fd = open_of(pid, name.data());
  if (!fd) return false;
  std::string text;
  std::array<char, 4096> buffer;
  ssize_t size = 0;
  while ((size = read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  std::string_view rest = text;
  for (pid_t child = 0; next_number(rest, child);) children.push_back(child);
  return size == 0;
}

// Calls `visit` with each number that is a name in the directory; false if there is none.
template <typename F>
bool visit_numbers(const char* directory, F&& visit) {
  DIR* const entries = opendir(directory);
  if (entries == nullptr) return false;
  while (const dirent* const entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) visit(number);
  }
  closedir(entries);
  return true;
}

}  // namespace

std::optional<std::vector<pid_t>> read_children(pid_t pid) {
  std::vector<pid_t> children;
  return add_children(pid, pid, children) ? std::optional(std::move(children)) : std::nullopt;
}

std::vector<pid_t> read_children(const ProcessStat& process) {
  std::vector<pid_t> children;
  if (process.threads <= 1) {
    add_children(process.pid, process.pid, children);
    return children;
  }
  visit_numbers(fmt::format("/proc/{}/task", process.pid).c_str(),
                [&](pid_t thread) { add_children(process.pid, thread, children); });
  std::sort(children.begin(), children.end());
  return children;
}

std::vector<ProcessStat> read_all_processes() {
  std::vector<ProcessStat> processes;
  visit_numbers("/proc", [&](pid_t pid) {
    const std::optional<ProcessStat> stat = read_process_stat(pid);
    if (stat && !stat->is_dead()) processes.push_back(*stat);
  });
  return processes;
}

void add_pids(std::string_view procs, std::vector<pid_t>& pids) {
  for (size_t at = 0; at < procs.size();) {
    const size_t end = std::min(procs.find('\n', at), procs.size());
    pid_t pid = 0;
    std::from_chars(procs.data() + at, procs.data() + end, pid);
    if (pid > 0) pids.push_back(pid);
    at = end + 1;
  }
}

bool signal_process(const ProcessStat& process, int signal) noexcept {
  const base::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return false;
  // The descriptor is of whoever has the pid now; that one must be as old as ours.
  const std::optional<ProcessStat> now = read_process_stat(process.pid);
  if (!now || now->start_ticks != process.start_ticks) return false;
  return syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace flotilla::init
