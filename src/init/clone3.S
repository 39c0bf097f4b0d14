// long flotilla_clone3(struct clone_args* args, size_t size, int (*child)(void*), void* context);
//
// clone3 for a child with a stack of its own (args->stack): calls child(context) there and ends the
// process with what it returns. In the parent: the pid, or -errno. A C caller cannot do this: with
// CLONE_VM the child would return through the caller's frame and destroy it for the parent.

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
#else
#error "flotilla_clone3 is not written for this machine"
#endif

        .section .note.GNU-stack, "", %progbits
