// fleetd: the cluster daemon.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/fleetd/config.h"
#include "cmd/fleetd/logging.h"
#include "cmd/fleetd/program.h"

namespace {

constexpr const char* kUsage =
    "Usage: fleetd [--config FILE] [--state-dir DIR] [--manager-socket PATH] [--check-config]\n"
    "\n"
    "Runs this machine's part of the cluster: agent, engine and API.\n"
    "\n"
    "  --config FILE           configuration (default: /etc/fleet/fleet.conf, if it exists)\n"
    "  --state-dir DIR         what it remembers (default: /var/lib/fleet)\n"
    "  --manager-socket PATH   socket of the service manager (default: /run/systemd/private)\n"
    "  --check-config          says whether the configuration can be used, and ends\n"
    "  --version, --help\n"
    "\n"
    "Every option of the configuration can be given as FLEET_OPTION in the environment.\n";

struct Flags {
  std::optional<std::string> config;
  std::optional<std::string> state_dir;
  std::optional<std::string> manager_socket;
  bool check_config = false;
};

// Returns an exit code where there is nothing to run.
std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "version" || argument == "--version" || argument == "-version") {
      std::printf("fleetd version %s\n", FLOTILLA_VERSION);
      return 0;
    }
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (argument.empty() || argument.front() != '-') {
      std::fprintf(stderr, "%s takes no arguments. Did you mean to invoke fleetctl instead?\n%s",
                   argv[0], kUsage);
      return 1;
    }
    argument.remove_prefix(argument.substr(0, 2) == "--" ? 2 : 1);
    if (argument == "check-config") {
      flags.check_config = true;
      continue;
    }
    const std::string_view name = argument.substr(0, argument.find('='));
    std::optional<std::string>* target = name == "config"           ? &flags.config
                                         : name == "state-dir"      ? &flags.state_dir
                                         : name == "manager-socket" ? &flags.manager_socket
                                                                    : nullptr;
    const bool has_value = name.size() < argument.size();
    if (target == nullptr || (!has_value && i + 1 == argc)) {
      std::fprintf(stderr, "fleetd: %s: %s\n%s", argv[i],
                   target == nullptr ? "unknown flag" : "a value is missing", kUsage);
      return 2;
    }
    *target = has_value ? std::string(argument.substr(name.size() + 1)) : std::string(argv[++i]);
  }
  return std::nullopt;
}

int check_config(const flotilla::base::Result<flotilla::fleetd::Config>& config) {
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  for (const std::vector<std::string>* said : {&config->errors, &config->warnings}) {
    for (const std::string& sentence : *said) std::fprintf(stderr, "%s\n", sentence.c_str());
  }
  std::printf("%s: the configuration can be used\n", config->file.c_str());
  return 0;
}

// Each connection of the API takes one; the soft limit is often 1024.
void use_all_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (const std::optional<int> exit_code = parse_flags(argc, argv, flags)) return *exit_code;
  flotilla::fleetd::set_up_logging(flotilla::fleetd::LogFormat::kText);
  ::signal(SIGPIPE, SIG_IGN);
  use_all_descriptors();

  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  const auto load = [&]() -> flotilla::base::Result<flotilla::fleetd::Config> {
    FLOTILLA_ASSIGN(flotilla::fleetd::Config config,
                    flotilla::fleetd::load_config(flags.config, environment));
    if (flags.state_dir) config.state_dir = *flags.state_dir;
    if (flags.manager_socket) config.manager_socket = *flags.manager_socket;
    return config;
  };
  if (flags.check_config) return check_config(load());
  return flotilla::fleetd::Program(load).run();
}
