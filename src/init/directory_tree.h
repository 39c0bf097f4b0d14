// Whole directories as execution needs them: handed to another owner, and removed. Symbolic links
// are never followed, nor mount points entered. The manager's own; blocks for as long as it takes,
// which chown_tree() keeps short by a budget.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace flotilla::init {

// Returns 0 or an errno; E2BIG: the budget of entries is used up, and the top is not changed yet.
// The top itself is changed last, so that its owner says whether the work is done. Permission bits
// stay. UINT32_MAX for an id leaves it.
int chown_tree(const std::string& path, uid_t uid, gid_t gid, size_t budget) noexcept;

// Removes whatever is there, at most kMaxTreeDepth levels deep. Returns 0, also if nothing is
// there, or the first errno.
int remove_tree(const std::string& path) noexcept;

inline constexpr int kMaxTreeDepth = 512;

}  // namespace flotilla::init
