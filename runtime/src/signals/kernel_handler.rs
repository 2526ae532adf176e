//! The one handler that the kernel knows. It runs with all signals blocked: on the carrier on our alternate stack, in
//! other kernel threads wherever the kernel puts it.
//!
//! | interrupted | what happens |
//! |---|---|
//! | our access to program memory | the access returns EFAULT |
//! | the runtime, the hub | queued; `attention` is called for |
//! | a window on the way out (`exit`) | queued; the context goes back to its look at `attention` |
//! | the program | its handlers are set up on its own stack |
//! | a helper thread in its call | the call ends |
//! | a foreign thread | the program's handler is entered as if the kernel had called it |

use super::context::UContext;
use super::{action, bit, Info};
use super::{deliver, own_frame};
use crate::calls::error;
use crate::exit::{self, Position, Window};
use crate::hub::{current_hub, Hub};
use crate::{carrier, offload, report, robust, slice, stack_pool, sys, user};
use core::arch::global_asm;
use core::sync::atomic::Ordering::*;

global_asm!(
    r#"
.pushsection .text.gp_handler,"ax",@progbits
.hidden gp_handler
.hidden gp_on_signal
.globl gp_handler
.type gp_handler,@function
gp_handler:
    .cfi_startproc
    push rdi
    .cfi_adjust_cfa_offset 8
    push rsi
    .cfi_adjust_cfa_offset 8
    push rdx
    .cfi_adjust_cfa_offset 8
    call gp_on_signal
    pop rdx
    .cfi_adjust_cfa_offset -8
    pop rsi
    .cfi_adjust_cfa_offset -8
    pop rdi
    .cfi_adjust_cfa_offset -8
    test rax, rax
    jz 1f
    mov r11, rax
    xor eax, eax
    jmp r11
1:
    ret
    .cfi_endproc
.size gp_handler,.-gp_handler

.popsection
"#
);

const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const SI_KERNEL: i32 = 0x80;
const SYS_SECCOMP: i32 = 1;

extern "C" {
    fn gp_handler();
    fn gp_kernel_restorer();
}

pub(super) fn address() -> usize {
    gp_handler as *const () as usize
}

pub(super) fn restorer() -> usize {
    gp_kernel_restorer as *const () as usize
}

/// Returns the handler to jump to, in a thread that is not a green one, or 0.
#[no_mangle]
unsafe extern "C" fn gp_on_signal(signal: i32, info: &Info, context: &mut UContext) -> usize {
    let fault = info.si_code > 0 && super::SYNCHRONOUS & bit(signal) != 0;
    if fault {
        if let Some(rip) = user::fixup(context.registers.rip) {
            context.registers.rip = rip;
            return 0;
        }
    }
    match current_hub() {
        Some(hub) if hub.tid.load(Relaxed) == sys::gettid() => {
            hub.carrier.alone.store(0, Relaxed);
            if signal == libc::SIGSYS && info.si_code == SYS_SECCOMP && hub.carrier.inside.load(Relaxed) != 0 {
                // A filter of the program's has trapped a call that we have made: there is no such call, then.
                context.registers.rax = error(libc::ENOSYS) as usize;
                hub.signals.trapped.set(true);
                return 0;
            }
            hub.signals.in_handler.set(true);
            if fault {
                on_fault(hub, signal, info, context);
            } else {
                on_carrier(hub, info, context);
            }
            hub.signals.in_handler.set(false);
            0
        }
        // A foreign thread, or a vfork child that runs in our memory.
        _ => elsewhere(signal, context, fault),
    }
}

/// The green thread whose own call or instruction made the kernel send this signal to the carrier, or 0; negative: the
/// one that should have it unless it blocks it, since a clock ran out while it was running.
fn caused_by(hub: &Hub, info: &Info) -> i32 {
    let by_call = matches!(info.si_signo, libc::SIGPIPE | libc::SIGXFSZ | libc::SIGSYS);
    let by_call = by_call && !hub.signals.by_kill.get();
    // SAFETY: signals of these kinds that the kernel sends have the sender's process in `si_pid`, or none.
    if by_call && (info.si_code > 0 || unsafe { info.si_pid() } == hub.pid.load(Relaxed)) {
        return hub.current().tid.get();
    }
    let by_clock =
        matches!(info.si_signo, libc::SIGPROF | libc::SIGVTALRM | libc::SIGXCPU) && info.si_code == SI_KERNEL;
    match by_clock || info.si_code == libc::SI_TIMER {
        true => -hub.current().tid.get(),
        false => 0,
    }
}

