#include "init/keeper_line.h"

#include <fcntl.h>
#include <unistd.h>

namespace flotilla::init {

KeeperLine& KeeperLine::add(const char* part) noexcept {
  for (; *part != '\0' && size_ + 1 < sizeof text_; ++part) text_[size_++] = *part;
  return *this;
}

KeeperLine& KeeperLine::add(long number) noexcept {
  char digits[20];
  size_t count = 0;
  unsigned long rest =
      number < 0 ? 0UL - static_cast<unsigned long>(number) : static_cast<unsigned long>(number);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0) add("-");
  while (count > 0 && size_ + 1 < sizeof text_) text_[size_++] = digits[--count];
  return *this;
}

void KeeperLine::say(bool is_first_process) noexcept {
  text_[size_++] = '\n';  // there is room: add() leaves one byte
  (void)!write(STDERR_FILENO, text_, size_);
  if (!is_first_process) return;
  const int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (log < 0) return;
  (void)!write(log, text_, size_);
  close(log);
}

}  // namespace flotilla::init
