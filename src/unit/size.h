// Sizes in bytes ("1.5G", "512K") and shares ("50%"). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

enum class SizeBase { k1024, k1000 };

inline constexpr std::uint64_t kNoLimit = UINT64_MAX;

// Numbers with the suffixes B K M G T P E, larger ones first: "1G 500M". Without one: bytes.
// Errors: kInvalid for what is no size, a negative one, or one beyond 64 bits.
base::Result<std::uint64_t> parse_size(std::string_view text, SizeBase base = SizeBase::k1024);

// As parse_size, and "infinity" gives kNoLimit.
base::Result<std::uint64_t> parse_size_limit(std::string_view text,
                                             SizeBase base = SizeBase::k1024);

// "50%", "12.34%", "5‰", "7‱" as parts of 10,000. Errors: kInvalid; beyond `max` parts too.
base::Result<unsigned> parse_permyriad(std::string_view text, unsigned max = 10000);

}  // namespace flotilla::unit
