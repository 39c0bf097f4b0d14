#include "init/bare/start.h"

#include <elf.h>
#include <unistd.h>

#include <cstdint>

#include "init/spawn_syscall.h"

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call flotilla_bare_entry\n"
    "  hlt\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n"
    ".globl _start\n"
    ".type _start, %function\n"
    "_start:\n"
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  mov x0, sp\n"
    "  bl flotilla_bare_entry\n"
    "  brk #0\n");
#endif

// Names that the linker gives, and addresses that it writes down as numbers.
// NOLINTBEGIN(bugprone-reserved-identifier, performance-no-int-to-ptr)
extern "C" {
[[gnu::visibility("hidden")]] extern const char __ehdr_start[];   // where the program is
[[gnu::visibility("hidden")]] extern const Elf64_Dyn _DYNAMIC[];  // what the linker says of it
}

namespace {

// Adds the program's place to each pointer that stands in its data: a table of texts is enough.
[[gnu::always_inline]] inline void relocate() noexcept {
  const auto base = reinterpret_cast<uintptr_t>(__ehdr_start);
  const auto word_at = [base](uintptr_t offset) {
    return reinterpret_cast<uintptr_t*>(base + offset);
  };
  uintptr_t full = 0, full_size = 0, packed = 0, packed_size = 0;
  for (const Elf64_Dyn* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RELA) full = entry->d_un.d_val;
    if (entry->d_tag == DT_RELASZ) full_size = entry->d_un.d_val;
    if (entry->d_tag == DT_RELR) packed = entry->d_un.d_val;
    if (entry->d_tag == DT_RELRSZ) packed_size = entry->d_un.d_val;
  }
  // All are relative ones: nothing here has a symbol outside.
  for (uintptr_t at = full; at < full + full_size; at += sizeof(Elf64_Rela)) {
    const auto* const entry = reinterpret_cast<const Elf64_Rela*>(base + at);
    *word_at(entry->r_offset) = base + static_cast<uintptr_t>(entry->r_addend);
  }
  uintptr_t next = 0;
  for (uintptr_t at = packed; at < packed + packed_size; at += sizeof(uintptr_t)) {
    const uintptr_t entry = *word_at(at);
    if ((entry & 1) == 0) {
      *word_at(entry) += base;
      next = entry + sizeof(uintptr_t);
      continue;
    }
    for (unsigned bit = 1; bit < 64; ++bit) {
      if ((entry >> bit & 1) != 0) *word_at(next + (bit - 1) * sizeof(uintptr_t)) += base;
    }
    next += 63 * sizeof(uintptr_t);
  }
}

}  // namespace

// NOLINTEND(bugprone-reserved-identifier, performance-no-int-to-ptr)

// `stack`: as the kernel leaves it, the number of arguments, they, NULL, the environment, NULL.
extern "C" [[noreturn, gnu::used]] void flotilla_bare_entry(long* stack) {
  relocate();
  const int argc = static_cast<int>(stack[0]);
  char** const argv = reinterpret_cast<char**>(stack + 1);
  environ = argv + argc + 1;
  const int code = flotilla::init::bare::start(argc, argv);
  for (;;) flotilla::init::raw_syscall(SYS_exit_group, code);
}
