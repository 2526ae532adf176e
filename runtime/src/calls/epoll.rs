//! epoll_wait, epoll_pwait, epoll_pwait2: the program's epoll descriptor is itself waited for like any other.
//!
//! Waiters on one epoll descriptor are woken one at a time, and each passes the turn on when its call ends, so what it
//! left in the set (more than `maxevents`, or level-triggered) reaches the next one, as in the kernel. One-shot,
//! edge-triggered and exclusive entries are the kernel's business: only its own epoll_wait takes events out.

use super::readiness::{in_a_helper, read_mask, under_mask, wait, Timeout};
use super::Outcome::{self, Done, Pass};
use super::{error, signalfd, Reason};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::reactor::{is_forked, maybe_own, CannotWait, FdWaiter};
use crate::{sys, user};
use core::slice;

/// epoll_wait(epfd, events, maxevents, timeout in ms)
pub fn epoll_wait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() && !signalfd::maybe() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let timeout = Timeout::of_ms(frame.r10 as i32);
    if timeout.is_zero() && !signalfd::maybe() {
        return Pass(Reason::NonBlocking);
    }
    Done(wait_events(hub, frame, timeout, None))
}

/// epoll_pwait(epfd, events, maxevents, timeout in ms, sigmask, size)
pub fn epoll_pwait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.r8 == 0 {
        return epoll_wait(hub, frame);
    }
    masked(hub, frame, Timeout::of_ms(frame.r10 as i32))
}

/// epoll_pwait2(epfd, events, maxevents, timespec, sigmask, size): the timeout is only read.
pub fn epoll_pwait2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let plain = frame.r8 == 0 && !signalfd::maybe();
    if plain && !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    match Timeout::of_timespec(frame.r10) {
        Ok(timeout) if plain && timeout.is_zero() => Pass(Reason::NonBlocking),
        Ok(timeout) => masked(hub, frame, timeout),
        Err(error) => Done(error),
    }
}

/// epoll_ctl(epfd, operation, fd, event)
pub fn epoll_ctl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if maybe_own(frame.rdx as i32) && hub.reactor.owns(frame.rdx as i32) {
        return Done(error(libc::EBADF));
    }
    if frame.rsi as i32 == libc::EPOLL_CTL_ADD && frame.rdi as i32 >= 0 {
        let events = user::read::<u32>(frame.r10).unwrap_or(0);
        if events & libc::EPOLLEXCLUSIVE as u32 != 0 {
            // SAFETY: the program's own pointer.
            let added = unsafe { sys!(libc::SYS_epoll_ctl, frame.rdi, frame.rsi, frame.rdx, frame.r10) };
            if added == 0 {
                // It is a descriptor; of any other number nothing is kept.
                hub.reactor.table.lock().entry(frame.rdi as i32).exclusive = Some(true);
            }
            return Done(added);
        }
    }
    Pass(Reason::NonBlocking)
}

/// Whether only the kernel can choose whom to wake: of several sets with the same file in other processes. Our own set,
/// around the program's, would be woken with each of them.
fn chooses_one(hub: &Hub, fd: i32) -> bool {
    let known = {
        let mut table = hub.reactor.table.lock();
        if !table.was_shared() && !is_forked() {
            return false;
        }
        table.known(fd).and_then(|entry| entry.exclusive)
    };
    known.unwrap_or_else(|| {
        let exclusive = has_exclusive(fd);
        if exclusive.is_some() {
            hub.reactor.table.lock().entry(fd).exclusive = exclusive;
        }
        exclusive.unwrap_or(false)
    })
}

/// What the kernel tells of a set that may have been filled before there were green threads. `None`: nothing.
#[cold]
fn has_exclusive(fd: i32) -> Option<bool> {
    let path = format!("/proc/self/fdinfo/{fd}\0");
    let mut text = vec![0u8; 16 * 1024];
    // SAFETY: a path, a buffer and a descriptor of ours.
    let length = unsafe {
        let file = sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let length = sys!(libc::SYS_read, file, text.as_mut_ptr(), text.len());
        sys::close(file as i32);
        length.max(0) as usize
    };
    let words: Vec<&[u8]> =
        text[..length].split(|&byte| byte == b' ' || byte == b'\n').filter(|word| !word.is_empty()).collect();
    Some(words.windows(2).any(|pair| {
        let events = core::str::from_utf8(pair[1]).ok().and_then(|events| u32::from_str_radix(events, 16).ok());
        pair[0] == b"events:" && events.is_some_and(|events| events & libc::EPOLLEXCLUSIVE as u32 != 0)
    }))
}

fn masked(hub: &'static Hub, frame: &Frame, timeout: Timeout) -> Outcome {
    match read_mask(frame.r8, frame.r9) {
        Ok(mask) => Done(wait_events(hub, frame, timeout, mask)),
        Err(error) => Done(error),
    }
}

fn wait_events(hub: &'static Hub, frame: &Frame, timeout: Timeout, mask: Option<u64>) -> isize {
    let fd = frame.rdi as i32;
    let look = |fd: i32| {
        let (events, most) = (frame.rsi, frame.rdx as i32);
        // SAFETY: the kernel checks the program's pointer.
        let found = unsafe { sys!(libc::SYS_epoll_wait, fd, events, most, 0) };
        signalfd::add_to_epoll(fd, events, most.max(0) as usize, found)
    };
    let found = look(fd);
    // Unlike poll, epoll_wait with no time to wait does not look for signals.
    if found != 0 || timeout.is_zero() {
        return found;
    }
    if hub.guest.is_none() && chooses_one(hub, fd) {
        return in_a_helper(hub, frame, 4, mask);
    }
    let waiter = FdWaiter::new(hub, fd, READ);
    if matches!(waiter.enter(), Err(CannotWait::NotPollable | CannotWait::NoRoom)) {
        // A set of sets as deep as the kernel allows can't be put into ours.
        return in_a_helper(hub, frame, 4, mask);
    }
    under_mask(hub, mask, || wait(hub, slice::from_ref(&waiter), timeout, || look(waiter.fd())))
}

/// For the hook by name: the answer, if something is ready or nothing is to be waited for.
pub fn try_epoll_wait(hub: &Hub, fd: i32, events: usize, count: i32, timeout: i32) -> Option<isize> {
    if !hub.module_on(crate::modules::Module::Select) || signalfd::maybe() || hub.reactor.owns(fd) {
        return None;
    }
    // SAFETY: the program's own array, for the kernel to check.
    let ready = unsafe { sys!(libc::SYS_epoll_wait, fd, events, count, 0) };
    (ready != 0 || timeout == 0).then_some(ready)
}
