// What signals ask of the manager, as of systemd's.
#include <csignal>

#include "init/manager_program_impl.h"

namespace flotilla::init {

using base::Status;

Status ManagerProgram::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGPWR}) {
    sigaddset(&set, signal);
  }
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&set, signal);
  FLOTILLA_ASSIGN(
      signals_,
      SignalSource::create(
          *loop_, set, Priority::kSignals,
          Callback<void(const signalfd_siginfo&)>::to<&ManagerProgram::on_signal>(*this)));
  return {};
}

void ManagerProgram::start(const std::string& unit, std::string_view mode) {
  const auto id = manager_->enqueue_job(unit, "start", mode);
  if (!id) manager_->impl().log(4, id.error().message);
}

void ManagerProgram::on_signal(const signalfd_siginfo& info) {
  const int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGHUP) {
    static_cast<void>(manager_->reload());
  } else if (signal == SIGTERM) {
    is_pid1_ ? static_cast<void>(manager_->reexecute()) : manager_->exit(0);
  } else if (signal == SIGINT) {
    is_pid1_ ? start("ctrl-alt-del.target", "replace-irreversibly") : manager_->exit(0);
  } else if (signal >= SIGRTMIN) {
    on_pid1_signal(signal - SIGRTMIN);
  }
}

void ManagerProgram::on_pid1_signal(int number) {
  switch (number) {
    case 0:
      return start("default.target", "isolate");
    case 1:
      return start("rescue.target", "isolate");
    case 2:
      return start("emergency.target", "isolate");
    case 3:
      return manager_->shutdown("halt");
    case 4:
      return manager_->shutdown("poweroff");
    case 5:
    case 6:
      return manager_->shutdown("reboot");
    case 13:
      return manager_->shutdown_now("halt");
    case 14:
      return manager_->shutdown_now("poweroff");
    case 15:
    case 16:
      return manager_->shutdown_now("reboot");
    case 22:
      return static_cast<void>(manager_->set_log_level("debug"));
    case 23:
      return static_cast<void>(manager_->set_log_level("info"));
    case 24:
      return manager_->exit(manager_->exit_code());
    default:
      return;
  }
}

}  // namespace flotilla::init
