// What a process's exit status is called, and the sets of statuses and signals that
// SuccessExitStatus= and its like name. Pure.
#pragma once

#include <bitset>
#include <optional>
#include <string_view>
#include <vector>

#include "unit/diagnostic.h"

namespace flotilla::unit {

// "203" and "EXEC" are 203. Nothing for an unknown name or a number beyond 255.
std::optional<int> find_exit_status(std::string_view text);
// "EXEC" for 203; empty where the number has no name.
std::string_view exit_status_name(int status) noexcept;

struct ExitStatusSet {
  std::bitset<256> statuses;
  std::bitset<65> signals;

  bool empty() const noexcept { return statuses.none() && signals.none(); }
  bool operator==(const ExitStatusSet&) const = default;
};

// Adds the words of one line: numbers and names of statuses, names of signals. Unknown words are
// reported and left out; an empty value empties the set.
void read_exit_status_set(std::string_view value, const Reporter& reporter, ExitStatusSet& set);

}  // namespace flotilla::unit
