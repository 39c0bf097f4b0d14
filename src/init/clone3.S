// long flotilla_clone3(struct clone_args* args, size_t size, int (*child)(void*), void* context);
//
// clone3 for a child with a stack of its own (args->stack): calls child(context) there and ends the
// process with what it returns. In the parent: the pid, or -errno. A C caller cannot do this: with
// CLONE_VM the child would return through the caller's frame and destroy it for the parent.
//
// long flotilla_clone(long flags, void* stack_end, int32_t* parent_tid, int (*child)(void*), void* context);
//
// The same by the older call, where a filter of system calls refuses clone3.

#if defined(__x86_64__)
        .text
        .globl  flotilla_clone3
        .hidden flotilla_clone3
        .type   flotilla_clone3, @function
flotilla_clone3:
        .cfi_startproc
        mov     %rdx, %r8               // the kernel clobbers rcx and r11 only
        mov     %rcx, %r9
        mov     $435, %eax              // clone3
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:
        .cfi_undefined rip
        xor     %ebp, %ebp
        mov     %r9, %rdi
        call    *%r8
        mov     %eax, %edi
        mov     $231, %eax              // exit_group
        syscall
        hlt
        .cfi_endproc
        .size   flotilla_clone3, . - flotilla_clone3

        .globl  flotilla_clone
        .hidden flotilla_clone
        .type   flotilla_clone, @function
flotilla_clone:
        .cfi_startproc
        mov     %rcx, %r9               // context stays in r8, the place of an unused argument
        xor     %r10d, %r10d
        mov     $56, %eax               // clone
        syscall
        test    %rax, %rax
        jz      1f
        ret
1:
        .cfi_undefined rip
        xor     %ebp, %ebp
        mov     %r8, %rdi
        call    *%r9
        mov     %eax, %edi
        mov     $231, %eax              // exit_group
        syscall
        hlt
        .cfi_endproc
        .size   flotilla_clone, . - flotilla_clone

#elif defined(__aarch64__)
        .text
        .globl  flotilla_clone3
        .hidden flotilla_clone3
        .type   flotilla_clone3, %function
flotilla_clone3:
        .cfi_startproc
        mov     x10, x2
        mov     x11, x3
        mov     x8, #435                // clone3
        svc     #0
        cbz     x0, 1f
        ret
1:
        .cfi_undefined x30
        mov     x29, #0
        mov     x0, x11
        blr     x10
        mov     x8, #94                 // exit_group
        svc     #0
        brk     #0
        .cfi_endproc
        .size   flotilla_clone3, . - flotilla_clone3

        .globl  flotilla_clone
        .hidden flotilla_clone
        .type   flotilla_clone, %function
flotilla_clone:
        .cfi_startproc
        mov     x10, x3
        mov     x11, x4
        mov     x3, #0
        mov     x4, #0
        mov     x8, #220                // clone
        svc     #0
        cbz     x0, 1f
        ret
1:
        .cfi_undefined x30
        mov     x29, #0
        mov     x0, x11
        blr     x10
        mov     x8, #94                 // exit_group
        svc     #0
        brk     #0
        .cfi_endproc
        .size   flotilla_clone, . - flotilla_clone
#else
#error "flotilla_clone3 is not written for this machine"
#endif

        .section .note.GNU-stack, "", %progbits
