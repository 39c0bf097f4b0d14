#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "init/keeper.h"
#include "init/keeper_program.h"

namespace flotilla::init {

int take_inherited_link() noexcept {
  const char* const text = getenv(kKeeperLinkVariable);
  if (text == nullptr) return -1;
  char* end = nullptr;
  const long fd = strtol(text, &end, 10);
  const bool good = end != text && *end == '\0' && fd > STDERR_FILENO && fd < 1'000'000 &&
                    fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC) == 0;
  unsetenv(kKeeperLinkVariable);
  return good ? static_cast<int>(fd) : -1;
}

}  // namespace flotilla::init
