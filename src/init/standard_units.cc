#include "init/standard_units.h"

#include <iterator>

namespace flotilla::init {
namespace {

// Ordering against sockets.target and its kin lives here, as in any unit set for systemd: services
// come after basic.target, which comes after everything early.
constexpr StandardUnit kUnits[] = {
    {"-.slice",
     "[Unit]\nDescription=Root Slice\nDocumentation=man:systemd.special(7)\n"
     "DefaultDependencies=no\n",
     {}},
    {"system.slice",
     "[Unit]\nDescription=System Slice\nDocumentation=man:systemd.special(7)\n"
     "DefaultDependencies=no\n",
     {}},
    {"app.slice", "[Unit]\nDescription=User Application Slice\nDefaultDependencies=no\n", {}},
    {"init.scope",
     "[Unit]\nDescription=System and Service Manager\nDocumentation=man:systemd(1)\n"
     "DefaultDependencies=no\n",
     {}},
    {"sysinit.target",
     "[Unit]\nDescription=System Initialization\nWants=local-fs.target swap.target\n"
     "After=local-fs.target swap.target\nConflicts=emergency.service emergency.target\n"
     "Before=emergency.service emergency.target\n",
     {}},
    {"basic.target",
     "[Unit]\nDescription=Basic System\nRequires=sysinit.target\n"
     "Wants=sockets.target timers.target paths.target slices.target\n"
     "After=sysinit.target sockets.target paths.target slices.target\n",
     {}},
    {"sockets.target", "[Unit]\nDescription=Socket Units\n", {}},
    {"timers.target",
     "[Unit]\nDescription=Timer Units\nDefaultDependencies=no\nConflicts=shutdown.target\n",
     {}},
    {"paths.target", "[Unit]\nDescription=Path Units\n", {}},
    {"slices.target",
     "[Unit]\nDescription=Slice Units\nWants=-.slice system.slice\nAfter=-.slice system.slice\n",
     {}},
    {"swap.target", "[Unit]\nDescription=Swaps\n", {}},
    {"multi-user.target",
     "[Unit]\nDescription=Multi-User System\nRequires=basic.target\n"
     "Conflicts=rescue.service rescue.target\nAfter=basic.target rescue.service rescue.target\n"
     "AllowIsolate=yes\n",
     {}},
    {"graphical.target",
     "[Unit]\nDescription=Graphical Interface\nRequires=multi-user.target\n"
     "Wants=display-manager.service\nConflicts=rescue.service rescue.target\n"
     "After=multi-user.target rescue.service rescue.target display-manager.service\n"
     "AllowIsolate=yes\n",
     {}},
    {"default.target", {}, "multi-user.target"},
    {"rescue.target",
     "[Unit]\nDescription=Rescue Mode\nRequires=sysinit.target\nWants=rescue.service\n"
     "After=sysinit.target rescue.service\nAllowIsolate=yes\n",
     {}},
    {"emergency.target",
     "[Unit]\nDescription=Emergency Mode\nDefaultDependencies=no\nWants=emergency.service\n"
     "After=emergency.service\nAllowIsolate=yes\n",
     {}},
    {"shutdown.target",
     "[Unit]\nDescription=System Shutdown\nDefaultDependencies=no\nRefuseManualStart=yes\n",
     {}},
    {"umount.target",
     "[Unit]\nDescription=Unmount All Filesystems\nDefaultDependencies=no\nRefuseManualStart=yes\n",
     {}},
    {"final.target",
     "[Unit]\nDescription=Late Shutdown Services\nDefaultDependencies=no\nRefuseManualStart=yes\n"
     "After=shutdown.target umount.target\n",
     {}},
    {"reboot.target",
     "[Unit]\nDescription=System Reboot\nDefaultDependencies=no\nRequires=systemd-reboot.service\n"
     "After=systemd-reboot.service\nAllowIsolate=yes\n"
     "JobTimeoutSec=30min\nJobTimeoutAction=reboot-force\n",
     {}},
    {"systemd-reboot.service",
     "[Unit]\nDescription=System Reboot\nDefaultDependencies=no\n"
     "Requires=shutdown.target umount.target final.target\n"
     "After=shutdown.target umount.target final.target\nSuccessAction=reboot-force\n",
     {}},
    {"poweroff.target",
     "[Unit]\nDescription=System Power "
     "Off\nDefaultDependencies=no\nRequires=systemd-poweroff.service\n"
     "After=systemd-poweroff.service\nAllowIsolate=yes\n"
     "JobTimeoutSec=30min\nJobTimeoutAction=poweroff-force\n",
     {}},
    {"systemd-poweroff.service",
     "[Unit]\nDescription=System Power Off\nDefaultDependencies=no\n"
     "Requires=shutdown.target umount.target final.target\n"
     "After=shutdown.target umount.target final.target\nSuccessAction=poweroff-force\n",
     {}},
    {"halt.target",
     "[Unit]\nDescription=System Halt\nDefaultDependencies=no\nRequires=systemd-halt.service\n"
     "After=systemd-halt.service\nAllowIsolate=yes\n"
     "JobTimeoutSec=30min\nJobTimeoutAction=poweroff-force\n",
     {}},
    {"systemd-halt.service",
     "[Unit]\nDescription=System Halt\nDefaultDependencies=no\n"
     "Requires=shutdown.target umount.target final.target\n"
     "After=shutdown.target umount.target final.target\nSuccessAction=halt-force\n",
     {}},
    {"kexec.target",
     "[Unit]\nDescription=Reboot via "
     "kexec\nDefaultDependencies=no\nRequires=systemd-kexec.service\n"
     "After=systemd-kexec.service\nAllowIsolate=yes\n",
     {}},
    {"systemd-kexec.service",
     "[Unit]\nDescription=Reboot via kexec\nDefaultDependencies=no\n"
     "Requires=shutdown.target umount.target final.target\n"
     "After=shutdown.target umount.target final.target\nSuccessAction=reboot-force\n",
     {}},
    {"exit.target",
     "[Unit]\nDescription=Exit the Manager\nDefaultDependencies=no\nRequires=systemd-exit.service\n"
     "After=systemd-exit.service\nAllowIsolate=yes\n",
     {}},
    {"systemd-exit.service",
     "[Unit]\nDescription=Exit the Manager\nDefaultDependencies=no\n"
     "Requires=shutdown.target umount.target final.target\n"
     "After=shutdown.target umount.target final.target\nSuccessAction=exit-force\n",
     {}},
    {"ctrl-alt-del.target", {}, "reboot.target"},
    {"sigpwr.target", "[Unit]\nDescription=Power Failure\n", {}},
    {"network-pre.target",
     "[Unit]\nDescription=Preparation for Network\nRefuseManualStart=yes\n",
     {}},
    {"network.target",
     "[Unit]\nDescription=Network\nAfter=network-pre.target\nRefuseManualStart=yes\n",
     {}},
    {"network-online.target", "[Unit]\nDescription=Network is Online\nAfter=network.target\n", {}},
    {"local-fs-pre.target",
     "[Unit]\nDescription=Preparation for Local File Systems\nRefuseManualStart=yes\n",
     {}},
    {"local-fs.target",
     "[Unit]\nDescription=Local File Systems\nDefaultDependencies=no\nConflicts=shutdown.target\n"
     "After=local-fs-pre.target\nOnFailure=emergency.target\n",
     {}},
    {"remote-fs-pre.target",
     "[Unit]\nDescription=Preparation for Remote File Systems\nRefuseManualStart=yes\n",
     {}},
    {"remote-fs.target",
     "[Unit]\nDescription=Remote File Systems\nAfter=remote-fs-pre.target\n"
     "DefaultDependencies=no\nConflicts=shutdown.target\n",
     {}},
    {"nss-lookup.target",
     "[Unit]\nDescription=Host and Network Name Lookups\nRefuseManualStart=yes\n",
     {}},
    {"nss-user-lookup.target",
     "[Unit]\nDescription=User and Group Name Lookups\nRefuseManualStart=yes\n",
     {}},
    {"time-set.target", "[Unit]\nDescription=System Time Set\nRefuseManualStart=yes\n", {}},
    {"time-sync.target",
     "[Unit]\nDescription=System Time Synchronized\nRefuseManualStart=yes\nAfter=time-set.target\n"
     "Wants=time-set.target\n",
     {}},
    {"getty.target", "[Unit]\nDescription=Login Prompts\n", {}},
};

}  // namespace

const StandardUnit* standard_units_begin() noexcept { return std::begin(kUnits); }
const StandardUnit* standard_units_end() noexcept { return std::end(kUnits); }

const StandardUnit* find_standard_unit(std::string_view name) noexcept {
  for (const StandardUnit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace flotilla::init
