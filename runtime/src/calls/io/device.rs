//! Character devices, terminals above all, and the kernel's anonymous objects (eventfd, timerfd, signalfd, inotify).

use super::block::{help, is_nonblocking, poll_now, retry, Block, Cannot, Stop, EAGAIN};
use super::buffers::Buffers;
use super::{read_nowait, HERE};
use crate::calls::{error, signalfd, Outcome, Reason, ERESTARTSYS};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{sys, user};
use Outcome::{Done, Pass};

/// The kernel's `struct termios`, which is not libc's.
#[repr(C)]
#[derive(Clone, Copy)]
struct Terminal {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

impl Terminal {
    fn of(fd: i32) -> Option<Terminal> {
        let mut terminal = Terminal { input: 0, output: 0, control: 0, local: 0, line: 0, characters: [0; 19] };
        // SAFETY: `terminal` is ours and has the kernel's layout.
        let result = unsafe { sys!(libc::SYS_ioctl, fd, libc::TCGETS, &mut terminal as *mut Terminal) };
        (result >= 0).then_some(terminal)
    }

    /// A read may end without any byte after a time (`Some`, tenths of a second), which polling can't tell.
    fn ends_empty(&self) -> Option<u8> {
        let raw = self.local & libc::ICANON == 0 && self.characters[libc::VMIN] == 0;
        raw.then_some(self.characters[libc::VTIME])
    }
}

/// Whether the terminal is ours and another process group is in its foreground.
fn in_background(fd: i32) -> bool {
    let mut group = 0i32;
    // SAFETY: `group` is ours.
    unsafe {
        sys!(libc::SYS_ioctl, fd, libc::TIOCGPGRP, &mut group as *mut i32) >= 0
            && group as isize != sys!(libc::SYS_getpgid, 0)
    }
}

/// /dev/null, /dev/zero, /dev/urandom and so on: memory devices never wait, but for the kernel's log.
fn never_waits(fd: i32) -> bool {
    const MEMORY: u32 = 1;
    const LOG: u32 = 11;
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours.
    let result = unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut libc::stat) };
    result >= 0 && libc::major(stat.st_rdev) == MEMORY && libc::minor(stat.st_rdev) != LOG
}

/// Once there is something to read a helper reads it: what one process sees another may take.
pub(super) fn read_device(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    if never_waits(fd) || is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    if let Some(terminal) = Terminal::of(fd) {
        if in_background(fd) {
            // Reading stops us, or is refused. Reading nothing does the same, and does not block the carrier when
            // we have been continued in the foreground.
            // SAFETY: nothing is read.
            let refused = unsafe { sys!(libc::SYS_read, fd, 0, 0) };
            if refused == error(libc::EINTR) {
                return Done(ERESTARTSYS);
            }
            if refused < 0 {
                return Done(refused);
            }
        }
        match terminal.ends_empty() {
            Some(0) => return Pass(Reason::NonBlocking),
            Some(_) => return Done(help(hub, frame, fd)),
            None => (),
        }
    }
    let mut block = Block::new(hub, fd, READ);
    match block.until(libc::POLLIN) {
        Ok(()) | Err(Stop::Cannot) => Done(help(hub, frame, block.fd())),
        Err(Stop::Answer(answer)) => Done(answer),
    }
}

/// A terminal that says it has room may not have enough for all, and no flag makes it take a part.
pub(super) fn write_device(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    if never_waits(fd) || is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    // A helper blocks SIGTTOU, and so would not be stopped.
    let stopped = Terminal::of(fd).is_some_and(|terminal| terminal.local & libc::TOSTOP != 0) && in_background(fd);
    if stopped {
        return Pass(Reason::NotOurs);
    }
    Done(help(hub, frame, fd))
}

/// eventfd, timerfd and signalfd take RWF_NOWAIT (Linux 6.10 for all of them); inotify and others don't.
pub(super) fn read_object(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    let attempt = |fd| match signalfd::read(fd, buffers) {
        Some(result) => result,
        None => read_nowait(fd, buffers.pointer(), buffers.count(), HERE),
    };
    let first = attempt(fd);
    if first == error(libc::EOPNOTSUPP) {
        return read_when_ready(hub, frame, fd, buffers);
    }
    if first != EAGAIN {
        return Done(first);
    }
    let mut block = Block::new(hub, fd, READ);
    match retry(&mut block, first, attempt) {
        Ok(result) => Done(result),
        Err(Cannot) => Done(help(hub, frame, block.fd())),
    }
}

/// Nobody takes what there is between our look and our read but a process that we share the object with, and sharing
/// these objects is rare; a signalfd must be read by the carrier, whose signals it gives.
fn read_when_ready(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    // SAFETY: nothing is read: says whether the object can be read at all.
    let refused = unsafe { sys!(libc::SYS_readv, fd, 0, 0) };
    // Shorter than anything that these objects give: refused by each of them, some of them before they wait.
    if refused < 0 || buffers.total() < 8 {
        return Pass(Reason::NotOurs);
    }
    let mut block = Block::new(hub, fd, READ);
    while poll_now(block.fd(), libc::POLLIN) == 0 {
        match block.wait() {
            Ok(()) => {}
            Err(Stop::Answer(answer)) => return Done(answer),
            Err(Stop::Cannot) => return Done(help(hub, frame, block.fd())),
        }
        if let Some(result) = signalfd::read(block.fd(), buffers) {
            return Done(result);
        }
    }
    // SAFETY: the program's own buffers.
    Done(unsafe { sys!(libc::SYS_readv, block.fd(), buffers.pointer(), buffers.count()) })
}

/// Of these only an eventfd makes a writer wait: when the sum would be too large.
pub(super) fn write_object(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers) -> Outcome {
    let fits = match buffers.single() {
        Some((base, 8)) => match user::read::<u64>(base) {
            Ok(value) => value <= 1 && poll_now(fd, libc::POLLOUT) & libc::POLLOUT != 0,
            Err(_) => true,
        },
        Some((_, len)) => len < 8,
        None => false,
    };
    if fits || is_nonblocking(fd) {
        Pass(Reason::NonBlocking)
    } else {
        Done(help(hub, frame, fd))
    }
}
