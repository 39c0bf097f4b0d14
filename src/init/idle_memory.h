// Gives back memory that a process which only waits has no use for. May be called at any time, as
// often as it is worth some microseconds; nothing is lost by it. Never allocates, never fails.
#pragma once

namespace flotilla::init {

// The pages of the program itself that were only read: code and constants of loading and starting.
// What is needed again comes back from the file.
void release_program_pages() noexcept;

// Those, the free pages of the heap, and what the stack took when it was deeper.
void release_idle_memory() noexcept;

}  // namespace flotilla::init
