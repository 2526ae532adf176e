//! sendfile, splice, tee and vmsplice.

use super::block::{help, is_nonblocking, EAGAIN};
use super::module_on;
use crate::calls::{error, Outcome, Reason};
use crate::fd_table::Kind;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{offload, sys};
use Outcome::{Done, Pass};

const SPLICE_F_NONBLOCK: u32 = 2;

fn wait(hub: &'static Hub, frame: &Frame) -> Outcome {
    Done(offload::call(hub, frame.number as i64, frame.args()))
}

/// There is no form of it that cannot wait, for the file or for the other side.
pub fn sendfile(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let to = frame.rdi as i32;
    if hub.reactor.owns(frame.rsi as i32) {
        return Done(error(libc::EBADF));
    }
    hub.reactor.table(hub).writes_unusual(to);
    match hub.reactor.kind(hub, to) {
        None => Pass(Reason::NotOurs),
        Some(kind) if !module_on(hub, kind) => Pass(Reason::ModuleOff),
        Some(_) if is_nonblocking(to) => Pass(Reason::NonBlocking),
        Some(_) => wait(hub, frame),
    }
}

/// The flag makes the pipe of the two not wait; a socket, terminal or device on the other side might.
pub fn splice(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [from, from_at, to, to_at, size, flags] = frame.args();
    if hub.reactor.owns(to as i32) {
        return Done(error(libc::EBADF));
    }
    hub.reactor.table(hub).writes_unusual(to as i32);
    let (Some(source), Some(target)) = (hub.reactor.kind(hub, from as i32), hub.reactor.kind(hub, to as i32)) else {
        return Pass(Reason::NotOurs);
    };
    if !module_on(hub, source) || !module_on(hub, target) {
        return Pass(Reason::ModuleOff);
    }
    if flags as u32 & SPLICE_F_NONBLOCK != 0 {
        return Pass(Reason::NonBlocking);
    }
    let only_pipes = source == Kind::Pipe && target == Kind::Pipe;
    if !only_pipes {
        return wait(hub, frame);
    }
    let try_flags = flags as u32 | SPLICE_F_NONBLOCK;
    // SAFETY: the program's own pointers.
    match unsafe { sys!(libc::SYS_splice, from, from_at, to, to_at, size, try_flags) } {
        EAGAIN => wait(hub, frame),
        result => Done(result),
    }
}

pub fn tee(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [from, to, size, flags, ..] = frame.args();
    if hub.reactor.owns(to as i32) {
        return Done(error(libc::EBADF));
    }
    hub.reactor.table(hub).writes_unusual(to as i32);
    if flags as u32 & SPLICE_F_NONBLOCK != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: no pointers.
    match unsafe { sys!(libc::SYS_tee, from, to, size, flags as u32 | SPLICE_F_NONBLOCK) } {
        EAGAIN => wait(hub, frame),
        result => Done(result),
    }
}

/// Reading from a pipe into memory waits for the first bytes only, and so does the other direction for room.
pub fn vmsplice(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [pipe, vector, count, flags, ..] = frame.args();
    if flags as u32 & SPLICE_F_NONBLOCK != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own pointer.
    match unsafe { sys!(libc::SYS_vmsplice, pipe, vector, count, flags as u32 | SPLICE_F_NONBLOCK) } {
        EAGAIN => Done(help(hub, frame, pipe as i32)),
        result => Done(result),
    }
}
