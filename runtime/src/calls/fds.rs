//! The lives of descriptors, which the reactor follows. These calls never wait (but for a socket that lingers), so
//! foreign threads use them as they are.
//!
//! Numbers that are the runtime's own are not open as far as a program can tell: EBADF, also as a target of dup2 and
//! dup3, where the kernel says that for numbers that the process may not use.

use super::{error, io, names, socket, Outcome, Reason};
use crate::frame::Frame;
use crate::hub::{current_hub, Hub};
use crate::{offload, sys};
use Outcome::{Done, Pass};

const EBADF: isize = error(libc::EBADF);

/// Whether `fd` is the reactor's, or one that a parked call keeps.
pub(super) fn is_hidden(hub: &Hub, fd: i32) -> bool {
    hub.reactor.owns(fd) || hub.reactor.table.lock().known(fd).is_some_and(|entry| entry.kept)
}

fn is_open(fd: i32) -> bool {
    // SAFETY: no pointers.
    unsafe { sys!(libc::SYS_fcntl, fd, libc::F_GETFD) >= 0 }
}

pub fn close(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let fd = frame.rdi as i32;
    let green = current_hub().is_some_and(|mine| core::ptr::eq(mine, hub));
    if green {
        names::before_close(hub, fd);
    }
    let lingers = green && hub.others_alive() && socket::lingers(hub, fd);
    if !hub.reactor.before_close(hub, fd) {
        return Done(EBADF);
    }
    if lingers {
        return Done(offload::call(hub, libc::SYS_close, frame.args()));
    }
    // SAFETY: the program's own descriptor.
    Done(unsafe { sys!(libc::SYS_close, fd) })
}

/// Where a range is cut so that `hidden` numbers, in rising order, stay open.
fn pieces(first: u32, last: u32, hidden: &[i32]) -> Vec<(u32, u32)> {
    let mut pieces = Vec::new();
    let mut from = u64::from(first);
    for &number in hidden {
        let number = number as u64;
        if number < from || number > u64::from(last) {
            continue;
        }
        if from < number {
            pieces.push((from as u32, number as u32 - 1));
        }
        from = number + 1;
    }
    if from <= u64::from(last) {
        pieces.push((from as u32, last));
    }
    pieces
}

pub fn close_range(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (first, last, flags) = (frame.rdi as u32, frame.rsi as u32, frame.rdx as u32);
    let closes = flags & !libc::CLOSE_RANGE_UNSHARE == 0;
    // Ours are closed by exec already.
    if first > last || !closes {
        return Pass(Reason::NotOurs);
    }
    let known = hub.reactor.table.lock().len() as u32;
    for fd in first..last.saturating_add(1).min(known) {
        hub.reactor.before_close(hub, fd as i32);
    }
    // Waiters' files may have got new numbers meanwhile.
    let hidden = {
        let mut table = hub.reactor.table.lock();
        let owned = hub.reactor.owned();
        let mut hidden: Vec<i32> = (0..table.len() as i32)
            .filter(|&fd| table.known(fd).is_some_and(|entry| entry.kept))
            .chain(owned.into_iter().flatten())
            .collect();
        hidden.sort_unstable();
        hidden
    };
    let mut result = 0;
    for (from, to) in pieces(first, last, &hidden) {
        // SAFETY: the program's own descriptors.
        result = unsafe { sys!(libc::SYS_close_range, from, to, flags) };
        if result < 0 {
            break;
        }
    }
    Done(result)
}

pub fn dup(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_hidden(hub, frame.rdi as i32) {
        return Done(EBADF);
    }
    hub.reactor.table.lock().note_duplicate(frame.rdi as i32);
    Pass(Reason::NonBlocking)
}

/// Puts `from` at the number `to` by system call `number`.
fn replace(hub: &Hub, number: i64, from: i32, to: i32, flags: usize) -> isize {
    if is_hidden(hub, from) || is_hidden(hub, to) {
        return EBADF;
    }
    // A call that fails must leave the old file at `to` alone, and known.
    if from != to && is_open(from) && (number == libc::SYS_dup2 || flags as i32 & !libc::O_CLOEXEC == 0) {
        hub.reactor.before_close(hub, to);
        hub.reactor.table.lock().note_duplicate(from);
    }
    // SAFETY: the program's own descriptors.
    unsafe { sys!(number, from, to, flags) }
}

pub fn dup2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    Done(replace(hub, libc::SYS_dup2, frame.rdi as i32, frame.rsi as i32, 0))
}

pub fn dup3(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    Done(replace(hub, libc::SYS_dup3, frame.rdi as i32, frame.rsi as i32, frame.rdx))
}

/// As `fcntl`, without what may wait.
pub fn fcntl_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let duplicates = matches!(frame.rsi as i32, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC);
    let fd = frame.rdi as i32;
    // Programs ask in this way which numbers are open.
    if is_hidden(hub, fd) {
        return Done(EBADF);
    }
    if duplicates {
        hub.reactor.table.lock().note_duplicate(fd);
    }
    if frame.rsi as i32 == libc::F_SETFL {
        let mut table = hub.reactor.table.lock();
        table.flags_change(fd);
        if frame.rdx as i32 & libc::O_DIRECT != 0 {
            // A pipe of packets.
            table.writes_unusual(fd);
        }
    }
    Pass(Reason::NonBlocking)
}

/// ioctl: FIONBIO is another name of F_SETFL.
pub fn ioctl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi as u32 == libc::FIONBIO as u32 {
        hub.reactor.table.lock().flags_change(frame.rdi as i32);
    }
    Pass(Reason::NonBlocking)
}

pub fn fcntl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match frame.rsi as i32 {
        libc::F_SETLKW | libc::F_OFD_SETLKW if !hub.others_alive() => Pass(Reason::NoOtherGreenThread),
        libc::F_SETLKW | libc::F_OFD_SETLKW if hub.module_on(crate::modules::Module::Os) => io::lock(hub, frame),
        _ => fcntl_foreign(hub, frame),
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn ranges_go_around_hidden_numbers() {
        assert_eq!(pieces(3, 10, &[]), [(3, 10)]);
        assert_eq!(pieces(3, 10, &[5, 6, 9]), [(3, 4), (7, 8), (10, 10)]);
        assert_eq!(pieces(3, 10, &[1, 3, 10, 12]), [(4, 9)]);
        assert_eq!(pieces(3, 3, &[3]), []);
        assert_eq!(pieces(0, u32::MAX, &[960]), [(0, 959), (961, u32::MAX)]);
    }
}
