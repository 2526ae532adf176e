//! The lives of descriptors, which the reactor follows. These calls never wait (but for a socket that lingers), so
//! foreign threads use them as they are.
//!
//! Numbers that are the runtime's own are not open as far as a program can tell: every call says EBADF, and if the
//! program puts a file of its own at one of them, what we have there moves.

use super::{error, io, names, owners, page_faults, socket, Outcome, Reason, ERESTARTNOHAND};
use crate::frame::Frame;
use crate::hub::{current_hub, Hub};
use crate::{offload, sys, user};
use Outcome::{Done, Pass};

const EBADF: isize = error(libc::EBADF);
const EMFILE: isize = error(libc::EMFILE);

/// Whether a call names a number of ours as a descriptor in its first argument, or as the folder that its path is in.
#[cold]
pub fn names_own(hub: &Hub, frame: &Frame) -> bool {
    let fd = frame.rdi as i32;
    let by_path = match frame.number as i64 {
        libc::SYS_openat
        | libc::SYS_newfstatat
        | libc::SYS_statx
        | libc::SYS_utimensat
        | libc::SYS_readlinkat
        | libc::SYS_faccessat
        | libc::SYS_faccessat2
        | libc::SYS_unlinkat
        | libc::SYS_mkdirat
        | libc::SYS_fchownat
        | libc::SYS_fchmodat
        | libc::SYS_openat2
        | libc::SYS_execveat => user::read::<u8>(frame.rsi).is_ok_and(|first| first == b'/'),
        _ => false,
    };
    !by_path && hub.reactor.owns(fd)
}

/// A call that gives the program a new descriptor, and that the kernel is to make: for want of numbers the program gets
/// those of ours that it can.
pub fn makes(hub: &'static Hub, frame: &Frame) -> Outcome {
    let waits = match frame.number as i64 {
        libc::SYS_fcntl => !matches!(frame.rsi as i32, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC),
        _ => false,
    };
    if waits {
        return Pass(Reason::NonBlocking);
    }
    let [a, b, c, d, e, f] = frame.args();
    // SAFETY: the program's own call, which cannot wait.
    let result = unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) };
    if result == EMFILE && hub.reactor.give_up() {
        // SAFETY: as above.
        return Done(unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) });
    }
    Done(result)
}

/// Whether the limit on descriptors lets the program use the number.
fn may_use(fd: i32) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    (fd as u64) < limit.rlim_cur
}

fn is_open(fd: i32) -> bool {
    // SAFETY: no pointers.
    unsafe { sys!(libc::SYS_fcntl, fd, libc::F_GETFD) >= 0 }
}

/// The numbers below 4,096 that are open. Who has more before it asks has them for other things than what is asked about.
pub(super) fn open_numbers() -> Vec<i32> {
    open_below(4096)
}

/// The numbers below `most` that are open.
pub(super) fn open_below(most: i32) -> Vec<i32> {
    const AT_ONCE: i32 = 256;
    let mut open = Vec::new();
    let mut polls: Vec<libc::pollfd> = Vec::with_capacity(AT_ONCE as usize);
    for start in (0..most).step_by(AT_ONCE as usize) {
        polls.clear();
        polls.extend((start..start + AT_ONCE).map(|fd| libc::pollfd { fd, events: 0, revents: 0 }));
        // SAFETY: the vector is ours.
        if unsafe { sys!(libc::SYS_poll, polls.as_mut_ptr(), polls.len(), 0) } >= 0 {
            open.extend(polls.iter().filter(|poll| poll.revents & libc::POLLNVAL == 0).map(|poll| poll.fd));
        } else {
            // More than the limit on descriptors, which may be lower than the numbers that are open, are too many for it.
            open.extend((start..start + AT_ONCE).filter(|fd| is_open(*fd)));
        }
    }
    open
}

pub fn close(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let fd = frame.rdi as i32;
    let green = current_hub().is_some_and(|mine| core::ptr::eq(mine, hub));
    if green {
        names::before_close(hub, fd);
        owners::closed(fd);
    }
    let lingers = green && hub.others_alive() && socket::lingers(hub, fd);
    if !hub.reactor.before_close(hub, fd) {
        return Done(EBADF);
    }
    if lingers {
        return Done(match offload::call(hub, libc::SYS_close, frame.args()) {
            // The number is free by now, and may be somebody else's.
            ERESTARTNOHAND => error(libc::EINTR),
            result => result,
        });
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
    if flags & libc::CLOSE_RANGE_UNSHARE != 0 {
        offload::leave_helpers();
    }
    offload::await_lookups(first..=last);
    let numbers = hub.reactor.table.lock().numbers();
    for fd in numbers.filter(|&fd| (first..=last).contains(&(fd as u32))) {
        hub.reactor.before_close(hub, fd);
    }
    // Waiters' files may have got new numbers meanwhile.
    let hidden: Vec<i32> = {
        let mut table = hub.reactor.table.lock();
        table.numbers().filter(|&fd| table.known(fd).is_some_and(|entry| entry.own || entry.kept)).collect()
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
    hub.reactor.table.lock().note_duplicate(frame.rdi as i32);
    Pass(Reason::NonBlocking)
}

/// Puts `from` at the number `to` by system call `number`.
fn replace(hub: &Hub, number: i64, from: i32, to: i32, flags: usize) -> isize {
    // A call that fails must leave the old file at `to` alone, and known.
    let fails = !is_open(from) || from == to || number == libc::SYS_dup3 && flags as i32 & !libc::O_CLOEXEC != 0;
    let carrier = current_hub().is_some_and(|mine| core::ptr::eq(mine, hub));
    if hub.reactor.owns(to) && (fails || !carrier || !may_use(to) || !hub.reactor.make_way(hub, to)) {
        return EBADF;
    }
    if !fails {
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

pub fn ioctl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    io::device::change_terminal(hub, frame).map_or_else(|| ioctl_foreign(hub, frame), Outcome::Done)
}

/// ioctl: FIONBIO is another name of F_SETFL.
pub fn ioctl_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi as u32 == libc::FIONBIO as u32 {
        hub.reactor.table.lock().flags_change(frame.rdi as i32);
    } else if frame.rsi as u32 as usize == page_faults::USERFAULTFD_IOC_NEW {
        page_faults::begin();
    }
    Pass(Reason::NonBlocking)
}

pub fn fcntl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match frame.rsi as i32 {
        libc::F_SETLKW | libc::F_OFD_SETLKW if !hub.others_alive() => Pass(Reason::NoOtherGreenThread),
        libc::F_SETLKW | libc::F_OFD_SETLKW if hub.module_on(crate::modules::Module::Os) => io::lock(hub, frame),
        libc::F_SETOWN
        | libc::F_GETOWN
        | owners::F_SETOWN_EX
        | owners::F_GETOWN_EX
        | owners::F_SETSIG
        | owners::F_GETSIG => owners::fcntl(hub, frame),
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
