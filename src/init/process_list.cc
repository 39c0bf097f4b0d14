#include "init/process_list.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "init/process_stat.h"
#include "unit/utf8.h"

namespace flotilla::init {
namespace {

// Enough for any line that people read.
constexpr size_t kMaxCommandLine = 16384;
constexpr int kMaxDepth = 32;  // of cgroups inside cgroups

std::string read_small(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::array<char, kMaxCommandLine> buffer;
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

// One character of a C string, as a terminal may be shown it; empty: as it is.
std::string escaped(unsigned char c) {
  static constexpr std::string_view kFrom = "\a\b\f\n\r\t\v", kTo = "abfnrtv";
  if (c == '"' || c == '\\' || c == '$' || c == '`') return {'\\', static_cast<char>(c)};
  const size_t at = kFrom.find(static_cast<char>(c));
  if (at != std::string_view::npos) return {'\\', kTo[at]};
  return c < 0x20 || c == 0x7f ? fmt::format("\\{:03o}", c) : std::string();
}

std::string quote(std::string_view argument) {
  static constexpr std::string_view kSpecial = " \t\n\r\"\\`$*?['()<>|&;!";
  bool must = argument.empty();
  for (const char c : argument) {
    must = must || kSpecial.find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  }
  if (!must) return std::string(argument);
  std::string quoted = "\"";
  for (const char c : argument) {
    const std::string text = escaped(static_cast<unsigned char>(c));
    quoted += text.empty() ? std::string(1, c) : text;
  }
  return quoted + "\"";
}

void add_processes(const ProcessTracker& tracker, const std::string& path, int depth,
                   std::vector<ListedProcess>& found) {
  const std::string shown = tracker.cgroup_path(path);
  std::vector<pid_t> pids;
  add_pids(tracker.read_file(path, "cgroup.procs"), pids);
  for (const pid_t pid : pids) found.push_back({shown, pid});
  if (depth == kMaxDepth) return;
  for (const std::string& inner : tracker.subgroups(path)) {
    add_processes(tracker, path.empty() ? inner : path + "/" + inner, depth + 1, found);
  }
}

}  // namespace

std::vector<ListedProcess> list_processes(const ProcessTracker& tracker, const std::string& path) {
  std::vector<ListedProcess> found;
  add_processes(tracker, path, 0, found);
  return found;
}

std::string quote_command_line(std::string_view arguments) {
  std::string line;
  if (!arguments.empty() && arguments.back() == '\0') arguments.remove_suffix(1);
  for (bool more = !arguments.empty(); more;) {
    const size_t end = arguments.find('\0');
    if (!line.empty()) line += ' ';
    line += quote(arguments.substr(0, end));
    more = end != std::string_view::npos;
    arguments.remove_prefix(more ? end + 1 : arguments.size());
  }
  if (unit::is_valid_utf8(line)) return line;
  for (char& c : line) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return line;
}

std::string command_line_of(pid_t pid) {
  std::string line = quote_command_line(read_small(fmt::format("/proc/{}/cmdline", pid)));
  if (!line.empty()) return line;
  std::string name = read_small(fmt::format("/proc/{}/comm", pid));
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return "[" + name + "]";
}

}  // namespace flotilla::init
