#include "init/spawn_child_extras.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <cerrno>

#include "init/spawn_syscall.h"

namespace flotilla::init {
namespace {

constexpr int kMaxCapability = 63;
constexpr long kIoprioProcess = 1;  // IOPRIO_WHO_PROCESS, of a header that older kernels lack

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
};

long read_capabilities(Capabilities& own) noexcept {
  return raw_syscall(SYS_capget, raw_address(&own.header), raw_address(own.sets));
}
long write_capabilities(Capabilities& own) noexcept {
  return raw_syscall(SYS_capset, raw_address(&own.header), raw_address(own.sets));
}

// What a change of the bounding set or the secure bits needs; exec makes a new set anyway.
long gain_setpcap() noexcept {
  Capabilities own;
  if (const long result = read_capabilities(own); result < 0) return result;
  constexpr uint32_t kBit = 1U << CAP_SETPCAP;
  if ((own.sets[0].effective & kBit) != 0) return 0;
  own.sets[0].effective |= kBit;
  return write_capabilities(own);
}

long change_inheritable(uint64_t keep, uint64_t add) noexcept {
  Capabilities own;
  if (const long result = read_capabilities(own); result < 0) return result;
  const uint32_t before[2] = {own.sets[0].inheritable, own.sets[1].inheritable};
  for (unsigned i = 0; i < 2; ++i) {
    own.sets[i].inheritable &= static_cast<uint32_t>(keep >> (32 * i));
    own.sets[i].inheritable |= static_cast<uint32_t>(add >> (32 * i));
  }
  if (own.sets[0].inheritable == before[0] && own.sets[1].inheritable == before[1]) return 0;
  return write_capabilities(own);
}

// What the bounding set does not hold cannot be given to anybody.
uint64_t within_bounds(uint64_t set) noexcept {
  for (int i = 0; i <= kMaxCapability; ++i) {
    const uint64_t bit = uint64_t{1} << static_cast<unsigned>(i);
    if ((set & bit) != 0 && raw_syscall(SYS_prctl, PR_CAPBSET_READ, i) != 1) set &= ~bit;
  }
  return set;
}

long raise_ambient(uint64_t set) noexcept {
  for (int i = 0; i <= kMaxCapability; ++i) {
    if ((set >> static_cast<unsigned>(i) & 1) == 0) continue;
    const long result = raw_syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
    if (result < 0) return result;
  }
  return 0;
}

// Writes the number in hexadecimal with "0x"; `to` has room for 18 characters. Returns the length.
long write_hexadecimal(char* to, uint64_t value) noexcept {
  char digits[16];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value & 0xf];
    value >>= 4;
  } while (value != 0);
  char* const begin = to;
  *to++ = '0';
  *to++ = 'x';
  while (count > 0) *to++ = digits[--count];
  return to - begin;
}

long set_affinity(const SpawnExtras& extras) noexcept {
  if (extras.cpu_affinity == nullptr) return 0;
  return raw_syscall(SYS_sched_setaffinity, 0, static_cast<long>(extras.cpu_affinity_size),
                     raw_address(extras.cpu_affinity));
}

long set_memory_policy(const SpawnExtras& extras) noexcept {
  if (extras.numa_policy == SpawnExtras::kKeep) return 0;
  // The kernel counts one bit less than it is told.
  const long bits =
      extras.numa_mask == nullptr ? 0 : static_cast<long>(extras.numa_mask_size * 8 + 1);
  const long result =
      raw_syscall(SYS_set_mempolicy, extras.numa_policy, raw_address(extras.numa_mask), bits);
  return result == -ENOSYS ? 0 : result;
}

// As the one who will own it. Returns 0 where the kernel has none to give, which is no failure.
long make_keyring(const SpawnKeyring& keyring) noexcept {
  const long ring = raw_syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
  if (ring < 0) {
    const bool is_harmless =
        ring == -ENOSYS || ring == -EPERM || ring == -EACCES || ring == -EDQUOT;
    return is_harmless ? 0 : ring;
  }
  if (!keyring.is_shared) return ring;
  const long linked =
      raw_syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING);
  return linked < 0 ? linked : ring;
}

}  // namespace

long take_terminal(const SpawnExtras& extras) noexcept {
  if (extras.terminal == SpawnExtras::Terminal::kNone) return 0;
  return raw_syscall(SYS_ioctl, 0, TIOCSCTTY,
                     extras.terminal == SpawnExtras::Terminal::kSteal ? 1 : 0);
}

long set_coredump_filter(const SpawnExtras& extras) noexcept {
  if (!extras.sets_coredump_filter) return 0;
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, raw_address("/proc/self/coredump_filter"),
                              O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  char text[18];
  const long length = write_hexadecimal(text, extras.coredump_filter);
  const long result = raw_syscall(SYS_write, fd, raw_address(text), length);
  raw_syscall(SYS_close, fd);
  return result < 0 ? result : 0;
}

