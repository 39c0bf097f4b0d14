// flotilla-init: keeper of the services of one machine, container, directory or user; the manager
// is the program flotilla-manager beside it. This one is without a C library, which at each start
// would take longer than all that a keeper does.
#include "init/bare/start.h"
#include "init/idle_memory.h"
#include "init/keeper.h"

namespace flotilla::init {

// All pages of this program are what it waits in.
void release_program_pages() noexcept {}

namespace bare {

int start(int, char** argv) noexcept {
  KeeperOptions options;
  options.argv = argv;
  options.manager = "flotilla-manager";
  return run_keeper(options).exit_code;
}

}  // namespace bare
}  // namespace flotilla::init
