//! The program's signal actions, and what the kernel has instead of them.
//!
//! SIG_DFL and SIG_IGN are the kernel's own; where the program has a handler, the kernel has ours with those of the
//! program's flags that the kernel itself acts on.

use super::{bit, kernel_handler};
use crate::lock::Lock;
use crate::sys;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

/// The kernel's `struct sigaction` on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub handler: usize,
    pub flags: u64,
    pub restorer: usize,
    pub mask: u64,
}

const SA_RESTORER: u64 = 0x0400_0000;
/// Flags that the kernel looks at before our handler runs.
const KERNEL_FLAGS: u64 = (libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
/// Caught by us whatever the program does: faults of our accessors to program memory.
const FAULTS: u64 = bit(libc::SIGSEGV) | bit(libc::SIGBUS);

/// Signals that our handler takes where the program has none, so that their default action is carried out only in a green
/// thread that doesn't block them. Where the program ignores them the kernel does, and tells programs that are executed.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

pub(super) fn caught() -> u64 {
    CAUGHT.load(Relaxed)
}

/// From now on these signals come to our handler even by default.
pub(super) fn catch(signals: u64) {
    CAUGHT.fetch_or(signals, Relaxed);
    for signal in (1..=64).filter(|signal| signals & bit(*signal) != 0) {
        install(signal, &for_kernel(signal, &get(signal)));
    }
}

impl Action {
    pub const DEFAULT: Action = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };

    pub fn is_handler(&self) -> bool {
        self.handler != libc::SIG_DFL && self.handler != libc::SIG_IGN
    }

    pub fn is_default(&self) -> bool {
        self.handler == libc::SIG_DFL
    }

    /// Whether the signal comes to nothing.
    pub fn is_ignored(&self, signal: i32) -> bool {
        self.handler == libc::SIG_IGN || (self.is_default() && default_is_ignore(signal))
    }

    pub fn has(&self, flag: i32) -> bool {
        self.flags & flag as u32 as u64 != 0
    }
}

/// Whether the default action of the signal is to do nothing.
pub fn default_is_ignore(signal: i32) -> bool {
    matches!(signal, libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT)
}

/// Whether the default action of the signal is to stop the process.
pub fn default_is_stop(signal: i32) -> bool {
    matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// One action. Written under `WRITER` with signals blocked or inside the runtime, where the kernel-level handler reads
/// no action; read by anybody, until `version` is even and the same before and after.
struct Slot {
    version: AtomicU32,
    action: UnsafeCell<Action>,
}

// SAFETY: see `Slot`.
unsafe impl Sync for Slot {}

static ACTION: [Slot; 65] =
    [const { Slot { version: AtomicU32::new(0), action: UnsafeCell::new(Action::DEFAULT) } }; 65];
static WRITER: Lock<()> = Lock::new(());

/// The program's action for a signal (1 to 64).
pub fn get(signal: i32) -> Action {
    let slot = &ACTION[signal as usize];
    loop {
        let before = slot.version.load(Acquire);
        // SAFETY: a torn value is recognised by the version and thrown away; all bit patterns are valid.
        let action = unsafe { slot.action.get().read_volatile() };
        core::sync::atomic::fence(Acquire);
        if before.is_multiple_of(2) && slot.version.load(Relaxed) == before {
            return action;
        }
        core::hint::spin_loop();
    }
}

/// Notes the program's action without telling the kernel.
pub fn note(signal: i32, action: Action) {
    let _guard = WRITER.lock();
    let slot = &ACTION[signal as usize];
    slot.version.fetch_add(1, AcqRel);
    // SAFETY: we are the only writer, and readers check the version.
    unsafe { slot.action.get().write_volatile(action) };
    slot.version.fetch_add(1, Release);
}

/// Sets the program's action, in the kernel as well. Returns the kernel's answer.
pub fn set(signal: i32, action: Action) -> isize {
    let wanted = for_kernel(signal, &action);
    // The note first: from the moment the kernel calls our handler it must find the program's.
    let old = get(signal);
    note(signal, action);
    let result = install(signal, &wanted);
    if result < 0 {
        note(signal, old);
    }
    result
}

fn for_kernel(signal: i32, action: &Action) -> Action {
    let by_default = action.is_default() && caught() & bit(signal) != 0;
    if action.is_handler() || FAULTS & bit(signal) != 0 || by_default {
        // What comes to nothing in the green thread that it is for must not end a call.
        let restart = if by_default { libc::SA_RESTART as u64 } else { 0 };
        Action {
            handler: kernel_handler::address(),
            flags: restart | (action.flags & KERNEL_FLAGS) | (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64 | SA_RESTORER,
            restorer: kernel_handler::restorer(),
            mask: !0,
        }
    } else {
        *action
    }
}

fn install(signal: i32, action: &Action) -> isize {
    // SAFETY: a valid action of the kernel's layout.
    unsafe { sys!(libc::SYS_rt_sigaction, signal, action as *const Action, 0, 8) }
}

/// Takes over every handler that is installed now.
pub(super) fn take_over() {
    for signal in 1..=64 {
        if super::UNBLOCKABLE & bit(signal) != 0 {
            continue;
        }
        let mut action = Action::DEFAULT;
        // SAFETY: asks only.
        if unsafe { sys!(libc::SYS_rt_sigaction, signal, 0, &mut action as *mut Action, 8) } < 0 {
            continue;
        }
        note(signal, action);
        if action.is_handler() || FAULTS & bit(signal) != 0 {
            install(signal, &for_kernel(signal, &action));
        }
    }
}

/// In a child that was made with CLONE_CLEAR_SIGHAND: the kernel has taken all handlers away, ours among them.
pub(crate) fn cleared_in_child() {
    for signal in (1..=64).filter(|signal| super::UNBLOCKABLE & bit(*signal) == 0) {
        if get(signal).is_handler() {
            note(signal, Action::DEFAULT);
        }
        if (FAULTS | caught()) & bit(signal) != 0 {
            install(signal, &for_kernel(signal, &get(signal)));
        }
    }
}

/// Makes sure that our handler takes SIGSETXID, with which helper threads are interrupted and time slices end. It restarts
/// calls: a slice that is over in the middle of one is none of the program's business.
pub(crate) fn catch_setxid() {
    let mut ours = for_kernel(libc::SIGSEGV, &Action::DEFAULT);
    ours.flags |= libc::SA_RESTART as u64;
    let mut now = Action::DEFAULT;
    // SAFETY: asks only.
    unsafe { sys!(libc::SYS_rt_sigaction, super::SIGSETXID, 0, &mut now as *mut Action, 8) };
    if now.handler != ours.handler {
        if now.is_handler() {
            // Other kernel threads than helpers are libc's to tell.
            note(super::SIGSETXID, now);
        }
        install(super::SIGSETXID, &ours);
    }
}

/// Gives the kernel SIG_DFL, for a signal that is about to end the process.
pub(crate) fn reset_in_kernel(signal: i32) {
    install(signal, &Action::DEFAULT);
}
