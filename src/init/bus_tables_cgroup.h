// The properties of everything that has a cgroup: where it is, what it uses, what limits it.
#pragma once

#include <array>

#include "init/bus_table.h"

namespace flotilla::init {

// One value each; defined in bus_tables_cgroup.cc.
namespace bus_cgroup {
using S = const BusSubject&;
using W = bus::MessageWriter&;

#define FLOTILLA_CGROUP_PROPERTIES(X)             \
  X(Slice, "s", kNothing)                         \
  X(ControlGroup, "s", kNothing)                  \
  X(ControlGroupId, "t", kNothing)                \
  X(MemoryCurrent, "t", kNothing)                 \
  X(MemoryAvailable, "t", kNothing)               \
  X(CPUUsageNSec, "t", kNothing)                  \
  X(EffectiveCPUs, "ay", kNothing)                \
  X(EffectiveMemoryNodes, "ay", kNothing)         \
  X(TasksCurrent, "t", kNothing)                  \
  X(IPIngressBytes, "t", kNothing)                \
  X(IPIngressPackets, "t", kNothing)              \
  X(IPEgressBytes, "t", kNothing)                 \
  X(IPEgressPackets, "t", kNothing)               \
  X(IOReadBytes, "t", kNothing)                   \
  X(IOReadOperations, "t", kNothing)              \
  X(IOWriteBytes, "t", kNothing)                  \
  X(IOWriteOperations, "t", kNothing)             \
  X(Delegate, "b", kNothing)                      \
  X(DelegateControllers, "as", kNothing)          \
  X(CPUAccounting, "b", kNothing)                 \
  X(CPUWeight, "t", kNothing)                     \
  X(StartupCPUWeight, "t", kNothing)              \
  X(CPUShares, "t", kNothing)                     \
  X(StartupCPUShares, "t", kNothing)              \
  X(CPUQuotaPerSecUSec, "t", kNothing)            \
  X(CPUQuotaPeriodUSec, "t", kNothing)            \
  X(AllowedCPUs, "ay", kNothing)                  \
  X(StartupAllowedCPUs, "ay", kNothing)           \
  X(AllowedMemoryNodes, "ay", kNothing)           \
  X(StartupAllowedMemoryNodes, "ay", kNothing)    \
  X(IOAccounting, "b", kNothing)                  \
  X(IOWeight, "t", kNothing)                      \
  X(StartupIOWeight, "t", kNothing)               \
  X(IODeviceWeight, "a(st)", kNothing)            \
  X(IOReadBandwidthMax, "a(st)", kNothing)        \
  X(IOWriteBandwidthMax, "a(st)", kNothing)       \
  X(IOReadIOPSMax, "a(st)", kNothing)             \
  X(IOWriteIOPSMax, "a(st)", kNothing)            \
  X(IODeviceLatencyTargetUSec, "a(st)", kNothing) \
  X(BlockIOAccounting, "b", kNothing)             \
  X(BlockIOWeight, "t", kNothing)                 \
  X(StartupBlockIOWeight, "t", kNothing)          \
  X(BlockIODeviceWeight, "a(st)", kNothing)       \
  X(BlockIOReadBandwidth, "a(st)", kNothing)      \
  X(BlockIOWriteBandwidth, "a(st)", kNothing)     \
  X(MemoryAccounting, "b", kNothing)              \
  X(DefaultMemoryLow, "t", kNothing)              \
  X(DefaultMemoryMin, "t", kNothing)              \
  X(MemoryMin, "t", kNothing)                     \
  X(MemoryLow, "t", kNothing)                     \
  X(MemoryHigh, "t", kNothing)                    \
  X(MemoryMax, "t", kNothing)                     \
  X(MemorySwapMax, "t", kNothing)                 \
  X(MemoryLimit, "t", kNothing)                   \
  X(DevicePolicy, "s", kNothing)                  \
  X(DeviceAllow, "a(ss)", kNothing)               \
  X(TasksAccounting, "b", kNothing)               \
  X(TasksMax, "t", kNothing)                      \
  X(IPAccounting, "b", kNothing)                  \
  X(IPAddressAllow, "a(iayu)", kNothing)          \
  X(IPAddressDeny, "a(iayu)", kNothing)           \
  X(IPIngressFilterPath, "as", kNothing)          \
  X(IPEgressFilterPath, "as", kNothing)           \
  X(DisableControllers, "as", kNothing)           \
  X(ManagedOOMSwap, "s", kNothing)                \
  X(ManagedOOMMemoryPressure, "s", kNothing)      \
  X(ManagedOOMMemoryPressureLimit, "u", kNothing) \
  X(ManagedOOMPreference, "s", kNothing)          \
  X(BPFProgram, "a(ss)", kNothing)                \
  X(SocketBindAllow, "a(iiqq)", kNothing)         \
  X(SocketBindDeny, "a(iiqq)", kNothing)          \
  X(RestrictNetworkInterfaces, "(bas)", kNothing)

#define FLOTILLA_DECLARE(name, signature, emits) void name(S s, W w);
FLOTILLA_CGROUP_PROPERTIES(FLOTILLA_DECLARE)
#undef FLOTILLA_DECLARE
}  // namespace bus_cgroup

#define FLOTILLA_ROW(name, signature, emits) \
  BusProperty{#name, signature, Emits::emits, bus_cgroup::name},
inline constexpr auto kBusCgroupProperties =
    std::to_array<BusProperty>({FLOTILLA_CGROUP_PROPERTIES(FLOTILLA_ROW)});
#undef FLOTILLA_ROW

}  // namespace flotilla::init
