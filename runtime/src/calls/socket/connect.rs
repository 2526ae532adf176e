//! connect. No flag makes it not wait. A socket whose description certainly nobody else has is non-blocking for the
//! moment of the call: nobody can see that, no green thread runs in between, and if the process is killed there the
//! description dies with it. For any other socket a helper connects.

use super::{help, is_exclusive, socket_type};
use crate::calls::io::block::{status_flags, Block, Stop, EAGAIN};
use crate::calls::{error, Outcome, Reason};
use crate::fd_table::WRITE;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{sys, user};
use Outcome::{Done, Pass};

/// Whether connecting may wait at all.
fn waits(hub: &Hub, fd: i32) -> bool {
    matches!(socket_type(hub, fd), libc::SOCK_STREAM | libc::SOCK_SEQPACKET | libc::SOCK_DCCP)
}

/// The program's call as it is.
fn connect_now(fd: i32, address: usize, size: usize) -> isize {
    // SAFETY: the program's own pointer.
    unsafe { sys!(libc::SYS_connect, fd, address, size) }
}

/// Begins to connect. `flags` are the description's, without O_NONBLOCK.
fn begin(fd: i32, address: usize, size: usize, flags: i32) -> isize {
    // SAFETY: the program's own pointer; the flags are put back.
    unsafe {
        sys!(libc::SYS_fcntl, fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
        let result = connect_now(fd, address, size);
        sys!(libc::SYS_fcntl, fd, libc::F_SETFL, flags);
        result
    }
}

fn is_under_way(result: isize) -> bool {
    result == error(libc::EINPROGRESS) || result == error(libc::EALREADY)
}

/// The answer of a connection that is no longer under way: asking again gives it, and makes the socket a connected
/// one, as the waiting call would have done.
fn answer(fd: i32, address: usize, size: usize) -> isize {
    match connect_now(fd, address, size) {
        result if result == error(libc::EISCONN) => 0,
        result => result,
    }
}

pub fn connect(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, address, size) = (frame.rdi as i32, frame.rsi, frame.rdx);
    let flags = status_flags(fd);
    if flags < 0 || flags as i32 & libc::O_NONBLOCK != 0 || !waits(hub, fd) {
        return Pass(Reason::NonBlocking);
    }
    if !is_exclusive(hub, fd) {
        return Done(help(hub, frame, fd, libc::SO_SNDTIMEO));
    }
    let begun = begin(fd, address, size, flags as i32);
    if begun == EAGAIN {
        // The backlog of a Unix socket is full, and no event tells when it no longer is.
        return Done(help(hub, frame, fd, libc::SO_SNDTIMEO));
    }
    if !is_under_way(begun) {
        return Done(begun);
    }
    let mut block = Block::of_socket(hub, fd, WRITE);
    match block.until(libc::POLLOUT) {
        Ok(()) => Done(answer(block.fd(), address, size)),
        Err(Stop::Answer(EAGAIN)) => Done(begun),
        Err(Stop::Answer(answer)) => Done(answer),
        Err(Stop::Cannot) => Done(help(hub, frame, fd, libc::SO_SNDTIMEO)),
    }
}

/// For the hook by name: connects to a Unix socket, which either succeeds at once or is the kernel's to wait for.
#[inline]
pub fn try_connect(hub: &Hub, fd: i32, address: usize, size: usize) -> Option<isize> {
    if user::read::<libc::sa_family_t>(address) != Ok(libc::AF_UNIX as libc::sa_family_t) {
        return None;
    }
    if !hub.others_alive() || !hub.module_on(Module::Socket) || !is_exclusive(hub, fd) || !waits(hub, fd) {
        return None;
    }
    let flags = status_flags(fd);
    if flags < 0 || flags as i32 & libc::O_NONBLOCK != 0 {
        return None;
    }
    let begun = begin(fd, address, size, flags as i32);
    (begun != EAGAIN).then_some(begun)
}
