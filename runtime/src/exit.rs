//! The way back into the program: restartable assembly that leaves the runtime, enters signal handlers, starts threads
//! and ends handlers.
//!
//! Between the look at `Carrier::attention` and the jump into the program a signal may be queued. So that it is not
//! forgotten, the kernel-level signal handler moves a context that it interrupted in one of these windows back to the
//! look (`fixup`); everything that a window needs stays in place until its last instruction. The look's way back into the
//! runtime belongs to the window up to where the carrier is inside again: the next signal may come before that.
//!
//! ```text
//!  gp_start_frame              where a new thread comes out of its first switch: the way out for its frame
//!  gp_exit   (rbx = frame)     restores the frame and jumps to `Frame::rip`
//!  gp_enter  (r12 = carrier)   copies `Carrier::entering` to the program's stack and jumps to the handler: from then
//!                              on the stack looks as if the kernel had called the handler, with nothing of ours on it
//!  gp_restorer                 where a handler returns to: gives the mask back and lets the kernel's rt_sigreturn
//!                              restore all registers at once; gp_alt_restorer does so for a frame on an alternate stack
//! ```
//!
//! `gp_restorer` describes itself to unwinders as a signal frame (DWARF: CFA and registers are read from the ucontext
//! that the stack pointer points to), like libc's own restorer, so that exceptions, cancellation and debuggers pass.

use crate::carrier::{Carrier, Entering};
use crate::frame::Frame;
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

// `inside` has no offset below.
const _: () = assert!(offset_of!(Carrier, inside) == 0);

