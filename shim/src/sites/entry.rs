//! Where every stub jumps to: the way from a `syscall` instruction to the dispatcher.
//!
//! ```text
//!  stub ──▶ gp_entry   rcx = &Site, rcx and r11 free (the instruction clobbers both), the rest as at the instruction
//!             │  not a number of ours, not a green thread, a descriptor that never waits, or nobody else:
//!             │  jump to Site::pass, nothing saved
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
use greenpatch_runtime::carrier::{Carrier, SHARED_TLS};
use greenpatch_runtime::dispatch::{FOREIGN, GREEN, GUEST, NUMBERS, ONLY_OWN, READS, WRITES};
use greenpatch_runtime::fd_table::{READ, WRITE};
use greenpatch_runtime::frame::{CallSite, Frame};
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::never_waits;

/// Bytes of a frame, a multiple of 64 so that the vector area below it is aligned.
const FRAME: usize = (size_of::<Frame>() + 63) & !63;

// The escapes below have these offsets in them.
const _: () = assert!(offset_of!(Frame, rsp) == 104);
const _: () = assert!(offset_of!(Frame, site) == 112);
const _: () = assert!(offset_of!(Frame, rbx) == 56);
const _: () = assert!(offset_of!(CallSite, syscall) == 24);
const _: () = assert!(offset_of!(CallSite, pass) == 0);
// Both are looked at in one word.
const _: () = assert!(offset_of!(Carrier, wary) == offset_of!(Carrier, attention) + 4);

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
.hidden gp_never_waits
.hidden gp_own_first
.hidden gp_xsave_size
.hidden gp_xsave_features
.globl gp_entry

# Jumps to \pass if the kernel is to perform call rax at once. r11 is lost.
.macro GP_UNLESS_OURS pass
    cmp rax, {numbers}
    jae \pass
    lea r11, [rip + gp_interest]
    cmp byte ptr [r11 + rax], 0
    je \pass
    mov r11, [rip + gp_tls@GOTTPOFF]
    mov r11, fs:[r11]
    test r11, r11
    jz 3f
    # A green thread, or, as `wary` may say, one with its thread pointer. `attention` and `wary` are next to each other.
    cmp qword ptr [r11 + {attention}], 0
    lea r11, [rip + gp_interest]
    jne 7f
    test byte ptr [r11 + rax], {reads} + {writes}
    jz 2f
    mov r11, [rip + gp_tls@GOTTPOFF]
    mov r11, fs:[r11]
    cmp dword ptr [r11 + {alone}], 0
    lea r11, [rip + gp_interest]
    je 6f
    cmp edi, [rip + gp_own_first]
    jb \pass
    jmp 5f
6:
    cmp rdi, {descriptors}
    jae 2f
    test byte ptr [r11 + rax], {reads}
    lea r11, [rip + gp_never_waits]
    jz 1f
    test byte ptr [r11 + rdi], {read}
    jnz \pass
    jmp 5f
1:
    test byte ptr [r11 + rdi], {write}
    jnz \pass
    jmp 5f
2:
    test byte ptr [r11 + rax], {green}
    jz \pass
    test byte ptr [r11 + rax], {only_own}
    jz 5f
    cmp edi, [rip + gp_own_first]
    jb \pass
    jmp 5f
3:
    mov r11, [rip + gp_tls@GOTTPOFF]
    cmp qword ptr fs:[r11 + 16], 0
    lea r11, [rip + gp_interest]
    jne 4f
    test byte ptr [r11 + rax], {foreign}
    jz \pass
    test byte ptr [r11 + rax], {only_own}
    jz 5f
    cmp edi, [rip + gp_own_first]
    jb \pass
    jmp 5f
4:
    test byte ptr [r11 + rax], {guest}
    jz \pass
    jmp 5f
7:
    mov r11, [rip + gp_tls@GOTTPOFF]
    mov r11, fs:[r11]
    test dword ptr [r11 + {wary}], {shared_tls}
    lea r11, [rip + gp_interest]
    jz 2b
    # Who is it? A foreign thread's stack may be too small for all that is saved below: what is the kernel's passes here.
    lea rsp, [rsp - 128]
    .cfi_adjust_cfa_offset 128
    push rax
    .cfi_adjust_cfa_offset 8
    push rcx
    .cfi_adjust_cfa_offset 8
    mov eax, {gettid}
    syscall
    mov r11, [rip + gp_tls@GOTTPOFF]
    mov r11, fs:[r11]
    cmp eax, [r11 + {tid}]
    pop rcx
    .cfi_adjust_cfa_offset -8
    pop rax
    .cfi_adjust_cfa_offset -8
    lea rsp, [rsp + 128]
    .cfi_adjust_cfa_offset -128
    lea r11, [rip + gp_interest]
    je 2b
    test byte ptr [r11 + rax], {foreign}
    jz \pass
5:
.endm

# As gp_entry, for sites outside libc: the instruction keeps the flags, and inlined code may rely on it.
.type gp_entry_wide,@function
.p2align 4
gp_entry_wide:
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    # DW_CFA_val_expression rip: breg2 (rcx) 24, deref, lit2, plus
    .cfi_escape 0x16, 16, 5, 0x72, 0x18, 0x06, 0x32, 0x22
    lea rsp, [rsp - 128]
    .cfi_def_cfa rsp, 128
    pushfq
    .cfi_def_cfa rsp, 136
    GP_UNLESS_OURS 8f
    lea r11, [rsp + 136]
    jmp gp_entry_save
8:
    popfq
    .cfi_def_cfa rsp, 128
    lea rsp, [rsp + 128]
    .cfi_def_cfa rsp, 0
9:
    jmp [rcx]

.type gp_entry,@function
.p2align 4
gp_entry:
    GP_UNLESS_OURS 9b
gp_entry_begin:
    # The red zone belongs to the program. What is written below it must be below the stack pointer at no time: in a
    # thread without green threads the kernel puts its signal frames there.
    lea rsp, [rsp - 128]
    .cfi_def_cfa rsp, 128
    push 0x202
    .cfi_def_cfa rsp, 136
    lea r11, [rsp + 136]
# r11: the program's stack pointer; below its red zone lie the flags.
gp_entry_save:
    .cfi_def_cfa r11, 0
    lea rsp, [r11 - 128 - 8 - {frame}]
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
    mov r12, [r11 - 128 - 8]
    mov [rbx + {eflags}], r12
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
    # libc's code calls with the direction flag clear; here nobody has promised.
    cld
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
    mov rsi, [rip + gp_tls@GOTTPOFF]
    mov rsi, fs:[rsi]
    call gp_dispatch
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
    green = const GREEN,
    only_own = const ONLY_OWN,
    foreign = const FOREIGN,
    guest = const GUEST,
    reads = const READS,
    writes = const WRITES,
    descriptors = const never_waits::NUMBERS,
    read = const READ,
    write = const WRITE,
    attention = const offset_of!(Carrier, attention),
    wary = const offset_of!(Carrier, wary),
    shared_tls = const SHARED_TLS,
    gettid = const libc::SYS_gettid,
    tid = const offset_of!(Hub, tid),
    alone = const offset_of!(Carrier, alone),
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
