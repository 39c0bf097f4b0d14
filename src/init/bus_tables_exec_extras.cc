// The properties of ExecExtras. What is not set is shown as a process would have it: as the manager
// has it itself.
#include <fcntl.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/fd.h"
#include "init/bus_tables_exec.h"
#include "init/bus_write.h"
#include "init/exec_names.h"

namespace flotilla::init::bus_exec {
namespace {

constexpr int kDaemonFacility = 3;
constexpr uint64_t kDefaultCoredumpFilter = 0x33;

const ExecSettings& exec(S s) { return *s.unit->settings.exec; }
const ExecExtras& extras(S s) { return exec(s).extras.get(); }

uint64_t own_coredump_filter() {
  const base::Fd file(::open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC));
  char text[32];
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  uint64_t value = kDefaultCoredumpFilter;
  if (size > 0) std::from_chars(text, text + size, value, 16);
  return value;
}

struct IoPriority {
  int io_class = 2, level = 4;
};
// "None" is what the kernel takes for best effort in the middle.
IoPriority io_priority_of(S s) {
  const ExecExtras& set = extras(s);
  IoPriority priority;
  if (!set.io_class && !set.io_priority) {
    constexpr int kProcess = 1;
    const long own = ::syscall(SYS_ioprio_get, kProcess, 0);
    if (own > 0 && own >> 13 != 0)
      priority = {static_cast<int>(own >> 13), static_cast<int>(own & 7)};
    return priority;
  }
  return {set.io_class.value_or(priority.io_class), set.io_priority.value_or(priority.level)};
}

int own_cpu_priority() {
  sched_param parameter{};
  return sched_getparam(0, &parameter) == 0 ? parameter.sched_priority : 0;
}

int facility(S s) { return extras(s).syslog_facility.value_or(kDaemonFacility); }

std::string_view fd_name(const StreamSetting& stream) {
  return stream.kind == StreamSetting::Kind::kFd ? std::string_view(stream.path_or_name)
                                                 : std::string_view();
}

// The capabilities that this kernel has.
uint64_t known_capabilities() {
  static const uint64_t known = [] {
    uint64_t set = 0;
    for (unsigned i = 0; i < 64 && prctl(PR_CAPBSET_READ, i) >= 0; ++i) set |= uint64_t{1} << i;
    return set;
  }();
  return known;
}

}  // namespace

void coredump_filter(S s, W w) {
  const auto& set = extras(s).coredump_filter;
  w.u64(set ? *set : own_coredump_filter());
}
void io_class(S s, W w) { w.i32(io_priority_of(s).io_class); }
void io_priority(S s, W w) { w.i32(io_priority_of(s).level); }
void cpu_policy(S s, W w) {
  const auto& set = extras(s).cpu_policy;
  const int own = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  w.i32(set ? *set : own < 0 ? SCHED_OTHER : own);
}
void cpu_priority(S s, W w) {
  w.i32(extras(s).cpu_policy ? extras(s).cpu_priority : own_cpu_priority());
}
void cpu_affinity(S s, W w) {
  const auto& set = extras(s).cpu_affinity;
  w.bytes(set.data(), set.size());
}
void cpu_affinity_from_numa(S s, W w) { w.boolean(extras(s).cpu_affinity_from_numa); }
void numa_policy(S s, W w) { w.i32(effective_numa_policy(extras(s))); }
void numa_mask(S s, W w) {
  const auto& set = extras(s).numa_mask;
  w.bytes(set.data(), set.size());
}
void timer_slack(S s, W w) {
  const auto& set = extras(s).timer_slack_nsec;
  w.u64(set ? *set : static_cast<uint64_t>(prctl(PR_GET_TIMERSLACK)));
}
void cpu_reset_on_fork(S s, W w) { w.boolean(extras(s).cpu_reset_on_fork); }

