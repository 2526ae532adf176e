//! Calls that wait for nothing but a disk: a few helpers serve all of them, first come, first served.

use super::run;
use crate::green_thread::{Green, Waiting};
use crate::guest;
use crate::hub::Hub;
use crate::lock::Lock;
use core::cell::Cell;
use std::collections::VecDeque;

/// A place in the queue for the helpers that serve disks, on its green thread's stack.
struct Turn {
    green: *const Green,
    granted: Cell<bool>,
}

struct Disk {
    /// Places taken, those that were granted and not used yet among them.
    busy: usize,
    /// Not granted yet. Their green threads are parked.
    waiting: VecDeque<*const Turn>,
}
// SAFETY: turns are reached under the lock only, and taken out before their call goes on.
unsafe impl Send for Disk {}

static DISK: Lock<Disk> = Lock::new(Disk { busy: 0, waiting: VecDeque::new() });

/// As `offload::call`, for what waits for nothing but a disk: `io_threads` helpers at most, and no signal ends it, as in the
/// kernel.
pub fn disk(hub: &'static Hub, nr: i64, args: [usize; 6]) -> isize {
    if let Some(guest) = &hub.guest {
        return guest::call_in_helper(hub, guest, nr, args, false);
    }
    let turn = Turn { green: hub.current(), granted: Cell::new(true) };
    {
        let mut disk = DISK.lock();
        if disk.busy < hub.config().io_threads {
            disk.busy += 1;
        } else {
            turn.granted.set(false);
            disk.waiting.push_back(&turn);
        }
    }
    while !turn.granted.get() {
        hub.park(Waiting::Helper, None, false);
    }
    let result = run(hub, nr, args, false);
    let next = {
        let mut disk = DISK.lock();
        let next = disk.waiting.pop_front();
        if next.is_none() {
            disk.busy -= 1;
        }
        next
    };
    if let Some(next) = next {
        // SAFETY: its green thread is parked until the turn is granted; records are never freed.
        let green = unsafe {
            (*next).granted.set(true);
            &*(*next).green
        };
        hub.unpark(green);
    }
    result
}

/// Forgets who was served and who waited: they do not exist in the child.
///
/// # Safety
/// No other kernel thread exists.
pub(super) unsafe fn rebuild_in_child() {
    // SAFETY: as for this function.
    unsafe { DISK.reset_in_child() };
    *DISK.lock() = Disk { busy: 0, waiting: VecDeque::new() };
}
