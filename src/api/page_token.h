// The tokens of paged lists: URL-safe base64 of a little-endian uint16 limit and a little-endian
// uint16 page, counted from 1. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::api {

inline constexpr uint16_t kPageLimit = 100;

struct PageToken {
  uint16_t limit = kPageLimit;
  uint16_t page = 1;
};

std::string encode(const PageToken& token);

// The token of a request: its nextPageToken parameters, of which there may be one. None is the
// first page. Errors: kInvalid with fleet's texts.
base::Result<PageToken> page_token_of(const std::vector<std::string_view>& values, uint16_t limit);

}  // namespace flotilla::api
