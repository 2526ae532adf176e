//! Character devices, terminals above all.

use super::block::{help, is_nonblocking, Block, Stop};
use super::buffers::MOST;
use crate::calls::{error, Outcome, Reason, ERESTARTSYS};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{never_waits, signals, sys};
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

/// The kernel refuses or allows what a background group does with its terminal without a signal, if the caller blocks
/// that signal. So it has to see the caller's mask.
fn under_own_mask(hub: &Hub, signal: i32, call: impl FnOnce() -> isize) -> isize {
    if !hub.signals.blocks_alone(hub.current(), signal) {
        return call();
    }
    hub.signals.lend_mask(hub.current());
    let result = call();
    hub.signals.take_mask_back();
    result
}

/// An ioctl that may change a terminal, if it has to be made here.
pub(crate) fn change_terminal(hub: &'static Hub, frame: &Frame) -> Option<isize> {
    const TERMINALS: usize = 0x54;
    if frame.rsi >> 8 != TERMINALS || !hub.signals.blocks_alone(hub.current(), libc::SIGTTOU) {
        return None;
    }
    let [fd, request, argument, ..] = frame.args();
    // SAFETY: the program's own request.
    let change = || unsafe { sys!(libc::SYS_ioctl, fd, request, argument) };
    Some(under_own_mask(hub, libc::SIGTTOU, change))
}

/// What reads and writes of memory devices are like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// They never wait.
    Never,
    /// As `Never`, but a signal cuts them short: /dev/zero, /dev/random, /dev/urandom.
    Cut,
}

/// Of /dev/null, /dev/zero and so on, but not of the kernel's log, which is read as it comes.
fn memory(fd: i32) -> Option<Memory> {
    const MEMORY: u32 = 1;
    const ZERO: u32 = 5;
    const RANDOM: u32 = 8;
    const URANDOM: u32 = 9;
    const LOG: u32 = 11;
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours.
    let result = unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut libc::stat) };
    if result < 0 || libc::major(stat.st_rdev) != MEMORY {
        return None;
    }
    match libc::minor(stat.st_rdev) {
        LOG => None,
        ZERO | RANDOM | URANDOM => Some(Memory::Cut),
        _ => Some(Memory::Never),
    }
}

/// Makes a call that signals cut short, ticks of ours among them, until all is done or a handler is to run: `part` is told
/// how much is done and how much is next. Made in one, it could last for seconds; when the turn is over it is the others'.
fn whole(hub: &'static Hub, len: usize, part: impl Fn(usize, usize) -> isize) -> isize {
    /// Some milliseconds.
    const AT_ONCE: usize = 1 << 20;
    let mut done = 0;
    loop {
        match part(done, AT_ONCE.min(len - done)) {
            more @ 1.. => done += more as usize,
            result if result == error(libc::EINTR) => {}
            result if done == 0 => return result,
            _ => return done as isize,
        }
        if done == len {
            return done as isize;
        }
        if hub.carrier.must_look() {
            if !signals::interrupts(hub) {
                hub.give_turn();
            }
            if signals::deliverable(hub, hub.current()) {
                return if done == 0 { ERESTARTSYS } else { done as isize };
            }
        }
    }
}

/// getrandom(buffer, length, flags)
pub fn getrandom(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    /// The kernel promises so many whole.
    const PROMISED: usize = 256;
    let (buffer, len, flags) = (frame.rdi, frame.rsi.min(MOST), frame.rdx);
    if len <= PROMISED || !hub.others_alive() {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own buffer.
    Done(whole(hub, len, |done, next| unsafe { sys!(libc::SYS_getrandom, buffer.wrapping_add(done), next, flags) }))
}

fn read_whole(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    let (buffer, len) = (frame.rsi, frame.rdx.min(MOST));
    if frame.number != libc::SYS_read as usize || len <= PAGE {
        return Pass(Reason::NonBlocking);
    }
    let part = |done: usize, next: usize| match done {
        // Another thread may have closed it meanwhile, and opened something else.
        1.. if memory(fd) != Some(Memory::Cut) => 0,
        // SAFETY: the program's own buffer.
        _ => unsafe { sys!(libc::SYS_read, fd, buffer.wrapping_add(done), next) },
    };
    Done(whole(hub, len, part))
}

/// What is shorter is not cut.
const PAGE: usize = 4096;

/// Once there is something to read a helper reads it: what one process sees another may take.
pub(super) fn read_device(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    match memory(fd) {
        Some(Memory::Never) => {
            never_waits::note(hub, fd, READ);
            return Pass(Reason::NonBlocking);
        }
        Some(Memory::Cut) => return read_whole(hub, frame, fd),
        None => {}
    }
    if is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    if let Some(terminal) = Terminal::of(fd) {
        if in_background(fd) {
            // Reading stops us, or is refused. Reading nothing does the same, and does not block the carrier when
            // we have been continued in the foreground. The kernel is not to begin again before a handler has run.
            // SAFETY: nothing is read.
            let refused = under_own_mask(hub, libc::SIGTTIN, || unsafe {
                hub.carrier.wait(libc::SYS_read, fd as usize, 0, 0, 0)
            });
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
    if memory(fd).is_some() {
        never_waits::note(hub, fd, WRITE);
        return Pass(Reason::NonBlocking);
    }
    if is_nonblocking(fd) {
        return Pass(Reason::NonBlocking);
    }
    // A helper blocks SIGTTOU, and so would not be stopped. A caller that blocks it is not stopped either.
    let stopped = !hub.signals.blocks_alone(hub.current(), libc::SIGTTOU)
        && Terminal::of(fd).is_some_and(|terminal| terminal.local & libc::TOSTOP != 0)
        && in_background(fd);
    if stopped {
        return Pass(Reason::NotOurs);
    }
    Done(help(hub, frame, fd))
}
