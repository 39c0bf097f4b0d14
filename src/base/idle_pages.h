// Gives back pages of memory that was written and whose content nobody needs any more: what a
// process takes once, at its start or for a large message, it would otherwise keep. Never
// allocates, never fails.
#pragma once

#include <cstddef>

namespace flotilla::base {

// The pages that are wholly inside: they read as zeros until they are written again.
void release_pages(void* begin, size_t size) noexcept;

// Of the main thread's stack what lies below the caller, as deep as stacks usually become.
void release_stack_pages() noexcept;

}  // namespace flotilla::base
