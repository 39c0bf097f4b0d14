#include "init/kill_plan.h"

#include <csignal>

namespace flotilla::init {
namespace {

int signal_of(const KillSettings& settings, KillOperation operation) noexcept {
  switch (operation) {
    case KillOperation::kTerminate:
      return settings.kill_signal;
    case KillOperation::kRestart:
      return settings.restart_kill_signal != 0 ? settings.restart_kill_signal
                                               : settings.kill_signal;
    case KillOperation::kKill:
      return settings.final_kill_signal;
    case KillOperation::kWatchdog:
      return settings.watchdog_signal;
  }
  return SIGKILL;
}

}  // namespace

KillPlan plan_kill(const KillSettings& settings, KillOperation operation, bool has_main,
                   bool has_control) noexcept {
  KillPlan plan;
  if (settings.mode == KillMode::kNone) return plan;
  plan.signal = signal_of(settings, operation);
  plan.main = has_main;
  plan.control = has_control;
  plan.others = settings.mode == KillMode::kControlGroup ||
                (settings.mode == KillMode::kMixed && operation == KillOperation::kKill);
  plan.hangup =
      settings.send_sighup && operation == KillOperation::kTerminate && plan.signal != SIGHUP;
  return plan;
}

}  // namespace flotilla::init
