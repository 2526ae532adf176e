//! The hub's wait for events, and what is got ready for those that have come.

use super::{Reactor, EVENTS, NO_EPOLL_PWAIT2};
use crate::calls::error;
use crate::fd_table::FdTable;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::prefetch;
use crate::sys;
use core::sync::atomic::Ordering::*;

impl Reactor {
    pub(super) fn epoll_wait(
        hub: &Hub,
        epoll: usize,
        events: &mut [libc::epoll_event; EVENTS],
        timeout: Option<u64>,
    ) -> isize {
        let buffer = events.as_mut_ptr() as usize;
        if timeout == Some(0) {
            // SAFETY: the buffer has room for EVENTS.
            return unsafe { sys!(libc::SYS_epoll_wait, epoll, buffer, EVENTS, 0) };
        }
        let exact = timeout.map(timespec);
        let timespec = exact.as_ref().map_or(0, |timespec| timespec as *const _ as usize);
        if !NO_EPOLL_PWAIT2.load(Relaxed) {
            // SAFETY: the buffer has room for EVENTS, and the timeout outlives the call.
            let count = unsafe { hub.carrier.wait(libc::SYS_epoll_pwait2, epoll, buffer, EVENTS, timespec) };
            if count != error(libc::ENOSYS) {
                return count;
            }
            NO_EPOLL_PWAIT2.store(true, Relaxed);
        }
        // ppoll has the nanoseconds that epoll_wait lacks.
        let mut poll = libc::pollfd { fd: epoll as i32, events: libc::POLLIN, revents: 0 };
        // SAFETY: `poll` and the timeout outlive the call.
        let ready = unsafe { hub.carrier.wait(libc::SYS_ppoll, &mut poll as *mut _ as usize, 1, timespec, 0) };
        if ready == error(libc::ENOSYS) {
            // Filtered away. Late by less than a millisecond is never early.
            let longest = i32::MAX as u64;
            let timeout = timeout.map_or(-1, |ns| ns.div_ceil(1_000_000).min(longest) as i32);
            // SAFETY: the buffer has room for EVENTS.
            return unsafe { hub.carrier.wait(libc::SYS_epoll_wait, epoll, buffer, EVENTS, timeout as usize) };
        }
        if ready <= 0 {
            return ready;
        }
        // SAFETY: as above.
        unsafe { sys!(libc::SYS_epoll_wait, epoll, buffer, EVENTS, 0) }
    }

    /// Waits where there is no epoll descriptor.
    #[cold]
    pub(super) fn sleep(&self, hub: &Hub, timeout: Option<u64>) {
        let timespec = timeout.map(timespec);
        let timespec = timespec.as_ref().map_or(0, |timespec| timespec as *const _ as usize);
        let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
        // SAFETY: waits on our own word, and the timeout outlives the call.
        unsafe { hub.carrier.wait(libc::SYS_futex, self.told.as_ptr() as usize, op, 0, timespec) };
    }
}

/// Asks for what the coming `events` lead to: see `prefetch`. Each of the three is found through the one before.
#[inline(always)]
pub(super) fn prefetch_ahead(table: &mut FdTable, events: &[libc::epoll_event]) {
    const STEP: usize = 3;
    let fd = |ahead: usize| events.get(ahead * STEP).map(|event| event.u64 as u32 as i32);
    if let Some(waiter) = fd(1).and_then(|fd| table.first_waiter(fd)) {
        // SAFETY: `who` of every node is a record, and records are never freed.
        unsafe { &*waiter.who.cast::<Green>() }.prefetch();
    }
    if let Some(waiter) = fd(2).and_then(|fd| table.first_waiter(fd)) {
        prefetch::line(core::ptr::from_ref(waiter) as usize);
    }
    if let Some(fd) = fd(3) {
        table.prefetch(fd);
    }
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}