fn on_carrier(hub: &'static Hub, info: &Info, context: &mut UContext) {
    let signals = &hub.signals;
    let tick = slice::tick(info);
    let storm = tick.is_none() && signals.ring.repeats_last(info);
    if tick.is_none() {
        // The slot is free: the handler that took the last one left all signals blocked.
        signals.ring.push(info, caused_by(hub, info));
        hub.carrier.call_attention();
    }
    if let Some(rip) = carrier::wait_fixup(context.registers.rip) {
        context.registers.rip = rip;
    }
    let registers = &mut context.registers;
    let position = exit::fixup(Window {
        rip: &mut registers.rip,
        rbx: &mut registers.rbx,
        rcx: registers.rcx,
        rsp: registers.rsp,
    });
    let in_program = match position {
        Position::MovedBack | Position::Entering => false,
        Position::AsGoodAsOut => true,
        Position::Elsewhere => hub.carrier.inside.load(Relaxed) == 0,
    };
    if in_program {
        hub.carrier.inside.store(1, Relaxed);
        super::drain(hub);
        let over = tick.is_some_and(|tick| hub.slice.is_over(hub, tick, &context.registers));
        if over && super::deliverable(hub, hub.current()) {
            // Its handlers first; the turn ends when the first of them returns or calls.
            hub.slice.end_turn(hub);
        }
        if over && !super::deliverable(hub, hub.current()) {
            // Still inside: a signal that comes before the first instruction there must only be queued.
            own_frame::preempt(hub, context);
        } else {
            deliver::redirect(hub, context);
            hub.carrier.inside.store(0, Relaxed);
        }
    } else if let Some(tick) = tick {
        hub.slice.mark(hub, tick);
    } else if storm || signals.ring.nearly_full() {
        // Nothing is lost: what comes now waits in the kernel until the ring has been read. A timer with an interval of
        // a microsecond has always run out again before the next instruction.
        signals.ring.held_back.store(true, Relaxed);
        context.mask = !super::ALWAYS_OPEN;
    }
}

/// An instruction of the program's, or of ours, failed.
fn on_fault(hub: &'static Hub, signal: i32, info: &Info, context: &mut UContext) {
    let inside = hub.carrier.inside.load(Relaxed) != 0;
    let green = hub.current();
    let action = action::get(signal);
    // As in the kernel: a fault whose signal is blocked or ignored, or has no handler, ends the process. Without our
    // handler the instruction fails again, and the kernel does the rest, with the right context in a core dump.
    if inside || !action.is_handler() || green.mask.get() & bit(signal) != 0 {
        if signal == libc::SIGSEGV {
            report::stack_overflow(green, fault_address(info), context.registers.rsp);
        }
        if !inside {
            hub.carrier.inside.store(1, Relaxed);
            // A list that leads nowhere must end the walk, not the process.
            super::set_kernel_mask(!super::ALWAYS_OPEN);
            robust::process_ends(hub);
        }
        action::reset_in_kernel(signal);
        context.mask &= !bit(signal);
        return;
    }
    hub.carrier.inside.store(1, Relaxed);
    let mut info = *info;
    if signal == libc::SIGSEGV && info.si_code == SEGV_MAPERR && stack_pool::is_guard(fault_address(&info)) {
        // The kernel does not say of its guard markers that the page is protected.
        info.si_code = SEGV_ACCERR;
    }
    deliver::deliver_now(hub, green, context, &info, &action);
    hub.carrier.inside.store(0, Relaxed);
}

fn fault_address(info: &Info) -> usize {
    // SAFETY: the signal is a fault.
    unsafe { info.si_addr() as usize }
}

fn elsewhere(signal: i32, context: &mut UContext, fault: bool) -> usize {
    if offload::interrupted(&mut context.registers.rip) {
        return 0;
    }
    let action = action::get(signal);
    if !action.is_handler() {
        if fault {
            action::reset_in_kernel(signal);
        } else if action.is_default() && action::caught() & bit(signal) != 0 {
            // Nothing holds it back here: it comes again, and the kernel does what it does by default.
            action::reset_in_kernel(signal);
            // SAFETY: a signal to this very thread, which blocks it until the handler returns.
            unsafe { sys!(libc::SYS_tgkill, sys::getpid(), sys::gettid(), signal) };
            context.mask &= !bit(signal);
        }
        return 0;
    }
    // The handler runs under the mask that the kernel would have given it; rt_sigreturn puts the old one back.
    let mut mask = context.mask | action.mask;
    if !action.has(libc::SA_NODEFER) {
        mask |= bit(signal);
    }
    if action.has(libc::SA_RESETHAND) {
        action::set(signal, action::Action { handler: libc::SIG_DFL, ..action });
    }
    super::set_kernel_mask(mask);
    action.handler
}
