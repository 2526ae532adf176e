//! Which numbers our own descriptors get: high ones, because a program may rely on getting the lowest free one.

use crate::sys;

/// Our descriptors are made at or above this number, if the limit allows.
const HIGH: i32 = 960;

/// The number at or above which our descriptors are made.
pub fn high_number() -> i32 {
    let mut limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    (HIGH as u64).min(limit.rlim_cur.saturating_sub(16)) as i32
}

/// Runs `make` under a higher limit on descriptors, as far as the process may have one: the program may have used up, or
/// lowered, its own, and what is open stays open under any limit.
pub(super) fn with_room<R>(make: impl FnOnce() -> R) -> R {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    let wanted = limit.rlim_cur.max(HIGH as u64).saturating_add(64).min(limit.rlim_max);
    if wanted <= limit.rlim_cur {
        return make();
    }
    let set = |limit: &libc::rlimit| {
        // SAFETY: reads a limit of ours.
        unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, limit as *const _, 0) }
    };
    set(&libc::rlimit { rlim_cur: wanted, ..limit });
    let made = make();
    set(&limit);
    made
}

/// Runs `make` while every descriptor number below `high_number` is taken.
pub(super) fn at_high_numbers<R>(make: impl FnOnce() -> R) -> R {
    let high = high_number();
    let mut taken: Vec<i32> = Vec::new();
    // SAFETY: makes and closes descriptors of our own.
    unsafe {
        let seed = sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC) as i32;
        if seed >= 0 {
            taken.push(seed);
            while taken.last().is_some_and(|&fd| fd < high) {
                let fd = sys!(libc::SYS_fcntl, seed, libc::F_DUPFD_CLOEXEC, 0) as i32;
                if fd < 0 {
                    break;
                }
                taken.push(fd);
            }
        }
    }
    let highest = taken.pop();
    if let Some(fd) = highest {
        sys::close(fd);
    }
    let made = make();
    for fd in taken {
        sys::close(fd);
    }
    made
}
