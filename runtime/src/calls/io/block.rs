//! Waiting, after a try has said EAGAIN.

use crate::calls::{error, ERESTARTSYS};
use crate::fd_table::READ;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::reactor::{CannotWait, FdWaiter};
use crate::{guest, offload, sys};

pub(crate) const EAGAIN: isize = error(libc::EAGAIN);

/// Why there is no next try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// What the call comes to if nothing has been moved yet.
    Answer(isize),
    /// The descriptor can't be waited for: the kernel must make the call.
    Cannot,
}

/// What is left of a call that has not been answered: `Cannot`, see above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cannot;

/// The waits of one call. Must not move after the first one.
pub(crate) struct Block<'a> {
    waiter: FdWaiter<'a>,
    /// SO_RCVTIMEO or SO_SNDTIMEO, for sockets.
    option: Option<i32>,
    asked: bool,
    deadline: Option<u64>,
    expired: bool,
    /// A part has been moved already, so the call cannot be left to the kernel any more.
    begun: bool,
}

impl<'a> Block<'a> {
    pub fn new(hub: &'a Hub, fd: i32, direction: u8) -> Self {
        Block {
            waiter: FdWaiter::new(hub, fd, direction),
            option: None,
            asked: false,
            deadline: None,
            expired: false,
            begun: false,
        }
    }

    /// For a socket, whose timeouts count.
    pub fn of_socket(hub: &'a Hub, fd: i32, direction: u8) -> Self {
        let option = if direction == READ { libc::SO_RCVTIMEO } else { libc::SO_SNDTIMEO };
        Block { option: Some(option), ..Block::new(hub, fd, direction) }
    }

    /// The number to try: see `FdWaiter::fd`.
    #[inline]
    pub fn fd(&self) -> i32 {
        self.waiter.fd()
    }

    /// Whether the socket has a timeout, known after the first wait: the kernel does not restart such calls.
    fn interrupted(&self) -> isize {
        if self.waiter.hub().guest.is_some() {
            guest::UNFINISHED
        } else if self.deadline.is_some() {
            error(libc::EINTR)
        } else {
            ERESTARTSYS
        }
    }

    /// Whether the call may wait, and how long: the description's O_NONBLOCK, and a socket's timeout.
    fn ask(&mut self) -> Result<(), Stop> {
        let (hub, fd) = (self.waiter.hub(), self.fd());
        if hub.reactor.table(hub).is_plain(fd) {
            return Ok(());
        }
        crate::calls::socket::adopt(hub);
        let flags = status_flags(fd);
        if flags < 0 {
            return Err(Stop::Answer(flags));
        }
        if flags as i32 & libc::O_NONBLOCK != 0 {
            return Err(Stop::Answer(EAGAIN));
        }
        let mut plain = true;
        if let Some(option) = self.option {
            self.deadline = socket_timeout(fd, option).and_then(crate::calls::deadline_in);
            // A socket's two timeouts are looked at one at a time, so both must be known to be off.
            let other = libc::SO_RCVTIMEO + libc::SO_SNDTIMEO - option;
            plain = self.deadline.is_none() && socket_timeout(fd, other).is_none();
        }
        let mut table = hub.reactor.table(hub);
        if table.is_private(fd) {
            table.set_plain(fd, plain);
        }
        Ok(())
    }

    /// Parks until another try is worth it.
    pub fn wait(&mut self) -> Result<(), Stop> {
        if !self.asked {
            self.asked = true;
            self.ask()?;
        }
        if self.expired {
            return Err(Stop::Answer(EAGAIN));
        }
        let mut wake = self.waiter.wait(self.deadline);
        if self.begun && wake == Ok(Wake::Interrupted) {
            if let Some(wait_on) = self.waiter.hub().guest.as_ref().filter(|guest| guest.has_passed()) {
                wake = Ok(wait_on.wait_in_kernel(self.fd(), self.waiter.events(), self.deadline));
            }
        }
        match wake {
            Ok(Wake::Unparked) => Ok(()),
            Ok(Wake::TimedOut) => {
                // The kernel looks once more, too.
                self.expired = true;
                Ok(())
            }
            Ok(Wake::Interrupted) => Err(Stop::Answer(self.interrupted())),
            Err(CannotWait::Bad) => Err(Stop::Answer(error(libc::EBADF))),
            Err(CannotWait::NotPollable | CannotWait::NoRoom) => Err(Stop::Cannot),
        }
    }

