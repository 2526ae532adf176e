//! The base of `gs`: libc leaves it to the program, some of which (language runtimes, emulators) keep their thread's data
//! there. It is part of a thread as the base of `fs` is, and a new thread begins with its maker's.
//!
//! Where the program may write it by an instruction nothing but a look tells, at the end of each turn; else only
//! arch_prctl changes it. (The segment's selector is not kept: 64-bit code that loads one has no base from there.)

use crate::calls::Outcome::{self, Done, Pass};
use crate::calls::Reason;
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::{switch, sys};
use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// arch_prctl(2); the `libc` crate lacks them.
const ARCH_SET_GS: i32 = 0x1001;
const ARCH_GET_GS: i32 = 0x1004;

/// The carrier's; `known` is what the kernel was told last.
#[inline(always)]
pub(crate) fn now(known: usize) -> usize {
    if !switch::may_write_bases() {
        return known;
    }
    let base: usize;
    // SAFETY: the kernel says that the instruction is allowed.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// The carrier's, when nothing is known of what the program has told the kernel before.
pub(crate) fn at_start() -> usize {
    let mut base = 0usize;
    if !switch::may_write_bases() {
        // SAFETY: the word is ours.
        unsafe { sys!(libc::SYS_arch_prctl, ARCH_GET_GS, &mut base as *mut usize) };
    }
    now(base)
}

/// Gives the carrier another.
fn set(base: usize) {
    if switch::may_write_bases() {
        // SAFETY: the kernel says that the instruction is allowed, and nothing of ours lies there.
        unsafe { asm!("wrgsbase {}", in(reg) base, options(nostack, preserves_flags)) };
    } else {
        // SAFETY: as above; a base that the kernel has taken before.
        unsafe { sys!(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
    }
}

/// Whether some thread has had one at the end of a turn. Until then all are 0.
static IN_USE: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn end_turn(hub: &Hub, green: &Green) {
    let base = now(hub.gs_base.get());
    if base != 0 || IN_USE.load(Relaxed) {
        keep(hub, green, base);
    }
}

#[cold]
fn keep(hub: &Hub, green: &Green, base: usize) {
    IN_USE.store(true, Relaxed);
    hub.gs_base.set(base);
    green.gs_base.set(base);
}

#[inline(always)]
pub(crate) fn begin_turn(hub: &Hub, green: &Green) {
    if IN_USE.load(Relaxed) && hub.gs_base.get() != green.gs_base.get() {
        set(green.gs_base.get());
        hub.gs_base.set(green.gs_base.get());
    }
}

pub fn arch_prctl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdi as i32 != ARCH_SET_GS {
        return Pass(Reason::NotOurs);
    }
    // SAFETY: the base that the program wants.
    let result = unsafe { sys!(libc::SYS_arch_prctl, frame.rdi, frame.rsi) };
    if result == 0 {
        hub.gs_base.set(frame.rsi);
    }
    Done(result)
}
