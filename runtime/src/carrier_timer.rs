//! Timers of the kernel's that signal the carrier, and say by a mark that they are ours.

use crate::hub::Hub;
use crate::signals::{self, SIGSETXID};
use crate::sys;
use core::sync::atomic::Ordering::Relaxed;

/// The kernel's `struct sigevent`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct SigEvent {
    pub value: usize,
    pub signal: i32,
    pub notify: i32,
    pub tid: i32,
    pub padding: [i32; 11],
}

/// Makes a timer on `clock`, whose signals have the value `mark`: its id, or the error as the kernel gives it.
pub(crate) fn make(hub: &Hub, clock: i32, mark: usize) -> Result<i32, isize> {
    signals::action::catch_setxid();
    let event = SigEvent {
        value: mark,
        signal: SIGSETXID,
        notify: libc::SIGEV_THREAD_ID,
        tid: hub.tid.load(Relaxed),
        padding: [0; 11],
    };
    let mut id = -1i32;
    // SAFETY: all pointers are ours.
    let result = unsafe { sys!(libc::SYS_timer_create, clock, &event as *const SigEvent, &mut id as *mut i32) };
    if result < 0 {
        Err(result)
    } else {
        Ok(id)
    }
}
