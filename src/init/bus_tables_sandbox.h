// The properties of what a service's processes may see and touch, with systemd's names and types.
#pragma once

#include <array>

#include "init/bus_table.h"

namespace flotilla::init {

// One value each; defined in bus_tables_sandbox.cc.
namespace bus_sandbox {
using S = const BusSubject&;
using W = bus::MessageWriter&;

void PrivateTmp(S s, W w);
void PrivateDevices(S s, W w);
void ProtectClock(S s, W w);
void ProtectKernelTunables(S s, W w);
void ProtectKernelModules(S s, W w);
void ProtectKernelLogs(S s, W w);
void ProtectControlGroups(S s, W w);
void PrivateNetwork(S s, W w);
void PrivateUsers(S s, W w);
void PrivateMounts(S s, W w);
void PrivateIPC(S s, W w);
void LockPersonality(S s, W w);
void MemoryDenyWriteExecute(S s, W w);
void RestrictRealtime(S s, W w);
void RestrictSUIDSGID(S s, W w);
void ProtectHostname(S s, W w);
void DynamicUser(S s, W w);
void RemoveIPC(S s, W w);
void RootDirectoryStartOnly(S s, W w);
void ReadWritePaths(S s, W w);
void ReadOnlyPaths(S s, W w);
void InaccessiblePaths(S s, W w);
void ExecPaths(S s, W w);
void NoExecPaths(S s, W w);
void PAMName(S s, W w);
void NetworkNamespacePath(S s, W w);
void IPCNamespacePath(S s, W w);
void ProtectHome(S s, W w);
void ProtectSystem(S s, W w);
void ProtectProc(S s, W w);
void ProcSubset(S s, W w);
void SetCredential(S s, W w);
void SetCredentialEncrypted(S s, W w);
void LoadCredential(S s, W w);
void LoadCredentialEncrypted(S s, W w);
void MountFlags(S s, W w);
void SystemCallFilter(S s, W w);
void SystemCallArchitectures(S s, W w);
void SystemCallErrorNumber(S s, W w);
void SystemCallLog(S s, W w);
void RestrictAddressFamilies(S s, W w);
void RestrictNamespaces(S s, W w);
void BindPaths(S s, W w);
void BindReadOnlyPaths(S s, W w);
void TemporaryFileSystem(S s, W w);
void MountAPIVFS(S s, W w);
}  // namespace bus_sandbox

}  // namespace flotilla::init
