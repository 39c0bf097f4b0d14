#include <array>
#include <cstdlib>

#include "init/directives_values.h"
#include "init/manager_program.h"
#include "unit/scalar.h"

namespace flotilla::init {
namespace {

using base::Result;

// systemd's options that a caller may hand to any init; the value does not matter here.
constexpr std::array<std::string_view, 12> kTolerated{
    "--system",       "--log-target",    "--log-color",   "--log-location",
    "--log-time",     "--show-status",   "--dump-core",   "--crash-shell",
    "--crash-reboot", "--confirm-spawn", "--deserialize", "--switched-root"};

bool take(std::string_view argument, std::string_view name, std::string& value) {
  if (argument.substr(0, name.size()) != name) return false;
  value = std::string(argument.substr(name.size()));
  return true;
}

Result<int> parse_level(const std::string& text) {
  if (const auto level = parse_syslog_level(text)) return *level;
  return base::invalid("--log-level=: expected a level such as info, got \"{}\"", text);
}

bool is_tolerated(std::string_view argument) {
  for (const std::string_view name : kTolerated) {
    if (argument.substr(0, argument.find('=')) == name) return true;
  }
  return false;
}

}  // namespace

const char kProgramUsage[] =
    "Usage: flotilla-init [OPTION]...\n"
    "Starts and supervises services. As PID 1 it is the init of a machine or container, otherwise "
    "a\n"
    "plain daemon.\n"
    "\n"
    "  --root=DIR         take units from DIR's search path, keep run-time and log files under "
    "DIR\n"
    "  --user             be a user's manager, under $XDG_RUNTIME_DIR\n"
    "  --units=DIR        one more directory, first in the search path\n"
    "  --unit=NAME        the unit to boot (default: default.target)\n"
    "  --log-level=LEVEL  emerg to debug (default: info)\n"
    "  --log-program=FILE the log process (default: flotilla-logd beside this program)\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";

Result<ProgramOptions> parse_program_options(const std::vector<std::string>& arguments,
                                             bool is_pid1) {
  ProgramOptions options;
  for (const std::string& argument : arguments) {
    std::string value;
    if (argument == "--help" || argument == "-h") {
      options.action = ProgramOptions::Action::kHelp;
    } else if (argument == "--version") {
      options.action = ProgramOptions::Action::kVersion;
    } else if (argument == "--user") {
      options.scope = ManagerScope::kUser;
    } else if (take(argument, "--root=", value)) {
      if (value.empty()) return base::invalid("--root=: expected a directory");
      options.root = value;
    } else if (take(argument, "--units=", value)) {
      if (value.empty()) return base::invalid("--units=: expected a directory");
      options.units = value;
    } else if (take(argument, "--unit=", value)) {
      if (!unit::UnitName::is_valid(value)) {
        return base::invalid("--unit=: expected the name of a unit, got \"{}\"", value);
      }
      options.unit = value;
    } else if (take(argument, "--log-level=", value)) {
      FLOTILLA_ASSIGN(options.log_level, parse_level(value));
    } else if (take(argument, "--log-program=", value)) {
      options.log_program = value;
    } else if (!is_pid1 && !is_tolerated(argument)) {
      return base::invalid("expected an option of --help, got \"{}\"", argument);
    }
  }
  return options;
}

}  // namespace flotilla::init
