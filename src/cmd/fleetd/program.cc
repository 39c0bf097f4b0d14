#include "cmd/fleetd/program.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "cmd/fleetd/service_notify.h"
#include "overlord/loop.h"

namespace flotilla::fleetd {

namespace {

// How long those who ask are kept waiting for a registry that does not answer.
constexpr base::Micros kReloadPatience = std::chrono::seconds(10);
constexpr base::Micros kStartPatience = std::chrono::seconds(2);

int fail(const base::Error& error) {
  SPDLOG_CRITICAL("{}", error.message);
  return 1;
}

// None of these ends the process from here on, at no moment between two daemons either: they wait
// in the descriptor until it is read.
base::Result<base::Fd> take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    sigaddset(&set, number);
    ::signal(number, SIG_DFL);  // what is ignored does not wait
  }
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return base::system_error(error, "block the signals");
  }
  base::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return base::system_error(errno, "make a descriptor for the signals");
  return fd;
}

}  // namespace

int Program::run() {
  base::Result<base::Fd> signals = take_signals();
  if (!signals) return fail(signals.error());
  signals_ = std::move(*signals);
  base::Result<Config> config = load();
  if (!config) return fail(config.error());
  config_ = std::move(*config);
  return run_daemons();
}

int Program::run_daemons() {
  bool has_fallen_back = false;
  for (;;) {
    // A loop for each daemon: what the last one has still posted is never called.
    overlord::AsioLoop loop;
    set_up_logging(config_.log_format);
    spdlog::set_level(config_.verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
    base::Result<std::unique_ptr<Daemon>> daemon = Daemon::create(loop, config_, listeners_);
    if (!daemon) {
      if (!before_) return fail(daemon.error());
      SPDLOG_ERROR("The new configuration cannot be used: {}; going on with the one before",
                   daemon.error().message);
      // It has been of use before, so it is not given up again.
      config_ = *before_;
      if (std::exchange(has_fallen_back, true)) return fail(daemon.error());
      continue;
    }
    // Who was there before us waits for an answer: behind another daemon, or behind the socket
    // whose first connection has started this one.
    if (before_ || listeners_.are_inherited()) {
      (*daemon)->take_over(std::exchange(connections_, {}),
                           before_ ? kReloadPatience : kStartPatience);
    }
    has_fallen_back = false;
    next_.reset();
    const base::RegistrationPtr watch =
        loop.watch(signals_.get(), EPOLLIN, [&](uint32_t) { on_signals(**daemon); });
    const int exit_code = (*daemon)->run();
    if (!next_) return exit_code;
    connections_ = (*daemon)->take_connections();
    before_ = std::exchange(config_, std::move(*next_));
  }
}

base::Result<Config> Program::load() const {
  FLOTILLA_ASSIGN(Config config, load_());
  for (const std::string& warning : config.warnings) SPDLOG_WARN("{}", warning);
  for (const std::string& error : config.errors) SPDLOG_ERROR("{}", error);
  return config;
}

void Program::on_signals(Daemon& daemon) {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    switch (signal.ssi_signo) {
      case SIGUSR1:
        daemon.print_state();
        break;
      case SIGHUP:
        reload(daemon);
        break;
      default:
        SPDLOG_INFO("Gracefully shutting down");
        notify_service_manager("STOPPING=1");
        next_.reset();
        return daemon.end_orderly();
    }
  }
}

void Program::reload(Daemon& daemon) {
  SPDLOG_INFO("Reloading configuration from {}", config_.file);
  base::Result<Config> config = load();
  if (!config) {
    SPDLOG_ERROR("{}; going on with the configuration before", config.error().message);
    return;
  }
  const bool is_ending = next_.has_value();
  next_ = std::move(*config);
  if (is_ending) return;
  notify_service_manager("RELOADING=1");
  daemon.hand_over();
}

}  // namespace flotilla::fleetd
