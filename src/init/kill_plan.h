// Whom to signal, and with what, when a service's processes are to end (man systemd.kill). Pure;
// never allocates. The sending is the edge's: send().
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "init/unit_settings.h"

namespace flotilla::init {

enum class KillOperation : uint8_t {
  kTerminate,  // KillSignal=
  kRestart,    // RestartKillSignal=, for a stop that is half of a restart
  kKill,       // FinalKillSignal=
  kWatchdog,   // WatchdogSignal=
};

// To be carried out in this order: the main process, the control process, then the others. What
// is signalled (but for SIGKILL and SIGCONT) gets SIGCONT behind it, and SIGHUP behind that if
// `hangup`.
struct KillPlan {
  int signal = 0;
  bool main = false;
  bool control = false;
  bool others = false;  // every process of the unit's cgroup but main and control
  bool hangup = false;
  bool nothing() const noexcept { return !main && !control && !others; }
};

KillPlan plan_kill(const KillSettings& settings, KillOperation operation, bool has_main,
                   bool has_control) noexcept;

}  // namespace flotilla::init
