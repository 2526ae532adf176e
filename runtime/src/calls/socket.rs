//! Calls of sockets. All tries are the MSG_DONTWAIT forms, which say nothing to the description; accept and connect
//! have none, see there.

mod accept;
mod connect;
mod credentials;
mod early;
mod made;
mod many;
mod receive;
mod send;

pub use accept::{accept, accept4, note_accepted, try_accept};
pub use connect::{connect, try_connect};
pub(crate) use early::adopt;
pub use early::{note_early, note_early_pair};
use made::{made, New};
pub use made::{pipe, socket, socketpair};
pub use many::{recvmmsg, sendmmsg};
pub(crate) use receive::read;
pub use receive::{recvfrom, recvmsg, try_recv, try_recv_from};
pub use send::{sendmsg, sendto, try_send, try_send_to};
pub(crate) use send::{try_write, write};

use super::io::block::{self, socket_option, Block};
use super::io::buffers::Rest;
use super::{error, Outcome, Reason, ERESTARTSYS};
use crate::fd_table::Kind;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{sys, user};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use Outcome::Pass;

/// What a program that reads and writes its sockets gets for our forms of that if its filter refuses them.
const FILTERED: isize = error(libc::ENOSYS);

/// A socket of this process has, or has had, a low-water mark above 1. Only then is it worth asking each time.
static LOW_WATER_MARKS: AtomicBool = AtomicBool::new(false);
/// As above: closing may wait for what has not been sent.
static LINGERS: AtomicBool = AtomicBool::new(false);
/// Sockets that are older than our view of `setsockopt` have been asked.
static SURVEYED: AtomicBool = AtomicBool::new(false);

/// Asks all sockets that there are, once: the program, or who started it, may have set their options before arming.
#[cold]
fn survey() {
    SURVEYED.store(true, Relaxed);
    super::fds::open_numbers().into_iter().for_each(look_at_options);
}

fn look_at_options(fd: i32) {
    if socket_option(fd, libc::SO_RCVLOWAT).is_some_and(|mark| mark > 1) {
        LOW_WATER_MARKS.store(true, Relaxed);
    }
    // The first word of the answer says whether it is on.
    if socket_option(fd, libc::SO_LINGER).is_some_and(|on| on != 0) {
        LINGERS.store(true, Relaxed);
    }
}

/// Whether closing `fd` may wait (SO_LINGER).
pub(crate) fn lingers(hub: &Hub, fd: i32) -> bool {
    if !SURVEYED.load(Relaxed) {
        survey();
    }
    LINGERS.load(Relaxed) && hub.reactor.kind(hub, fd) == Some(Kind::Socket)
}

/// Whether a read of `fd` must not take the first bytes that come: only the kernel can tell how many it wants.
#[inline]
pub(crate) fn has_low_water_mark(fd: i32) -> bool {
    if !SURVEYED.load(Relaxed) {
        survey();
    }
    LOW_WATER_MARKS.load(Relaxed) && socket_option(fd, libc::SO_RCVLOWAT).is_some_and(|mark| mark > 1)
}

/// What the kernel knows of `fd`'s type, asked once: SOCK_STREAM and so on; 0 if it is no socket.
fn socket_type(hub: &Hub, fd: i32) -> i32 {
    let known = hub.reactor.table(hub).known(fd).map_or(0, |entry| entry.socket_type);
    if known != 0 {
        return i32::from(known);
    }
    let Some(answer) = socket_option(fd, libc::SO_TYPE) else { return 0 };
    hub.reactor.table(hub).entry(fd).socket_type = answer as u8;
    answer
}

/// Nobody but the running green thread can use the description of `fd` at this moment. In a guest's process another kernel
/// thread might, if it used a socket that is just being connected or accepted from: nobody does.
fn is_exclusive(hub: &Hub, fd: i32) -> bool {
    early::adopt(hub);
    (!hub.has_foreign_threads() || hub.guest.is_some()) && hub.reactor.table(hub).is_private(fd)
}

/// A helper makes the program's call on a socket; one with a timeout is not restarted.
fn help(hub: &'static Hub, frame: &Frame, fd: i32, timeout: i32) -> isize {
    restart_mark(fd, block::help(hub, frame, fd), timeout)
}

fn help_send(hub: &'static Hub, frame: &Frame, fd: i32) -> isize {
    help(hub, frame, fd, libc::SO_SNDTIMEO)
}

fn restart_mark(fd: i32, result: isize, timeout: i32) -> isize {
    if result == ERESTARTSYS && block::socket_timeout(fd, timeout).is_some() {
        error(libc::EINTR)
    } else {
        result
    }
}

/// A message of the parts that are left, without address and control data.
fn header_of(rest: &Rest) -> libc::msghdr {
    // SAFETY: all-zero is a valid `msghdr`.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = rest.pointer() as *mut libc::iovec;
    header.msg_iovlen = rest.count();
    header
}

