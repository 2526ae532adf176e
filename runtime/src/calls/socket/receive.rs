//! recvfrom, recvmsg, and reads of sockets.

use super::{has_low_water_mark, help, receive_rest, socket_type, FILTERED};
use crate::calls::io::block::{retry, Block, Cannot, EAGAIN};
use crate::calls::io::buffers::Buffers;
use crate::calls::{Outcome, Reason};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{sys, user};
use Outcome::{Done, Pass};

/// These never wait for anything.
const NEVER_WAIT: i32 = libc::MSG_DONTWAIT | libc::MSG_OOB | libc::MSG_ERRQUEUE;

/// Whether only the kernel can tell when there is enough: what a non-blocking try takes, or looks at again, may be
/// too little.
fn needs_kernel(fd: i32, flags: i32) -> bool {
    const ALL_OF_A_LOOK: i32 = libc::MSG_WAITALL | libc::MSG_PEEK;
    flags & ALL_OF_A_LOOK == ALL_OF_A_LOOK || has_low_water_mark(fd)
}

/// A receive that waits: `first` is the result of the first try. With MSG_WAITALL, `buffers` are to be filled.
#[inline(never)]
fn receive_on(
    hub: &Hub,
    fd: i32,
    first: isize,
    flags: i32,
    attempt: impl FnMut(i32) -> isize,
    buffers: impl FnOnce() -> Option<Buffers>,
) -> Result<isize, Cannot> {
    let mut block = Block::of_socket(hub, fd, READ);
    let done = retry(&mut block, first, attempt)?;
    if done <= 0 || flags & libc::MSG_WAITALL == 0 {
        return Ok(done);
    }
    let Some(buffers) = buffers().filter(|buffers| buffers.total() > done as usize) else { return Ok(done) };
    // Elsewhere a message is all there is.
    if socket_type(hub, fd) != libc::SOCK_STREAM {
        return Ok(done);
    }
    let Some(rest) = buffers.rest(done as usize) else { return Ok(done) };
    Ok(receive_rest(&mut block, done as usize, rest, flags))
}

fn outcome(hub: &'static Hub, frame: &Frame, result: Result<isize, Cannot>) -> Outcome {
    Done(match result {
        Ok(result) => result,
        Err(Cannot) => help(hub, frame, frame.rdi as i32, libc::SO_RCVTIMEO),
    })
}

/// A receive of up to `asked` bytes came to `result`: what it says of what is left.
#[inline]
fn note(hub: &Hub, fd: i32, result: isize, asked: usize, flags: i32) {
    if result > 0 && flags & !(libc::MSG_NOSIGNAL | libc::MSG_WAITALL) == 0 {
        hub.reactor.note_read(hub, fd, result, asked);
        hub.reactor.tell_peer(hub, fd, WRITE);
    }
}

#[inline]
fn recvfrom_now(fd: i32, args: &[usize; 6], flags: i32) -> isize {
    // SAFETY: the program's own pointers.
    unsafe { sys!(libc::SYS_recvfrom, fd, args[1], args[2], flags | libc::MSG_DONTWAIT, args[4], args[5]) }
}

pub fn recvfrom(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, flags, args) = (frame.rdi as i32, frame.r10 as i32, frame.args());
    if flags & libc::MSG_OOB != 0 {
        hub.reactor.table(hub).no_stream(fd);
    }
    if flags & NEVER_WAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    if needs_kernel(fd, flags) {
        return Done(help(hub, frame, fd, libc::SO_RCVTIMEO));
    }
    let attempt = |fd| {
        let result = recvfrom_now(fd, &args, flags);
        note(hub, fd, result, args[2], flags);
        result
    };
    let first = if hub.reactor.is_empty(hub, fd) { EAGAIN } else { attempt(fd) };
    if first != EAGAIN && (first <= 0 || flags & libc::MSG_WAITALL == 0) {
        return Done(first);
    }
    let buffers = || Some(Buffers::one(args[1], args[2]));
    let result = receive_on(hub, fd, first, flags, attempt, buffers);
    outcome(hub, frame, result)
}

