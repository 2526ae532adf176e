//! What poll, select and epoll_wait have in common: timeouts, temporary signal masks, and the wait itself.

use super::Outcome::{self, Done, Pass};
use super::{error, read_timespec, write_timespec, Reason, ERESTARTNOHAND, ERESTARTSYS, FOREVER};
use crate::frame::Frame;
use crate::green_thread::{Waiting, Wake};
use crate::hub::Hub;
use crate::reactor::{CannotWait, FdWaiter};
use crate::user;
use crate::{guest, offload, signals, sys};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The kernel keeps it for each thread; here it is the process's.
static STICKY_TIMEOUTS: AtomicBool = AtomicBool::new(false);
/// personality(2) changes nothing when it is given this.
const ASK: usize = 0xffff_ffff;

/// Notes what of the process's personality concerns calls of ours.
pub(crate) fn note_personality() {
    // SAFETY: asks only.
    let now = unsafe { sys!(libc::SYS_personality, ASK) };
    STICKY_TIMEOUTS.store(now > 0 && now & libc::STICKY_TIMEOUTS as isize != 0, Relaxed);
}

/// personality: the kernel's. What concerns calls of ours is noted.
pub fn personality(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdi as u32 as usize == ASK {
        return Pass(Reason::NotOurs);
    }
    // SAFETY: the program's own call.
    let result = unsafe { sys!(libc::SYS_personality, frame.rdi) };
    note_personality();
    Done(result)
}

/// How long a call may wait, counted from its beginning.
#[derive(Clone, Copy)]
pub struct Timeout {
    /// `None`: for ever.
    ns: Option<u64>,
    start: u64,
}

impl Timeout {
    pub const FOREVER: Timeout = Timeout { ns: None, start: 0 };

    pub fn of_ns(ns: u64) -> Timeout {
        Timeout { ns: Some(ns), start: if ns == 0 { 0 } else { sys::now() } }
    }

    /// poll and epoll_wait: negative is for ever.
    pub fn of_ms(ms: i32) -> Timeout {
        match u64::try_from(ms) {
            Ok(ms) => Timeout::of_ns(ms * 1_000_000),
            Err(_) => Timeout::FOREVER,
        }
    }

    /// A `timespec` of the program, null for none. EFAULT, EINVAL.
    pub fn of_timespec(address: usize) -> Result<Timeout, isize> {
        if address == 0 {
            return Ok(Timeout::FOREVER);
        }
        read_timespec(address).map(Timeout::of_ns)
    }

    /// A `timeval` of the program, null for none; the microseconds may be more than a second. EFAULT, EINVAL.
    pub fn of_timeval(address: usize) -> Result<Timeout, isize> {
        if address == 0 {
            return Ok(Timeout::FOREVER);
        }
        let time: libc::timeval = user::read(address)?;
        timeval_ns(&time).map(Timeout::of_ns).ok_or(error(libc::EINVAL))
    }

    pub fn is_zero(&self) -> bool {
        self.ns == Some(0)
    }

    fn deadline(&self) -> Option<u64> {
        self.ns.map(|ns| self.start.saturating_add(ns)).filter(|&deadline| deadline < FOREVER)
    }

    /// What is left of the timeout, if the kernel would tell: it does not for none, for zero, and if the program does not
    /// want it told.
    fn left(&self) -> Option<u64> {
        let ns = self.ns.filter(|ns| (1..FOREVER).contains(ns) && !STICKY_TIMEOUTS.load(Relaxed))?;
        Some(ns.saturating_sub(sys::now().saturating_sub(self.start)))
    }

    /// Tells the program what is left, as `ppoll` and `pselect6` do. A `timespec` that can't be written is left alone.
    pub fn tell_timespec(&self, address: usize) {
        let _ = self.left().map(|left| write_timespec(address, left));
    }

    /// The same for select's `timeval`.
    pub fn tell_timeval(&self, address: usize) {
        let _ = self.left().map(|left| {
            let (seconds, ns) = (left / 1_000_000_000, left % 1_000_000_000);
            user::write(address, &libc::timeval { tv_sec: seconds as i64, tv_usec: (ns / 1000) as i64 })
        });
    }
}

fn timeval_ns(time: &libc::timeval) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec.wrapping_add(time.tv_usec / 1_000_000)).ok()?;
    let ns = u64::try_from(time.tv_usec % 1_000_000).ok()? * 1000;
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(ns))
}

/// The signal mask that a call is to wait under, if any. EINVAL for a size that is not the kernel's, EFAULT.
pub fn read_mask(address: usize, size: usize) -> Result<Option<u64>, isize> {
    if address == 0 {
        return Ok(None);
    }
    if size != size_of::<u64>() {
        return Err(error(libc::EINVAL));
    }
    Ok(Some(user::read(address)?))
}

/// Runs `wait` under `mask`. If a handler is to run (`ERESTARTNOHAND`), it runs under the mask as well, and the exit
/// gives the old one back.
pub fn under_mask(hub: &'static Hub, mask: Option<u64>, wait: impl FnOnce() -> isize) -> isize {
    let Some(mask) = mask.filter(|_| hub.guest.is_none()) else { return wait() };
    let green = hub.current();
    green.saved_mask.set(Some(green.mask.get()));
    signals::set_mask(hub, green, mask);
    if hub.carrier.attention.load(Relaxed) != 0 {
        // The kernel has just delivered what it held back.
        signals::drain(hub);
    }
    let result = wait();
    if result != ERESTARTNOHAND {
        signals::restore_saved_mask(hub, green);
    }
    result
}