    /// As `wait`, but waits for nothing if there are `events` already: for calls whose only try is to look.
    pub fn until(&mut self, events: i16) -> Result<(), Stop> {
        while poll_now(self.fd(), events) == 0 {
            self.wait()?;
        }
        Ok(())
    }
}

/// Answers `attempt` until it says something else than EAGAIN.
pub(crate) fn retry(block: &mut Block, first: isize, mut attempt: impl FnMut(i32) -> isize) -> Result<isize, Cannot> {
    let mut result = first;
    while result == EAGAIN {
        match block.wait() {
            Ok(()) => result = attempt(block.fd()),
            Err(Stop::Answer(answer)) => return Ok(answer),
            Err(Stop::Cannot) => return Err(Cannot),
        }
    }
    Ok(result)
}

/// Goes on after `done` bytes until all of `rest` has been moved, or until something ends the call: then what was done
/// counts. `attempt` returns a count, 0 at the end, or `-errno`.
pub(crate) fn go_on(
    block: &mut Block,
    mut done: usize,
    mut rest: super::buffers::Rest,
    mut attempt: impl FnMut(i32, &super::buffers::Rest) -> isize,
) -> isize {
    block.begun = true;
    while rest.left() != 0 {
        match attempt(block.fd(), &rest) {
            EAGAIN => {
                if block.wait().is_err() {
                    break;
                }
            }
            moved if moved > 0 => {
                done += moved as usize;
                rest.advance(moved as usize);
            }
            _ => break,
        }
    }
    done as isize
}

/// F_GETFL, or `-errno`.
pub(crate) fn status_flags(fd: i32) -> isize {
    // SAFETY: no pointers.
    unsafe { sys!(libc::SYS_fcntl, fd, libc::F_GETFL) }
}

pub(crate) fn is_nonblocking(fd: i32) -> bool {
    let flags = status_flags(fd);
    flags >= 0 && flags as i32 & libc::O_NONBLOCK != 0
}

/// What `fd` is ready for now, among `events`, errors and hang-ups. 0 if nothing.
pub(crate) fn poll_now(fd: i32, events: i16) -> i16 {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: `poll` is ours.
    let ready = unsafe { sys!(libc::SYS_poll, &mut poll as *mut libc::pollfd, 1, 0) };
    if ready > 0 {
        poll.revents
    } else {
        0
    }
}

/// An integer option, if the descriptor is a socket that has it.
pub(crate) fn socket_option(fd: i32, option: i32) -> Option<i32> {
    let (mut value, mut size) = (0i32, 4u32);
    let (value_at, size_at) = (&mut value as *mut i32, &mut size as *mut u32);
    // SAFETY: both are ours.
    let result = unsafe { sys!(libc::SYS_getsockopt, fd, libc::SOL_SOCKET, option, value_at, size_at) };
    (result >= 0).then_some(value)
}

/// SO_RCVTIMEO or SO_SNDTIMEO in ns.
pub(crate) fn socket_timeout(fd: i32, option: i32) -> Option<u64> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut size = size_of::<libc::timeval>() as u32;
    let (time_at, size_at) = (&mut time as *mut libc::timeval, &mut size as *mut u32);
    // SAFETY: both are ours.
    if unsafe { sys!(libc::SYS_getsockopt, fd, libc::SOL_SOCKET, option, time_at, size_at) } < 0 {
        return None;
    }
    let ns = (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_usec as u64 * 1000);
    (ns != 0).then_some(ns)
}

/// A helper thread makes the program's call, on `fd` (its own number, or what it has become).
pub(crate) fn help(hub: &'static Hub, frame: &crate::frame::Frame, fd: i32) -> isize {
    let mut args = frame.args();
    args[0] = fd as usize;
    offload::call(hub, frame.number as i64, args)
}
