//! poll and ppoll. select is in `select`, epoll in `epoll`, what they share in `readiness`.
//!
//! The first look is the kernel's own poll, with no timeout, on the program's array: it finds every error that there
//! is, and most calls end with it. Later looks use a copy, because the kernel, too, reads the array once and writes
//! only the answers.

use super::readiness::{at_once, in_a_helper, read_mask, under_mask, undisturbed, wait, Timeout, NO_ROOM};
use super::Outcome::{self, Done, Pass};
use super::{signalfd, Reason};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::reactor::{some_own, FdWaiter};
use crate::sys;
use crate::user::{self, Fault};
use core::mem::offset_of;
use libc::pollfd;

pub use super::epoll::{epoll_ctl, epoll_pwait, epoll_pwait2, epoll_wait};
pub use super::select::{pselect6, select};

/// poll(fds, nfds, timeout in ms)
pub fn poll(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(outcome) = without_own(hub, frame) {
        return outcome;
    }
    if !hub.others_alive() && !signalfd::maybe() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let timeout = Timeout::of_ms(frame.rdx as i32);
    if timeout.is_zero() && !signalfd::maybe() {
        return at_once(hub, libc::SYS_poll, frame);
    }
    Done(poll_fds(hub, frame, timeout, None))
}

/// ppoll(fds, nfds, timespec, sigmask, size): tells what is left of the timeout.
pub fn ppoll(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(outcome) = without_own(hub, frame) {
        return outcome;
    }
    let masked = frame.r10 != 0 || signalfd::maybe();
    if !masked && !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let timeout = match Timeout::of_timespec(frame.rdx) {
        Ok(timeout) if timeout.is_zero() && !masked => return at_once(hub, libc::SYS_ppoll, frame),
        Ok(timeout) => timeout,
        Err(error) => return Done(error),
    };
    let mask = match read_mask(frame.r10, frame.r8) {
        Ok(mask) => mask,
        Err(error) => return Done(error),
    };
    let result = poll_fds(hub, frame, timeout, mask);
    timeout.tell_timespec(frame.rdx);
    Done(result)
}

/// What to wait for, for these `events`. Errors and hang-ups, which are always reported, come with either direction.
fn interest(events: i16) -> u8 {
    const OUT: i16 = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND;
    match (events & OUT != 0, events & !OUT != 0) {
        (true, false) => WRITE,
        (true, true) => READ | WRITE,
        (false, _) => READ,
    }
}

fn poll_fds(hub: &'static Hub, frame: &Frame, timeout: Timeout, mask: Option<u64>) -> isize {
    let (address, count) = (frame.rdi, frame.rsi as u32 as usize);
    // SAFETY: the kernel checks the program's pointer.
    let mut found = undisturbed(hub, || unsafe { sys!(libc::SYS_poll, address, count, 0) });
    if found >= 0 && signalfd::maybe() {
        found = with_signals(address, count, found);
    }
    if found != 0 {
        return found;
    }
    let waited =
        if count == 1 { poll_one(hub, address, timeout, mask) } else { poll_many(hub, address, count, timeout, mask) };
    match waited {
        // Both calls have it there, if they have a mask.
        Ok(NO_ROOM) => in_a_helper(hub, frame, 3, mask),
        Ok(result) => result,
        Err(fault) => fault.into(),
    }
}

/// Whether a number of the runtime's is asked about.
fn names_own(hub: &Hub, address: usize, count: usize) -> bool {
    let at = |i| address.wrapping_add(i * size_of::<pollfd>());
    // In one word: the number and the events.
    let mut numbers = (0..count).map_while(|i| user::read::<u64>(at(i)).ok());
    numbers.any(|word| word as i32 >= 0 && hub.reactor.owns(word as i32))
}

/// The runtime's numbers are not open: POLLNVAL, which ends the call. `None` if there are none of them.
#[inline]
fn without_own(hub: &Hub, frame: &Frame) -> Option<Outcome> {
    let (address, count) = (frame.rdi, frame.rsi as u32 as usize);
    if !some_own() || !names_own(hub, address, count) {
        return None;
    }
    let look = || {
        let mut fds: Vec<pollfd> = user::read_slice(address, count)?;
        fds.iter_mut().filter(|fd| fd.fd >= 0 && hub.reactor.owns(fd.fd)).for_each(|fd| fd.fd = i32::MAX);
        let found = look(&mut fds);
        for (i, fd) in fds.iter().enumerate().filter(|_| found >= 0) {
            user::write(address + i * size_of::<pollfd>() + offset_of!(pollfd, revents), &fd.revents)?;
        }
        Ok(found)
    };
    Some(Done(look().unwrap_or_else(|fault: Fault| fault.into())))
}

