#include "init/exit_code.h"

#include <array>
#include <cstddef>

namespace flotilla::init {
namespace {

using std::string_view_literals::operator""sv;

struct StageRow {
  ExitCode code;
  std::string_view description;
};

// In the order of SpawnStage.
constexpr std::array kStages{
    StageRow{ExitCode::kSuccess, "running the program"sv},
    StageRow{ExitCode::kFailure, "making a process"sv},
    StageRow{ExitCode::kCgroup, "joining the cgroup"sv},
    StageRow{ExitCode::kSetsid, "making a session"sv},
    StageRow{ExitCode::kStdin, "setting up standard input"sv},
    StageRow{ExitCode::kStdout, "setting up standard output"sv},
    StageRow{ExitCode::kStderr, "setting up standard error"sv},
    StageRow{ExitCode::kFds, "passing on descriptors"sv},
    StageRow{ExitCode::kOomAdjust, "adjusting the OOM score"sv},
    StageRow{ExitCode::kLimits, "setting the core dump filter"sv},
    StageRow{ExitCode::kNice, "setting the nice level"sv},
    StageRow{ExitCode::kScheduler, "setting up CPU scheduling"sv},
    StageRow{ExitCode::kCpuAffinity, "setting the CPU affinity"sv},
    StageRow{ExitCode::kNumaPolicy, "setting the NUMA policy"sv},
    StageRow{ExitCode::kIoPriority, "setting the I/O priority"sv},
    StageRow{ExitCode::kTimerSlack, "setting the timer slack"sv},
    StageRow{ExitCode::kPersonality, "setting the personality"sv},
    StageRow{ExitCode::kRuntimeDirectory, "making its run-time directory"sv},
    StageRow{ExitCode::kStateDirectory, "making its state directory"sv},
    StageRow{ExitCode::kCacheDirectory, "making its cache directory"sv},
    StageRow{ExitCode::kLogsDirectory, "making its log directory"sv},
    StageRow{ExitCode::kConfigurationDirectory, "making its configuration directory"sv},
    StageRow{ExitCode::kKeyring, "making a session keyring"sv},
    StageRow{ExitCode::kLimits, "setting resource limits"sv},
    StageRow{ExitCode::kChroot, "changing the root directory"sv},
    StageRow{ExitCode::kGroup, "changing the group"sv},
    StageRow{ExitCode::kCapabilities, "limiting capabilities"sv},
    StageRow{ExitCode::kUser, "changing the user"sv},
    StageRow{ExitCode::kChdir, "changing the working directory"sv},
    StageRow{ExitCode::kSecureBits, "setting the secure bits"sv},
    StageRow{ExitCode::kNoNewPrivileges, "giving up new privileges"sv},
    StageRow{ExitCode::kSignalMask, "setting the signal mask"sv},
    StageRow{ExitCode::kExec, "executing the program"sv},
};
static_assert(kStages.size() == static_cast<size_t>(SpawnStage::kExec) + 1);

struct CodeName {
  int code;
  std::string_view name;
};

constexpr std::array kCodeNames{
    CodeName{0, "SUCCESS"sv},
    CodeName{1, "FAILURE"sv},
    CodeName{2, "INVALIDARGUMENT"sv},
    CodeName{3, "NOTIMPLEMENTED"sv},
    CodeName{4, "NOPERMISSION"sv},
    CodeName{5, "NOTINSTALLED"sv},
    CodeName{6, "NOTCONFIGURED"sv},
    CodeName{7, "NOTRUNNING"sv},
    CodeName{64, "USAGE"sv},
    CodeName{65, "DATAERR"sv},
    CodeName{66, "NOINPUT"sv},
    CodeName{67, "NOUSER"sv},
    CodeName{68, "NOHOST"sv},
    CodeName{69, "UNAVAILABLE"sv},
    CodeName{70, "SOFTWARE"sv},
    CodeName{71, "OSERR"sv},
    CodeName{72, "OSFILE"sv},
    CodeName{73, "CANTCREAT"sv},
    CodeName{74, "IOERR"sv},
    CodeName{75, "TEMPFAIL"sv},
    CodeName{76, "PROTOCOL"sv},
    CodeName{77, "NOPERM"sv},
    CodeName{78, "CONFIG"sv},
    CodeName{200, "CHDIR"sv},
    CodeName{201, "NICE"sv},
    CodeName{202, "FDS"sv},
    CodeName{203, "EXEC"sv},
    CodeName{204, "MEMORY"sv},
    CodeName{205, "LIMITS"sv},
    CodeName{206, "OOM_ADJUST"sv},
    CodeName{207, "SIGNAL_MASK"sv},
    CodeName{208, "STDIN"sv},
    CodeName{209, "STDOUT"sv},
    CodeName{210, "CHROOT"sv},
    CodeName{211, "IOPRIO"sv},
    CodeName{212, "TIMERSLACK"sv},
    CodeName{213, "SECUREBITS"sv},
    CodeName{214, "SETSCHEDULER"sv},
    CodeName{215, "CPUAFFINITY"sv},
    CodeName{216, "GROUP"sv},
    CodeName{217, "USER"sv},
    CodeName{218, "CAPABILITIES"sv},
    CodeName{219, "CGROUP"sv},
    CodeName{220, "SETSID"sv},
    CodeName{221, "CONFIRM"sv},
    CodeName{222, "STDERR"sv},
    CodeName{224, "PAM"sv},
    CodeName{225, "NETWORK"sv},
    CodeName{226, "NAMESPACE"sv},
    CodeName{227, "NO_NEW_PRIVILEGES"sv},
    CodeName{228, "SECCOMP"sv},
    CodeName{229, "SELINUX_CONTEXT"sv},
    CodeName{230, "PERSONALITY"sv},
    CodeName{231, "APPARMOR_PROFILE"sv},
    CodeName{232, "ADDRESS_FAMILIES"sv},
    CodeName{233, "RUNTIME_DIRECTORY"sv},
    CodeName{235, "CHOWN"sv},
    CodeName{236, "SMACK_PROCESS_LABEL"sv},
    CodeName{237, "KEYRING"sv},
    CodeName{238, "STATE_DIRECTORY"sv},
    CodeName{239, "CACHE_DIRECTORY"sv},
    CodeName{240, "LOGS_DIRECTORY"sv},
    CodeName{241, "CONFIGURATION_DIRECTORY"sv},
    CodeName{242, "NUMA_POLICY"sv},
    CodeName{243, "CREDENTIALS"sv},
    CodeName{244, "BPF"sv},
};

}  // namespace

ExitCode exit_code_of(SpawnStage stage) noexcept {
  return kStages[static_cast<size_t>(stage)].code;
}

std::string_view describe(SpawnStage stage) noexcept {
  return kStages[static_cast<size_t>(stage)].description;
}

std::string_view exit_code_name(int code) noexcept {
  for (const CodeName& row : kCodeNames) {
    if (row.code == code) return row.name;
  }
  return "n/a";
}

}  // namespace flotilla::init
