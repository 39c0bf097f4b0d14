// The words of the service machine's log lines.
#include <fmt/format.h>
#include <sys/syslog.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "init/exit_code.h"
#include "init/service_machine.h"

namespace flotilla::init {
namespace {

std::string_view task_of(ServiceCommand command) noexcept {
  switch (command) {
    case ServiceCommand::kCondition:
      return "exec-condition";
    case ServiceCommand::kStartPre:
      return "start-pre";
    case ServiceCommand::kStart:
      return "start";
    case ServiceCommand::kStartPost:
      return "start-post";
    case ServiceCommand::kReload:
      return "reload";
    case ServiceCommand::kStop:
      return "stop";
    case ServiceCommand::kStopPost:
      return "stop-post";
    case ServiceCommand::kCount:
      break;
  }
  return "unknown";
}

std::string_view mount_task_of(ServiceCommand command) noexcept {
  return command == ServiceCommand::kStart    ? "mount"
         : command == ServiceCommand::kReload ? "remount"
                                              : "umount";
}

std::string mount_timeout_text(const ServiceAction& log) {
  switch (log.state) {
    case ServiceSubState::kMounting:
    case ServiceSubState::kMountingDone:
      return "Mounting timed out. Terminating.";
    case ServiceSubState::kUnmounting:
      return "Unmounting timed out. Terminating.";
    case ServiceSubState::kRemounting:
      return "Remounting timed out. Terminating remount process.";
    default:
      break;
  }
  const bool remounts = log.state == ServiceSubState::kRemountingSigterm;
  return fmt::format(
      "{} timed out. {}", remounts ? "Remounting" : "Mount process",
      log.answer == TimeoutAnswer::kKilling ? "Killing." : "Skipping SIGKILL. Ignoring.");
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  if (name != nullptr) return name;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return fmt::format("RTMIN+{}", signal - SIGRTMIN);
  return "n/a";
}

std::string exit_text(std::string_view who, const ServiceAction& log) {
  const ProcessExit& exit = log.exit;
  const char* const suffix = log.is_success ? " (success)" : "";
  if (exit.code == CLD_EXITED) {
    return fmt::format("{} exited, code=exited, status={}/{}{}", who, exit.status,
                       exit_code_name(exit.status), suffix);
  }
  return fmt::format("{} exited, code={}, status={}/{}{}", who,
                     exit.code == CLD_DUMPED ? "dumped" : "killed", exit.status,
                     signal_name(exit.status), suffix);
}

std::string_view words_of(TimeoutAnswer answer) noexcept {
  switch (answer) {
    case TimeoutAnswer::kTerminating:
      return "Terminating.";
    case TimeoutAnswer::kAborting:
      return "Aborting.";
    case TimeoutAnswer::kKilling:
      return "Killing.";
    case TimeoutAnswer::kSkippingSigkill:
      break;
  }
  return "Skipping SIGKILL.";
}

// "4s", "500ms", "1min 30s"; only what a watchdog limit needs.
std::string span_text(base::Micros span) {
  const int64_t usec = span.count();
  const int64_t minutes = usec / 60'000'000;
  const int64_t rest = usec % 60'000'000;
  std::string text = minutes > 0 ? fmt::format("{}min", minutes) : "";
  if (rest == 0 && minutes > 0) return text;
  if (!text.empty()) text += " ";
  if (rest % 1'000'000 == 0) return text + fmt::format("{}s", rest / 1'000'000);
  if (rest < 1000) return text + fmt::format("{}us", rest);
  if (rest < 1'000'000) {
    return rest % 1000 == 0 ? text + fmt::format("{}ms", rest / 1000)
                            : text + fmt::format("{:.3f}ms", static_cast<double>(rest) / 1e3);
  }
  std::string seconds = fmt::format("{:.6f}", static_cast<double>(rest) / 1e6);
  seconds.erase(seconds.find_last_not_of('0') + 1);
  return text + seconds + "s";
}

bool is_final(ServiceSubState sub) noexcept {
  return sub == ServiceSubState::kStopPost || sub == ServiceSubState::kFinalWatchdog ||
         sub == ServiceSubState::kFinalSigterm;
}

}  // namespace

int priority_of(const ServiceAction& log) noexcept {
  switch (log.log) {
    case ServiceLog::kMainExited:
    case ServiceLog::kControlExited:
    case ServiceLog::kMountExited:
      if (log.is_success) return LOG_DEBUG;
      return log.exit.code == CLD_EXITED ? LOG_NOTICE : LOG_WARNING;
    case ServiceLog::kSucceeded:
    case ServiceLog::kSkipped:
    case ServiceLog::kRestartScheduled:
      return LOG_INFO;
    case ServiceLog::kWatchdog:
    case ServiceLog::kWatchdogRequest:
    case ServiceLog::kStillAroundFinal:
      return LOG_ERR;
    default:
      return LOG_WARNING;
  }
}

std::string text_of(const ServiceAction& log) {
  switch (log.log) {
    case ServiceLog::kMainExited:
      return exit_text("Main process", log);
    case ServiceLog::kControlExited:
      return exit_text("Control process", log);
    case ServiceLog::kSucceeded:
      return "Deactivated successfully.";
    case ServiceLog::kSkipped:
      return fmt::format("Skipped due to '{}'.", to_string(log.result));
    case ServiceLog::kFailed:
      return fmt::format("Failed with result '{}'.", to_string(log.result));
    case ServiceLog::kTaskFailed:
      return fmt::format("Failed to run '{}' task", task_of(log.command));
    case ServiceLog::kStartLimit:
      return "Start request repeated too quickly.";
    case ServiceLog::kRestartScheduled:
      return fmt::format("Scheduled restart job, restart counter is at {}.", log.number);
    case ServiceLog::kStartTimeout:
      return fmt::format("{} operation timed out. {}", to_string(log.state), words_of(log.answer));
    case ServiceLog::kRuntimeLimit:
      return "Service reached runtime time limit. Stopping.";
    case ServiceLog::kReloadTimeout:
      return "Reload operation timed out. Killing reload process.";
    case ServiceLog::kStopTimeout:
      return fmt::format("Stopping timed out. {}", words_of(log.answer));
    case ServiceLog::kStateTimeout:
      return fmt::format("State '{}' timed out. {}{}", to_string(log.state), words_of(log.answer),
                         is_final(log.state) && log.answer == TimeoutAnswer::kSkippingSigkill
                             ? " Entering failed mode."
                             : "");
    case ServiceLog::kStillAround:
      return "Processes still around after SIGKILL. Ignoring.";
    case ServiceLog::kStillAroundFinal:
      return "Processes still around after final SIGKILL. Entering failed mode.";
    case ServiceLog::kWatchdog:
      return fmt::format("Watchdog timeout (limit {})!", span_text(log.span));
    case ServiceLog::kWatchdogRequest:
      return "Watchdog request!";
    case ServiceLog::kNoPidFile:
      return "Daemon never wrote its PID file. Failing.";
    case ServiceLog::kAlienMainPid:
      return fmt::format(
          "Supervising process {} which is not our child. We'll most likely not notice when it "
          "exits.",
          log.pid);
    case ServiceLog::kOutOfMemory:
      return "A process of this unit has been killed by the OOM killer.";
    case ServiceLog::kMountExited:
      return exit_text("Mount process", log);
    case ServiceLog::kMountTask:
      return fmt::format("Failed to run '{}' task", mount_task_of(log.command));
    case ServiceLog::kNoMount:
      return "Mount process finished, but there is no mount.";
    case ServiceLog::kStillMounted:
      return fmt::format("Mount still present after {} attempts to unmount, giving up.",
                         log.number);
    case ServiceLog::kMountTimeout:
      return mount_timeout_text(log);
    case ServiceLog::kMountAround:
      return "Mount process still around after SIGKILL. Ignoring.";
  }
  return "";
}

}  // namespace flotilla::init