/// Sends what is left after the first part has gone. The kernel reports neither an error nor a broken pipe when it
/// has sent something: both wait for the next call, so they must not be taken by another try.
fn send_rest(block: &mut Block, done: usize, rest: Rest, flags: i32) -> isize {
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    block::go_on(block, done, rest, |fd, rest| {
        if block::poll_now(fd, 0) & (libc::POLLERR | libc::POLLHUP) != 0 {
            return 0;
        }
        let header = header_of(rest);
        // SAFETY: the header is ours, the buffers are the program's.
        unsafe { sys!(libc::SYS_sendmsg, fd, &header as *const libc::msghdr, flags) }
    })
}

/// Receives what is left of MSG_WAITALL; an error waits for the next call, as above.
fn receive_rest(block: &mut Block, done: usize, rest: Rest, flags: i32) -> isize {
    let flags = flags | libc::MSG_DONTWAIT;
    block::go_on(block, done, rest, |fd, rest| {
        let state = block::poll_now(fd, libc::POLLIN | libc::POLLPRI);
        // Nor is the mark of urgent data passed in one call.
        let at_end = state & libc::POLLERR != 0 && asked(fd, libc::FIONREAD) == 0;
        if at_end || state & libc::POLLPRI != 0 && asked(fd, SIOCATMARK) != 0 {
            return 0;
        }
        // What comes from now on may begin with such a mark.
        if state & !libc::POLLPRI == 0 {
            return block::EAGAIN;
        }
        let mut header = header_of(rest);
        // SAFETY: the header is ours, the buffers are the program's.
        unsafe { sys!(libc::SYS_recvmsg, fd, &mut header as *mut libc::msghdr, flags) }
    })
}

const SIOCATMARK: libc::Ioctl = 0x8905;
/// Missing in the `libc` crate.
const SO_PASSPIDFD: i32 = 76;

/// An integer that `ioctl` tells of a socket.
fn asked(fd: i32, question: libc::Ioctl) -> i32 {
    let mut answer = 0i32;
    // SAFETY: `answer` is ours.
    unsafe { sys!(libc::SYS_ioctl, fd, question, &mut answer as *mut i32) };
    answer
}

/// Only looks: which options we have to think of from now on.
pub fn setsockopt(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let fd = frame.rdi as i32;
    if frame.rsi as i32 == libc::SOL_SOCKET {
        match frame.rdx as i32 {
            libc::SO_RCVLOWAT if user::read::<i32>(frame.r10).is_ok_and(|mark| mark > 1) => {
                LOW_WATER_MARKS.store(true, Relaxed);
            }
            libc::SO_LINGER if user::read::<libc::linger>(frame.r10).is_ok_and(|linger| linger.l_onoff != 0) => {
                LINGERS.store(true, Relaxed);
            }
            libc::SO_RCVTIMEO | libc::SO_SNDTIMEO => {
                hub.reactor.table.lock().flags_change(fd);
            }
            // Where the sender's identity changes, or urgent data stands, a read ends.
            libc::SO_OOBINLINE | libc::SO_PASSCRED | SO_PASSPIDFD | libc::SO_PASSSEC => {
                hub.reactor.table.lock().no_stream(fd);
            }
            _ => (),
        }
    } else if frame.rsi as i32 == libc::IPPROTO_TCP && frame.rdx as i32 == libc::TCP_ULP {
        // TLS in the kernel gives a record at a time.
        hub.reactor.table.lock().no_stream(fd);
    }
    Pass(Reason::NonBlocking)
}

/// Never waits.
pub fn shutdown(_hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    Pass(Reason::NonBlocking)
}

/// Another process is about to get descriptors that this message carries. EBADF if one is the runtime's, else whether the
/// message has control data.
fn note_descriptors(hub: &Hub, message: usize) -> Result<bool, isize> {
    let Ok(header) = user::read::<libc::msghdr>(message) else { return Ok(false) };
    let (control, length) = (header.msg_control as usize, header.msg_controllen);
    let mut at = 0usize;
    while length >= at.saturating_add(size_of::<libc::cmsghdr>()) {
        let Ok(part) = user::read::<libc::cmsghdr>(control.wrapping_add(at)) else { return Ok(true) };
        let Some(bytes) = part.cmsg_len.checked_sub(size_of::<libc::cmsghdr>()) else { return Ok(true) };
        if part.cmsg_level == libc::SOL_SOCKET && part.cmsg_type == libc::SCM_RIGHTS {
            hub.reactor.table.lock().forget_private();
            // The kernel takes no more.
            const MOST: usize = 253;
            let first = control.wrapping_add(at + size_of::<libc::cmsghdr>());
            let mut numbers = (0..(bytes / 4).min(MOST)).map_while(|i| user::read::<i32>(first + i * 4).ok());
            return if numbers.any(|fd| hub.reactor.owns(fd)) { Err(error(libc::EBADF)) } else { Ok(true) };
        }
        at = at.saturating_add(part.cmsg_len.saturating_add(7) & !7);
    }
    Ok(length != 0)
}