/// read and readv of something.
pub(crate) fn read(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    if has_low_water_mark(fd) {
        return Done(help(hub, frame, fd, libc::SO_RCVTIMEO));
    }
    let single = buffers.single().map(|(base, len)| [0, base, len, 0, 0, 0]);
    let attempt = |fd| match &single {
        Some(args) => {
            let result = recvfrom_now(fd, args, 0);
            note(hub, fd, result, args[2], 0);
            result
        }
        None => {
            // SAFETY: all-zero is a valid `msghdr`.
            let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
            header.msg_iov = buffers.pointer() as *mut libc::iovec;
            header.msg_iovlen = buffers.count();
            // SAFETY: the header is ours, the buffers are the program's.
            unsafe { sys!(libc::SYS_recvmsg, fd, &mut header as *mut libc::msghdr, libc::MSG_DONTWAIT) }
        }
    };
    let first = if hub.reactor.is_empty(hub, fd) { EAGAIN } else { attempt(fd) };
    if first == FILTERED {
        return outcome(hub, frame, Err(Cannot));
    }
    if first != EAGAIN {
        return Done(first);
    }
    let result = receive_on(hub, fd, first, 0, attempt, || None);
    outcome(hub, frame, result)
}

#[inline]
fn recvmsg_now(fd: i32, message: usize, flags: i32) -> isize {
    // SAFETY: the program's own pointer.
    unsafe { sys!(libc::SYS_recvmsg, fd, message, flags | libc::MSG_DONTWAIT) }
}

pub fn recvmsg(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, message, flags) = (frame.rdi as i32, frame.rsi, frame.rdx as i32);
    if flags & libc::MSG_OOB != 0 {
        hub.reactor.table(hub).no_stream(fd);
    }
    if flags & NEVER_WAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    // Control data of several parts would have to be put together as the kernel does it.
    let parts = flags & libc::MSG_WAITALL != 0
        && user::read::<libc::msghdr>(message).is_ok_and(|header| header.msg_controllen != 0);
    if parts || needs_kernel(fd, flags) {
        return Done(help(hub, frame, fd, libc::SO_RCVTIMEO));
    }
    let first = if hub.reactor.is_empty(hub, fd) { EAGAIN } else { recvmsg_now(fd, message, flags) };
    if first != EAGAIN && (first <= 0 || flags & libc::MSG_WAITALL == 0) {
        return Done(first);
    }
    let attempt = |fd| recvmsg_now(fd, message, flags);
    let result = receive_on(hub, fd, first, flags, attempt, || super::send::buffers_of(message));
    outcome(hub, frame, result)
}

// ---- for the hooks by name ---------------------------------------------------------------------------------------

/// Receives what is there. `None`: libc's own function is to be called.
#[inline]
pub fn try_recv(hub: &Hub, fd: i32, buffer: usize, len: usize, flags: i32) -> Option<isize> {
    try_recv_from(hub, fd, buffer, len, flags, 0, 0)
}

/// As `try_recv`, and says from whom.
#[inline]
pub fn try_recv_from(
    hub: &Hub,
    fd: i32,
    buffer: usize,
    len: usize,
    flags: i32,
    address: usize,
    size: usize,
) -> Option<isize> {
    let unusual = NEVER_WAIT | libc::MSG_WAITALL;
    if !hub.others_alive()
        || !hub.module_on(Module::Socket)
        || flags & unusual != 0
        || has_low_water_mark(fd)
        || hub.reactor.owns(fd)
    {
        return None;
    }
    if hub.reactor.is_drained(hub, fd) {
        hub.reactor.note_unready(fd);
        return None;
    }
    let result = recvfrom_now(fd, &[0, buffer, len, 0, address, size], flags);
    if result == EAGAIN {
        hub.reactor.note_empty(hub, fd);
        return None;
    }
    note(hub, fd, result, len, flags);
    Some(result)
}
