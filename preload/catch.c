// catch.c: see catch.h. The code that a C++ compiler generates for
//
//     try { return function(size, align); } catch (...) { return nullptr; }
//
// except that three functions of the C++ library, the personality routine and the two
// calls around a handler, are found at the start. C cannot express it.
#include "catch.h"

void *catch_personality;
void *catch_begin;
void *catch_end;

#if defined(__x86_64__)
#define POINTER ".quad"
#define TYPE_ENCODING "0x9b"  // indirect, relative, four bytes
#define TABLE_ENCODING "0x1b" // relative, four bytes
#define NO_TYPE ".long 0"
#define BODY                                                                   \
    "    pushq %rbp\n"                                                         \
    "    .cfi_def_cfa_offset 16\n"                                             \
    "    .cfi_offset %rbp, -16\n"                                              \
    "    movq %rsp, %rbp\n"                                                    \
    "    .cfi_def_cfa_register %rbp\n"                                         \
    "    movq %rdi, %rax\n"                                                    \
    "    movq %rsi, %rdi\n"                                                    \
    "    movq %rdx, %rsi\n"                                                    \
    ".Lcatch_call:\n"                                                          \
    "    call *%rax\n"                                                         \
    ".Lcatch_called:\n"                                                        \
    "    popq %rbp\n"                                                          \
    "    .cfi_remember_state\n"                                                \
    "    .cfi_def_cfa %rsp, 8\n"                                               \
    "    ret\n"                                                                \
    ".Lcatch_caught:\n"                                                        \
    "    .cfi_restore_state\n"                                                 \
    "    movq %rax, %rdi\n"                                                    \
    "    call *catch_begin(%rip)\n"                                            \
    "    call *catch_end(%rip)\n"                                              \
    "    xorl %eax, %eax\n"                                                    \
    "    popq %rbp\n"                                                          \
    "    .cfi_def_cfa %rsp, 8\n"                                               \
    "    ret\n"
#elif defined(__aarch64__)
#define POINTER ".xword"
#define TYPE_ENCODING "0x9c"  // indirect, relative, eight bytes
#define TABLE_ENCODING "0x1c" // relative, eight bytes
#define NO_TYPE ".xword 0"
// hint 34 and 36 are bti c and bti j: where protected code may be entered by a call, and
// by the jump of the unwinder.
#define BODY                                                                   \
    "    hint 34\n"                                                            \
    "    stp x29, x30, [sp, #-16]!\n"                                          \
    "    .cfi_def_cfa_offset 16\n"                                             \
    "    .cfi_offset x29, -16\n"                                               \
    "    .cfi_offset x30, -8\n"                                                \
    "    mov x29, sp\n"                                                        \
    "    mov x8, x0\n"                                                         \
    "    mov x0, x1\n"                                                         \
    "    mov x1, x2\n"                                                         \
    ".Lcatch_call:\n"                                                          \
    "    blr x8\n"                                                             \
    ".Lcatch_called:\n"                                                        \
    "    ldp x29, x30, [sp], #16\n"                                            \
    "    .cfi_remember_state\n"                                                \
    "    .cfi_restore x29\n"                                                   \
    "    .cfi_restore x30\n"                                                   \
    "    .cfi_def_cfa_offset 0\n"                                              \
    "    ret\n"                                                                \
    ".Lcatch_caught:\n"                                                        \
    "    .cfi_restore_state\n"                                                 \
    "    hint 36\n"                                                            \
    "    adrp x8, catch_begin\n"                                               \
    "    ldr x8, [x8, :lo12:catch_begin]\n"                                    \
    "    blr x8\n"                                                             \
    "    adrp x8, catch_end\n"                                                 \
    "    ldr x8, [x8, :lo12:catch_end]\n"                                      \
    "    blr x8\n"                                                             \
    "    mov x0, xzr\n"                                                        \
    "    ldp x29, x30, [sp], #16\n"                                            \
    "    .cfi_restore x29\n"                                                   \
    "    .cfi_restore x30\n"                                                   \
    "    .cfi_def_cfa_offset 0\n"                                              \
    "    ret\n"
#endif

#ifdef BODY
__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".hidden catch_all\n"
        ".globl catch_all\n"
        ".type catch_all, %function\n"
        "catch_all:\n"
        "    .cfi_startproc\n"
        "    .cfi_personality " TYPE_ENCODING ", catch_personality\n"
        "    .cfi_lsda " TABLE_ENCODING ", .Lcatch_table\n" BODY
        "    .cfi_endproc\n"
        ".size catch_all, . - catch_all\n"
        ".popsection\n"
        // Which calls of this function have which handlers.
        ".pushsection .gcc_except_table, \"a\"\n"
        ".p2align 2\n"
        ".Lcatch_table:\n"
        "    .byte 0xff\n" // handlers are relative to the function
        "    .byte " TYPE_ENCODING "\n"
        "    .uleb128 .Lcatch_types - .Lcatch_calls_at\n"
        ".Lcatch_calls_at:\n"
        "    .byte 1\n" // numbers are uleb128
        "    .uleb128 .Lcatch_actions - .Lcatch_calls\n"
        ".Lcatch_calls:\n"
        "    .uleb128 .Lcatch_call - catch_all\n"
        "    .uleb128 .Lcatch_called - .Lcatch_call\n"
        "    .uleb128 .Lcatch_caught - catch_all\n"
        "    .uleb128 1\n" // the first action
        ".Lcatch_actions:\n"
        "    .byte 1\n" // type 1, and no other
        "    .byte 0\n"
        "    .p2align 2\n"
        "    " NO_TYPE "\n" // type 1: all
        ".Lcatch_types:\n"
        ".popsection\n");
#else
void *catch_all(void *(*function)(size_t, size_t), size_t size, size_t align) {
    return function(size, align);
}
#endif
