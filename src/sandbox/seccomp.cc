#include "sandbox/seccomp.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/syscall_filter.h"
#include "sandbox/syscall_groups.h"

namespace flotilla::sandbox {
namespace {

using base::Status;

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// All that a program of this machine may run as. The native one is last: its filter may forbid
// to load another.
std::vector<uint32_t> local_architectures() {
#if defined(__x86_64__)
  return {SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_X86_64};
#elif defined(__aarch64__)
  return {SCMP_ARCH_ARM, SCMP_ARCH_AARCH64};
#else
  return {SCMP_ARCH_NATIVE};
#endif
}

Filter make_filter(uint32_t architecture, uint32_t action) {
  Filter filter(seccomp_init(action));
  if (!filter) return filter;
  if (architecture != seccomp_arch_native()) {
    if (seccomp_arch_add(filter.get(), architecture) != 0 ||
        seccomp_arch_remove(filter.get(), seccomp_arch_native()) != 0) {
      return nullptr;
    }
  }
  // Each filter is of one architecture alone and lets the others pass; who may set NoNewPrivileges
  // has done so.
  if (seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) != 0 ||
      seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0) != 0) {
    return nullptr;
  }
  return filter;
}

constexpr uint32_t refuse(int error) { return SCMP_ACT_ERRNO(static_cast<uint32_t>(error)); }

// Adds rules for one architecture; remembers the first failure.
class Rules {
 public:
  Rules(uint32_t architecture, void* filter) : architecture_(architecture), filter_(filter) {}

  void add(uint32_t action, const char* name, const std::vector<scmp_arg_cmp>& arguments = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    is_empty_ = false;
    const int result =
        seccomp_rule_add_array(filter_, action, number, static_cast<unsigned>(arguments.size()),
                               arguments.empty() ? nullptr : arguments.data());
    // EDOM: this architecture does not have it. EEXIST: another setting refuses it already.
    if (result < 0 && result != -EDOM && result != -EEXIST && error_ == 0) error_ = -result;
  }
  void add_group(uint32_t action, std::string_view group) {
    for (const std::string& name : syscalls_of_group(group)) add(action, name.c_str());
  }
  uint32_t architecture() const { return architecture_; }
  int error() const { return error_; }
  bool is_empty() const { return is_empty_; }

 private:
  uint32_t architecture_;
  void* filter_;
  int error_ = 0;
  bool is_empty_ = true;
};

template <typename Function>
Status load_for_each(uint32_t default_action, const char* what, Function&& add_rules) {
  for (const uint32_t architecture : local_architectures()) {
    const Filter filter = make_filter(architecture, default_action);
    if (!filter) return base::system_error(ENOMEM, "{}", what);
    Rules rules(architecture, filter.get());
    add_rules(rules);
    if (rules.error() != 0) return base::system_error(rules.error(), "{}", what);
    // What lets all pass would only cost time.
    if (rules.is_empty() && default_action == SCMP_ACT_ALLOW) continue;
    const int result = seccomp_load(filter.get());
    // A kernel may be built without one of its machine's architectures.
    if (result < 0 && architecture == seccomp_arch_native()) {
      return base::system_error(-result, "{}", what);
    }
  }
  return {};
}

