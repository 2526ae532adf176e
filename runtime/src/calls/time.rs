//! nanosleep, clock_nanosleep, sched_yield.
//!
//! | clock | how |
//! |---|---|
//! | MONOTONIC, and REALTIME for a length of time | a deadline of the hub |
//! | REALTIME until a point in time, TAI, BOOTTIME | a deadline, computed anew whenever the clock has been set or the machine has slept |
//! | CPU time of a process or thread, `*_ALARM` | the kernel, in a helper thread |
//! | all others | the kernel, which refuses at once |

use super::Outcome::{self, Done, Pass};
use super::{cpu_clock, deadline_in, read_timespec, write_timespec, Reason, ERESTARTNOHAND, ERESTARTSYS, FOREVER};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::green_thread::{Pace, Waiting, Wake};
use crate::hub::Hub;
use crate::reactor::{move_up, FdWaiter};
use crate::{guest, offload, signals, sys};

/// sched_yield()
pub fn sched_yield(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    if hub.others_alive() && give_way(hub) {
        Done(0)
    } else {
        Pass(Reason::NoOtherGreenThread)
    }
}

/// Lets the others run once. Somebody who yields in a loop may wait for one that waits for a descriptor, so those are
/// looked at before we say that there is nobody (false).
fn give_way(hub: &Hub) -> bool {
    if let Some(guest) = &hub.guest {
        return guest.give_way();
    }
    // It says itself when others may run.
    hub.current().pace.set(Pace::Reacts);
    hub.yield_now() || {
        hub.reactor.poll(hub, Some(0));
        hub.yield_now()
    }
}

/// nanosleep(request, remaining)
pub fn nanosleep(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    match read_timespec(frame.rdi) {
        Ok(ns) => Done(sleep_for(hub, ns, frame.rsi)),
        Err(error) => Done(error),
    }
}

/// How a clock is slept on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// In step with our deadlines.
    Monotonic,
    /// May jump against CLOCK_MONOTONIC.
    Jumping,
    /// Only the kernel can.
    Helper,
    /// The kernel refuses.
    Refused,
}

fn way(clock: i32, absolute: bool) -> Way {
    /// The lowest three bits of a clock that is made from a descriptor.
    const CLOCK_OF_FD: i32 = 3;
    match clock {
        libc::CLOCK_MONOTONIC => Way::Monotonic,
        libc::CLOCK_REALTIME if !absolute => Way::Monotonic,
        libc::CLOCK_REALTIME | libc::CLOCK_TAI | libc::CLOCK_BOOTTIME => Way::Jumping,
        libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_REALTIME_ALARM | libc::CLOCK_BOOTTIME_ALARM => Way::Helper,
        _ if clock < 0 && clock & 7 != CLOCK_OF_FD => Way::Helper,
        _ => Way::Refused,
    }
}

/// clock_nanosleep(clock, flags, request, remaining)
pub fn clock_nanosleep(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if hub.guest.is_none() {
        if let Some(outcome) = cpu_clock::nanosleep(hub, frame) {
            return outcome;
        }
    }
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (clock, absolute) = (frame.rdi as i32, frame.rsi as i32 & libc::TIMER_ABSTIME != 0);
    let way = way(clock, absolute);
    // A guest's threads are the kernel's, which knows their clocks.
    if way == Way::Refused || clock < 0 && hub.guest.is_some() {
        return Pass(Reason::NotOurs);
    }
    let ns = match read_timespec(frame.rdx) {
        Ok(ns) => ns,
        Err(error) => return Done(error),
    };
    Done(match way {
        Way::Helper => in_a_helper(hub, frame),
        Way::Jumping if absolute => sleep_until(hub, clock, ns, None),
        Way::Jumping => {
            let target = now(clock).saturating_add(ns);
            sleep_until(hub, clock, target, Some(frame.r10))
        }
        _ if absolute => match sleep(hub, Some(ns).filter(|&ns| ns < FOREVER)) {
            Wake::Interrupted => ERESTARTNOHAND,
            _ => 0,
        },
        _ => sleep_for(hub, ns, frame.r10),
    })
}

/// Parks until the deadline. Anything but `Interrupted` is the deadline.
fn sleep(hub: &Hub, deadline: Option<u64>) -> Wake {
    if deadline.is_some_and(|deadline| deadline <= sys::now()) {
        give_way(hub);
        return Wake::TimedOut;
    }
    loop {
        match hub.park(Waiting::Time, deadline, true) {
            Wake::Unparked => {}
            // Somebody else may have taken the signal: then the sleep goes on.
            Wake::Interrupted if hub.guest.is_none() && !signals::deliverable(hub, hub.current()) => {}
            wake => return wake,
        }
    }
}

/// A sleep of so many nanoseconds of CLOCK_MONOTONIC. What is left after an interruption goes to `remaining`.
fn sleep_for(hub: &Hub, ns: u64, remaining: usize) -> isize {
    let deadline = deadline_in(ns);
    match sleep(hub, deadline) {
        Wake::Interrupted => {
            interrupted(deadline.map_or(ns, |deadline| deadline.saturating_sub(sys::now())), remaining)
        }
        _ => 0,
    }
}

/// How a sleep of some length ends when a handler is to run and `left` nanoseconds are left.
pub(super) fn interrupted(left: u64, remaining: usize) -> isize {
    if left == 0 {
        return 0;
    }
    match remaining {
        0 => ERESTARTNOHAND,
        _ => write_timespec(remaining, left).map_or_else(isize::from, |()| ERESTARTNOHAND),
    }
}

