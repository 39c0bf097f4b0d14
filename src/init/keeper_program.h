// The program that a keeper executes as its manager: found once, and held open, so that a restart
// after a death runs what ran before, whatever has become of the file. No heap, no exceptions.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

namespace flotilla::init {

// In its environment: the number of its end of the link.
inline constexpr char kKeeperLinkVariable[] = "FLOTILLA_KEEPER_LINK";

class KeeperProgram {
 public:
  // Finds and opens `name` beside this process' own program, or with NULL this program itself.
  // That one is what the kernel says was executed, by the path that it was given or else in /proc,
  // or what `argv0` says; links at the end are followed. Returns 0 or errno.
  int open(const char* name, const char* argv0) noexcept;

  // Starts it with this end of the link and this limit of open files. Returns its pid, or -errno.
  pid_t start(char* const* argv, int link, const rlimit& descriptors) noexcept;
  // The same with what is at its path now, which from then on is the program; on failure the one
  // of before still is.
  pid_t start_renewed(char* const* argv, int link, const rlimit& descriptors) noexcept;
  // Becomes it. Returns if that fails: errno.
  int become(char* const* argv) noexcept;

 private:
  static constexpr unsigned kPathSize = 4096;
  bool find(const char* name, const char* argv0) noexcept;
  bool find_own(const char* argv0) noexcept;
  bool follow(const char* path) noexcept;

  int fd_ = 0;  // from open() on
  char path_[kPathSize] = {};
};

}  // namespace flotilla::init
