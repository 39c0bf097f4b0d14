#include "sandbox/identity.h"

#include <grp.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <type_traits>

namespace flotilla::sandbox {
namespace {

using base::Status;

constexpr int kMaxGroups = 65536;

struct FreeCapabilities {
  void operator()(cap_t set) const { cap_free(set); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

bool find_group(const std::string& name, gid_t& gid, IdentityFailure& failure) {
  errno = 0;
  if (const group* const entry = ::getgrnam(name.c_str())) {
    gid = entry->gr_gid;
    return true;
  }
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size() && ::getgrgid(number) != nullptr) {
    gid = number;
    return true;
  }
  failure = {true, "Failed to determine group credentials: " + base::describe_errno(ESRCH)};
  return false;
}

bool find_user(const std::string& name, Identity& identity, IdentityFailure& failure) {
  const passwd* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    failure = {false, "Failed to determine user credentials: " + base::describe_errno(ESRCH)};
    return false;
  }
  identity.uid = entry->pw_uid;
  identity.gid = entry->pw_gid;
  identity.user = entry->pw_name;
  identity.home = entry->pw_dir;
  identity.shell = entry->pw_shell;
  return true;
}

std::vector<gid_t> groups_of(const std::string& user, gid_t gid) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  while (::getgrouplist(user.c_str(), gid, groups.data(), &count) < 0 && count <= kMaxGroups) {
    groups.resize(std::max(static_cast<size_t>(count), groups.size() * 2));
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<size_t>(std::clamp(count, 0, kMaxGroups)));
  return groups;
}

Status capability_error(const char* what) {
  return base::system_error(errno, "Failed to {}", what);
}

// Permitted, effective and inheritable are the given capabilities and no others.
Status set_capabilities(uint64_t wanted) {
  const Capabilities set(cap_init());
  if (!set) return capability_error("make a set of capabilities");
  for (cap_value_t one = 0; one < 64; ++one) {
    if ((wanted >> one & 1) == 0) continue;
    for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE}) {
      if (cap_set_flag(set.get(), flag, 1, &one, CAP_SET) != 0) {
        return capability_error("add a capability");
      }
    }
  }
  if (cap_set_proc(set.get()) != 0) return capability_error("set capabilities");
  return {};
}

Status add_inheritable(uint64_t wanted) {
  const Capabilities set(cap_get_proc());
  if (!set) return capability_error("look at capabilities");
  for (cap_value_t one = 0; one < 64; ++one) {
    if ((wanted >> one & 1) == 0) continue;
    if (cap_set_flag(set.get(), CAP_INHERITABLE, 1, &one, CAP_SET) != 0) {
      return capability_error("add a capability");
    }
  }
  if (cap_set_proc(set.get()) != 0) return capability_error("set inheritable capabilities");
  return {};
}

Status raise_ambient(uint64_t ambient) {
  for (unsigned long one = 0; one < 64; ++one) {
    if ((ambient >> one & 1) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, one, 0, 0) != 0) {
      return capability_error("raise an ambient capability");
    }
  }
  return {};
}

}  // namespace

bool find_identity(const Order& order, Identity& identity, IdentityFailure& failure) {
  identity.uid = order.uid;
  identity.gid = order.gid;
  identity.set_groups = order.set_groups;
  identity.groups.assign(order.groups.begin(), order.groups.end());
  if (!order.user.empty() && !find_user(order.user, identity, failure)) return false;
  if (!order.applies_user) {
    // The groups that the user has by himself are taken on even so; root's are there already.
    if (!order.user.empty() && identity.gid != 0) {
      identity.set_groups = true;
      identity.groups = groups_of(order.user, identity.gid);
    }
    identity.uid = identity.gid = Order::kKeepId;
    return true;
  }
  if (!order.group.empty() && !find_group(order.group, identity.gid, failure)) return false;
  if (!order.user.empty()) {
    identity.set_groups = true;
    const std::vector<gid_t> found = groups_of(order.user, identity.gid);
    identity.groups.insert(identity.groups.end(), found.begin(), found.end());
  }
  for (const std::string& name : order.supplementary_groups) {
    gid_t gid = 0;
    if (!find_group(name, gid, failure)) return false;
    identity.set_groups = true;
    identity.groups.push_back(gid);
  }
  return true;
}

Status apply_groups(const Identity& identity) {
  if (identity.set_groups && ::setgroups(identity.groups.size(), identity.groups.data()) != 0) {
    return base::system_error(errno, "Changing group credentials failed");
  }
  const gid_t gid = identity.gid;
  if (gid != Order::kKeepId && ::setresgid(gid, gid, gid) != 0) {
    return base::system_error(errno, "Changing group credentials failed");
  }
  return {};
}

Status lower_bounding_set(uint64_t kept) {
  if (kept == UINT64_MAX) return {};
  for (unsigned long one = 0; one < 64; ++one) {
    if ((kept >> one & 1) != 0) continue;
    const int has = ::prctl(PR_CAPBSET_READ, one, 0, 0, 0);
    if (has < 0) break;  // no such capability: it was the last
    if (has == 1 && ::prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0) {
      return base::system_error(errno, "Failed to drop capabilities");
    }
  }
  return {};
}

Status become_user(const Identity& identity, uint64_t ambient, int secure_bits) {
  const uid_t uid = identity.uid;
  const bool changes = uid != Order::kKeepId && uid != ::getuid();
  if (ambient != 0) FLOTILLA_TRY(add_inheritable(ambient));
  if (changes) {
    if (ambient != 0 || secure_bits != 0) {
      const int now = ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
      if (::prctl(PR_SET_SECUREBITS, static_cast<unsigned long>(now) | SECBIT_KEEP_CAPS, 0, 0, 0) !=
          0) {
        return base::system_error(errno, "Failed to keep capabilities");
      }
    }
    if (::setresuid(uid, uid, uid) != 0) {
      return base::system_error(errno, "Failed to change UID to {}", uid);
    }
    if (ambient != 0 || secure_bits != 0) {
      uint64_t kept = ambient;
      if (secure_bits != 0) kept |= uint64_t{1} << CAP_SETPCAP;
      FLOTILLA_TRY(set_capabilities(kept));
    }
  }
  if (ambient != 0) FLOTILLA_TRY(raise_ambient(ambient));
  if (secure_bits != 0 && ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != secure_bits) {
    if (::prctl(PR_SET_SECUREBITS, static_cast<unsigned long>(secure_bits), 0, 0, 0) != 0) {
      return base::system_error(errno, "Failed to set process secure bits");
    }
    if (changes) FLOTILLA_TRY(set_capabilities(ambient));
    if (ambient != 0) FLOTILLA_TRY(raise_ambient(ambient));
  }
  return {};
}

bool has_admin_capability() {
  const Capabilities own(cap_get_proc());
  cap_flag_value_t value = CAP_CLEAR;
  return own && cap_get_flag(own.get(), CAP_SYS_ADMIN, CAP_EFFECTIVE, &value) == 0 &&
         value == CAP_SET;
}

}  // namespace flotilla::sandbox
