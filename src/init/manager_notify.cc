// What services report of themselves by sd_notify.
#include "init/manager_impl.h"

namespace flotilla::init {

using Kind = ServiceEvent::Kind;

bool Manager::Impl::may_notify(const Unit& unit, pid_t sender) const {
  const ServiceState& state = unit.service->state;
  switch (unit.settings.service.notify_access) {
    case NotifyAccess::kNone:
      return false;
    case NotifyAccess::kMain:
      return sender == state.main_pid;
    case NotifyAccess::kExec:
      return sender == state.main_pid || sender == state.control_pid;
    case NotifyAccess::kAll:
      return true;
  }
  return false;
}

void Manager::Impl::on_notify(const NotifySender& sender, const NotifyMessage& message) {
  Unit* unit = find_by_pid(sender.pid);
  if (unit == nullptr || !unit->service) return;
  if (!may_notify(*unit, sender.pid)) {
    if (options.log_level >= 7) {
      edges.logs.message(unit->id, 7,
                         fmt::format("{}: Got notification message from PID {}, which may not send "
                                     "any (NotifyAccess=).",
                                     unit->id, sender.pid));
    }
    return;
  }
  ServiceRuntime& runtime = *unit->service;
  const auto told = [&](Kind kind) { feed(*unit, ServiceEvent::of(kind)); };

  if (message.main_pid && *message.main_pid != runtime.state.main_pid) {
    const auto info = edges.processes.inspect(*message.main_pid);
    // Only root may name a process that is none of the unit's.
    const bool is_suitable = info && (sender.uid == 0 || find_by_pid(*message.main_pid) == unit);
    if (is_suitable) {
      feed(*unit,
           ServiceEvent::notify_main_pid(*message.main_pid, !edges.processes.is_ours(*info)));
    } else {
      edges.logs.message(unit->id, 4,
                         fmt::format("{}: New main PID {} does not exist or does not belong to the "
                                     "service. Ignoring.",
                                     unit->id, *message.main_pid));
    }
  }
  if (message.status) {
    runtime.status_text.assign(*message.status);
    if (edges.side != nullptr) {
      static_cast<void>(edges.side->put(unit->id, SideKind::kStatusText, runtime.status_text));
    }
  }
  if (message.error_number) runtime.status_errno = *message.error_number;
  if (message.extend_timeout_usec) {
    feed(*unit, ServiceEvent::notify_span(Kind::kNotifyExtend, *message.extend_timeout_usec));
  }
  if (message.watchdog_usec) {
    feed(*unit, ServiceEvent::notify_span(Kind::kNotifyWatchdogUsec, *message.watchdog_usec));
  }
  if (message.watchdog) {
    runtime.watchdog_time = now();
    told(Kind::kNotifyWatchdog);
  }
  if (message.watchdog_trigger) told(Kind::kNotifyTrigger);
  // In this order a message with several of them means what systemd makes of it.
  if (message.stopping) {
    told(Kind::kNotifyStopping);
  } else if (message.reloading) {
    told(Kind::kNotifyReloading);
  }
  if (message.ready) told(Kind::kNotifyReady);
  save(*unit);
  note_changed(*unit);
  edges.program.request_turn();
}

}  // namespace flotilla::init
