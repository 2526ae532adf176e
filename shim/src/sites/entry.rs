//! Where every stub jumps to: the way from a `syscall` instruction to the dispatcher.
//!
//! ```text
//!  stub ──▶ gp_entry   rcx = &Site, rcx and r11 free (the instruction clobbers both), the rest as at the instruction
//!             │  not a number of ours, or not a green thread: jump to Site::pass, nothing saved
//!             ▼
//!           step over the red zone, save a Frame and the vector registers on the program's stack
//!             ▼
//!           gp_dispatch (Rust)  ──▶  gp_exit / gp_enter / gp_exit_quiet   (the runtime's `exit`)
//! ```
//!
//! Unwinders see a frame whose caller stands behind the instruction: the return address is computed from `rcx` (later
//! from the frame), the CFA is the program's stack pointer at the instruction.
//!
//! libc's own code keeps nothing in `ymm` and above across a system call, so `xmm0..15` are enough there. Elsewhere a
//! compiler may have inlined the instruction between vector code, and all that XSAVE knows is kept.

use super::Entries;
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use greenpatch_runtime::dispatch::NUMBERS;
use greenpatch_runtime::frame::{CallSite, Frame};

/// Bytes of a frame, a multiple of 64 so that the vector area below it is aligned.
const FRAME: usize = (size_of::<Frame>() + 63) & !63;

// The escapes below have these offsets in them.
const _: () = assert!(offset_of!(Frame, rsp) == 104);
const _: () = assert!(offset_of!(Frame, site) == 112);
const _: () = assert!(offset_of!(Frame, rbx) == 56);
const _: () = assert!(offset_of!(CallSite, syscall) == 24);
const _: () = assert!(offset_of!(CallSite, pass) == 0);