global_asm!(
    r#"
.pushsection .text.gp_exit,"ax",@progbits
.hidden gp_xrstor_features
.hidden gp_has_keys
.hidden gp_exit_work
.hidden gp_more_signals
.hidden gp_sigreturn
.hidden gp_exit
.hidden gp_exit_check
.hidden gp_exit_jump
.hidden gp_exit_retry
.hidden gp_exit_inside
.hidden gp_exit_quiet
.hidden gp_enter
.hidden gp_enter_check
.hidden gp_enter_end
.hidden gp_enter_attention
.hidden gp_enter_inside
.hidden gp_restorer
.hidden gp_restorer_again
.hidden gp_restorer_inside
.hidden gp_alt_restorer
.hidden gp_move_frame
.hidden gp_kernel_restorer
.hidden gp_preempt
.hidden gp_preempted
.hidden gp_sigreturn_check
.hidden gp_sigreturn_end
.hidden gp_start_frame
.globl gp_exit
.globl gp_exit_check
.globl gp_exit_jump
.globl gp_exit_retry
.globl gp_exit_inside
.globl gp_exit_quiet
.globl gp_enter
.globl gp_enter_check
.globl gp_enter_end
.globl gp_enter_attention
.globl gp_enter_inside
.globl gp_restorer
.globl gp_restorer_again
.globl gp_restorer_inside
.globl gp_alt_restorer
.globl gp_kernel_restorer
.globl gp_preempt
.globl gp_sigreturn_check
.globl gp_sigreturn_end
.globl gp_start_frame

.macro GP_RESTORE
    mov rcx, [rsp + {site}]
    test byte ptr [rcx + {flags}], 1
    mov rcx, [rsp + {vector}]
    jz 1f
    mov eax, [rip + gp_xrstor_features]
    mov edx, [rip + gp_xrstor_features + 4]
    xrstor64 [rcx]
    push [rsp + {eflags}]
    popfq
    jmp 2f
1:
    movaps xmm0, [rcx]
    movaps xmm1, [rcx + 16]
    movaps xmm2, [rcx + 32]
    movaps xmm3, [rcx + 48]
    movaps xmm4, [rcx + 64]
    movaps xmm5, [rcx + 80]
    movaps xmm6, [rcx + 96]
    movaps xmm7, [rcx + 112]
    movaps xmm8, [rcx + 128]
    movaps xmm9, [rcx + 144]
    movaps xmm10, [rcx + 160]
    movaps xmm11, [rcx + 176]
    movaps xmm12, [rcx + 192]
    movaps xmm13, [rcx + 208]
    movaps xmm14, [rcx + 224]
    movaps xmm15, [rcx + 240]
2:
    mov rdi, [rsp + {rdi}]
    mov rsi, [rsp + {rsi}]
    mov rdx, [rsp + {rdx}]
    mov r10, [rsp + {r10}]
    mov r8, [rsp + {r8}]
    mov r9, [rsp + {r9}]
    mov rax, [rsp + {rax}]
    mov rbp, [rsp + {rbp}]
    mov r12, [rsp + {r12}]
    mov r13, [rsp + {r13}]
    mov r14, [rsp + {r14}]
    mov r15, [rsp + {r15}]
    mov rbx, [rsp + {rbx}]
    mov r11, [rsp + {eflags}]
    mov rcx, [rsp + {rip}]
    mov rsp, [rsp + {rsp}]
.endm

# Where the context of a thread that has not run yet goes on: the address of its frame is on top of the stack.
gp_start_frame:
    .cfi_startproc
    .cfi_undefined rip
    pop rbx
    jmp gp_exit
    .cfi_endproc

.type gp_exit,@function
gp_exit:
    .cfi_startproc
    .cfi_undefined rip
    mov rsp, rbx
    mov r12, [rbx + {carrier}]
gp_exit_check:
    mov dword ptr [r12], 0
    cmp dword ptr [r12 + {attention}], 0
    jne gp_exit_retry
    GP_RESTORE
gp_exit_jump:
    jmp rcx
gp_exit_retry:
    mov r12, [rbx + {carrier}]
    mov dword ptr [r12], 1
gp_exit_inside:
    lea rsp, [rbx - 64]
    and rsp, -64
    mov rdi, rbx
    call gp_exit_work
    test eax, eax
    jz gp_exit
    jmp gp_enter
    .cfi_endproc
.size gp_exit,.-gp_exit

# rbx = frame: leaves without having been inside
gp_exit_quiet:
    .cfi_startproc
    .cfi_undefined rip
    mov rsp, rbx
    GP_RESTORE
    jmp rcx
    .cfi_endproc

.type gp_enter,@function
gp_enter:
    .cfi_startproc
    .cfi_undefined rip
    mov rsp, [r12 + {to}]
    mov rdi, rsp
    mov rsi, [r12 + {from}]
    mov rcx, [r12 + {bytes}]
    cld
    rep movsb
    # As after the kernel's own delivery.
    fninit
    ldmxcsr [rip + gp_default_mxcsr]
    cmp byte ptr [rip + gp_has_keys], 0
    je gp_enter_check
    mov eax, {rights}
    xor ecx, ecx
    xor edx, edx
    wrpkru
gp_enter_check:
    mov dword ptr [r12], 0
    cmp dword ptr [r12 + {attention}], 0
    jne gp_enter_attention
    mov rdi, [r12 + {to_rdi}]
    mov rsi, [r12 + {to_rsi}]
    mov rdx, [r12 + {to_rdx}]
    xor eax, eax
    jmp [r12 + {to_rip}]
gp_enter_end:
    .balign 4
gp_default_mxcsr:
    .long 0x1f80
gp_enter_attention:
    mov dword ptr [r12], 1
gp_enter_inside:
    mov rdi, r12
    mov rsi, rsp
    lea rsp, [rsp - 256]
    and rsp, -64
    call gp_more_signals
    jmp gp_enter
    .cfi_endproc
.size gp_enter,.-gp_enter

.macro GP_SAVED register, offset
    # DW_CFA_expression: the register lies at rsp + offset (DW_OP_breg7 with a two-byte number)
    .cfi_escape 0x10, \register, 3, 0x77, (\offset & 0x7f) | 0x80, \offset >> 7
.endm
.macro GP_SIGNAL_FRAME
    .cfi_startproc simple
    .cfi_signal_frame
    # DW_CFA_def_cfa_expression: the interrupted rsp
    .cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06
    GP_SAVED 8, 40
    GP_SAVED 9, 48
    GP_SAVED 10, 56
    GP_SAVED 11, 64
    GP_SAVED 12, 72
    GP_SAVED 13, 80
    GP_SAVED 14, 88
    GP_SAVED 15, 96
    GP_SAVED 5, 104
    GP_SAVED 4, 112
    GP_SAVED 6, 120
    GP_SAVED 3, 128
    GP_SAVED 1, 136
    GP_SAVED 0, 144
    GP_SAVED 2, 152
    GP_SAVED 7, 160
    GP_SAVED 16, 168
.endm
    GP_SIGNAL_FRAME
    # Some unwinders look up the byte before a return address.
    nop
.type gp_restorer,@function
gp_restorer:
    mov rbx, rsp
    mov r12, [rip + gp_tls@GOTTPOFF]
    mov r12, fs:[r12]
gp_restorer_again:
    mov dword ptr [r12], 1
gp_restorer_inside:
    lea rsp, [rbx - 64]
    and rsp, -64
    mov rdi, r12
    mov rsi, rbx
    call gp_sigreturn
    test eax, eax
    jnz gp_enter
gp_sigreturn_check:
    mov dword ptr [r12], 0
    cmp dword ptr [r12 + {attention}], 0
    jne gp_restorer_again
    mov rsp, rbx
    mov eax, 15
    syscall
gp_sigreturn_end:
    ud2
    nop
# As gp_restorer, for a frame on an alternate stack, which the program may have taken its rights from meanwhile: the
# kernel only reads it. Nothing is written there; the frame moves to a stack of ours first.
gp_alt_restorer:
    mov rsi, rsp
    mov r12, [rip + gp_tls@GOTTPOFF]
    mov r12, fs:[r12]
    mov dword ptr [r12], 1
    mov rsp, [r12 + {spare_stack}]
    mov rdi, r12
    call gp_move_frame
    mov rbx, rax
    jmp gp_restorer_again
    .cfi_endproc
.size gp_restorer,.-gp_restorer

# A context whose time slice is over was redirected here, onto a stack of ours: others run, then the kernel restores it.
.type gp_preempt,@function
    .cfi_startproc
    .cfi_undefined rip
gp_preempt:
    mov r12, [rip + gp_tls@GOTTPOFF]
    mov r12, fs:[r12]
    mov dword ptr [r12], 1
    mov rdi, r12
    sub rsp, 8
    call gp_preempted
    add rsp, 8
    ret
    .cfi_endproc
.size gp_preempt,.-gp_preempt

# Where handlers that the kernel itself has called, ours and those of foreign threads, return to.
    GP_SIGNAL_FRAME
    nop
.type gp_kernel_restorer,@function
gp_kernel_restorer:
    mov eax, 15
    syscall
    .cfi_endproc
.size gp_kernel_restorer,.-gp_kernel_restorer
.popsection
"#,
    site = const offset_of!(Frame, site),
    flags = const offset_of!(crate::frame::CallSite, flags),
    vector = const offset_of!(Frame, vector),
    eflags = const offset_of!(Frame, flags),
    carrier = const offset_of!(Frame, carrier),
    attention = const offset_of!(Carrier, attention),
    spare_stack = const offset_of!(Carrier, spare_stack),
    rights = const crate::protection_keys::DEFAULT,
    to = const offset_of!(Carrier, entering) + offset_of!(Entering, to),
    from = const offset_of!(Carrier, entering) + offset_of!(Entering, from),
    bytes = const offset_of!(Carrier, entering) + offset_of!(Entering, bytes),
    to_rip = const offset_of!(Carrier, entering) + offset_of!(Entering, rip),
    to_rdi = const offset_of!(Carrier, entering) + offset_of!(Entering, rdi),
    to_rsi = const offset_of!(Carrier, entering) + offset_of!(Entering, rsi),
    to_rdx = const offset_of!(Carrier, entering) + offset_of!(Entering, rdx),
    rip = const offset_of!(Frame, rip),
    rsp = const offset_of!(Frame, rsp),
    rdi = const offset_of!(Frame, rdi),
    rsi = const offset_of!(Frame, rsi),
    rdx = const offset_of!(Frame, rdx),
    r10 = const offset_of!(Frame, r10),
    r8 = const offset_of!(Frame, r8),
    r9 = const offset_of!(Frame, r9),
    rax = const offset_of!(Frame, rax),
    rbp = const offset_of!(Frame, rbp),
    rbx = const offset_of!(Frame, rbx),
    r12 = const offset_of!(Frame, r12),
    r13 = const offset_of!(Frame, r13),
    r14 = const offset_of!(Frame, r14),
    r15 = const offset_of!(Frame, r15),
);