pub(crate) fn now(clock: i32) -> u64 {
    sys::clock(clock).map_or(0, |now| now.max(0) as u64)
}

/// A sleep until `clock` shows `target`, whatever is done to the clock meanwhile. With `remaining`, it was asked for as
/// a length of time.
fn sleep_until(hub: &'static Hub, clock: i32, target: u64, remaining: Option<usize>) -> isize {
    let Some(left) = target.checked_sub(now(clock)).filter(|&left| left != 0) else {
        give_way(hub);
        return 0;
    };
    if let Some(guest) = &hub.guest {
        return guest::sleep_until_clock(guest, clock, target);
    }
    let mut left = left;
    let mut watch = ClockWatch::new(hub);
    watch.enter();
    loop {
        let wake = hub.park(Waiting::Time, deadline_in(left), true);
        left = target.saturating_sub(now(clock));
        if left == 0 {
            return 0;
        }
        if wake == Wake::Interrupted && signals::deliverable(hub, hub.current()) {
            return remaining.map_or(ERESTARTNOHAND, |remaining| interrupted(left, remaining));
        }
    }
}

fn in_a_helper(hub: &'static Hub, frame: &Frame) -> isize {
    match offload::call(hub, frame.rax as i64, frame.args()) {
        ERESTARTSYS => ERESTARTNOHAND,
        result => result,
    }
}

/// Wakes the current green thread when CLOCK_REALTIME has been set, or the machine has been asleep, either of which
/// moves other clocks against CLOCK_MONOTONIC. All watches of a hub share one timer descriptor, which exists while
/// somebody watches.
pub struct ClockWatch {
    hub: &'static Hub,
    waiter: Option<FdWaiter<'static>>,
}

impl ClockWatch {
    pub fn new(hub: &'static Hub) -> Self {
        let known = hub.clock_watch.get();
        let fd = if known >= 0 { known } else { open_clock_watch(hub) };
        ClockWatch { hub, waiter: (fd >= 0).then(|| FdWaiter::looking(hub, fd, READ)) }
    }

    /// Begins to watch. The watch must not move from now on. With no descriptor to be had, nothing is noticed.
    pub fn enter(&mut self) {
        if self.waiter.as_ref().is_some_and(|waiter| waiter.enter().is_err()) {
            self.waiter = None;
            self.forget_if_unused();
        }
    }

    fn forget_if_unused(&self) {
        let fd = self.hub.clock_watch.get();
        let mut table = self.hub.reactor.table.lock();
        match table.known(fd) {
            // The reactor closed it when its last waiter left.
            Some(entry) if !entry.kept => self.hub.clock_watch.set(-1),
            Some(entry) if !entry.has_waiters() => {
                drop(table);
                self.hub.clock_watch.set(-1);
                self.hub.reactor.discard(fd);
            }
            _ => {}
        }
    }
}

impl Drop for ClockWatch {
    fn drop(&mut self) {
        if self.waiter.take().is_some() {
            self.forget_if_unused();
        }
    }
}

/// A timer that never expires and becomes readable when the clock is set. Marked as the reactor's own, so that the
/// program can't close it.
fn open_clock_watch(hub: &Hub) -> i32 {
    let never = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec { tv_sec: i64::MAX, tv_nsec: 0 },
    };
    // SAFETY: makes a descriptor of our own.
    let low = unsafe { sys!(libc::SYS_timerfd_create, libc::CLOCK_REALTIME, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
    let Some(fd) = move_up(low as i32) else { return -1 };
    let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    // SAFETY: arms it.
    unsafe { sys!(libc::SYS_timerfd_settime, fd, flags, &never as *const _, 0) };
    hub.reactor.keep(fd);
    hub.clock_watch.set(fd);
    fd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_sleep_on_a_clock() {
        assert_eq!(way(libc::CLOCK_REALTIME, false), Way::Monotonic);
        assert_eq!(way(libc::CLOCK_REALTIME, true), Way::Jumping);
        assert_eq!(way(libc::CLOCK_BOOTTIME, false), Way::Jumping);
        assert_eq!(way(libc::CLOCK_MONOTONIC, true), Way::Monotonic);
        assert_eq!(way(libc::CLOCK_MONOTONIC_RAW, true), Way::Refused);
        assert_eq!(way(libc::CLOCK_THREAD_CPUTIME_ID, false), Way::Refused);
        assert_eq!(way(999, false), Way::Refused);
    }

    #[test]
    fn clocks_made_from_numbers() {
        let cpu_clock = |pid: i32, bits: i32| (!pid << 3) | bits;
        assert_eq!(way(cpu_clock(0, 2), false), Way::Helper, "pthread's form of the process clock");
        assert_eq!(way(cpu_clock(1234, 6), false), Way::Helper);
        assert_eq!(way(cpu_clock(5, 3), false), Way::Refused, "a descriptor");
    }

    #[test]
    fn an_interrupted_sleep_tells_what_is_left() {
        let mut left = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let address = &mut left as *mut _ as usize;
        assert_eq!(interrupted(1_500_000_000, address), ERESTARTNOHAND);
        assert_eq!((left.tv_sec, left.tv_nsec), (1, 500_000_000));
        assert_eq!(interrupted(5, 0), ERESTARTNOHAND);
        assert_eq!(interrupted(0, address), 0);
    }
}