global_asm!(
    r#"
.pushsection .text.gp_entry,"ax",@progbits
.hidden gp_entry
.hidden gp_entry_wide
.globl gp_entry_wide
.hidden gp_entry_begin
.hidden gp_entry_end
.globl gp_entry_begin
.globl gp_entry_end
.hidden gp_interest
.hidden gp_dispatch
.hidden gp_dispatch_foreign
.hidden gp_dispatch_guest
.hidden gp_xsave_size
.hidden gp_xsave_features
.globl gp_entry
.type gp_entry,@function
.p2align 4
gp_entry:
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    # DW_CFA_val_expression rip: breg2 (rcx) 24, deref, lit2, plus
    .cfi_escape 0x16, 16, 5, 0x72, 0x18, 0x06, 0x32, 0x22
    cmp rax, {numbers}
    jae 9f
    lea r11, [rip + gp_interest]
    test byte ptr [r11 + rax], 7
    jz 9f
    mov r11, [rip + gp_tls@GOTTPOFF]
    cmp qword ptr fs:[r11], 0
    lea r11, [rip + gp_interest]
    je 8f
    test byte ptr [r11 + rax], 1
    jz 9f
    lea r11, [rip + gp_dispatch]
    jmp 7f
8:
    mov r11, [rip + gp_tls@GOTTPOFF]
    cmp qword ptr fs:[r11 + 16], 0
    lea r11, [rip + gp_interest]
    jne 6f
    test byte ptr [r11 + rax], 2
    jz 9f
    lea r11, [rip + gp_dispatch_foreign]
    jmp 7f
6:
    test byte ptr [r11 + rax], 4
    jz 9f
    lea r11, [rip + gp_dispatch_guest]
    jmp 7f
9:
    jmp [rcx]

# As gp_entry, for sites outside libc: the instruction keeps the flags, and inlined code may rely on it.
.p2align 4
gp_entry_wide:
    lea rsp, [rsp - 136]
    .cfi_def_cfa rsp, 136
    pushfq
    .cfi_def_cfa rsp, 144
    cmp rax, {numbers}
    jae 3f
    lea r11, [rip + gp_interest]
    test byte ptr [r11 + rax], 7
    jz 3f
    mov r11, [rip + gp_tls@GOTTPOFF]
    cmp qword ptr fs:[r11], 0
    lea r11, [rip + gp_interest]
    je 2f
    test byte ptr [r11 + rax], 1
    jz 3f
    lea r11, [rip + gp_dispatch]
    jmp 4f
2:
    mov r11, [rip + gp_tls@GOTTPOFF]
    cmp qword ptr fs:[r11 + 16], 0
    lea r11, [rip + gp_interest]
    jne 5f
    test byte ptr [r11 + rax], 2
    jz 3f
    lea r11, [rip + gp_dispatch_foreign]
    jmp 4f
5:
    test byte ptr [r11 + rax], 4
    jz 3f
    lea r11, [rip + gp_dispatch_guest]
4:
    # The dispatcher where the saving code looks for it, the flags below.
    xchg r11, [rsp]
    push r11
    .cfi_def_cfa rsp, 152
    lea r11, [rsp + 152]
    jmp gp_entry_save
3:
    .cfi_def_cfa rsp, 144
    popfq
    .cfi_def_cfa rsp, 136
    lea rsp, [rsp + 136]
    .cfi_def_cfa rsp, 0
    jmp [rcx]

7:
gp_entry_begin:
    # The red zone belongs to the program. What is written below it must be below the stack pointer at no time: in a
    # thread without green threads the kernel puts its signal frames there.
    .cfi_def_cfa rsp, 0
    lea rsp, [rsp - 136]
    .cfi_def_cfa rsp, 136
    push r11
    .cfi_def_cfa rsp, 144
    push 0x202
    .cfi_def_cfa rsp, 152
    lea r11, [rsp + 152]
gp_entry_save:
    .cfi_def_cfa r11, 0
    lea rsp, [r11 - 128 - 32 - {frame}]
    and rsp, -64
    mov [rsp + {rdi}], rdi
    mov [rsp + {rsi}], rsi
    mov [rsp + {rdx}], rdx
    mov [rsp + {r10}], r10
    mov [rsp + {r8}], r8
    mov [rsp + {r9}], r9
    mov [rsp + {rax}], rax
    mov [rsp + {rbx}], rbx
    mov [rsp + {rbp}], rbp
    mov [rsp + {r12}], r12
    mov [rsp + {r13}], r13
    mov [rsp + {r14}], r14
    mov [rsp + {r15}], r15
    mov [rsp + {rsp}], r11
    mov [rsp + {site}], rcx
    mov rbx, rsp
    # DW_CFA_def_cfa_expression: breg3 (rbx) 104, deref
    .cfi_escape 0x0f, 4, 0x73, 0xe8, 0x00, 0x06
    # DW_CFA_val_expression rip: breg3 112, deref, plus_uconst 24, deref, lit2, plus
    .cfi_escape 0x16, 16, 9, 0x73, 0xf0, 0x00, 0x06, 0x23, 0x18, 0x06, 0x32, 0x22
    # DW_CFA_expression rbx: breg3 56
    .cfi_escape 0x10, 3, 2, 0x73, 0x38
    mov r12, [r11 - 128 - 24]
    mov [rbx + {eflags}], r12
    mov r12, [r11 - 128 - 16]
    test byte ptr [rcx + {flags}], 1
    jnz 6f
    sub rsp, 256
    mov [rbx + {vector}], rsp
    movaps [rsp], xmm0
    movaps [rsp + 16], xmm1
    movaps [rsp + 32], xmm2
    movaps [rsp + 48], xmm3
    movaps [rsp + 64], xmm4
    movaps [rsp + 80], xmm5
    movaps [rsp + 96], xmm6
    movaps [rsp + 112], xmm7
    movaps [rsp + 128], xmm8
    movaps [rsp + 144], xmm9
    movaps [rsp + 160], xmm10
    movaps [rsp + 176], xmm11
    movaps [rsp + 192], xmm12
    movaps [rsp + 208], xmm13
    movaps [rsp + 224], xmm14
    movaps [rsp + 240], xmm15
    jmp 5f
6:
    sub rsp, [rip + gp_xsave_size]
    and rsp, -64
    mov [rbx + {vector}], rsp
    # XSAVE leaves the reserved words of its header as they are, and XRSTOR wants them zero.
    xor eax, eax
    mov [rsp + 512], rax
    mov [rsp + 520], rax
    mov [rsp + 528], rax
    mov [rsp + 536], rax
    mov [rsp + 544], rax
    mov [rsp + 552], rax
    mov [rsp + 560], rax
    mov [rsp + 568], rax
    mov eax, [rip + gp_xsave_features]
    mov edx, [rip + gp_xsave_features + 4]
    xsave64 [rsp]
5:
    mov rdi, rbx
    cld
    call r12
gp_entry_end:
    cmp eax, 1
    jb gp_exit
    ja gp_exit_quiet
    mov r12, [rbx + {carrier}]
    jmp gp_enter
    .cfi_endproc
.size gp_entry,.-gp_entry
.popsection
"#,
    numbers = const NUMBERS,
    frame = const FRAME,
    rdi = const offset_of!(Frame, rdi),
    rsi = const offset_of!(Frame, rsi),
    rdx = const offset_of!(Frame, rdx),
    r10 = const offset_of!(Frame, r10),
    r8 = const offset_of!(Frame, r8),
    r9 = const offset_of!(Frame, r9),
    rax = const offset_of!(Frame, rax),
    rbx = const offset_of!(Frame, rbx),
    rbp = const offset_of!(Frame, rbp),
    r12 = const offset_of!(Frame, r12),
    r13 = const offset_of!(Frame, r13),
    r14 = const offset_of!(Frame, r14),
    r15 = const offset_of!(Frame, r15),
    rsp = const offset_of!(Frame, rsp),
    site = const offset_of!(Frame, site),
    flags = const offset_of!(CallSite, flags),
    vector = const offset_of!(Frame, vector),
    eflags = const offset_of!(Frame, flags),
    carrier = const offset_of!(Frame, carrier),
);

extern "C" {
    fn gp_entry();
    fn gp_entry_wide();
    fn gp_entry_begin();
    fn gp_entry_end();
}

/// The addresses that stubs jump to: libc's and the others'.
pub fn addresses() -> Entries {
    Entries { libc: gp_entry as *const () as usize, wide: gp_entry_wide as *const () as usize }
}

/// The instructions between which the program's stack pointer is not where it seems to be.
pub fn window() -> (usize, usize) {
    (gp_entry_begin as *const () as usize, gp_entry_end as *const () as usize)
}
