//! What is handed to the callback as one descriptor: a set of them, a clock, a child.

use super::{events, Guest, UNFINISHED};
use crate::calls::time;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::Ordering::Relaxed;

/// Waits until `look` finds something (anything but 0) or the time is up (0). The caller has looked once, in vain.
pub(crate) fn wait_for_any(
    hub: &Hub,
    guest: &Guest,
    asked: &[(i32, i16)],
    deadline: Option<u64>,
    mut look: impl FnMut() -> isize,
) -> isize {
    if deadline.is_some_and(|deadline| deadline <= sys::now()) {
        return 0;
    }
    let (set, fd, wanted) = match asked {
        [] => (None, -1, 0),
        // What every hub can wait for.
        &[(fd, wanted)] if wanted != 0 && wanted & !(libc::POLLIN | libc::POLLOUT) == 0 => (None, fd, wanted),
        _ => match Set::of(hub, asked) {
            Some(set) => {
                let fd = set.0;
                (Some(set), fd, libc::POLLIN)
            }
            None => return passed(guest),
        },
    };
    let result = loop {
        let wake = guest.ask(fd, wanted, deadline);
        if wake == Wake::Interrupted {
            break UNFINISHED;
        }
        let found = look();
        if found != 0 || wake == Wake::TimedOut {
            break found;
        }
    };
    drop(set);
    result
}

/// There is no descriptor to be had: the kernel does the call.
fn passed(guest: &Guest) -> isize {
    guest.ended.set(super::Ended::Passed);
    UNFINISHED
}

/// An epoll descriptor of ours that lives as long as one wait.
struct Set(i32);

impl Set {
    fn of(hub: &Hub, asked: &[(i32, i16)]) -> Option<Set> {
        // SAFETY: makes a descriptor of our own.
        let low = unsafe { sys!(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC) as i32 };
        let set = Set(events::move_up(low)?);
        hub.reactor.table.lock().forget(set.0);
        for (index, &(fd, wanted)) in asked.iter().enumerate() {
            // One entry for each descriptor, however often it was named; poll's bits are epoll's.
            if asked[..index].iter().any(|&(other, _)| other == fd) {
                continue;
            }
            let all = asked[index..].iter().filter(|&&(other, _)| other == fd).fold(0, |all, &(_, more)| all | more);
            let mut event = libc::epoll_event { events: wanted_bits(wanted | all), u64: fd as u64 };
            // What can't be watched is ready at all times, or not open: the look that came before would have found it.
            // SAFETY: the event is ours.
            unsafe { sys!(libc::SYS_epoll_ctl, set.0, libc::EPOLL_CTL_ADD, fd, &mut event as *mut libc::epoll_event) };
        }
        Some(set)
    }
}

fn wanted_bits(events: i16) -> u32 {
    events as u16 as u32
}

impl Drop for Set {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

/// A sleep until `clock` shows `target`, whatever is done to the clock meanwhile.
pub(crate) fn sleep_until_clock(guest: &Guest, clock: i32, target: u64) -> isize {
    // A timer can't be made on the atomic clock; it moves with the real one, but for leap seconds.
    let (timer, shift) = match clock {
        libc::CLOCK_TAI => {
            (libc::CLOCK_REALTIME, time::now(libc::CLOCK_TAI).wrapping_sub(time::now(libc::CLOCK_REALTIME)))
        }
        other => (other, 0),
    };
    let at = target.wrapping_sub(shift);
    let when = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 },
    };
    // SAFETY: makes and arms a descriptor of our own.
    let fd = unsafe {
        let low = sys!(libc::SYS_timerfd_create, timer, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) as i32;
        let Some(fd) = events::move_up(low) else { return passed(guest) };
        sys!(libc::SYS_timerfd_settime, fd, libc::TFD_TIMER_ABSTIME, &when as *const libc::itimerspec, 0);
        fd
    };
    let result = loop {
        if time::now(clock) >= target {
            break 0;
        }
        if guest.ask(fd, libc::POLLIN, None) == Wake::Interrupted {
            break UNFINISHED;
        }
    };
    sys::close(fd);
    result
}

/// A wait of the calling guest for something that a thread of the layer above does.
pub struct Look(i32);

/// How `Look::pause` ended.
pub enum Pause {
    Over,
    /// The callback leaves the wait to the kernel, or there is none.
    Passed,
    GivenUp,
}

impl Look {
    /// `None` in a thread that is no guest, in the middle of another call of ours, and without descriptors.
    pub fn begin() -> Option<Look> {
        let hub = super::current().filter(|hub| hub.carrier.inside.load(Relaxed) == 0)?;
        events::take(hub).map(Look)
    }

    /// What `tell` takes.
    pub fn event(&self) -> i32 {
        self.0
    }

    /// Ends the wait. From any kernel thread.
    pub fn tell(event: i32) {
        events::set(event);
    }

    /// Waits until `done`. False if the callback has given up; where it leaves the wait to the kernel, the kernel waits.
    pub fn until(&self, done: impl Fn() -> bool) -> bool {
        let Some((hub, guest)) = super::current().and_then(|hub| Some((hub, hub.guest.as_ref()?))) else {
            return false;
        };
        while !done() {
            let wake = guest.ask(self.0, libc::POLLIN, None);
            // `ask` leaves the thread inside.
            hub.carrier.inside.store(0, Relaxed);
            match wake {
                Wake::Interrupted if guest.has_passed() => {
                    guest.wait_in_kernel(self.0, libc::POLLIN, None);
                }
                Wake::Interrupted => return done(),
                _ => {}
            }
            events::clear(self.0);
        }
        true
    }

    /// Others run for `ns`.
    pub fn pause(ns: u64) -> Pause {
        let Some((hub, guest)) = super::current().and_then(|hub| Some((hub, hub.guest.as_ref()?))) else {
            return Pause::Passed;
        };
        let wake = guest.sleep(Some(sys::now() + ns));
        hub.carrier.inside.store(0, Relaxed);
        match wake {
            Wake::Interrupted if guest.has_passed() => Pause::Passed,
            Wake::Interrupted => Pause::GivenUp,
            _ => Pause::Over,
        }
    }

    /// The wait is over. Who tells later ends another wait for nothing.
    pub fn end(&self) {
        events::give_back(self.0);
    }
}

/// Waits for a child by its pidfd, which is ours to close if `own`.
pub(crate) fn wait_for_child(
    hub: &Hub,
    guest: &Guest,
    fd: i32,
    own: bool,
    attempt: impl Fn() -> Option<isize>,
) -> isize {
    let result = loop {
        let wake = guest.ask(fd, libc::POLLIN, None);
        if let Some(answer) = attempt() {
            break answer;
        }
        if wake == Wake::Interrupted {
            break UNFINISHED;
        }
    };
    if own {
        hub.reactor.table.lock().forget(fd);
        sys::close(fd);
    }
    result
}
