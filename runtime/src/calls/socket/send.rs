//! sendto, sendmsg, and writes to sockets. A blocking send to a stream is whole; the kernel does not split others.

use super::{credentials, help_send, note_descriptors, send_rest, socket_type, FILTERED};
use crate::calls::io::block::{is_nonblocking, poll_now, retry, Block, Cannot, EAGAIN};
use crate::calls::io::buffers::{self, Buffers};
use crate::calls::{Outcome, Reason};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{offload, sys, user};
use Outcome::{Done, Pass};

/// Flags under which a message may go in parts, each with the same flags. With others (MSG_OOB, MSG_ZEROCOPY,
/// MSG_FASTOPEN) the kernel must see the whole call.
const SIMPLE: i32 = libc::MSG_NOSIGNAL
    | libc::MSG_MORE
    | libc::MSG_EOR
    | libc::MSG_DONTROUTE
    | libc::MSG_CONFIRM
    | libc::MSG_CMSG_CLOEXEC;

/// A send that waits: `first` is the result of the first try, which was no success in full. `attempt` makes the try
/// again; `buffers` says what is to be sent, when that is needed.
#[inline(never)]
fn send_on(
    hub: &Hub,
    fd: i32,
    first: isize,
    flags: i32,
    attempt: impl FnMut(i32) -> isize,
    buffers: impl FnOnce() -> Option<Buffers>,
) -> Result<isize, Cannot> {
    let mut block = Block::of_socket(hub, fd, WRITE);
    let done = retry(&mut block, first, attempt)?;
    if done <= 0 {
        return Ok(done);
    }
    let Some(buffers) = buffers().filter(|buffers| buffers.total() > done as usize) else { return Ok(done) };
    if socket_type(hub, fd) != libc::SOCK_STREAM {
        return Ok(done);
    }
    let Some(rest) = buffers.rest(done as usize) else { return Ok(done) };
    Ok(send_rest(&mut block, done as usize, rest, flags))
}

/// A Unix datagram socket that sends to another than its peer is writable although the other's queue is full, and
/// nothing tells when it no longer is: only the kernel can wait for that.
fn waits_unseen(fd: i32, result: isize) -> bool {
    result == EAGAIN && poll_now(fd, libc::POLLOUT) & libc::POLLOUT != 0 && !is_nonblocking(fd)
}

fn outcome(hub: &'static Hub, frame: &Frame, result: Result<isize, Cannot>) -> Outcome {
    Done(match result {
        Ok(result) => result,
        Err(Cannot) => help_send(hub, frame, frame.rdi as i32),
    })
}

/// What ends a read at the other end early, if that is ours too.
fn note_unusual(hub: &Hub, fd: i32, flags: i32) {
    if flags & libc::MSG_OOB != 0 {
        hub.reactor.table(hub).writes_unusual(fd);
    }
}

/// Something has gone out: whoever waits for it may be ours.
#[inline]
fn tell_peer(hub: &Hub, fd: i32, result: isize) {
    if result > 0 {
        hub.reactor.tell_peer(hub, fd, READ);
    }
}

#[inline]
fn sendto_now(fd: i32, args: &[usize; 6], flags: i32) -> isize {
    // SAFETY: the program's own pointers.
    unsafe { sys!(libc::SYS_sendto, fd, args[1], args[2], flags | libc::MSG_DONTWAIT, args[4], args[5]) }
}

pub fn sendto(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() && !hub.current().has_begun_write() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, flags, args) = (frame.rdi as i32, frame.r10 as i32, frame.args());
    note_unusual(hub, fd, flags);
    if flags & libc::MSG_DONTWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    if flags & !SIMPLE != 0 {
        return Done(help_send(hub, frame, fd));
    }
    let begun = hub.current().take_begun_write(fd, args[1], args[2]);
    let first = begun.unwrap_or_else(|| sendto_now(fd, &args, flags));
    tell_peer(hub, fd, first);
    let whole = frame.rdx.min(buffers::MOST) as isize;
    if first == whole || (first < 0 && first != EAGAIN) {
        return Done(first);
    }
    if args[4] != 0 && waits_unseen(fd, first) {
        return Done(help_send(hub, frame, fd));
    }
    let buffers = || Some(Buffers::one(args[1], args[2]));
    let result = send_on(hub, fd, first, flags, |fd| sendto_now(fd, &args, flags), buffers);
    outcome(hub, frame, result)
}

/// write and writev. On a packet socket each write is a record, which MSG_EOR says.
pub(crate) fn write(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    let flags = if socket_type(hub, fd) == libc::SOCK_SEQPACKET { libc::MSG_EOR } else { 0 };
    let single = buffers.single().map(|(base, len)| [0, base, len, 0, 0, 0]);
    let attempt = |fd| match &single {
        Some(args) => sendto_now(fd, args, flags),
        None => {
            // SAFETY: all-zero is a valid `msghdr`.
            let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
            header.msg_iov = buffers.pointer() as *mut libc::iovec;
            header.msg_iovlen = buffers.count();
            // SAFETY: the header is ours, the buffers are the program's.
            unsafe { sys!(libc::SYS_sendmsg, fd, &header as *const libc::msghdr, flags | libc::MSG_DONTWAIT) }
        }
    };
    let begun = buffers.single().and_then(|(base, len)| hub.current().take_begun_write(fd, base, len));
    let first = begun.unwrap_or_else(|| attempt(fd));
    if first == FILTERED {
        return outcome(hub, frame, Err(Cannot));
    }
    tell_peer(hub, fd, first);
    if first == buffers.total() as isize || (first < 0 && first != EAGAIN) {
        return Done(first);
    }
    let again = || match buffers.single() {
        Some((base, len)) => Some(Buffers::one(base, len)),
        None => Buffers::vector(buffers.pointer(), buffers.count()),
    };
    let result = send_on(hub, fd, first, flags, attempt, again);
    outcome(hub, frame, result)
}