/// A look of the kernel's that does not wait, on behalf of the current green thread. The kernel's poll and select look for
/// signals even then, and ticks of ours are signals: one that no handler of the program's is to take is no EINTR.
#[inline]
pub(crate) fn undisturbed(hub: &Hub, mut look: impl FnMut() -> isize) -> isize {
    loop {
        let found = look();
        if found != error(libc::EINTR) || hub.guest.is_some() {
            return found;
        }
        if signals::interrupts(hub) {
            return ERESTARTNOHAND;
        }
    }
}

/// The program's own call, with no time to wait.
pub(super) fn at_once(hub: &Hub, number: i64, frame: &Frame) -> Outcome {
    let [a, b, c, d, e, f] = frame.args();
    // SAFETY: the program's own call.
    Done(undisturbed(hub, || unsafe { sys::syscall6(number as usize, a, b, c, d, e, f) }))
}

/// Lets a helper thread make the call, without its argument number `mask_argument`: the mask is ours to set.
pub fn in_a_helper(hub: &'static Hub, frame: &Frame, mask_argument: usize, mask: Option<u64>) -> isize {
    let mut args = frame.args();
    args[mask_argument] = 0;
    under_mask(hub, mask, || match offload::call(hub, frame.rax as i64, args) {
        ERESTARTSYS => ERESTARTNOHAND,
        result => result,
    })
}

/// What `wait` says where the kernel has no room for us to wait for descriptors: a helper must make the call.
pub const NO_ROOM: isize = isize::MIN;

/// Parks until `look` finds something (anything but 0), the time is up (0), or a handler is to run
/// (`ERESTARTNOHAND`). The caller has looked once, in vain. The waiters stay entered between two looks, so they must
/// not move. `NO_ROOM`: see there.
pub fn wait(hub: &'static Hub, waiters: &[FdWaiter<'_>], timeout: Timeout, mut look: impl FnMut() -> isize) -> isize {
    let deadline = timeout.deadline();
    if let Some(guest) = &hub.guest {
        let asked: Vec<_> = waiters.iter().map(|waiter| (waiter.fd(), waiter.events())).collect();
        return guest::wait_for_any(hub, guest, &asked, deadline, look);
    }
    let waiting = match waiters {
        [] if deadline.is_some() => Waiting::Time,
        [] => Waiting::Signal,
        [one] => Waiting::Descriptor(one.fd()),
        _ => Waiting::Descriptors,
    };
    let mut wake = match () {
        _ if signals::deliverable(hub, hub.current()) => Wake::Interrupted,
        _ if timeout.is_zero() => Wake::TimedOut,
        _ => Wake::Unparked,
    };
    let mut reported = false;
    loop {
        match wake {
            Wake::Interrupted => return ERESTARTNOHAND,
            Wake::TimedOut => return 0,
            Wake::Unparked => {}
        }
        // One that can't be waited for is always ready, so `look` would have found it if it mattered; one that was
        // closed since (by a foreign thread) is for `look` to report, once.
        let mut closed = false;
        for waiter in waiters {
            match waiter.enter() {
                Err(CannotWait::NoRoom) => return NO_ROOM,
                Err(CannotWait::Bad) => closed = true,
                Ok(()) | Err(CannotWait::NotPollable) => {}
            }
        }
        if !closed || reported {
            wake = hub.park(waiting, deadline, true);
        }
        let found = look();
        if found != 0 {
            return found;
        }
        reported = closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timevals_as_the_kernel_takes_them() {
        let ns = |tv_sec, tv_usec| timeval_ns(&libc::timeval { tv_sec, tv_usec });
        assert_eq!(ns(0, 0), Some(0));
        assert_eq!(ns(1, 2), Some(1_000_002_000));
        assert_eq!(ns(1, 2_500_000), Some(3_500_000_000));
        assert_eq!(ns(0, -1), None);
        assert_eq!(ns(-1, 0), None);
        assert_eq!(ns(5, -2_000_000), Some(3_000_000_000));
        assert_eq!(ns(i64::MAX, 999_999), Some(u64::MAX));
    }

    #[test]
    fn bad_pointers_and_sizes() {
        let mask = 5u64;
        let address = &mask as *const u64 as usize;
        assert_eq!(read_mask(0, 99), Ok(None));
        assert_eq!(read_mask(address, 8), Ok(Some(5)));
        assert_eq!(read_mask(address, 16), Err(error(libc::EINVAL)));
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
        let result = Timeout::of_timespec(&time as *const _ as usize);
        assert_eq!(result.err(), Some(error(libc::EINVAL)));
    }

    #[test]
    fn only_a_timeout_that_runs_is_told() {
        assert_eq!(Timeout::FOREVER.left(), None);
        assert_eq!(Timeout::of_ms(0).left(), None);
        assert_eq!(Timeout::of_ms(-1).deadline(), None);
        assert_eq!(Timeout::of_ns(u64::MAX).deadline(), None);
        assert!(Timeout::of_ms(1000).left().is_some_and(|left| left <= 1_000_000_000));
        let over = Timeout { ns: Some(1), start: 0 };
        assert_eq!(over.left(), Some(0));
    }
}
