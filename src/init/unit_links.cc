#include "init/unit_links.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/fd.h"

namespace flotilla::init {
namespace {

constexpr std::array<std::string_view, 5> kNames{"invocation", "log-level-max",
                                                 "log-rate-limit-interval", "log-rate-limit-burst",
                                                 "log-extra-fields"};
enum Which : size_t { kInvocation, kLevel, kInterval, kBurst, kFields };

std::string text_of(base::Micros span) {
  const bool is_infinite = span == base::Micros::max();
  return std::to_string(is_infinite ? UINT64_MAX : static_cast<uint64_t>(span.count()));
}

}  // namespace

std::string UnitLinks::path_of(std::string_view name, const std::string& unit) const {
  return std::string(directory_).append("/").append(name).append(":").append(unit);
}

LinkSet UnitLinks::write(const std::string& unit, const std::string& invocation,
                         const ExecExtras& extras) const {
  LinkSet written = 0;
  const auto put = [&](Which which, const std::string& target) {
    if (put_link(kNames[which], unit, target)) written |= static_cast<LinkSet>(1U << which);
  };
  put(kInvocation, invocation);
  if (kinds_ == Kinds::kInvocation) return written;
  if (extras.log_level_max) put(kLevel, std::to_string(*extras.log_level_max));
  if (extras.log_rate_limit_interval.count() > 0) {
    put(kInterval, text_of(extras.log_rate_limit_interval));
  }
  if (extras.log_rate_limit_burst > 0) put(kBurst, std::to_string(extras.log_rate_limit_burst));
  if (!extras.log_extra_fields.empty() && put_fields(unit, extras.log_extra_fields)) {
    written |= static_cast<LinkSet>(1U << kFields);
  }
  return written;
}

void UnitLinks::remove(const std::string& unit, LinkSet links) const {
  if ((links & kUnknownLinks) != 0) links = kAllLinks;
  for (size_t i = 0; i < kNames.size(); ++i) {
    if ((links >> i & 1U) != 0) unlink(path_of(kNames[i], unit).c_str());
  }
}

bool UnitLinks::put_link(std::string_view name, const std::string& unit,
                         const std::string& target) const {
  const std::string path = path_of(name, unit);
  if (symlink(target.c_str(), path.c_str()) == 0) return true;
  if (errno == ENOENT) {
    mkdir(directory_.c_str(), 0755);
  } else if (errno == EEXIST) {
    unlink(path.c_str());
  } else {
    return false;
  }
  return symlink(target.c_str(), path.c_str()) == 0;
}

// Whole or not at all.
bool UnitLinks::put_fields(const std::string& unit, const std::vector<std::string>& fields) const {
  std::string bytes;
  for (const std::string& field : fields) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      bytes += static_cast<char>(uint64_t{field.size()} >> shift & 0xff);
    }
    bytes += field;
  }
  const std::string path = path_of(kNames[kFields], unit);
  const std::string draft = directory_ + "/.draft";
  const base::Fd file(open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  return file &&
         ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
         rename(draft.c_str(), path.c_str()) == 0;
}

}  // namespace flotilla::init