#[inline]
fn sendmsg_now(fd: i32, message: usize, flags: i32) -> isize {
    // SAFETY: the program's own pointer.
    unsafe { sys!(libc::SYS_sendmsg, fd, message, flags | libc::MSG_DONTWAIT) }
}

/// The buffers of a message; `None` if it is empty, or if the kernel must say what is wrong with it.
pub(super) fn buffers_of(message: usize) -> Option<Buffers> {
    let header: libc::msghdr = user::read(message).ok()?;
    Buffers::vector(header.msg_iov as usize, header.msg_iovlen)
}

pub fn sendmsg(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (fd, message, flags) = (frame.rdi as i32, frame.rsi, frame.rdx as i32);
    let controls = match note_descriptors(hub, message) {
        Ok(controls) => controls,
        Err(errno) => return Done(errno),
    };
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    if controls {
        if let Some(copy) = credentials::of_process(hub, message) {
            return Done(send_copy(hub, frame, copy.address()));
        }
    }
    note_unusual(hub, fd, flags);
    if flags & libc::MSG_DONTWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    if flags & !SIMPLE != 0 {
        return Done(help_send(hub, frame, fd));
    }
    let result = send_message(hub, fd, message, flags);
    outcome(hub, frame, result)
}

/// sendmsg of a copy of the program's message.
#[cold]
fn send_copy(hub: &'static Hub, frame: &Frame, message: usize) -> isize {
    let (fd, flags) = (frame.rdi as i32, frame.rdx as i32);
    if flags & libc::MSG_DONTWAIT != 0 {
        return sendmsg_now(fd, message, flags);
    }
    match send_message(hub, fd, message, flags) {
        Ok(result) => result,
        Err(Cannot) => {
            let mut args = frame.args();
            args[1] = message;
            offload::call(hub, libc::SYS_sendmsg, args)
        }
    }
}

/// One message, as sendmsg sends it. `Cannot`: nothing has been sent.
pub(super) fn send_message(hub: &Hub, fd: i32, message: usize, flags: i32) -> Result<isize, Cannot> {
    let first = sendmsg_now(fd, message, flags);
    tell_peer(hub, fd, first);
    if first == 0 || (first < 0 && first != EAGAIN) {
        return Ok(first);
    }
    let header: libc::msghdr = match user::read(message) {
        Ok(header) => header,
        Err(_) => return Ok(first),
    };
    if first > 0 && buffers::total(header.msg_iov as usize, header.msg_iovlen) == Some(first as usize) {
        return Ok(first);
    }
    if !header.msg_name.is_null() && waits_unseen(fd, first) {
        return Err(Cannot);
    }
    send_on(hub, fd, first, flags, |fd| sendmsg_now(fd, message, flags), || buffers_of(message))
}

// ---- for the hooks by name ---------------------------------------------------------------------------------------

/// Sends if there is room. What it has begun it goes on with, as `io::try_write`.
#[inline]
pub fn try_send(hub: &Hub, fd: i32, buffer: usize, len: usize, flags: i32) -> Option<isize> {
    try_send_to(hub, fd, buffer, len, flags, 0, 0)
}

/// As `try_send`, with an address.
#[inline]
pub fn try_send_to(
    hub: &Hub,
    fd: i32,
    buffer: usize,
    len: usize,
    flags: i32,
    address: usize,
    size: usize,
) -> Option<isize> {
    if !hub.others_alive() || !hub.module_on(Module::Socket) || flags & !SIMPLE != 0 || hub.reactor.owns(fd) {
        return None;
    }
    tried(hub, fd, sendto_now(fd, &[0, buffer, len, 0, address, size], flags), buffer, len)
}

/// A write to a descriptor that is known to be a socket.
#[inline]
pub(crate) fn try_write(hub: &Hub, fd: i32, buffer: usize, len: usize) -> Option<isize> {
    let flags = if socket_type(hub, fd) == libc::SOCK_SEQPACKET { libc::MSG_EOR } else { 0 };
    tried(hub, fd, sendto_now(fd, &[0, buffer, len, 0, 0, 0], flags), buffer, len)
}

#[inline]
fn tried(hub: &Hub, fd: i32, result: isize, buffer: usize, len: usize) -> Option<isize> {
    if result == EAGAIN {
        return None;
    }
    tell_peer(hub, fd, result);
    if result > 0 && result as usize != len.min(buffers::MOST) {
        hub.current().begin_write(fd, buffer, len, result);
        return None;
    }
    Some(result)
}
