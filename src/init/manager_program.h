// The program around the manager: its command line, and the one function that puts the real world
// together (loop, spawner, keeper link, state file, notification socket, log process, bus) and runs
// it. src/cmd/flotilla-init is its main.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "init/search_path.h"

namespace flotilla::init {

struct ProgramOptions {
  enum class Action : uint8_t { kRun, kHelp, kVersion };
  Action action = Action::kRun;
  std::string root = "/";  // --root=
  std::string units;       // --units=: one more directory, first in the search path
  std::string unit;        // --unit=: what to boot; empty: default.target
  ManagerScope scope = ManagerScope::kSystem;
  int log_level = 6;
  std::string log_program;  // --log-program=; empty: flotilla-logd beside this program, or in PATH
};

extern const char kProgramUsage[];

// Options that systemd has and that mean nothing here are let pass. PID 1 lets pass whatever it
// does not know: the kernel hands it the words of its command line that it does not know itself.
base::Result<ProgramOptions> parse_program_options(const std::vector<std::string>& arguments,
                                                   bool is_pid1);

// In the manager process: runs until all is over. `link_fd` is the link to the keeper. Returns the
// exit code of the process; the keeper's is told by request_shutdown().
int run_manager(const ProgramOptions& options, int link_fd);

}  // namespace flotilla::init
