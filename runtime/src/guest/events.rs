//! Eventfds by which a guest's wait is ended from elsewhere: by a wake-up of a lock, or by a helper thread.
//!
//! They are never closed, only used again: who wakes may come late, and then wakes somebody else for nothing. There are as
//! many as there have been such waits at one time.

use crate::fd_table::FdTable;
use crate::hub::Hub;
use crate::lock::Lock;
use crate::reactor;
use crate::sys;
use core::sync::atomic::Ordering::Relaxed;

static FREE: Lock<Vec<i32>> = Lock::new(Vec::new());
/// All of them, each with the kernel thread that used it last.
static ALL: Lock<Vec<(i32, i32)>> = Lock::new(Vec::new());

fn make() -> i32 {
    // SAFETY: makes a descriptor of our own.
    unsafe { sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as i32 }
}

/// A descriptor at a number out of the program's way, as far as its limit allows; closes `low`.
pub(super) fn move_up(low: i32) -> Option<i32> {
    reactor::move_up(low)
}

/// The program can't close it.
pub(super) fn keep(table: &mut FdTable, fd: i32) {
    table.forget(fd);
    table.entry(fd).kept = true;
}

/// An eventfd that is empty, but for who comes late. `None` if there are no descriptors left.
pub(super) fn take(hub: &Hub) -> Option<i32> {
    let user = hub.tid.load(Relaxed);
    let free = FREE.lock().pop();
    if let Some(fd) = free {
        clear(fd);
        if let Some(event) = ALL.lock().iter_mut().find(|event| event.0 == fd) {
            event.1 = user;
        }
        return Some(fd);
    }
    let fd = move_up(make())?;
    keep(&mut hub.reactor.table.lock(), fd);
    ALL.lock().push((fd, user));
    Some(fd)
}

pub(super) fn give_back(fd: i32) {
    FREE.lock().push(fd);
}

/// Ends the wait for `fd`. From any kernel thread.
pub(crate) fn set(fd: i32) {
    let one = 1u64;
    // SAFETY: eight bytes of ours.
    unsafe { sys!(libc::SYS_write, fd, &one as *const u64, 8) };
}

pub(super) fn clear(fd: i32) {
    let mut sink = 0u64;
    // SAFETY: eight bytes of ours.
    unsafe { sys!(libc::SYS_read, fd, &mut sink as *mut u64, 8) };
}

/// In a forked child: the descriptions are the parent's too, so each number gets one of the child's own. Returns the
/// numbers that thread `user` of the parent has used: it goes on in the child, with all who wait in it.
///
/// # Safety
/// No other kernel thread exists.
pub(super) unsafe fn rebuild_in_child(user: i32) -> Vec<i32> {
    // SAFETY: as for this function.
    unsafe {
        FREE.reset_in_child();
        ALL.reset_in_child();
    }
    let mut all = ALL.lock();
    for &(fd, _) in all.iter() {
        let own = make();
        // SAFETY: descriptors of our own.
        unsafe { sys!(libc::SYS_dup3, own, fd, libc::O_CLOEXEC) };
        sys::close(own);
    }
    let mine = all.iter_mut().filter(|event| event.1 == user);
    mine.map(|event| {
        event.1 = sys::gettid();
        event.0
    })
    .collect()
}
