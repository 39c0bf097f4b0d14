// What is mounted, as /proc/self/mountinfo tells: without the kernel's own file systems, and of
// mounts on top of each other the last. A value; Manager keeps one once somebody asks (see
// manager_mounts.cc).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::init {

struct MountLine {
  std::string what, type, options;
  bool operator==(const MountLine&) const = default;
};

class MountTable {
 public:
  // Paths whose line is new or another; paths that have none any more.
  struct Changes {
    std::vector<std::string> changed, gone;
  };
  // The whole text of mountinfo replaces what was known. A line that cannot be read counts as none.
  Changes take(std::string_view text);
  // Null: nothing is mounted there.
  const MountLine* find(std::string_view where) const;
  const std::map<std::string, MountLine, std::less<>>& lines() const noexcept { return lines_; }

 private:
  std::map<std::string, MountLine, std::less<>> lines_;
};

// mountinfo writes blanks and backslashes as \ooo.
std::string unescape_mountinfo(std::string_view field);

}  // namespace flotilla::init
