#include "base/idle_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace flotilla::base {

void release_pages(void* begin, size_t size) noexcept {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto behind = [page](const char* at) { return reinterpret_cast<uintptr_t>(at) % page; };
  char* first = static_cast<char*>(begin);
  char* last = first + size;
  first += (page - behind(first)) % page;
  last -= behind(last);
  if (first < last) madvise(first, static_cast<size_t>(last - first), MADV_DONTNEED);
}

[[gnu::noinline]] void release_stack_pages() noexcept {
  // The kernel lets nothing else be mapped within a megabyte below a stack, and skips what is not.
  constexpr size_t kDepth = size_t{256} * 1024;
  constexpr size_t kOwnFrames = 1024;  // of this function and those it calls
  char* const here = static_cast<char*>(__builtin_frame_address(0));
  release_pages(here - kDepth, kDepth - kOwnFrames);
}

}  // namespace flotilla::base
