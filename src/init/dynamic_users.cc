#include "init/dynamic_users.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "unit/scalar.h"

namespace flotilla::init {
namespace {

using base::Fd;
using base::Result;

constexpr int kTries = 100;
constexpr std::array<uint8_t, 16> kUidKey{0x37, 0x53, 0x7e, 0x31, 0xcf, 0xce, 0x48, 0xf5,
                                          0x8a, 0xbb, 0x39, 0x57, 0x8d, 0xd9, 0xec, 0x59};
constexpr std::array<uint8_t, 16> kNameKey{0x58, 0x1a, 0xaf, 0xe6, 0x28, 0x58, 0x4e, 0x96,
                                           0xb4, 0x4e, 0xf5, 0x3b, 0x8c, 0x92, 0x07, 0xec};

uint64_t rotate(uint64_t value, unsigned bits) { return value << bits | value >> (64 - bits); }

uint64_t word_at(const uint8_t* bytes) {
  uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i) word |= uint64_t{bytes[i]} << (8 * i);
  return word;
}

// SipHash-2-4 (Aumasson and Bernstein).
uint64_t siphash(std::string_view text, const std::array<uint8_t, 16>& key) {
  const uint64_t k0 = word_at(key.data()), k1 = word_at(key.data() + 8);
  uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
  uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
  const auto mix = [&](int rounds) {
    for (; rounds > 0; --rounds) {
      v0 += v1, v1 = rotate(v1, 13) ^ v0, v0 = rotate(v0, 32);
      v2 += v3, v3 = rotate(v3, 16) ^ v2;
      v0 += v3, v3 = rotate(v3, 21) ^ v0;
      v2 += v1, v1 = rotate(v1, 17) ^ v2, v2 = rotate(v2, 32);
    }
  };
  std::string_view rest = text;
  while (rest.size() >= 8) {
    const uint64_t word = word_at(reinterpret_cast<const uint8_t*>(rest.data()));
    v3 ^= word;
    mix(2);
    v0 ^= word;
    rest.remove_prefix(8);
  }
  std::array<uint8_t, 8> last{};
  std::memcpy(last.data(), rest.data(), rest.size());
  last[7] = static_cast<uint8_t>(text.size());
  v3 ^= word_at(last.data());
  mix(2);
  v0 ^= word_at(last.data());
  v2 ^= 0xff;
  mix(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

uint32_t into_range(uint32_t number) {
  return kFirstDynamicUid + number % (kLastDynamicUid - kFirstDynamicUid + 1);
}

bool is_dynamic(uint32_t uid) { return uid >= kFirstDynamicUid && uid <= kLastDynamicUid; }

// What useradd would take, and not too long for utmp.
bool is_strict_user_name(std::string_view name) {
  if (name.empty() || name.size() > 31) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!is_letter(name[0]) && name[0] != '_') return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

uint32_t preferred_dynamic_uid(std::string_view name) noexcept {
  return into_range(static_cast<uint32_t>(siphash(name, kUidKey)));
}

std::string dynamic_user_name(const unit::UnitName& unit) {
  std::string prefix(unit.is_plain() ? unit.stem() : unit.prefix());
  if (is_strict_user_name(prefix)) return prefix;
  return fmt::format("_du{:016x}", siphash(prefix, kNameKey));
}

DynamicUsers::DynamicUsers(UserDb& users, std::string directory)
    : users_(users), directory_(std::move(directory)) {}

// Empty: somebody else has it.
Fd DynamicUsers::lock_number(uint32_t uid, const std::string& name) {
  const std::string number = std::to_string(uid);
  if (users_.find_user(number) && !(*users_.find_user(number))->name.empty()) return {};
  const std::string path = directory_ + "/" + number;
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600));
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return {};
  char holder[PATH_MAX];
  const std::string by_number = directory_ + "/direct:" + number;
  const ssize_t size = ::readlink(by_number.c_str(), holder, sizeof holder);
  // A manager that died had it for a unit that may still run.
  if (size > 0 && std::string_view(holder, static_cast<size_t>(size)) != name) return {};
  const std::string line = name + "\n";
  static_cast<void>(!::ftruncate(file.get(), 0));
  static_cast<void>(!::pwrite(file.get(), line.data(), line.size(), 0));
  static_cast<void>(!::symlink(name.c_str(), by_number.c_str()));
  static_cast<void>(!::symlink(number.c_str(), (directory_ + "/direct:" + name).c_str()));
  return file;
}

// What the name has already; 0: nothing.
uint32_t DynamicUsers::find_number_of(const std::string& name) const {
  char target[16];
  const ssize_t size = ::readlink((directory_ + "/direct:" + name).c_str(), target, sizeof target);
  uint32_t uid = 0;
  if (size <= 0 || std::from_chars(target, target + size, uid).ec != std::errc()) return 0;
  return is_dynamic(uid) ? uid : 0;
}

// What exists anyway is used as it is, but a user and a group of one name must not differ in that.
bool DynamicUsers::find_static(DynamicUser::Kind kind, DynamicUser& user) {
  if (const auto number = unit::parse_unsigned(user.name, UINT32_MAX - 1)) {
    user.uid = user.gid = static_cast<uint32_t>(*number);
    return user.is_static = true;
  }
  const auto of_user = users_.find_user(user.name);
  if (kind == DynamicUser::Kind::kUser && of_user) {
    user.uid = (*of_user)->uid;
    user.gid = (*of_user)->gid;
    return user.is_static = true;
  }
  const auto of_group = users_.find_group(user.name);
  if (kind == DynamicUser::Kind::kGroup && of_group) {
    user.uid = user.gid = *of_group;
    return user.is_static = true;
  }
  return user.is_refused = of_user.has_value() || of_group.has_value();
}

Result<std::shared_ptr<DynamicUser>> DynamicUsers::acquire(DynamicUser::Kind kind,
                                                           const std::string& name,
                                                           const std::vector<std::string>& paths) {
  if (!is_strict_user_name(name) && !unit::parse_unsigned(name, UINT32_MAX - 1)) {
    return base::invalid("{} is not the name of a user", name);
  }
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    if (auto held = known->second.lock()) return held;
  }
  auto user = std::make_shared<DynamicUser>();
  user->name = name;
  if (find_static(kind, *user)) return user;
  if (::mkdir(directory_.c_str(), 0755) != 0 && errno != EEXIST) {
    return base::system_error(errno, "make {}", directory_);
  }
  const auto try_number = [&](uint32_t uid) {
    user->lock = lock_number(uid, name);
    user->uid = user->gid = uid;
    return user->lock.is_open();
  };
  const uint32_t before = find_number_of(name);
  bool is_found = before != 0 && try_number(before);
  for (const std::string& path : paths) {
    struct stat found {};
    if (is_found || ::lstat(path.c_str(), &found) != 0 || !is_dynamic(found.st_uid)) continue;
    is_found = try_number(found.st_uid);
  }
  is_found = is_found || try_number(preferred_dynamic_uid(name));
  for (int i = 0; i < kTries && !is_found; ++i) {
    uint32_t random = 0;
    static_cast<void>(!::getrandom(&random, sizeof random, GRND_NONBLOCK));
    is_found = try_number(into_range(random));
  }
  if (!is_found) return base::unavailable("no user number is free for {}", name);
  by_name_[name] = user;
  return user;
}

void DynamicUsers::release(std::shared_ptr<DynamicUser> user) {
  if (!user || user.use_count() > 1 || user->is_static || user->is_refused) return;
  by_name_.erase(user->name);
  const std::string number = std::to_string(user->uid);
  // The lock last: until then nobody makes the links anew.
  for (const std::string& file :
       {"direct:" + number, "direct:" + user->name, std::string(number)}) {
    ::unlink((directory_ + "/" + file).c_str());
  }
}

}  // namespace flotilla::init
