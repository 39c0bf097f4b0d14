#include "init/bus_tables_cgroup.h"

#include "init/bus_write.h"
#include "init/cgroup_plan.h"
#include "unit/time_span.h"

namespace flotilla::init::bus_cgroup {
namespace {

const CgroupSettings& of(S s) {
  return s.unit->settings.extras->cgroup ? *s.unit->settings.extras->cgroup
                                         : default_cgroup_settings();
}

bool is_slice(S s) { return s.unit->settings.name.type() == unit::UnitType::kSlice; }

void write_devices(W w, const std::vector<CgroupSettings::DeviceNumber>& list) {
  w.open_array("(st)");
  for (const auto& [path, number] : list) {
    w.open_struct("st").string(path).u64(number).close();
  }
  w.close();
}

void write_limits(W w, S s, uint64_t IoLimits::*member) {
  w.open_array("(st)");
  for (const auto& [path, limits] : of(s).io_limits) {
    if (limits.*member == kCgroupNoLimit) continue;
    w.open_struct("st").string(path).u64(limits.*member).close();
  }
  w.close();
}

void write_pairs(W w, const std::vector<std::pair<std::string, std::string>>& list) {
  w.open_array("(ss)");
  for (const auto& [first, second] : list) {
    w.open_struct("ss").string(first).string(second).close();
  }
  w.close();
}

void write_mask(W w, CgroupMask mask) {
  w.open_array("s");
  for (unsigned i = 0; i < static_cast<unsigned>(CgroupController::kCount); ++i) {
    const auto controller = static_cast<CgroupController>(i);
    if ((mask & mask_of(controller)) != 0) w.string(to_string(controller));
  }
  w.close();
}

void write_cpus(W w, const CpuSet& set) {
  // Whole words of the kernel's sets.
  std::vector<uint8_t> bytes = cpu_set_bytes(set);
  bytes.resize((bytes.size() + 7) / 8 * 8);
  w.bytes(bytes.data(), bytes.size());
}

void write_effective(S s, W w, const char* file) {
  const std::string text = s.manager.cgroup_file(*s.unit, file);
  const std::string_view line = std::string_view(text).substr(0, text.find('\n'));
  write_cpus(w, parse_cpu_set(line).value_or(CpuSet()));
}

void write_addresses(W w, const std::vector<IpPrefix>& list) {
  w.open_array("(iayu)");
  for (const IpPrefix& prefix : list) {
    w.open_struct("iayu")
        .i32(prefix.family)
        .bytes(prefix.address.data(), prefix.family == 2 ? 4 : 16)
        .u32(prefix.length)
        .close();
  }
  w.close();
}

void write_rules(W w, const std::vector<SocketBindRule>& rules) {
  w.open_array("(iiqq)");
  for (const SocketBindRule& rule : rules) {
    w.open_struct("iiqq")
        .i32(rule.family)
        .i32(rule.protocol)
        .u16(rule.port_count)
        .u16(rule.first_port)
        .close();
  }
  w.close();
}

uint64_t io_number(S s, uint64_t IoUsage::*member) {
  const std::string text = s.manager.cgroup_file(*s.unit, "io.stat");
  if (text.empty()) return UINT64_MAX;
  return io_usage(text).value_or(IoUsage()).*member;
}

}  // namespace

void Slice(S s, W w) { w.string(slice_of(s.unit->settings)); }
void ControlGroup(S s, W w) { w.string(s.manager.cgroup_path(*s.unit)); }
void ControlGroupId(S s, W w) { w.u64(s.manager.cgroup_id(*s.unit)); }

// A number that is not known is the largest, as the documentation of the bus has it.
void MemoryCurrent(S s, W w) { w.u64(s.manager.memory_current(*s.unit).value_or(UINT64_MAX)); }
void MemoryAvailable(S s, W w) { w.u64(s.manager.memory_available(*s.unit).value_or(UINT64_MAX)); }
void CPUUsageNSec(S s, W w) { w.u64(s.manager.cpu_usage(*s.unit).value_or(UINT64_MAX)); }
void EffectiveCPUs(S s, W w) { write_effective(s, w, "cpuset.cpus.effective"); }
void EffectiveMemoryNodes(S s, W w) { write_effective(s, w, "cpuset.mems.effective"); }
void TasksCurrent(S s, W w) { w.u64(s.manager.tasks_current(*s.unit).value_or(UINT64_MAX)); }
void IPIngressBytes(S, W w) { w.u64(UINT64_MAX); }
void IPIngressPackets(S, W w) { w.u64(UINT64_MAX); }
void IPEgressBytes(S, W w) { w.u64(UINT64_MAX); }
void IPEgressPackets(S, W w) { w.u64(UINT64_MAX); }
void IOReadBytes(S s, W w) { w.u64(io_number(s, &IoUsage::read_bytes)); }
void IOReadOperations(S s, W w) { w.u64(io_number(s, &IoUsage::read_operations)); }
void IOWriteBytes(S s, W w) { w.u64(io_number(s, &IoUsage::write_bytes)); }
void IOWriteOperations(S s, W w) { w.u64(io_number(s, &IoUsage::write_operations)); }

void Delegate(S s, W w) { w.boolean(of(s).delegate); }
void DelegateControllers(S s, W w) {
  write_mask(w, of(s).delegate ? of(s).delegate_controllers : CgroupMask{0});
}
void DisableControllers(S s, W w) { write_mask(w, of(s).disable_controllers); }

void CPUAccounting(S s, W w) { w.boolean(of(s).cpu_accounting.value_or(true)); }
void CPUWeight(S s, W w) { w.u64(of(s).cpu_weight); }
void StartupCPUWeight(S s, W w) { w.u64(of(s).startup_cpu_weight); }
void CPUShares(S s, W w) { w.u64(of(s).cpu_shares); }
void StartupCPUShares(S s, W w) { w.u64(of(s).startup_cpu_shares); }
void CPUQuotaPerSecUSec(S s, W w) { w.u64(of(s).cpu_quota_per_sec); }
void CPUQuotaPeriodUSec(S s, W w) { write_span(w, of(s).cpu_quota_period); }
void AllowedCPUs(S s, W w) { write_cpus(w, of(s).cpus); }
void StartupAllowedCPUs(S s, W w) { write_cpus(w, of(s).startup_cpus); }
void AllowedMemoryNodes(S s, W w) { write_cpus(w, of(s).memory_nodes); }
void StartupAllowedMemoryNodes(S s, W w) { write_cpus(w, of(s).startup_memory_nodes); }

void IOAccounting(S s, W w) { w.boolean(of(s).io_accounting); }
void IOWeight(S s, W w) { w.u64(of(s).io_weight); }
void StartupIOWeight(S s, W w) { w.u64(of(s).startup_io_weight); }
void IODeviceWeight(S s, W w) { write_devices(w, of(s).io_device_weights); }
void IOReadBandwidthMax(S s, W w) { write_limits(w, s, &IoLimits::read_bandwidth); }
void IOWriteBandwidthMax(S s, W w) { write_limits(w, s, &IoLimits::write_bandwidth); }
void IOReadIOPSMax(S s, W w) { write_limits(w, s, &IoLimits::read_iops); }
void IOWriteIOPSMax(S s, W w) { write_limits(w, s, &IoLimits::write_iops); }
void IODeviceLatencyTargetUSec(S s, W w) { write_devices(w, of(s).io_device_latencies); }
void BlockIOAccounting(S s, W w) { w.boolean(of(s).block_io_accounting); }
void BlockIOWeight(S s, W w) { w.u64(of(s).block_io_weight); }
void StartupBlockIOWeight(S s, W w) { w.u64(of(s).startup_block_io_weight); }
void BlockIODeviceWeight(S s, W w) { write_devices(w, of(s).block_io_device_weights); }
void BlockIOReadBandwidth(S s, W w) { write_devices(w, of(s).block_io_read); }
void BlockIOWriteBandwidth(S s, W w) { write_devices(w, of(s).block_io_write); }

void MemoryAccounting(S s, W w) { w.boolean(of(s).memory_accounting.value_or(true)); }
void DefaultMemoryLow(S s, W w) { w.u64(of(s).default_memory_low); }
void DefaultMemoryMin(S s, W w) { w.u64(of(s).default_memory_min); }
void MemoryMin(S s, W w) { w.u64(of(s).memory_min); }
void MemoryLow(S s, W w) { w.u64(of(s).memory_low); }
void MemoryHigh(S s, W w) { w.u64(of(s).memory_high); }
void MemoryMax(S s, W w) { w.u64(of(s).memory_max); }
void MemorySwapMax(S s, W w) { w.u64(of(s).memory_swap_max); }
void MemoryLimit(S s, W w) { w.u64(of(s).memory_limit); }
void TasksAccounting(S s, W w) { w.boolean(of(s).tasks_accounting.value_or(true)); }
void TasksMax(S s, W w) {
  // Slices have no limit that nobody set.
  const bool is_default = !of(s).tasks_max.has_value();
  w.u64(is_slice(s) && is_default ? kCgroupNoLimit : tasks_max_in_force(of(s)));
}

// PrivateDevices= closes what is not closed already.
void DevicePolicy(S s, W w) {
  const auto& exec = s.unit->settings.exec;
  const bool is_closed = of(s).device_policy == init::DevicePolicy::kAuto && exec.is_set() &&
                         exec->sandbox->private_devices;
  w.string(to_string(is_closed ? init::DevicePolicy::kClosed : of(s).device_policy));
}
void DeviceAllow(S s, W w) { write_pairs(w, of(s).device_allow); }
void IPAccounting(S s, W w) { w.boolean(of(s).ip_accounting); }
void IPAddressAllow(S s, W w) { write_addresses(w, of(s).ip_allow); }
void IPAddressDeny(S s, W w) { write_addresses(w, of(s).ip_deny); }
void IPIngressFilterPath(S s, W w) { w.strings(of(s).ip_ingress_filters); }
void IPEgressFilterPath(S s, W w) { w.strings(of(s).ip_egress_filters); }
void ManagedOOMSwap(S s, W w) { w.string(to_string(of(s).managed_oom_swap)); }
void ManagedOOMMemoryPressure(S s, W w) { w.string(to_string(of(s).managed_oom_memory_pressure)); }
void ManagedOOMMemoryPressureLimit(S s, W w) { w.u32(of(s).managed_oom_pressure_limit); }
void ManagedOOMPreference(S s, W w) { w.string(to_string(of(s).managed_oom_preference)); }
void BPFProgram(S s, W w) { write_pairs(w, of(s).bpf_programs); }
void SocketBindAllow(S s, W w) { write_rules(w, of(s).socket_bind_allow); }
void SocketBindDeny(S s, W w) { write_rules(w, of(s).socket_bind_deny); }
void RestrictNetworkInterfaces(S s, W w) {
  w.open_struct("bas")
      .boolean(of(s).network_interfaces_are_allowed)
      .strings(of(s).network_interfaces)
      .close();
}

}  // namespace flotilla::init::bus_cgroup
