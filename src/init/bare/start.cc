#include "init/bare/start.h"

#include <unistd.h>

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

// `stack`: as the kernel leaves it, the number of arguments, they, NULL, the environment, NULL.
extern "C" [[noreturn, gnu::used]] void flotilla_bare_entry(long* stack) {
  const int argc = static_cast<int>(stack[0]);
  char** const argv = reinterpret_cast<char**>(stack + 1);
  environ = argv + argc + 1;
  const int code = flotilla::init::bare::start(argc, argv);
  for (;;) flotilla::init::raw_syscall(SYS_exit_group, code);
}
