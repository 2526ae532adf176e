//! read, write and their kin, by the kind of descriptor. Each kind is tried in the way that cannot block and that
//! leaves the description's O_NONBLOCK alone:
//!
//! | kind | try | where it would block |
//! |---|---|---|
//! | socket | MSG_DONTWAIT | wait for the descriptor |
//! | pipe, FIFO | RWF_NOWAIT, else a non-blocking description of our own | wait for the descriptor |
//! | file | RWF_NOWAIT; writes go to the page cache, but for O_SYNC and the like | a helper thread |
//! | eventfd and kin | RWF_NOWAIT, else readiness | wait for the descriptor; writes: a helper thread |
//! | terminal, device | readiness | wait for the descriptor, then a helper thread, since another process may be faster |

mod aio;
pub(crate) mod block;
pub(crate) mod buffers;
pub(crate) mod device;
mod event;
mod file;
mod ipc;
mod locks;
mod moving;
mod pipe;
mod ring;

pub use aio::{io_getevents, io_pgetevents};
pub use device::getrandom;
pub use event::eventfd;
pub(crate) use file::CREAT;
pub use file::{copy_file_range, fallocate, fdatasync, fsync, msync, openat, openat2, sync, sync_file_range, syncfs};
pub use ipc::{mq_timedreceive, mq_timedsend, msgrcv, msgsnd, semop, semtimedop};
pub use locks::flock;
pub(crate) use locks::lock;
pub use moving::{sendfile, splice, tee, vmsplice};
pub use ring::{io_uring_enter, io_uring_register, io_uring_setup};

use super::{names, signalfd, socket, Outcome, Reason};
use crate::fd_table::Kind;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{never_waits, sys, user};
use block::Cannot;
use buffers::Buffers;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use Outcome::{Done, Pass};

/// Kernels without RWF_NOWAIT, or the test setting.
pub static NO_RWF_NOWAIT: AtomicBool = AtomicBool::new(false);

/// The descriptor's own position.
pub(crate) const HERE: i64 = -1;

/// Whether the user wants descriptors of this kind.
pub fn module_on(hub: &Hub, kind: Kind) -> bool {
    hub.module_on(if kind == Kind::Socket { Module::Socket } else { Module::Os })
}

/// The kind of `fd`, or why the call is the kernel's.
fn ours(hub: &Hub, fd: i32) -> Result<Kind, Reason> {
    if !hub.others_alive() && !signalfd::maybe() && !hub.current().has_begun_write() {
        return Err(Reason::NoOtherGreenThread);
    }
    let kind = hub.reactor.kind(hub, fd).ok_or(Reason::NotOurs)?;
    if module_on(hub, kind) {
        Ok(kind)
    } else {
        Err(Reason::ModuleOff)
    }
}

/// A program may have filtered the call away.
#[inline]
fn or_without_nowait(result: isize) -> isize {
    if result != super::error(libc::ENOSYS) {
        return result;
    }
    NO_RWF_NOWAIT.store(true, Relaxed);
    super::error(libc::EOPNOTSUPP)
}

/// preadv2 with RWF_NOWAIT.
#[inline]
pub(crate) fn read_nowait(fd: i32, vector: usize, count: usize, position: i64) -> isize {
    if NO_RWF_NOWAIT.load(Relaxed) {
        return super::error(libc::EOPNOTSUPP);
    }
    // SAFETY: the program's own buffers.
    or_without_nowait(unsafe { sys!(libc::SYS_preadv2, fd, vector, count, position, 0, libc::RWF_NOWAIT) })
}

/// pwritev2 with RWF_NOWAIT.
#[inline]
pub(crate) fn write_nowait(fd: i32, vector: usize, count: usize) -> isize {
    if NO_RWF_NOWAIT.load(Relaxed) {
        return super::error(libc::EOPNOTSUPP);
    }
    // SAFETY: the program's own buffers.
    or_without_nowait(unsafe { sys!(libc::SYS_pwritev2, fd, vector, count, HERE, 0, libc::RWF_NOWAIT) })
}

/// What `Err(Cannot)` comes to: a helper makes the call.
fn or_help(hub: &'static Hub, frame: &Frame, result: Result<isize, Cannot>) -> Outcome {
    let fd = frame.rdi as i32;
    Done(match result {
        Ok(result) => result,
        Err(Cannot) => block::help(hub, frame, fd),
    })
}

fn read_any(hub: &'static Hub, frame: &Frame, kind: Kind, buffers: &Buffers) -> Outcome {
    let fd = frame.rdi as i32;
    match kind {
        // Nothing is taken from a socket then, not even a datagram.
        Kind::Socket | Kind::Pipe if buffers.total() == 0 => Pass(Reason::NonBlocking),
        Kind::Socket => socket::read(hub, frame, fd, buffers),
        Kind::Pipe => or_help(hub, frame, pipe::read(hub, fd, buffers)),
        Kind::File => file::read(hub, frame, fd, buffers, HERE),
        Kind::Character => device::read_device(hub, frame, fd),
        Kind::Anonymous => event::read(hub, frame, fd, buffers),
        Kind::Directory => Pass(Reason::NotOurs),
    }
}

fn write_any(hub: &'static Hub, frame: &Frame, kind: Kind, buffers: &Buffers) -> Outcome {
    let fd = frame.rdi as i32;
    match kind {
        Kind::Socket => socket::write(hub, frame, fd, buffers),
        Kind::Pipe => or_help(hub, frame, pipe::write(hub, fd, buffers)),
        Kind::Character => device::write_device(hub, frame, fd),
        Kind::Anonymous => event::write(hub, frame, fd, buffers),
        Kind::File => file::write(hub, frame, fd),
        Kind::Directory => Pass(Reason::NonBlocking),
    }
}