scmp_arg_cmp masked(unsigned index, uint64_t mask, uint64_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

constexpr uint64_t kAllNamespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                    CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;

bool restricts_namespaces(const Settings& s) {
  return s.allowed_namespaces && (~*s.allowed_namespaces & kAllNamespaces) != 0;
}

void add_namespace_rules(Rules& rules, uint64_t allowed) {
  constexpr uint64_t kAll = kAllNamespaces;
  // What it asks for stands in memory, where a filter cannot look: programs fall back to clone.
  rules.add(refuse(ENOSYS), "clone3");
  if ((allowed & kAll) == 0) {
    rules.add(refuse(EPERM), "setns");
  } else {
    rules.add(refuse(EPERM), "setns", {{1, SCMP_CMP_EQ, 0, 0}});
  }
  for (uint64_t flag = 1; flag <= kAll; flag <<= 1) {
    if ((kAll & flag) == 0 || (allowed & flag) != 0) continue;
    rules.add(refuse(EPERM), "unshare", {masked(0, flag, flag)});
    rules.add(refuse(EPERM), "clone", {masked(0, flag, flag)});
    if ((allowed & kAll) != 0) rules.add(refuse(EPERM), "setns", {masked(1, flag, flag)});
  }
}

void add_realtime_rules(Rules& rules) {
  for (const uint64_t policy :
       {uint64_t{SCHED_FIFO}, uint64_t{SCHED_RR}, uint64_t{6} /* SCHED_DEADLINE */}) {
    rules.add(refuse(EPERM), "sched_setscheduler", {{1, SCMP_CMP_EQ, policy, 0}});
  }
  // Of policies the kernel gets later nothing is known.
  rules.add(refuse(EPERM), "sched_setscheduler", {{1, SCMP_CMP_GT, 6, 0}});
}

void add_memory_rules(Rules& rules) {
  constexpr uint64_t kWriteExecute = PROT_EXEC | PROT_WRITE;
  // On a 32-bit x86 "mmap" has its arguments in memory; "mmap2" is what is used.
  if (rules.architecture() != SCMP_ARCH_X86) {
    rules.add(refuse(EPERM), "mmap", {masked(2, kWriteExecute, kWriteExecute)});
    rules.add(refuse(EPERM), "shmat", {masked(2, SHM_EXEC, SHM_EXEC)});
  }
  if (rules.architecture() == SCMP_ARCH_X86 || rules.architecture() == SCMP_ARCH_ARM) {
    rules.add(refuse(EPERM), "mmap2", {masked(2, kWriteExecute, kWriteExecute)});
  }
  rules.add(refuse(EPERM), "mprotect", {masked(2, PROT_EXEC, PROT_EXEC)});
  rules.add(refuse(EPERM), "pkey_mprotect", {masked(2, PROT_EXEC, PROT_EXEC)});
}

void add_suid_rules(Rules& rules) {
  struct Row {
    const char* name;
    unsigned mode;  // which argument
  };
  constexpr Row kModes[] = {{"chmod", 1},     {"fchmod", 1},  {"fchmodat", 2},
                            {"fchmodat2", 2}, {"mkdir", 1},   {"mkdirat", 2},
                            {"mknod", 1},     {"mknodat", 2}, {"creat", 1}};
  // Its mode stands in memory: programs fall back to openat.
  rules.add(refuse(ENOSYS), "openat2");
  for (const uint64_t bit : {uint64_t{S_ISUID}, uint64_t{S_ISGID}}) {
    for (const Row& row : kModes) {
      rules.add(refuse(EPERM), row.name, {masked(row.mode, bit, bit)});
    }
    for (const uint64_t makes : {uint64_t{O_CREAT}, uint64_t{O_TMPFILE}}) {
      rules.add(refuse(EPERM), "open", {masked(1, makes, makes), masked(2, bit, bit)});
      rules.add(refuse(EPERM), "openat", {masked(2, makes, makes), masked(3, bit, bit)});
    }
  }
}

bool has_call_restrictions(const Settings& s) {
  return s.restrict_suid_sgid || s.restrict_realtime || s.memory_deny_write_execute ||
         s.lock_personality || restricts_namespaces(s) || s.protect_kernel_tunables ||
         s.protect_kernel_modules || s.protect_kernel_logs || s.protect_clock ||
         s.protect_hostname || s.private_devices;
}

void add_restrictions(Rules& rules, const Settings& s) {
  const uint32_t denied = refuse(EPERM);
  if (s.memory_deny_write_execute) add_memory_rules(rules);
  if (s.restrict_realtime) add_realtime_rules(rules);
  if (s.restrict_suid_sgid) add_suid_rules(rules);
  if (restricts_namespaces(s)) add_namespace_rules(rules, *s.allowed_namespaces);
  if (s.protect_kernel_tunables) rules.add(denied, "_sysctl");
  if (s.protect_kernel_modules) rules.add_group(denied, "@module");
  if (s.protect_kernel_logs) rules.add(denied, "syslog");
  if (s.protect_clock) rules.add_group(denied, "@clock");
  if (s.private_devices) rules.add_group(denied, "@raw-io");
  if (s.protect_hostname) {
    rules.add(denied, "sethostname");
    rules.add(denied, "setdomainname");
  }
  if (s.lock_personality) {
    // To ask for the one in force is no change.
    const auto now = static_cast<uint64_t>(static_cast<unsigned>(::personality(0xffffffffU)));
    rules.add(denied, "personality", {{0, SCMP_CMP_NE, now, 0}});
  }
}

Status restrict_architectures(const Settings& s) {
  if (s.syscall_architectures.empty()) return {};
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return base::system_error(ENOMEM, "SystemCallArchitectures=");
  for (const std::string& name : s.syscall_architectures) {
    if (name == "native") continue;
    std::string theirs = name == "x86-64" ? "x86_64" : name == "arm64" ? "aarch64" : name;
    const uint32_t token = seccomp_arch_resolve_name(theirs.c_str());
    if (token == 0) continue;
    const int result = seccomp_arch_add(filter.get(), token);
    if (result < 0 && result != -EEXIST) {
      return base::system_error(-result, "SystemCallArchitectures={}", name);
    }
  }
  if (seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
      seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0) != 0) {
    return base::system_error(EINVAL, "SystemCallArchitectures=");
  }
  const int result = seccomp_load(filter.get());
  if (result < 0) return base::system_error(-result, "SystemCallArchitectures=");
  return {};
}

