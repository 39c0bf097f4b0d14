// LimitNOFILE= and its like. Pure; setting the limits is for who spawns.
#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

// "LimitNOFILE" is RLIMIT_NOFILE; nothing for a key that is no limit.
std::optional<int> find_rlimit(std::string_view key) noexcept;
inline constexpr int kRlimitCount = 16;
// "NOFILE" for RLIMIT_NOFILE. Requires: 0 <= resource < kRlimitCount.
std::string_view rlimit_name(int resource) noexcept;

// "1024", "1024:4096" (soft:hard), "infinity"; sizes with K M G T P E; LimitCPU= and LimitRTTIME=
// time spans; LimitNICE= also +N and -N as nice values. RLIM_INFINITY stands for "infinity".
// Errors: kInvalid; also if the soft limit is higher than the hard one.
base::Result<rlimit> parse_rlimit(int resource, std::string_view text);

}  // namespace flotilla::unit
