//! Timers of the kernel's that signal the carrier, and say by a mark that they are ours.

use crate::hub::Hub;
use crate::signals::{self, SIGSETXID};
use crate::sys;
use core::cell::Cell;
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

/// One that is made when it is first wanted.
pub(crate) struct Timer {
    clock: i32,
    mark: usize,
    /// The kernel's number of it, or -1.
    id: Cell<i32>,
}

impl Timer {
    pub(crate) const fn new(clock: i32, mark: usize) -> Self {
        Timer { clock, mark, id: Cell::new(-1) }
    }

    pub(crate) fn exists(&self) -> bool {
        self.id.get() >= 0
    }

    /// Whether the kernel's timer `id` is this one.
    pub(crate) fn is(&self, id: i32) -> bool {
        self.exists() && id == self.id.get()
    }

    /// Makes it unless it is there. False if the kernel has none: those of a user are limited.
    pub(crate) fn prepare(&self, hub: &Hub) -> bool {
        if !self.exists() {
            if let Ok(id) = make(hub, self.clock, self.mark) {
                self.id.set(id);
            }
        }
        self.exists()
    }

    /// It signals after `first` ns, and then every so many, or never if that is 0.
    pub(crate) fn set(&self, first: u64, every: u64) {
        const SECOND: u64 = 1_000_000_000;
        let time = |ns: u64| libc::timespec { tv_sec: (ns / SECOND) as i64, tv_nsec: (ns % SECOND) as i64 };
        let setting = libc::itimerspec { it_interval: time(every), it_value: time(first) };
        // SAFETY: the setting is ours.
        unsafe { sys!(libc::SYS_timer_settime, self.id.get(), 0, &setting as *const libc::itimerspec, 0) };
    }

    /// Nanoseconds until it signals; `u64::MAX` if it is not set.
    pub(crate) fn left(&self) -> u64 {
        // SAFETY: a record of zeros is a setting.
        let mut setting: libc::itimerspec = unsafe { core::mem::zeroed() };
        // SAFETY: the setting is ours.
        unsafe { sys!(libc::SYS_timer_gettime, self.id.get(), &mut setting as *mut libc::itimerspec) };
        match setting.it_value.tv_sec as u64 * 1_000_000_000 + setting.it_value.tv_nsec as u64 {
            0 => u64::MAX,
            left => left,
        }
    }

    /// Timers are not inherited.
    pub(crate) fn forget_in_child(&self) {
        self.id.set(-1);
    }
}
