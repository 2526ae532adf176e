//! select and pselect6.
//!
//! The kernel reads the sets once, writes the answer into them at the end, and leaves them alone if the call fails; so
//! we look with copies. It takes no notice of numbers beyond its own table of descriptors, which only it knows: the
//! looks are therefore the kernel's own select, in place, and bits that it leaves alone stay as they were.

use super::readiness::{at_once, in_a_helper, read_mask, under_mask, undisturbed, wait, Timeout, NO_ROOM};
use super::Outcome::{self, Done, Pass};
use super::{error, signalfd, Reason};
use crate::fd_table::{READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::reactor::{maybe_own, FdWaiter};
use crate::sys;
use crate::user::{self, Fault};

/// select(n, readable, writable, exceptional, timeval): tells what is left of the timeout.
pub fn select(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() && !signalfd::maybe() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let timeout = match Timeout::of_timeval(frame.r8) {
        Ok(timeout) if timeout.is_zero() && !signalfd::maybe() => return at_once(hub, libc::SYS_select, frame),
        Ok(timeout) => timeout,
        Err(error) => return Done(error),
    };
    let result = select_fds(hub, frame, timeout, None);
    timeout.tell_timeval(frame.r8);
    Done(result)
}

/// pselect6(n, readable, writable, exceptional, timespec, {sigmask, size}): tells what is left of the timeout.
pub fn pselect6(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let [sigmask, size] = match frame.r9 {
        0 => [0, 0],
        address => match user::read::<[usize; 2]>(address) {
            Ok(pack) => pack,
            Err(fault) => return fault.into(),
        },
    };
    let plain = sigmask == 0 && !signalfd::maybe();
    if plain && !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let timeout = match Timeout::of_timespec(frame.r8) {
        Ok(timeout) if timeout.is_zero() && plain => return at_once(hub, libc::SYS_pselect6, frame),
        Ok(timeout) => timeout,
        Err(error) => return Done(error),
    };
    let mask = match read_mask(sigmask, size) {
        Ok(mask) => mask,
        Err(error) => return Done(error),
    };
    let result = select_fds(hub, frame, timeout, mask);
    timeout.tell_timespec(frame.r8);
    Done(result)
}

fn select_fds(hub: &'static Hub, frame: &Frame, timeout: Timeout, mask: Option<u64>) -> isize {
    let n = frame.rdi as i32;
    let Ok(asked) = usize::try_from(n) else { return error(libc::EINVAL) };
    let at = [frame.rsi, frame.rdx, frame.r10];
    let Ok(mut sets) = Sets::read(counted(hub, asked), at) else {
        // Sets that end before `n` does; only the kernel knows how much of them counts.
        return match at {
            _ if n as usize <= libc::FD_SETSIZE => error(libc::EFAULT),
            _ => in_a_helper(hub, frame, 5, mask),
        };
    };
    if sets.n > 0 && maybe_own(sets.n as i32 - 1) && sets.numbers().any(|fd| hub.reactor.owns(fd as i32)) {
        return error(libc::EBADF);
    }
    let mut result = undisturbed(hub, || sets.look());
    if result == 0 {
        sets.leave_closed_alone(hub);
        let waiters: Vec<FdWaiter> = sets
            .numbers()
            .map(|fd| FdWaiter::looking_for(hub, fd as i32, sets.interest(fd), sets.events(fd)))
            .collect();
        result = under_mask(hub, mask, || wait(hub, &waiters, timeout, || undisturbed(hub, || sets.look_again())));
        if result == NO_ROOM {
            return in_a_helper(hub, frame, 5, mask);
        }
    }
    if result >= 0 {
        if let Err(fault) = sets.answer() {
            return fault.into();
        }
    }
    result
}

/// How many bits of sets count that are said to have `asked`: so many as the program can have descriptors, if that is not
/// more; or who asks for more than can be has no more memory there than the kernel's table has numbers without ours.
fn counted(hub: &Hub, asked: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    // A limit may have been lowered below what is open.
    let possible = libc::FD_SETSIZE.max(limit.rlim_cur as usize).max(hub.reactor.table.lock().len());
    if asked <= possible {
        return asked;
    }
    const LEAST: usize = 256;
    let open = super::fds::open_below(possible.min(i32::MAX as usize) as i32);
    let highest = open.into_iter().rfind(|&fd| !hub.reactor.owns(fd)).unwrap_or(0);
    (highest as usize + 1).next_power_of_two().max(LEAST)
}

/// Copies of the program's three sets, one after the other.
struct Sets {
    n: usize,
    /// Words per set.
    words: usize,
    /// Where the program's are; 0 for one that it did not give.
    at: [usize; 3],
    asked: Vec<u64>,
    found: Vec<u64>,
    /// Bits that the kernel takes no notice of, where there are any.
    left_alone: Vec<u64>,
}

impl Sets {
    fn read(n: usize, at: [usize; 3]) -> Result<Sets, Fault> {
        let words = n.div_ceil(64);
        let mut asked = Vec::with_capacity(3 * words);
        for address in at {
            match address {
                0 => asked.resize(asked.len() + words, 0),
                _ => asked.append(&mut user::read_slice(address, words)?),
            }
        }
        Ok(Sets { n, words, at, found: asked.clone(), asked, left_alone: Vec::new() })
    }

    /// The words of one set in `all`.
    fn set<'a>(&self, all: &'a [u64], which: usize) -> &'a [u64] {
        &all[which * self.words..][..self.words]
    }

    fn has(&self, which: usize, fd: usize) -> bool {
        self.set(&self.asked, which)[fd / 64] & (1 << (fd % 64)) != 0
    }

    /// Every number that is in some set, in rising order.
    fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.words)
            .flat_map(|word| {
                let mut bits = (0..3).fold(0, |all, which| all | self.set(&self.asked, which)[word]);
                core::iter::from_fn(move || {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits.wrapping_sub(1);
                    (bit < 64).then_some(word * 64 + bit)
                })
            })
            .take_while(|&fd| fd < self.n)
    }

    fn interest(&self, fd: usize) -> u8 {
        let read = if self.has(0, fd) || self.has(2, fd) { READ } else { 0 };
        let write = if self.has(1, fd) { WRITE } else { 0 };
        read | write
    }

    fn events(&self, fd: usize) -> i16 {
        let events = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI].into_iter().enumerate();
        events.fold(0, |all, (which, event)| if self.has(which, fd) { all | event } else { all })
    }

    /// The kernel's select, without waiting, on what `found` holds.
    fn kernel(&mut self) -> isize {
        let base = self.found.as_mut_ptr() as usize;
        let set = |which: usize| if self.at[which] == 0 { 0 } else { base + which * self.words * 8 };
        let mut zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: three sets of ours, each as long as `n` says.
        let result = unsafe { sys!(libc::SYS_select, self.n, set(0), set(1), set(2), &mut zero as *mut _) };
        if result >= 0 && signalfd::maybe() {
            return result + self.add_signals();
        }
        result
    }

    /// Adds readable descriptors that only we know of to what the kernel has found.
    #[cold]
    fn add_signals(&mut self) -> isize {
        let more = |fd: &usize| {
            let found = self.set(&self.found, 0)[fd / 64] & (1 << (fd % 64)) != 0;
            !found && self.has(0, *fd) && signalfd::is_readable(*fd as i32)
        };
        let more: Vec<usize> = self.numbers().filter(more).collect();
        for fd in &more {
            self.found[fd / 64] |= 1 << (fd % 64);
        }
        more.len() as isize
    }

    fn look(&mut self) -> isize {
        self.found.copy_from_slice(&self.asked);
        self.kernel()
    }

    /// A look has found nothing, so what is closed lies beyond the kernel's table. That may grow meanwhile, by descriptors
    /// of ours if not by the program's: such a number is not asked about again.
    fn leave_closed_alone(&mut self, hub: &Hub) {
        const LEAST_TABLE: usize = 64;
        if self.n <= LEAST_TABLE {
            return;
        }
        let closed = |fd: &usize| *fd >= LEAST_TABLE && hub.reactor.kind(hub, *fd as i32).is_none() && is_closed(*fd);
        let closed: Vec<usize> = self.numbers().filter(closed).collect();
        if closed.is_empty() {
            return;
        }
        self.left_alone.resize(self.asked.len(), 0);
        for fd in closed {
            for word in (0..3).map(|which| which * self.words + fd / 64) {
                let bit = self.asked[word] & 1 << (fd % 64);
                self.asked[word] &= !bit;
                self.left_alone[word] |= bit;
            }
        }
    }

    /// A look after the first one: a descriptor that was closed since counts as ready, as in Linux since 5.17, and is
    /// no longer an error.
    fn look_again(&mut self) -> isize {
        let result = self.look();
        if result != error(libc::EBADF) {
            return result;
        }
        let closed: Vec<usize> = self.numbers().filter(|&fd| is_closed(fd)).collect();
        self.found.copy_from_slice(&self.asked);
        for fd in &closed {
            self.for_each_asked(*fd, |word, bit| *word &= !bit);
        }
        let mut result = self.kernel();
        if result >= 0 {
            for fd in closed {
                result += self.for_each_asked(fd, |word, bit| *word |= bit);
            }
        }
        result
    }

    /// Calls `change` for the place of `fd` in every set that it was asked for in; returns how many there are.
    fn for_each_asked(&mut self, fd: usize, change: impl Fn(&mut u64, u64)) -> isize {
        let mut count = 0;
        for which in 0..3 {
            if self.has(which, fd) {
                change(&mut self.found[which * self.words + fd / 64], 1 << (fd % 64));
                count += 1;
            }
        }
        count
    }

    fn answer(&mut self) -> Result<(), Fault> {
        for (word, left) in self.found.iter_mut().zip(&self.left_alone) {
            *word |= left;
        }
        for (which, &address) in self.at.iter().enumerate().filter(|(_, &address)| address != 0) {
            user::write_slice(address, self.set(&self.found, which))?;
        }
        Ok(())
    }
}

