// The exit codes with which a service process says why it never came to its program: systemd's
// numbers and names (man systemd.exec, "Process exit codes"), and the steps of a spawn that end in
// them.
#pragma once

#include <cstdint>
#include <string_view>

namespace flotilla::init {

enum class ExitCode : uint8_t {
  kSuccess = 0,
  kFailure = 1,
  kChdir = 200,
  kNice = 201,
  kFds = 202,
  kExec = 203,
  kMemory = 204,
  kLimits = 205,
  kOomAdjust = 206,
  kSignalMask = 207,
  kStdin = 208,
  kStdout = 209,
  kChroot = 210,
  kIoPriority = 211,
  kTimerSlack = 212,
  kSecureBits = 213,
  kScheduler = 214,
  kCpuAffinity = 215,
  kGroup = 216,
  kUser = 217,
  kCapabilities = 218,
  kCgroup = 219,
  kSetsid = 220,
  kStderr = 222,
  kNoNewPrivileges = 227,
  kPersonality = 230,
  kRuntimeDirectory = 233,
  kKeyring = 237,
  kStateDirectory = 238,
  kCacheDirectory = 239,
  kLogsDirectory = 240,
  kConfigurationDirectory = 241,
  kNumaPolicy = 242,
};

// The step of a spawn that failed, in the order they are done; kNone: the program runs.
enum class SpawnStage : uint8_t {
  kNone,
  kClone,  // there is no process at all
  kCgroup,
  kSession,
  kStdin,
  kStdout,
  kStderr,
  kFds,
  kOomAdjust,
  kCoredumpFilter,
  kNice,
  kScheduler,
  kCpuAffinity,
  kNumaPolicy,
  kIoPriority,
  kTimerSlack,
  kPersonality,
  kRuntimeDirectory,
  kStateDirectory,
  kCacheDirectory,
  kLogsDirectory,
  kConfigurationDirectory,
  kKeyring,
  kLimits,
  kChroot,
  kGroup,
  kCapabilities,
  kUser,
  kChdir,
  kSecureBits,
  kNoNewPrivileges,
  kSignalMask,
  kExec,
};

ExitCode exit_code_of(SpawnStage stage) noexcept;
// What the step does, for a message: "changing the working directory".
std::string_view describe(SpawnStage stage) noexcept;

// "EXEC" for 203, as systemctl shows it behind the number ("status=203/EXEC"); "n/a" where the
// number has no name. Knows libc's, the LSB's and all of systemd's codes.
std::string_view exit_code_name(int code) noexcept;

}  // namespace flotilla::init
