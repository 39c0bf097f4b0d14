#include "init/idle_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace flotilla::init {
namespace {

// Segments that can be written hold what the file does not have.
int release_segments(dl_phdr_info* program, size_t, void*) noexcept {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (program->dlpi_addr + segment.p_vaddr) / page * page;
    const uintptr_t end = program->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1;  // the program comes first, its libraries are shared with others
}

}  // namespace

void release_program_pages() noexcept { dl_iterate_phdr(release_segments, nullptr); }

void release_idle_memory() noexcept {
  malloc_trim(0);
  release_program_pages();
}

}  // namespace flotilla::init