fn is_closed(fd: usize) -> bool {
    // SAFETY: asks only.
    unsafe { sys!(libc::SYS_fcntl, fd, libc::F_GETFD) == error(libc::EBADF) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;

    #[test]
    fn numbers_and_directions() {
        let mut read = [1u64 << 3 | 1 << 63, 1 << 6 | 1 << 7];
        let mut write = [1u64 << 3, 0];
        let mut except = [1u64, 0];
        let at = [read.as_mut_ptr() as usize, write.as_mut_ptr() as usize, except.as_mut_ptr() as usize];
        let Ok(sets) = Sets::read(71, at) else { panic!("readable") };
        assert_eq!(sets.numbers().collect::<Vec<_>>(), [0, 3, 63, 70], "71 is beyond n");
        assert_eq!(sets.interest(0), READ);
        assert_eq!(sets.interest(3), READ | WRITE);
        assert!(Sets::read(0, [0; 3]).is_ok_and(|sets| sets.numbers().next().is_none()));
    }

    #[test]
    fn a_descriptor_closed_meanwhile_is_ready() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let (quiet, _other) = UnixStream::pair().unwrap();
        // High numbers, so that no other test opens a file there after the close.
        let high = |stream: UnixStream| {
            let fd = stream.as_raw_fd();
            // SAFETY: makes a descriptor of our own.
            unsafe { sys!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 500) as i32 }
        };
        let (a, quiet) = (high(a), high(quiet));
        let (bit_a, bit_quiet) = ((a as usize - 448), (quiet as usize - 448));
        let mut read = [0u64; 8];
        read[7] = 1 << bit_a | 1 << bit_quiet;
        let mut write = [0u64; 8];
        let at = [read.as_mut_ptr() as usize, write.as_mut_ptr() as usize, 0];
        let Ok(mut sets) = Sets::read(512, at) else { panic!("readable") };
        assert_eq!(sets.look(), 0);
        b.write_all(b"x").unwrap();
        assert_eq!(sets.look_again(), 1);
        crate::sys::close(quiet);
        assert_eq!(sets.look(), error(libc::EBADF));
        assert_eq!(sets.look_again(), 2);
        assert!(sets.answer().is_ok());
        assert_eq!(read[7], 1 << bit_a | 1 << bit_quiet);
        assert_eq!(write[7], 0);
        crate::sys::close(a);
        let _ = b.into_raw_fd();
    }
}
