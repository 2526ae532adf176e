//! Descriptors that this process makes, and what is known of them from the start: nobody else has the description, it
//! blocks or not, and no timeout is set.

use crate::calls::Outcome::{self, Done};
use crate::fd_table::Kind;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{sys, user};

/// What a new socket is.
#[derive(Clone, Copy)]
pub(super) struct New {
    /// SOCK_STREAM and so on; 0 if not known.
    pub socket_type: u8,
    /// See `Entry::drains`.
    pub drains: bool,
    /// See `Entry::plain`.
    pub plain: bool,
}

/// Whether reads of such a socket end early only where there is no more, or for reasons that events tell: TCP. Unix
/// sockets may be given descriptors to carry, which end a read.
pub(super) fn drains(domain: i32, socket_type: i32, protocol: i32) -> bool {
    matches!(domain, libc::AF_INET | libc::AF_INET6)
        && socket_type == libc::SOCK_STREAM
        && matches!(protocol, 0 | libc::IPPROTO_TCP)
}

/// A socket has just been made at the number `fd`.
pub(super) fn made(hub: &Hub, fd: i32, new: New) {
    let mut table = hub.reactor.table(hub);
    // The number may have been closed where we could not see it.
    if table.known(fd).is_some_and(|entry| !entry.has_waiters()) {
        table.forget(fd);
    }
    table.mark_private(fd);
    let entry = table.entry(fd);
    entry.kind = Some(Kind::Socket);
    entry.socket_type = new.socket_type;
    entry.drains = new.drains;
    entry.plain = new.plain;
}

/// The two ends of a pipe or of a pair of sockets have just been made. What one end is given carries no descriptors
/// unless this process sends them, which is seen.
fn pair_made(hub: &Hub, ends: [i32; 2], kind: Kind, new: New) {
    for fd in ends {
        made(hub, fd, new);
        hub.reactor.table(hub).entry(fd).kind = Some(kind);
    }
    hub.reactor.table(hub).pair(ends[0], ends[1]);
}

/// The type's flags apart.
fn is_blocking(socket_type: i32) -> bool {
    socket_type & libc::SOCK_NONBLOCK == 0
}

/// socket(domain, type, protocol)
pub fn socket(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // SAFETY: no pointers.
    let fd = unsafe { sys!(libc::SYS_socket, frame.rdi, frame.rsi, frame.rdx) };
    if fd >= 0 {
        let (domain, flags, protocol) = (frame.rdi as i32, frame.rsi as i32, frame.rdx as i32);
        let kind = flags & 0xf;
        let new = New { socket_type: kind as u8, drains: drains(domain, kind, protocol), plain: is_blocking(flags) };
        made(hub, fd as i32, new);
    }
    Done(fd)
}

/// socketpair(domain, type, protocol, numbers)
pub fn socketpair(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // SAFETY: the program's own pointer.
    let result = unsafe { sys!(libc::SYS_socketpair, frame.rdi, frame.rsi, frame.rdx, frame.r10) };
    if let (0, Ok(ends)) = (result, user::read::<[i32; 2]>(frame.r10)) {
        let kind = frame.rsi as i32 & 0xf;
        let drains = kind == libc::SOCK_STREAM && frame.rdi as i32 == libc::AF_UNIX;
        let new = New { socket_type: kind as u8, drains, plain: is_blocking(frame.rsi as i32) };
        pair_made(hub, ends, Kind::Socket, new);
    }
    Done(result)
}

/// pipe(numbers), pipe2(numbers, flags)
pub fn pipe(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let flags = if frame.number as i64 == libc::SYS_pipe2 { frame.rsi as i32 } else { 0 };
    // SAFETY: the program's own pointer.
    let result = unsafe { sys!(frame.number, frame.rdi, frame.rsi) };
    if let (0, Ok(ends)) = (result, user::read::<[i32; 2]>(frame.rdi)) {
        // A packet ends a read.
        let new = New { socket_type: 0, drains: flags & libc::O_DIRECT == 0, plain: flags & libc::O_NONBLOCK == 0 };
        pair_made(hub, ends, Kind::Pipe, new);
    }
    Done(result)
}
