// Which segments a unit's directory holds. libc alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flotilla::logs {

struct SegmentList {
  std::size_t count = 0;
  std::uint64_t oldest = 0;  // first sequence numbers
  std::uint64_t newest = 0;
};

// Counts the text segments in the directory `name` below `directory`. Returns false with errno.
bool list_segments(int directory, const char* name, SegmentList& out) noexcept;

// Calls `visit(first_sequence, argument)` for each, in no order. Returns false with errno.
bool visit_segments(int directory, const char* name, void (*visit)(std::uint64_t, void*),
                    void* argument) noexcept;

}  // namespace flotilla::logs
