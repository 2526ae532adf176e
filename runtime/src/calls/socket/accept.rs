//! accept and accept4. No flag makes them not wait, so the socket is looked at first. If nobody else can take the
//! connection that is there, accepting it cannot wait; else a helper accepts.

use super::{help, is_exclusive, made, New};
use crate::calls::io::block::{is_nonblocking, poll_now, socket_option, Block, Stop};
use crate::calls::{Outcome, Reason};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::sys;
use Outcome::{Done, Pass};

fn accept_now(hub: &Hub, fd: i32, address: usize, size: usize, flags: i32) -> isize {
    // SAFETY: the program's own pointers.
    let accepted = unsafe { sys!(libc::SYS_accept4, fd, address, size, flags) };
    note(hub, fd, accepted, flags);
    accepted
}

/// What is accepted is of the listener's type and has its timeouts, but flags of its own.
fn note(hub: &Hub, listener: i32, accepted: isize, flags: i32) {
    if accepted < 0 {
        return;
    }
    let new = {
        let mut table = hub.reactor.table(hub);
        let plain = table.is_plain(listener) && flags & libc::SOCK_NONBLOCK == 0;
        let (socket_type, drains) = table.known(listener).map_or((0, false), |entry| (entry.socket_type, entry.drains));
        New { socket_type, drains, plain }
    };
    made(hub, accepted as i32, new);
}

fn accept_with(hub: &'static Hub, frame: &Frame, flags: i32) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    if flags & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) != 0 {
        return Pass(Reason::NotOurs);
    }
    let (fd, address, size) = (frame.rdi as i32, frame.rsi, frame.rdx);
    if poll_now(fd, libc::POLLIN) == 0 {
        // Only a listening socket waits; others are refused at once.
        if socket_option(fd, libc::SO_ACCEPTCONN) != Some(1) {
            return Pass(Reason::NotOurs);
        }
    } else if is_exclusive(hub, fd) {
        return Done(accept_now(hub, fd, address, size, flags));
    }
    if is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    let mut block = Block::of_socket(hub, fd, READ);
    match block.until(libc::POLLIN) {
        // The number may be a duplicate by now, but the description is the same.
        Ok(()) if is_exclusive(hub, fd) => Done(accept_now(hub, block.fd(), address, size, flags)),
        Ok(()) | Err(Stop::Cannot) => {
            let accepted = help(hub, frame, block.fd(), libc::SO_RCVTIMEO);
            note(hub, block.fd(), accepted, flags);
            Done(accepted)
        }
        Err(Stop::Answer(answer)) => Done(answer),
    }
}

pub fn accept(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    accept_with(hub, frame, 0)
}

pub fn accept4(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    accept_with(hub, frame, frame.r10 as i32)
}

/// For the hook by name: the kernel has accepted, since nobody else could run meanwhile.
#[cold]
pub fn note_accepted(hub: &Hub, listener: i32, accepted: i32, flags: i32) {
    let known = hub.reactor.table(hub).is_private(accepted);
    if hub.module_on(Module::Socket) && !known {
        note(hub, listener, accepted as isize, flags);
    }
}

/// For the hook by name: accepts a connection that is there.
#[inline]
pub fn try_accept(hub: &Hub, fd: i32, address: usize, size: usize, flags: i32) -> Option<isize> {
    let ours = hub.others_alive() && hub.module_on(Module::Socket);
    if ours && is_exclusive(hub, fd) && poll_now(fd, libc::POLLIN) & libc::POLLIN != 0 {
        return Some(accept_now(hub, fd, address, size, flags));
    }
    None
}