Status log_system_calls(const Settings& s) {
  const SystemCallFilter filter = expand_syscall_filter(s.syscall_log, DefaultCalls::kLeftOut);
  if (!filter.is_set) return {};
  const bool listed = filter.is_allow_list;
  return load_for_each(listed ? SCMP_ACT_ALLOW : SCMP_ACT_LOG, "SystemCallLog=", [&](Rules& rules) {
    for (const auto& [name, error] : filter.calls) {
      rules.add(listed ? SCMP_ACT_LOG : SCMP_ACT_ALLOW, name.c_str());
    }
  });
}

}  // namespace

bool needs_seccomp(const Settings& s) {
  return has_call_restrictions(s) || s.address_families.is_set || !s.syscall_filter.empty() ||
         !s.syscall_log.empty() || !s.syscall_architectures.empty();
}

bool is_seccomp_available() {
  // EFAULT: the kernel looks for a filter where there is none, so it knows what one is.
  return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 &&
         (::prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, nullptr, 0, 0) == 0 ||
          errno == EFAULT);
}

Status restrict_address_families(const Settings& s) {
  if (!s.address_families.is_set) return {};
  return load_for_each(SCMP_ACT_ALLOW, "RestrictAddressFamilies=", [&](Rules& rules) {
    // There sockets are made through one call whose arguments stand in memory.
    if (rules.architecture() == SCMP_ARCH_X86) return;
    const uint32_t action = refuse(EAFNOSUPPORT);
    if (!s.address_families.is_allow_list) {
      for (const int family : s.address_families.families) {
        rules.add(action, "socket", {{0, SCMP_CMP_EQ, static_cast<uint64_t>(family), 0}});
      }
      return;
    }
    int lowest = AF_MAX, highest = -1;
    for (const int family : s.address_families.families) {
      lowest = std::min(lowest, family);
      highest = std::max(highest, family);
    }
    if (highest < 0) return rules.add(action, "socket");
    // A filter knows no "none of these": below, above, and each that is left out between.
    rules.add(action, "socket", {{0, SCMP_CMP_LT, static_cast<uint64_t>(lowest), 0}});
    rules.add(action, "socket", {{0, SCMP_CMP_GT, static_cast<uint64_t>(highest), 0}});
    for (int family = lowest; family < highest; ++family) {
      bool is_allowed = false;
      for (const int one : s.address_families.families) is_allowed = is_allowed || one == family;
      if (is_allowed) continue;
      rules.add(action, "socket", {{0, SCMP_CMP_EQ, static_cast<uint64_t>(family), 0}});
    }
  });
}

Status restrict_calls(const Settings& s) {
  if (has_call_restrictions(s)) {
    FLOTILLA_TRY(load_for_each(SCMP_ACT_ALLOW, "restrict system calls",
                               [&](Rules& rules) { add_restrictions(rules, s); }));
  }
  FLOTILLA_TRY(restrict_architectures(s));
  return log_system_calls(s);
}

Status filter_system_calls(const Settings& s) {
  const SystemCallFilter filter = expand_syscall_filter(s.syscall_filter);
  if (!filter.is_set) return {};
  const auto refusal = [](int error) {
    return error == kKillProcess ? SCMP_ACT_KILL_PROCESS : refuse(error);
  };
  const uint32_t negative = refusal(s.syscall_error);
  const uint32_t otherwise = filter.is_allow_list ? negative : SCMP_ACT_ALLOW;
  const uint32_t listed = filter.is_allow_list ? SCMP_ACT_ALLOW : negative;
  return load_for_each(otherwise, "SystemCallFilter=", [&](Rules& rules) {
    for (const auto& [name, error] : filter.calls) {
      const uint32_t action = error ? refusal(*error) : listed;
      if (action != otherwise) rules.add(action, name.c_str());
    }
  });
}

}  // namespace flotilla::sandbox