extern "C" {
    fn gp_exit_check();
    fn gp_exit_jump();
    fn gp_exit_retry();
    fn gp_exit_inside();
    fn gp_enter_check();
    fn gp_enter_end();
    fn gp_enter_attention();
    fn gp_enter_inside();
    fn gp_restorer();
    fn gp_preempt();
    fn gp_restorer_again();
    fn gp_restorer_inside();
    fn gp_alt_restorer();
    fn gp_sigreturn_check();
    fn gp_sigreturn_end();
    fn gp_start_frame();
}

/// Where a thread that has not run yet begins.
pub(crate) fn start() -> usize {
    gp_start_frame as *const () as usize
}

/// Where a preempted context goes on.
pub(crate) fn preempted() -> usize {
    gp_preempt as *const () as usize
}

/// The return address of every handler that we call.
pub(crate) fn restorer() -> usize {
    gp_restorer as *const () as usize
}

/// The same for handlers on an alternate stack.
pub(crate) fn alt_restorer() -> usize {
    gp_alt_restorer as *const () as usize
}

static ENTRY_BEGIN: AtomicUsize = AtomicUsize::new(0);
static ENTRY_END: AtomicUsize = AtomicUsize::new(0);

/// Where the entry of the layer above has begun to save registers and has not yet called the dispatcher: there the
/// program's stack pointer is not where it seems to be.
pub fn set_entry_window(begin: usize, end: usize) {
    ENTRY_BEGIN.store(begin, Relaxed);
    ENTRY_END.store(end, Relaxed);
}

