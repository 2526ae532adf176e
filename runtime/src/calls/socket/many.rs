//! sendmmsg and recvmmsg.

use super::send::{buffers_of, send_message};
use super::{help, help_send, note_descriptors, send_rest, socket_type};
use crate::calls::io::block::{Block, Cannot, Stop, EAGAIN};
use crate::calls::{read_timespec, write_timespec, Outcome, Reason};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{sys, user};
use core::mem::offset_of;
use Outcome::{Done, Pass};

/// The kernel looks at no more messages in one call.
const MOST: usize = 1024;
const SIZE: usize = size_of::<libc::mmsghdr>();
const WAITFORONE: i32 = libc::MSG_WAITFORONE;

fn set_length(message: usize, length: isize) {
    let _ = user::write(message + offset_of!(libc::mmsghdr, msg_len), &(length as u32));
}

pub fn sendmmsg(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (fd, messages, flags) = (frame.rdi as i32, frame.rsi, frame.r10 as i32);
    let count = (frame.rdx as u32 as usize).min(MOST);
    for index in 0..count {
        if let Err(errno) = note_descriptors(hub, messages + index * SIZE) {
            return Done(errno);
        }
    }
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    if flags & libc::MSG_DONTWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    if flags & !libc::MSG_NOSIGNAL != 0 {
        return Done(help_send(hub, frame, fd));
    }
    // SAFETY: the program's own pointer.
    let first = unsafe { sys!(libc::SYS_sendmmsg, fd, messages, count, flags | libc::MSG_DONTWAIT) };
    if first < 0 && first != EAGAIN {
        return Done(first);
    }
    let mut sent = first.max(0) as usize;
    if sent > 0 && !finish(hub, fd, messages + (sent - 1) * SIZE, flags) {
        return Done(sent as isize);
    }
    while sent < count {
        let message = messages + sent * SIZE;
        match send_message(hub, fd, message, flags) {
            Ok(length) if length >= 0 => set_length(message, length),
            Ok(_) if sent > 0 => break,
            Ok(failed) => return Done(failed),
            Err(Cannot) if sent > 0 => break,
            Err(Cannot) => return Done(help_send(hub, frame, fd)),
        }
        sent += 1;
    }
    Done(sent as isize)
}

/// Sends the rest of a message of which a part has gone. False if that ended early.
fn finish(hub: &Hub, fd: i32, message: usize, flags: i32) -> bool {
    if socket_type(hub, fd) != libc::SOCK_STREAM {
        return true;
    }
    let Ok(gone) = user::read::<u32>(message + offset_of!(libc::mmsghdr, msg_len)) else { return true };
    let Some(buffers) = buffers_of(message) else { return true };
    if buffers.total() <= gone as usize {
        return true;
    }
    let Some(rest) = buffers.rest(gone as usize) else { return true };
    let mut block = Block::of_socket(hub, fd, WRITE);
    let length = send_rest(&mut block, gone as usize, rest, flags);
    set_length(message, length);
    length as usize == buffers.total()
}

/// As in the kernel, the timeout ends no wait: it is looked at after each message, and what is left of it is told.
pub fn recvmmsg(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, flags, timeout) = (frame.rdi as i32, frame.r10 as i32, frame.r8);
    if flags & libc::MSG_OOB != 0 {
        hub.reactor.table(hub).no_stream(fd);
    }
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 {
        return Pass(Reason::NonBlocking);
    }
    let mut end = None;
    if timeout != 0 {
        let Ok(ns) = read_timespec(timeout) else { return Pass(Reason::NotOurs) };
        end = Some(sys::now().saturating_add(ns));
    }
    if flags & !(WAITFORONE | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC) != 0 || super::has_low_water_mark(fd) {
        return Done(help(hub, frame, fd, libc::SO_RCVTIMEO));
    }
    let count = (frame.rdx as u32 as usize).min(MOST);
    match receive(hub, fd, frame.rsi, count, flags, end) {
        Ok(received) if received > 0 => Done(match end {
            Some(end) => match write_timespec(timeout, end.saturating_sub(sys::now())) {
                Ok(()) => received,
                Err(fault) => fault.into(),
            },
            None => received,
        }),
        Ok(result) => Done(result),
        Err(Cannot) => Done(help(hub, frame, fd, libc::SO_RCVTIMEO)),
    }
}

fn receive(hub: &Hub, fd: i32, messages: usize, count: usize, flags: i32, end: Option<u64>) -> Result<isize, Cannot> {
    let now = flags & !WAITFORONE | libc::MSG_DONTWAIT;
    let mut received = 0usize;
    'messages: loop {
        // Each message has the socket's timeout for itself.
        let mut block = Block::of_socket(hub, fd, READ);
        loop {
            let at_once = if end.is_some() { 1.min(count) } else { count - received };
            // SAFETY: the program's own pointer.
            let more = unsafe { sys!(libc::SYS_recvmmsg, block.fd(), messages + received * SIZE, at_once, now, 0) };
            match more {
                EAGAIN => (),
                more if more < 0 && received == 0 => return Ok(more),
                more if more <= 0 => break 'messages,
                more => {
                    received += more as usize;
                    // With WAITFORONE what is there is taken as well.
                    let enough = flags & WAITFORONE != 0 && end.is_none();
                    if enough || received == count || end.is_some_and(|end| sys::now() >= end) {
                        break 'messages;
                    }
                    continue 'messages;
                }
            }
            if flags & WAITFORONE != 0 && received > 0 {
                break 'messages;
            }
            match block.wait() {
                Ok(()) => (),
                Err(Stop::Answer(answer)) if received == 0 => return Ok(answer),
                Err(Stop::Cannot) if received == 0 => return Err(Cannot),
                Err(_) => break 'messages,
            }
        }
    }
    Ok(received as isize)
}
