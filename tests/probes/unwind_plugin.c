// unwind_plugin.c: built twice, with FRAME and with NUMBER. In both libraries call is at
// the same place and calls back from the same place. One keeps a frame pointer, which
// its unwind tables refer to; in the other that register holds an ordinary number.
// Loaded by unwind_reload.
void call(void (*back)(void));

#if defined(FRAME)
#define IN_BETWEEN                                                             \
    "mov %rsp, %rbp\n"                                                         \
    ".cfi_def_cfa_register 6\n"                                                \
    ".nops 2\n"
#define AT_THE_END ".cfi_def_cfa 7, 8\n"
#else
#define IN_BETWEEN "mov $0x12345678, %ebp\n"
#define AT_THE_END ".cfi_def_cfa_offset 8\n"
#endif

#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 12\n"
        ".globl call\n"
        ".type call, @function\n"
        "call:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset 6, -16\n" IN_BETWEEN "call *%rdi\n"
        "pop %rbp\n" AT_THE_END "ret\n"
        ".cfi_endproc\n"
        ".size call, . - call\n");
#else
void call(void (*back)(void)) {
    back();
}
#endif