void input_fd_name(S s, W w) { w.string(fd_name(exec(s).standard_input)); }
void output_fd_name(S s, W w) { w.string(fd_name(exec(s).standard_output)); }
void error_fd_name(S s, W w) { w.string(fd_name(exec(s).standard_error)); }
void input_data(S s, W w) {
  const std::string& data = extras(s).standard_input_data;
  w.bytes(reinterpret_cast<const uint8_t*>(data.data()), data.size());
}
void tty_path(S s, W w) { w.string(extras(s).tty_path); }
void tty_reset(S s, W w) { w.boolean(extras(s).tty_reset); }
void tty_vhangup(S s, W w) { w.boolean(extras(s).tty_vhangup); }
void tty_vt_disallocate(S s, W w) { w.boolean(extras(s).tty_vt_disallocate); }
void tty_rows(S s, W w) { w.u16(static_cast<uint16_t>(extras(s).tty_rows.value_or(UINT16_MAX))); }
void tty_columns(S s, W w) {
  w.u16(static_cast<uint16_t>(extras(s).tty_columns.value_or(UINT16_MAX)));
}

void syslog_priority(S s, W w) { w.i32(facility(s) << 3 | exec(s).syslog_level); }
void syslog_facility(S s, W w) { w.i32(facility(s)); }
void log_level_max(S s, W w) { w.i32(extras(s).log_level_max.value_or(-1)); }
void log_rate_limit_interval(S s, W w) { write_span(w, extras(s).log_rate_limit_interval); }
void log_rate_limit_burst(S s, W w) { w.u32(extras(s).log_rate_limit_burst); }
void log_extra_fields(S s, W w) {
  w.open_array("ay");
  for (const std::string& field : extras(s).log_extra_fields) {
    w.bytes(reinterpret_cast<const uint8_t*>(field.data()), field.size());
  }
  w.close();
}

void secure_bits(S s, W w) { w.i32(extras(s).secure_bits); }
void capability_bounding_set(S s, W w) {
  w.u64(extras(s).capability_bounding_set & known_capabilities());
}
void ambient_capabilities(S s, W w) {
  w.u64(extras(s).ambient_capabilities & known_capabilities());
}
void exec_search_path(S s, W w) { w.strings(extras(s).exec_search_path); }
void log_namespace(S s, W w) { w.string(extras(s).log_namespace); }
void utmp_identifier(S s, W w) { w.string(extras(s).utmp_identifier); }
void utmp_mode(S s, W w) { w.string(to_string(extras(s).utmp_mode)); }
void personality(S s, W w) {
  const auto& set = extras(s).personality;
  w.string(set ? personality_name(*set) : std::string_view());
}
void non_blocking(S s, W w) { w.boolean(s.unit->settings.service->non_blocking); }
// Every process leads a session of its own; nothing can be set that would change it.
bool is_mount(S s) { return s.unit->settings.name.type() == unit::UnitType::kMount; }
void same_process_group(S s, W w) { w.boolean(is_mount(s)); }
void keyring_mode(S s, W w) {
  const bool is_user = s.manager.is_user_manager();
  const KeyringMode usual = is_user       ? KeyringMode::kInherit
                            : is_mount(s) ? KeyringMode::kShared
                                          : KeyringMode::kPrivate;
  w.string(to_string(extras(s).keyring_mode.value_or(usual)));
}

void runtime_directory_preserve(S s, W w) {
  w.string(to_string(extras(s).runtime_directory_preserve));
}
void timeout_clean(S s, W w) { write_span(w, extras(s).timeout_clean); }
void write_directory_links(S s, W w, DirectoryKind kind) {
  w.open_array("(sst)");
  for (const auto& item : extras(s).directories[static_cast<size_t>(kind)].items) {
    for (const std::string& link : item.links) {
      w.open_struct("sst").string(item.path).string(link).u64(0).close();
    }
  }
  w.close();
}
void write_directory_mode(S s, W w, DirectoryKind kind) {
  w.u32(extras(s).directories[static_cast<size_t>(kind)].mode);
}
void write_directory_paths(S s, W w, DirectoryKind kind) {
  w.open_array("s");
  for (const auto& item : extras(s).directories[static_cast<size_t>(kind)].items) {
    w.string(item.path);
  }
  w.close();
}

}  // namespace flotilla::init::bus_exec
