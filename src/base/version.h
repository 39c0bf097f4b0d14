// The version that every program of the tree reports.
#pragma once

namespace flotilla::base {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace flotilla::base
