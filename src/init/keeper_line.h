// What a keeper says, to people alone: one line on its standard error, and in the kernel's log
// where it is the first process. No heap, no exceptions.
#pragma once

#include <cstddef>

namespace flotilla::init {

// Begins with the program's name; what is too long is cut off.
class KeeperLine {
 public:
  KeeperLine() noexcept { add("flotilla-init: keeper: "); }
  KeeperLine& add(const char* part) noexcept;
  KeeperLine& add(long number) noexcept;
  // Once, as the last call.
  void say(bool is_first_process) noexcept;

 private:
  char text_[256] = {};
  size_t size_ = 0;
};

}  // namespace flotilla::init
