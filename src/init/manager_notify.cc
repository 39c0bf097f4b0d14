// What services report of themselves by sd_notify.
#include <unistd.h>

#include <algorithm>

#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

using Kind = ServiceEvent::Kind;

constexpr int kWarning = 4;
constexpr int kDebug = 7;

// Why the sender is not heard; empty: it is.
std::string refusal(NotifyAccess access, const ServiceState& state, pid_t sender) {
  const pid_t main = state.main_pid, control = state.control_pid;
  const std::string only = "reception only permitted for ";
  switch (access) {
    case NotifyAccess::kAll:
      return {};
    case NotifyAccess::kNone:
      return "reception is disabled.";
    case NotifyAccess::kMain:
      if (sender == main) return {};
      if (main == 0) return only + "main PID which is currently not known";
      return only + fmt::format("main PID {}", main);
    case NotifyAccess::kExec:
      if (sender == main || sender == control) return {};
      if (main != 0 && control != 0) {
        return only + fmt::format("main PID {} and control PID {}", main, control);
      }
      if (main != 0) return only + fmt::format("main PID {}", main);
      if (control != 0) return only + fmt::format("control PID {}", control);
      return only + "main PID and control PID which are currently not known";
  }
  return {};
}

bool takes_main_pid(ServiceSubState sub) {
  switch (sub) {
    case ServiceSubState::kStart:
    case ServiceSubState::kStartPost:
    case ServiceSubState::kRunning:
    case ServiceSubState::kReload:
    case ServiceSubState::kReloadSignal:
    case ServiceSubState::kReloadNotify:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Manager::Impl::log_of(const Unit& unit, int priority, std::string_view text) {
  if (priority > options.log_level) return;
  edges.logs.message(unit.id, priority, fmt::format("{}: {}", unit.id, text));
}

// systemd-notify speaks in its parent's name, and spares PID 1 alone: started by us it takes us for
// an ordinary parent. Returns the one process of ours that can have been meant; 0: none.
pid_t Manager::Impl::sender_behind_us() const {
  pid_t found = 0;
  for (const auto& unit : units) {
    if (!unit || !unit->service) continue;
    const ServiceState& state = unit->service->state;
    for (const pid_t pid : {state.main_pid, state.control_pid}) {
      if (pid <= 0) continue;
      const auto name = edges.host.read(fmt::format("/proc/{}/comm", pid), 64);
      if (!name || *name != "systemd-notify\n") continue;
      if (found != 0) return 0;  // which of them cannot be told
      found = pid;
    }
  }
  return found;
}

void Manager::Impl::on_notify(const NotifySender& sender, const NotifyMessage& message) {
  NotifySender from = sender;
  if (from.pid == getpid()) from.pid = sender_behind_us();
  Unit* unit = find_by_pid(from.pid);
  if (unit == nullptr || !unit->service) {
    return log(kWarning,
               fmt::format("Cannot find unit for notify message of PID {}, ignoring.", sender.pid));
  }
  const std::string refused =
      refusal(unit->settings.service->notify_access, unit->service->state, from.pid);
  if (!refused.empty()) {
    return log_of(*unit, kWarning,
                  fmt::format("Got notification message from PID {}, but {}", from.pid, refused));
  }
  take_main_pid(*unit, from, message);
  take_state(*unit, message);
  take_status(*unit, message);
  if (message.extend_timeout_usec) {
    feed(*unit, ServiceEvent::notify_span(Kind::kNotifyExtend, *message.extend_timeout_usec));
  }
  if (message.watchdog) {
    feed(*unit, ServiceEvent::of(Kind::kNotifyWatchdog));
  } else if (message.watchdog_trigger) {
    feed(*unit, ServiceEvent::of(Kind::kNotifyTrigger));
  }
  if (message.watchdog_usec) {
    feed(*unit, ServiceEvent::notify_span(Kind::kNotifyWatchdogUsec, *message.watchdog_usec));
  }
  for (size_t i = 0; i < message.damaged_count; ++i) {
    log_of(*unit, kWarning,
           fmt::format("Failed to parse {}= field in notification message, ignoring: {}",
                       message.damaged[i].key, message.damaged[i].value));
  }
  take_descriptors(*unit, message);
  save(*unit);
  note_changed(*unit);
  edges.program.request_turn();
}

void Manager::Impl::take_main_pid(Unit& unit, const NotifySender& sender,
                                  const NotifyMessage& message) {
  const ServiceState& state = unit.service->state;
  if (!message.main_pid || !takes_main_pid(state.sub)) return;
  const pid_t pid = *message.main_pid;
  if (state.main_pid_known && pid == state.main_pid) return;
  const auto refuse = [&](std::string_view why) {
    log_of(unit, kWarning, fmt::format("New main PID {} {}", pid, why));
  };
  if (pid == 1 || pid == getpid()) return refuse("is the manager, refusing.");
  if (pid == state.control_pid) return refuse("is the control process, refusing.");
  const auto info = edges.processes.inspect(pid);
  if (!info) return refuse("does not exist or is a zombie.");
  // Only root may name a process that is none of the unit's.
  if (sender.uid != 0 && find_by_pid(pid) != &unit) {
    return log_of(unit, kDebug,
                  fmt::format("New main PID {} does not belong to service, refusing.", pid));
  }
  feed(unit, ServiceEvent::notify_main_pid(pid, !edges.processes.is_ours(*info)));
}

void Manager::Impl::take_state(Unit& unit, const NotifyMessage& message) {
  ServiceEvent event = ServiceEvent::of(Kind::kNotifyReady);
  event.flag = message.says_reloading;
  event.span = message.monotonic_usec.value_or(Micros(0));
  switch (message.state) {
    case NotifyMessage::State::kNone:
      return;
    case NotifyMessage::State::kReady:
      break;
    case NotifyMessage::State::kReloading:
      event.kind = Kind::kNotifyReloading;
      break;
    case NotifyMessage::State::kStopping:
      event.kind = Kind::kNotifyStopping;
      break;
  }
  feed(unit, event);
}

void Manager::Impl::take_status(Unit& unit, const NotifyMessage& message) {
  Lazy<ServiceRuntimeExtras>& extras = unit.service->extras;
  if (message.status && *message.status != extras->status_text) {
    extras.edit().status_text.assign(*message.status);
    if (edges.side != nullptr) {
      static_cast<void>(edges.side->put(unit.id, SideKind::kStatusText, extras->status_text));
    }
  }
  if (message.error_number) extras.edit().status_errno = *message.error_number;
}

}  // namespace flotilla::init
