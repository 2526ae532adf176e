//! The numbers of our own descriptors. To the program they are not open: a call that names one says EBADF. They are
//! beyond all numbers that the program may use, if the process may have such, so that it gets as many as without us;
//! else high ones, because a program may rely on getting the lowest free one.

use crate::sys;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// No descriptor of ours has a number below this one. Read by the entry.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_own_first: AtomicU32 = AtomicU32::new(u32::MAX);

/// Where the limit is higher than this, numbers beyond it would make the kernel's table of descriptors large, and each
/// fork slow.
const LOW_ENOUGH: u64 = 4096;
/// Otherwise our descriptors are made at or above this number, if the limit allows.
const HIGH: u64 = 960;

/// Whether `fd` may be ours: then the table tells.
#[inline(always)]
pub fn maybe_own(fd: i32) -> bool {
    fd as u32 >= gp_own_first.load(Relaxed)
}

/// Whether there may be descriptors of ours.
pub fn some_own() -> bool {
    gp_own_first.load(Relaxed) != u32::MAX
}

/// `fd` is ours from now on.
pub(super) fn note_own(fd: i32) {
    gp_own_first.fetch_min(fd as u32, Relaxed);
}

pub(super) fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    limit
}

/// Runs `make` under a higher limit of descriptors, as far as the process may have one: what is open stays open under any.
pub(crate) fn with_room<R>(make: impl FnOnce() -> R) -> R {
    with_higher(&limit(), |_| make())
}

/// As `with_room`, and tells `make` the limit.
fn with_higher<R>(limit: &libc::rlimit, make: impl FnOnce(u64) -> R) -> R {
    const ROOM: u64 = 4096;
    let set = |limit: &libc::rlimit| {
        // SAFETY: reads a limit of ours.
        unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, limit as *const _, 0) == 0 }
    };
    let wanted = limit.rlim_cur.saturating_add(ROOM);
    // Who is privileged may go beyond the hard limit, too.
    for rlim_max in [limit.rlim_max, wanted] {
        let rlim_cur = wanted.min(rlim_max);
        if rlim_cur > limit.rlim_cur && set(&libc::rlimit { rlim_cur, rlim_max: rlim_max.max(limit.rlim_max) }) {
            let made = make(rlim_cur);
            set(limit);
            return made;
        }
    }
    make(limit.rlim_cur)
}

/// A duplicate of `fd` at a number out of the program's way. `None`: there is none to be had.
pub fn duplicate(fd: i32) -> Option<i32> {
    let at_least = |number: u64| {
        // SAFETY: makes a descriptor of our own.
        let fd = unsafe { sys!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, number) } as i32;
        (fd >= 0).then_some(fd)
    };
    let limit = limit();
    if limit.rlim_cur <= LOW_ENOUGH {
        let beyond = with_higher(&limit, |raised| (raised > limit.rlim_cur).then(|| at_least(limit.rlim_cur)));
        if let Some(fd) = beyond.flatten() {
            return Some(fd);
        }
    }
    let high = HIGH.min(limit.rlim_cur.saturating_sub(16));
    let within = [high, high / 2, high / 4].into_iter().find_map(at_least);
    within.or_else(|| with_room(|| at_least(high)))
}

/// As `duplicate`, of a new descriptor of ours, which is closed; -1 if it is none.
pub fn move_up(low: i32) -> Option<i32> {
    if low < 0 {
        return None;
    }
    let high = duplicate(low);
    sys::close(low);
    high
}