/// Registers of an interrupted context that decide where in a window it is, and where it is to go on.
pub(crate) struct Window<'a> {
    pub rip: &'a mut usize,
    pub rbx: &'a mut usize,
    pub rcx: usize,
    pub rsp: usize,
}

/// What a context that was interrupted on the way out is.
pub(crate) enum Position {
    /// Not on the way out.
    Elsewhere,
    /// On the way in, where the dispatcher is about to look at `attention`.
    Entering,
    /// Moved back to the look at `attention`, still inside as far as the signal handler is concerned.
    MovedBack,
    /// One jump away from the program: `rip` was set to where the jump goes.
    AsGoodAsOut,
}

/// Moves a context that was interrupted between the look at `attention` and the program back to the look.
pub(crate) fn fixup(window: Window<'_>) -> Position {
    let address = |label: unsafe extern "C" fn()| label as *const () as usize;
    let rip = *window.rip;
    // Moved back or sent back to the look, but not inside yet.
    let backs = [
        (address(gp_exit_retry), address(gp_exit_inside)),
        (address(gp_enter_attention), address(gp_enter_inside)),
        (address(gp_restorer_again), address(gp_restorer_inside)),
    ];
    if let Some((begin, _)) = backs.into_iter().find(|&(begin, end)| (begin..end).contains(&rip)) {
        *window.rip = begin;
        return Position::MovedBack;
    }
    if rip == address(gp_exit_jump) {
        *window.rip = window.rcx;
        Position::AsGoodAsOut
    } else if (address(gp_exit_check)..address(gp_exit_jump)).contains(&rip) {
        // The stack pointer is the frame up to the last instruction but one, or a word below it around the flags;
        // frames are aligned.
        *window.rbx = (window.rsp + 63) & !63;
        *window.rip = address(gp_exit_retry);
        Position::MovedBack
    } else if (address(gp_enter_check)..address(gp_enter_end)).contains(&rip) {
        *window.rip = address(gp_enter_attention);
        Position::MovedBack
    } else if (address(gp_sigreturn_check)..address(gp_sigreturn_end)).contains(&rip) {
        *window.rip = address(gp_restorer_again);
        Position::MovedBack
    } else if (ENTRY_BEGIN.load(Relaxed)..ENTRY_END.load(Relaxed)).contains(&rip) {
        Position::Entering
    } else {
        Position::Elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a context that was interrupted at `rip` goes on, if it is moved back.
    fn moved_back(rip: usize) -> Option<usize> {
        let (mut rip, mut rbx) = (rip, 0);
        match fixup(Window { rip: &mut rip, rbx: &mut rbx, rcx: 0, rsp: 0 }) {
            Position::MovedBack => Some(rip),
            _ => None,
        }
    }

    #[test]
    fn the_way_back_is_closed_until_the_carrier_is_inside() {
        let address = |label: unsafe extern "C" fn()| label as *const () as usize;
        for (look, back, inside) in [
            (address(gp_exit_check), address(gp_exit_retry), address(gp_exit_inside)),
            (address(gp_enter_check), address(gp_enter_attention), address(gp_enter_inside)),
            (address(gp_sigreturn_check), address(gp_restorer_again), address(gp_restorer_inside)),
        ] {
            assert_eq!(moved_back(look), Some(back));
            assert_eq!(moved_back(back), Some(back));
            assert_eq!(moved_back(inside - 1), Some(back));
            assert_eq!(moved_back(inside), None);
        }
    }
}