long set_scheduling(const SpawnExtras& extras, ChildFailure& failure) noexcept {
  long result = 0;
  const auto failed = [&](SpawnStage at, long value) {
    failure.stage = at;
    result = value;
    return value < 0;
  };
  if (extras.cpu_policy != SpawnExtras::kKeep) {
    const int priority = extras.cpu_priority;
    if (failed(SpawnStage::kScheduler,
               raw_syscall(SYS_sched_setscheduler, 0, extras.cpu_policy, raw_address(&priority)))) {
      return result;
    }
  }
  if (failed(SpawnStage::kCpuAffinity, set_affinity(extras))) return result;
  if (failed(SpawnStage::kNumaPolicy, set_memory_policy(extras))) return result;
  if (extras.io_priority != SpawnExtras::kKeep &&
      failed(SpawnStage::kIoPriority,
             raw_syscall(SYS_ioprio_set, kIoprioProcess, 0, extras.io_priority))) {
    return result;
  }
  if (extras.sets_timer_slack &&
      failed(SpawnStage::kTimerSlack, raw_syscall(SYS_prctl, PR_SET_TIMERSLACK,
                                                  static_cast<long>(extras.timer_slack_nsec)))) {
    return result;
  }
  if (extras.sets_personality &&
      failed(SpawnStage::kPersonality,
             raw_syscall(SYS_personality, static_cast<long>(extras.personality)))) {
    return result;
  }
  failure.stage = SpawnStage::kNone;
  return 0;
}

long join_keyring(const SpawnKeyring& keyring) noexcept {
  constexpr uint32_t kOurs = SpawnKeyring::kOurs;
  const bool has_owner = keyring.uid != kOurs || keyring.gid != kOurs;
  const long uid = has_owner ? raw_syscall(SYS_getuid) : 0;
  const long gid = has_owner ? raw_syscall(SYS_getgid) : 0;
  const bool is_other = keyring.uid != kOurs && keyring.uid != uid;
  const bool is_other_group = keyring.gid != kOurs && keyring.gid != gid;
  // The real ids alone: the keyring is theirs, and the way back stays open.
  long result = 0;
  if (is_other_group) result = raw_syscall(SYS_setregid, static_cast<long>(keyring.gid), -1);
  if (result >= 0 && is_other) {
    result = raw_syscall(SYS_setreuid, static_cast<long>(keyring.uid), -1);
  }
  if (result < 0) return result;
  const long ring = make_keyring(keyring);
  if (is_other) result = raw_syscall(SYS_setreuid, uid, -1);
  if (is_other_group && result >= 0) result = raw_syscall(SYS_setregid, gid, -1);
  if (ring <= 0 || result < 0) return ring < 0 ? ring : result;
  const long key = raw_syscall(SYS_add_key, raw_address("user"), raw_address("invocation_id"),
                               raw_address(keyring.invocation_id), sizeof keyring.invocation_id,
                               KEY_SPEC_SESSION_KEYRING);
  // To be seen and read, and not changed, by the service.
  constexpr long kReadable = 0x0b0b0000;
  if (key >= 0) raw_syscall(SYS_keyctl, KEYCTL_SETPERM, key, kReadable);
  return 0;
}

long limit_capabilities(const SpawnExtras& extras) noexcept {
  if (extras.limits_capabilities) {
    if (const long result = gain_setpcap(); result < 0) return result;
    for (int i = 0; i <= kMaxCapability; ++i) {
      if ((extras.bounding_set >> static_cast<unsigned>(i) & 1) != 0) continue;
      const long has = raw_syscall(SYS_prctl, PR_CAPBSET_READ, i);
      if (has < 0) break;  // the kernel knows no more
      if (has == 0) continue;
      const long result = raw_syscall(SYS_prctl, PR_CAPBSET_DROP, i);
      if (result < 0) return result;
    }
    if (const long result = change_inheritable(extras.bounding_set, 0); result < 0) return result;
  }
  if (extras.ambient_set == 0) return 0;
  const uint64_t ambient = within_bounds(extras.ambient_set);
  const long result = change_inheritable(UINT64_MAX, ambient);
  return result < 0 ? result : raise_ambient(ambient);
}

long keep_capabilities(const SpawnExtras& extras, uint32_t uid) noexcept {
  if (uid == 0 || uid == UINT32_MAX) return 0;
  if (extras.ambient_set == 0 && extras.secure_bits == 0) return 0;
  const long wanted = extras.secure_bits | 1 << SECURE_KEEP_CAPS;
  if (raw_syscall(SYS_prctl, PR_GET_SECUREBITS) == wanted) return 0;
  return raw_syscall(SYS_prctl, PR_SET_SECUREBITS, wanted);
}

long raise_ambient_again(const SpawnExtras& extras) noexcept {
  return raise_ambient(within_bounds(extras.ambient_set));
}

long set_secure_bits(const SpawnExtras& extras) noexcept {
  if (!extras.sets_secure_bits) return 0;
  if (raw_syscall(SYS_prctl, PR_GET_SECUREBITS) == extras.secure_bits) return 0;
  if (const long result = gain_setpcap(); result < 0) return result;
  return raw_syscall(SYS_prctl, PR_SET_SECUREBITS, extras.secure_bits);
}

}  // namespace flotilla::init
