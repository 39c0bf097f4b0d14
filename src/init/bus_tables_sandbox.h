// The properties of what a service's processes may see and touch, with systemd's names and types.
#pragma once

#include <array>

#include "init/bus_table.h"

namespace flotilla::init {

// One value each; defined in bus_tables_sandbox.cc.
namespace bus_sandbox {
using S = const BusSubject&;
using W = bus::MessageWriter&;

#define FLOTILLA_SANDBOX_PROPERTIES(X) \
  X(PrivateTmp, "b")                   \
  X(PrivateDevices, "b")               \
  X(ProtectClock, "b")                 \
  X(ProtectKernelTunables, "b")        \
  X(ProtectKernelModules, "b")         \
  X(ProtectKernelLogs, "b")            \
  X(ProtectControlGroups, "b")         \
  X(PrivateNetwork, "b")               \
  X(PrivateUsers, "b")                 \
  X(PrivateMounts, "b")                \
  X(PrivateIPC, "b")                   \
  X(LockPersonality, "b")              \
  X(MemoryDenyWriteExecute, "b")       \
  X(RestrictRealtime, "b")             \
  X(RestrictSUIDSGID, "b")             \
  X(ProtectHostname, "b")              \
  X(DynamicUser, "b")                  \
  X(RemoveIPC, "b")                    \
  X(RootDirectoryStartOnly, "b")       \
  X(ReadWritePaths, "as")              \
  X(ReadOnlyPaths, "as")               \
  X(InaccessiblePaths, "as")           \
  X(ExecPaths, "as")                   \
  X(NoExecPaths, "as")                 \
  X(PAMName, "s")                      \
  X(NetworkNamespacePath, "s")         \
  X(IPCNamespacePath, "s")             \
  X(ProtectHome, "s")                  \
  X(ProtectSystem, "s")                \
  X(ProtectProc, "s")                  \
  X(ProcSubset, "s")                   \
  X(SetCredential, "a(say)")           \
  X(LoadCredential, "a(ss)")           \
  X(MountFlags, "t")                   \
  X(SystemCallFilter, "(bas)")         \
  X(SystemCallArchitectures, "as")     \
  X(SystemCallErrorNumber, "i")        \
  X(SystemCallLog, "(bas)")            \
  X(RestrictAddressFamilies, "(bas)")  \
  X(RestrictNamespaces, "t")           \
  X(BindPaths, "a(ssbt)")              \
  X(BindReadOnlyPaths, "a(ssbt)")      \
  X(TemporaryFileSystem, "a(ss)")      \
  X(MountAPIVFS, "b")

#define FLOTILLA_DECLARE(name, signature) void name(S s, W w);
FLOTILLA_SANDBOX_PROPERTIES(FLOTILLA_DECLARE)
#undef FLOTILLA_DECLARE
}  // namespace bus_sandbox

#define FLOTILLA_ROW(name, signature) \
  BusProperty{#name, signature, Emits::kConst, bus_sandbox::name},
inline constexpr auto kBusSandboxProperties =
    std::to_array<BusProperty>({FLOTILLA_SANDBOX_PROPERTIES(FLOTILLA_ROW)});
#undef FLOTILLA_ROW

}  // namespace flotilla::init
