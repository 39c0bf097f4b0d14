// flotilla-manager: what flotilla-init, the keeper, starts to manage the services.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/version.h"
#include "init/keeper.h"
#include "init/keeper_link.h"
#include "init/manager_program.h"

using namespace flotilla;

namespace {

// The keeper must not start the manager again after this: nothing would be different.
int end_for_good(int link_fd, int code) {
  init::KeeperLink keeper{base::Fd(link_fd)};
  // The keeper listens once its greeting has been read.
  static_cast<void>(keeper.receive_inheritance());
  static_cast<void>(keeper.request_shutdown(code));
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const int link_fd = init::take_inherited_link();
  if (link_fd < 0) {
    fmt::print(stderr, "flotilla-manager: is started by flotilla-init alone\n");
    return 2;
  }
  prctl(PR_SET_NAME, "flotilla-init");  // one service manager, in two processes
  const bool is_pid1 = getppid() == 1;  // the keeper is PID 1, this its manager
  const auto options = init::parse_program_options(
      std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), is_pid1);
  if (!options) {
    fmt::print(stderr, "flotilla-init: {}\n", options.error().message);
    return end_for_good(link_fd, 2);
  }
  switch (options->action) {
    case init::ProgramOptions::Action::kHelp:
      fmt::print("{}", init::kProgramUsage);
      return end_for_good(link_fd, 0);
    case init::ProgramOptions::Action::kVersion:
      fmt::print("flotilla-init {}\n", base::kVersion);
      return end_for_good(link_fd, 0);
    case init::ProgramOptions::Action::kRun:
      break;
  }
  return init::run_manager(*options, link_fd);
}