/// The answers to a first look, and what only we know.
#[cold]
fn with_signals(address: usize, count: usize, found: isize) -> isize {
    let all = user::read_slice::<pollfd>(address, count).and_then(|mut fds| {
        let all = found + signalfd::add_to_poll(&mut fds);
        answer(address, &fds, all)
    });
    all.unwrap_or_else(isize::from)
}

fn waiter(hub: &'static Hub, asked: &pollfd) -> FdWaiter<'static> {
    FdWaiter::looking_for(hub, asked.fd, interest(asked.events), asked.events)
}

/// The usual case, without a trip to the allocator.
fn poll_one(hub: &'static Hub, address: usize, timeout: Timeout, mask: Option<u64>) -> Result<isize, Fault> {
    let mut fds = [user::read::<pollfd>(address)?];
    let waiter = (fds[0].fd >= 0).then(|| waiter(hub, &fds[0]));
    let result =
        under_mask(hub, mask, || wait(hub, waiter.as_slice(), timeout, || undisturbed(hub, || look(&mut fds))));
    answer(address, &fds, result)
}

fn poll_many(
    hub: &'static Hub,
    address: usize,
    count: usize,
    timeout: Timeout,
    mask: Option<u64>,
) -> Result<isize, Fault> {
    let mut fds: Vec<pollfd> = user::read_slice(address, count)?;
    let asked = fds.iter().filter(|fd| fd.fd >= 0);
    let waiters: Vec<FdWaiter> = asked.map(|fd| waiter(hub, fd)).collect();
    let result = under_mask(hub, mask, || wait(hub, &waiters, timeout, || undisturbed(hub, || look(&mut fds))));
    answer(address, &fds, result)
}

fn look(fds: &mut [pollfd]) -> isize {
    // SAFETY: the array is ours.
    let found = unsafe { sys!(libc::SYS_poll, fds.as_mut_ptr(), fds.len(), 0) };
    if found < 0 {
        return found;
    }
    found + signalfd::add_to_poll(fds)
}

/// Gives the program what the last look found. The first one has set all its `revents` to zero.
fn answer(address: usize, fds: &[pollfd], result: isize) -> Result<isize, Fault> {
    if result > 0 {
        for (i, fd) in fds.iter().enumerate().filter(|(_, fd)| fd.revents != 0) {
            user::write(address + i * size_of::<pollfd>() + offset_of!(pollfd, revents), &fd.revents)?;
        }
    }
    Ok(result)
}

/// For the hook by name: the answer, if something is ready or nothing is to be waited for.
pub fn try_poll(hub: &Hub, fds: usize, count: usize, timeout: i32) -> Option<isize> {
    if !hub.module_on(crate::modules::Module::Select) || signalfd::maybe() || some_own() && names_own(hub, fds, count) {
        return None;
    }
    // SAFETY: the program's own array, for the kernel to check.
    let ready = unsafe { sys!(libc::SYS_poll, fds, count, 0) };
    // What interrupts it may be a tick of ours: the call itself tells.
    (ready != super::error(libc::EINTR) && (ready != 0 || timeout == 0)).then_some(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_of_events() {
        assert_eq!(interest(libc::POLLIN), READ);
        assert_eq!(interest(libc::POLLOUT), WRITE);
        assert_eq!(interest(libc::POLLIN | libc::POLLOUT), READ | WRITE);
        assert_eq!(interest(libc::POLLWRNORM | libc::POLLPRI), READ | WRITE);
        assert_eq!(interest(0), READ, "a hang-up fires both directions");
    }

    #[test]
    fn only_answers_are_written() {
        let fd = |fd, revents| pollfd { fd, events: libc::POLLIN, revents };
        let mut program = [fd(7, 0), fd(8, 0), fd(-1, 0)];
        let found = [fd(1, 0), fd(1, libc::POLLIN), fd(1, 0)];
        assert_eq!(answer(program.as_mut_ptr() as usize, &found, 1), Ok(1));
        assert_eq!(program.map(|fd| (fd.fd, fd.revents)), [(7, 0), (8, libc::POLLIN), (-1, 0)]);
    }
}
