//! The kernel's anonymous objects: eventfd, timerfd, signalfd, inotify.
//!
//! Of these only an eventfd makes a writer wait: when its counter would get too large. Of one that this process made and
//! nobody else can have, it is known how much may be added before that can be (`Entry::room`), which is for ever as
//! eventfds are used; any other is looked at before each write.

use super::block::{help, is_nonblocking, poll_now, retry, Block, Cannot, Stop, EAGAIN};
use super::buffers::Buffers;
use super::{read_nowait, HERE};
use crate::calls::{error, signalfd, Outcome, Reason};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{sys, user};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use Outcome::{Done, Pass};

const RECORD: usize = 8;
/// Before Linux 6.10 not all of these objects take RWF_NOWAIT, and some never do: then hooks by name don't try.
static REFUSED_NOWAIT: AtomicBool = AtomicBool::new(false);

/// eventfd(initial value), eventfd2(initial value, flags)
pub fn eventfd(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // SAFETY: no pointers.
    let fd = unsafe { sys!(frame.number, frame.rdi, frame.rsi) };
    if fd >= 0 {
        hub.reactor.table(hub).made_counter(fd as i32);
    }
    Done(fd)
}

/// eventfd, timerfd and signalfd take RWF_NOWAIT (Linux 6.10 for all of them); inotify and others don't.
pub(super) fn read(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    if buffers.total() == 0 {
        return read_too_little(hub, frame, fd);
    }
    let attempt = |fd| match signalfd::read(fd, buffers) {
        Some(result) => result,
        None => read_nowait(fd, buffers.pointer(), buffers.count(), HERE),
    };
    let first = attempt(fd);
    if first == error(libc::EOPNOTSUPP) {
        return read_when_ready(hub, frame, fd, buffers);
    }
    if first != EAGAIN {
        return Done(first);
    }
    let mut block = Block::new(hub, fd, READ);
    match retry(&mut block, first, attempt) {
        Ok(result) => Done(result),
        Err(Cannot) => Done(help(hub, frame, block.fd())),
    }
}

/// A read that is shorter than anything that these objects give is refused by each of them: by most at once, by inotify
/// once there is something to read.
#[cold]
fn read_too_little(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    if is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    Done(help(hub, frame, fd))
}

/// Nobody takes what there is between our look and our read but a process that we share the object with, and sharing
/// these objects is rare; a signalfd must be read by the carrier, whose signals it gives.
fn read_when_ready(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    // SAFETY: nothing is read: says whether the object can be read at all.
    let refused = unsafe { sys!(libc::SYS_readv, fd, 0, 0) };
    if refused < 0 {
        return Pass(Reason::NotOurs);
    }
    if buffers.total() < RECORD || poll_now(fd, libc::POLLIN) == 0 && signalfd::is_too_little(fd, buffers.total()) {
        return read_too_little(hub, frame, fd);
    }
    let mut block = Block::new(hub, fd, READ);
    while poll_now(block.fd(), libc::POLLIN) == 0 {
        match block.wait() {
            Ok(()) => {}
            Err(Stop::Answer(answer)) => return Done(answer),
            Err(Stop::Cannot) => return Done(help(hub, frame, block.fd())),
        }
        if let Some(result) = signalfd::read(block.fd(), buffers) {
            return Done(result);
        }
    }
    // SAFETY: the program's own buffers.
    Done(unsafe { sys!(libc::SYS_readv, block.fd(), buffers.pointer(), buffers.count()) })
}

/// Whether adding `value` to `fd` certainly makes nobody wait. Other kernel threads may add what is not seen here.
fn has_room(hub: &Hub, fd: i32, value: u64) -> bool {
    hub.guest.is_none() && !hub.has_foreign_threads() && hub.reactor.table(hub).take_room(fd, value)
}

pub(super) fn write(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    let fits = match buffers.single() {
        Some((base, RECORD)) => match user::read::<u64>(base) {
            Ok(value) => has_room(hub, fd, value) || value <= 1 && poll_now(fd, libc::POLLOUT) & libc::POLLOUT != 0,
            Err(_) => true,
        },
        Some((_, len)) => len < RECORD,
        None => false,
    };
    if fits || is_nonblocking(fd) {
        Pass(Reason::NonBlocking)
    } else {
        Done(help(hub, frame, fd))
    }
}

/// For the hook by name.
pub(super) fn try_read(fd: i32, buffer: usize, len: usize) -> Option<isize> {
    if REFUSED_NOWAIT.load(Relaxed) || signalfd::maybe() || len == 0 {
        return None;
    }
    let result = read_nowait(fd, Buffers::one(buffer, len).pointer(), 1, HERE);
    if result == error(libc::EOPNOTSUPP) || result == error(libc::EINVAL) && len >= RECORD {
        REFUSED_NOWAIT.store(true, Relaxed);
    }
    (result >= 0).then_some(result)
}

/// For the hook by name.
pub(super) fn try_write(hub: &Hub, fd: i32, buffer: usize, len: usize) -> Option<isize> {
    if len != RECORD || !has_room(hub, fd, user::read::<u64>(buffer).ok()?) {
        return None;
    }
    // SAFETY: the program's own buffer.
    Some(unsafe { sys!(libc::SYS_write, fd, buffer, len) })
}
