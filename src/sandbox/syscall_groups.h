// The sets of system calls that SystemCallFilter= may name ("@clock"). Constant data, pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::sandbox {

// Whether there is a set of this name ("@" in front).
bool is_syscall_group(std::string_view name) noexcept;
// Whether any kernel is known to have it.
bool is_known_syscall(std::string_view name);

// The calls of a set, those of the sets inside it too, sorted. Empty for no set.
std::vector<std::string> syscalls_of_group(std::string_view name);

}  // namespace flotilla::sandbox
