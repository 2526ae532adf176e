//! Waits on memory that other processes may share, when the wake-up is likely to come from this process, and soon.
//!
//! A green thread that waits for another process needs a helper in the kernel: two kernel threads take turns for each wait. But threads
//! of one process use objects with PTHREAD_PROCESS_SHARED among themselves, too. So a wait begins in our queue, and
//! goes to the kernel only after everybody who is ready has had a turn. For other processes, the thread has not come to
//! its wait until then: the kernel looks at the word again, so no wake-up of theirs is missed.

use super::futex::{await_wake, check_address, End, Until};
use super::ERESTARTSYS;
use crate::futex_queue::Waiter;
use crate::hub::Hub;
use crate::{sys, user};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// For how long a wait is kept from the kernel when nobody is ready, ns: who would wake it may wait there itself.
const NAP_NS: u64 = 50_000;
/// So many naps in vain are made after a wake-up that came, or may have gone, to a thread of this process.
const NAPS: u32 = 8;
static NAPS_LEFT: AtomicU32 = AtomicU32::new(0);
/// How many green threads wait in the kernel.
static IN_KERNEL: AtomicU32 = AtomicU32::new(0);
/// Wake-ups go to our queue first. After so many of them one more goes to the kernel, where others may have waited for longer.
const OURS_IN_A_ROW: u32 = 64;
static OURS: AtomicU32 = AtomicU32::new(0);

/// Waits on a shared word in our queue for a moment. `None`: nobody has woken it, and the kernel is to wait.
#[inline(never)]
pub(super) fn wait(hub: &Hub, word: usize, value: u32, bits: u32) -> Option<isize> {
    if bits == 0 || check_address(word).is_err() {
        return None;
    }
    let waiter = Waiter::at_old_place(hub, word, bits);
    let unchanged = || if user::load(word) == Ok(value) { Ok(()) } else { Err(()) };
    waiter.enqueue_if(unchanged).ok()?;
    hub.yield_now();
    let naps = NAPS_LEFT.load(Relaxed);
    let mut end = if waiter.woken() { End::Woken } else { End::TimedOut };
    if end != End::Woken && naps > 0 {
        NAPS_LEFT.store(naps - 1, Relaxed);
        end = await_wake(hub, &waiter, Until::Monotonic(sys::now() + NAP_NS));
    } else if end != End::Woken && waiter.leave() {
        end = End::Woken;
    }
    match end {
        End::Woken => {
            NAPS_LEFT.store(NAPS, Relaxed);
            if user::load(waiter.key()) == Ok(value) {
                waiter.was_in_vain(hub);
            }
            Some(0)
        }
        End::Interrupted => Some(ERESTARTSYS),
        // Moved to another word, which may have any value: awake, for once without a reason.
        End::TimedOut if waiter.key() != word => Some(0),
        End::TimedOut => None,
    }
}

/// Counts a wait in the kernel.
pub(super) fn in_kernel(wait: impl FnOnce() -> isize) -> isize {
    IN_KERNEL.fetch_add(1, Relaxed);
    let result = wait();
    IN_KERNEL.fetch_sub(1, Relaxed);
    result
}

/// The kernel has woken so many on a shared word.
#[inline]
pub(super) fn woken_in_kernel(count: isize) {
    if count > 0 && IN_KERNEL.load(Relaxed) > 0 {
        NAPS_LEFT.store(NAPS, Relaxed);
    }
}

/// A wake-up on a shared word went to our waiters alone. Whether the kernel's turn has come.
#[inline]
pub(super) fn kernel_has_waited() -> bool {
    let ours = OURS.load(Relaxed) + 1;
    OURS.store(ours % OURS_IN_A_ROW, Relaxed);
    ours == OURS_IN_A_ROW
}
