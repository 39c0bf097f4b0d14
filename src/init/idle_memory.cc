#include "init/idle_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "base/idle_pages.h"

namespace flotilla::init {
namespace {

struct Segments {
  static constexpr size_t kMost = 8;
  struct {
    void* begin;
    size_t size;
  } all[kMost];
  size_t count;
};

// Segments that can be written hold what the file does not have.
int find_segments(dl_phdr_info* program, size_t, void* to) noexcept {
  Segments& segments = *static_cast<Segments*>(to);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < program->dlpi_phnum && segments.count < Segments::kMost; ++i) {
    const ElfW(Phdr)& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (program->dlpi_addr + segment.p_vaddr) / page * page;
    const uintptr_t end = program->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    segments.all[segments.count++] = {reinterpret_cast<void*>(begin), end - begin};
  }
  return 1;  // the program comes first, its libraries are shared with others
}

}  // namespace

[[gnu::hot]] void release_program_pages() noexcept {
  Segments segments;
  segments.count = 0;
  // All are found before the first is given back: to read on would bring it in again.
  dl_iterate_phdr(find_segments, &segments);
  for (size_t i = 0; i < segments.count; ++i) {
    madvise(segments.all[i].begin, segments.all[i].size, MADV_DONTNEED);
  }
}

[[gnu::hot]] void release_idle_memory() noexcept {
  malloc_trim(0);
  base::release_stack_pages();
  release_program_pages();
}

}  // namespace flotilla::init
