// Paths and queries of requests, read as Go's server does, whose rules users' tools have met. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::api {

struct ParsedTarget {
  std::string path;       // decoded
  std::string raw_query;  // without "?"
  // Every parameter in order, decoded.
  std::vector<std::pair<std::string, std::string>> parameters;

  // The first value of a parameter, or "".
  std::string_view parameter(std::string_view name) const;
  bool has_parameter(std::string_view name) const;
  std::vector<std::string_view> all_values(std::string_view name) const;
};

// nullopt for a target that is no path ("*", a broken percent sign).
std::optional<ParsedTarget> parse_target(std::string_view target);

// Without "//", "/./" and "/../"; a slash at the end is kept.
std::string clean_path(std::string_view path);

// A decoded path as it may stand in a header: every byte that a path cannot hold as it is becomes
// "%XX".
std::string percent_encode_path(std::string_view path);

}  // namespace flotilla::api