/// The buffer of a call that has one; `None` where the kernel refuses it before all else.
#[inline]
fn one(frame: &Frame) -> Option<Buffers> {
    user::is_range(frame.rsi, frame.rdx).then(|| Buffers::one(frame.rsi, frame.rdx))
}

pub fn read(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    read_into(hub, frame, one)
}

pub fn readv(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    read_into(hub, frame, |frame| Buffers::vector(frame.rsi, frame.rdx))
}

#[inline(always)]
fn read_into(hub: &'static Hub, frame: &Frame, buffers: impl FnOnce(&Frame) -> Option<Buffers>) -> Outcome {
    match ours(hub, frame.rdi as i32) {
        Ok(kind) => match buffers(frame) {
            Some(buffers) => read_any(hub, frame, kind, &buffers),
            None => Pass(Reason::NonBlocking),
        },
        Err(reason) => Pass(reason),
    }
}

pub fn write(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(outcome) = names::write(hub, frame) {
        return outcome;
    }
    write_from(hub, frame, one)
}

pub fn writev(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    write_from(hub, frame, |frame| Buffers::vector(frame.rsi, frame.rdx))
}

#[inline(always)]
fn write_from(hub: &'static Hub, frame: &Frame, buffers: impl FnOnce(&Frame) -> Option<Buffers>) -> Outcome {
    match ours(hub, frame.rdi as i32) {
        Ok(kind) => match buffers(frame) {
            Some(buffers) => write_any(hub, frame, kind, &buffers),
            None => Pass(Reason::NonBlocking),
        },
        Err(reason) => Pass(reason),
    }
}

/// Reads at a position, which only files have.
fn read_at(hub: &'static Hub, frame: &Frame, buffers: Option<Buffers>) -> Outcome {
    let (fd, position) = (frame.rdi as i32, frame.r10 as i64);
    match (ours(hub, fd), buffers) {
        (Ok(Kind::File), Some(buffers)) if position >= 0 => file::read(hub, frame, fd, &buffers, position),
        (Ok(_), _) => Pass(Reason::NotOurs),
        (Err(reason), _) => Pass(reason),
    }
}

pub fn pread64(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    read_at(hub, frame, one(frame))
}

pub fn preadv(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    read_at(hub, frame, Buffers::vector(frame.rsi, frame.rdx))
}

pub fn pwrite64(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    file::write_at(hub, frame, 0)
}

pub fn pwritev(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    file::write_at(hub, frame, 0)
}

pub fn preadv2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match (frame.r9 as i32, frame.r10 as i64) {
        (0, HERE) => readv(hub, frame),
        (0, _) => read_at(hub, frame, Buffers::vector(frame.rsi, frame.rdx)),
        _ => Pass(Reason::NotOurs),
    }
}

pub fn pwritev2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match (frame.r9 as i32, frame.r10 as i64) {
        (0, HERE) => writev(hub, frame),
        (flags, _) => file::write_at(hub, frame, flags),
    }
}

/// The signal may have been ours: libc's own function makes the call again.
#[inline]
fn unless_interrupted(result: isize) -> Option<isize> {
    (result != super::error(libc::EINTR)).then_some(result)
}

/// For the hook by name: reads if that takes one call and cannot block. `None`: libc's own function is to be called.
#[inline]
pub fn try_read(hub: &Hub, fd: i32, buffer: usize, len: usize) -> Option<isize> {
    if !user::is_range(buffer, len) {
        return None;
    }
    if never_waits::read(fd) {
        // SAFETY: the program's own buffer.
        return unless_interrupted(unsafe { sys!(libc::SYS_read, fd, buffer, len) });
    }
    let kind = ours(hub, fd).ok()?;
    let result = match kind {
        Kind::Socket if len != 0 => return socket::try_recv(hub, fd, buffer, len, 0),
        Kind::Pipe if hub.reactor.is_drained(hub, fd) => {
            hub.reactor.note_unready(fd);
            return None;
        }
        Kind::Pipe => read_nowait(fd, Buffers::one(buffer, len).pointer(), 1, HERE),
        Kind::Anonymous => return event::try_read(fd, buffer, len),
        _ => return None,
    };
    if result == super::error(libc::EAGAIN) {
        hub.reactor.note_empty(hub, fd);
    }
    pipe::note_read(hub, fd, result, len);
    (result >= 0).then_some(result)
}

/// For the hook by name, as `try_read`. What it has begun libc's own function goes on with.
#[inline]
pub fn try_write(hub: &Hub, fd: i32, buffer: usize, len: usize) -> Option<isize> {
    if !user::is_range(buffer, len) {
        return None;
    }
    if never_waits::write(fd) {
        // SAFETY: the program's own buffer.
        return unless_interrupted(unsafe { sys!(libc::SYS_write, fd, buffer, len) });
    }
    let buffers = Buffers::one(buffer, len);
    let result = match ours(hub, fd).ok()? {
        Kind::Socket => return socket::try_write(hub, fd, buffer, len),
        Kind::Pipe => write_nowait(fd, buffers.pointer(), 1),
        Kind::Anonymous => return event::try_write(hub, fd, buffer, len),
        _ => return None,
    };
    pipe::note_write(hub, fd, result);
    if result > 0 && result as usize != buffers.total() {
        hub.current().begin_write(fd, buffer, len, result);
        return None;
    }
    // Not tried again where SIGPIPE has been raised.
    (result >= 0 || result == super::error(libc::EPIPE)).then_some(result)
}
