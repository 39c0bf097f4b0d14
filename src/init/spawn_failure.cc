#include "init/spawn_failure.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/error.h"

namespace flotilla::init {

std::string describe_spawn_failure(const ExecSpec& spec, const SpawnResult& result) {
  const std::string reason = base::describe_errno(result.error);
  const auto because = [&](std::string_view what) { return fmt::format("{}: {}", what, reason); };
  switch (result.stage) {
    case SpawnStage::kStdin:
      return because("Failed to set up standard input");
    case SpawnStage::kStdout:
      return because("Failed to set up standard output");
    case SpawnStage::kStderr:
      return because("Failed to set up standard error output");
    case SpawnStage::kFds:
      return because("Failed to adjust passed file descriptors");
    case SpawnStage::kSession:
      return because("Failed to create new process session");
    case SpawnStage::kOomAdjust:
      return because("Failed to adjust OOM setting");
    case SpawnStage::kCoredumpFilter:
      return because("Failed to adjust coredump_filter");
    case SpawnStage::kNice:
      return because("Failed to set up process scheduling priority (nice level)");
    case SpawnStage::kScheduler:
      return because("Failed to set up CPU scheduling");
    case SpawnStage::kCpuAffinity:
      return because("Failed to set up CPU affinity");
    case SpawnStage::kNumaPolicy:
      return because("Failed to set NUMA memory policy");
    case SpawnStage::kIoPriority:
      return because("Failed to set up IO scheduling priority");
    case SpawnStage::kTimerSlack:
      return because("Failed to set up timer slack");
    case SpawnStage::kPersonality:
      return because("Failed to set up execution domain (personality)");
    case SpawnStage::kKeyring:
      return because("Failed to set up kernel keyring");
    case SpawnStage::kLimits:
      return because("Failed to adjust resource limits");
    case SpawnStage::kChroot:
      return because("Changing to the requested root directory failed");
    case SpawnStage::kGroup:
      return because("Changing group credentials failed");
    case SpawnStage::kCapabilities:
      return because("Failed to drop capabilities");
    case SpawnStage::kUser:
      return because(fmt::format("Failed to change UID to {}", spec.uid));
    case SpawnStage::kChdir:
      return because("Changing to the requested working directory failed");
    case SpawnStage::kSecureBits:
      return because("Failed to set process secure bits");
    case SpawnStage::kNoNewPrivileges:
      return because("Failed to disable new privileges");
    case SpawnStage::kSignalMask:
      return because("Failed to set process signal mask");
    case SpawnStage::kExec: {
      // A program that is not there, or that nobody may run, is not found in the first place.
      const bool is_lost = result.error == ENOENT || result.error == EACCES;
      return because(
          fmt::format("Failed to {} {}", is_lost ? "locate executable" : "execute", spec.path));
    }
    default:
      return because(describe(result.stage));
  }
}

}  // namespace flotilla::init
