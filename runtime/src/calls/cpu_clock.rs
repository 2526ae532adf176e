//! The clocks of threads' CPU time: clock_gettime and its kin, getrusage(RUSAGE_THREAD).

use super::Outcome::{self, Done, Pass};
use super::{error, read_timespec, time, write_timespec, Reason, ERESTARTNOHAND};
use crate::frame::Frame;
use crate::green_thread::{Green, Waiting, Wake};
use crate::hub::Hub;
use crate::{signals, sys, user};

const EINVAL: isize = error(libc::EINVAL);
/// The lowest bits of a clock id made from a process's or thread's id: which of its clocks, and a bit for threads.
const PER_THREAD: i32 = 4;
const WHICH: i32 = 3;
const VIRTUAL: i32 = 1;
const SCHEDULED: i32 = 2;

/// The thread whose CPU time a negative clock id stands for, if it is a thread's; 0 is the caller.
pub(super) fn thread_of(clock: i32) -> Option<i32> {
    (clock < 0 && clock & PER_THREAD != 0).then_some(!(clock >> 3))
}

/// The green thread that a clock belongs to. `None` if it is the kernel's to say, EINVAL if the thread has ended.
pub(super) fn owner(hub: &Hub, clock: i32) -> Option<Result<&'static Green, isize>> {
    if clock == libc::CLOCK_THREAD_CPUTIME_ID {
        return Some(Ok(hub.current()));
    }
    match thread_of(clock)? {
        _ if clock & WHICH > SCHEDULED => Some(Err(EINVAL)),
        0 => Some(Ok(hub.current())),
        tid => match hub.by_tid(tid) {
            Some(green) => Some(Ok(green)),
            None if tid > 1 << 22 => Some(Err(EINVAL)),
            None => None,
        },
    }
}

/// What a clock of a green thread shows, ns: for the hook of libc's function, whose own way to the kernel is through
/// the vDSO.
pub fn read(hub: &Hub, clock: i32) -> Option<Result<u64, isize>> {
    Some(owner(hub, clock)?.map(|green| {
        let used = hub.cpu.used(hub, green);
        match clock & WHICH {
            VIRTUAL if clock < 0 => split(used).0,
            _ => used,
        }
    }))
}

/// The same clock of the carrier.
pub(super) fn of_carrier(clock: i32) -> i32 {
    const OF_CALLER: i32 = !0 << 3;
    if clock < 0 {
        OF_CALLER | clock & (PER_THREAD | WHICH)
    } else {
        clock
    }
}

/// CPU time in user mode and in the kernel, in the carrier's proportion.
fn split(used: u64) -> (u64, u64) {
    // SAFETY: all-zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: `usage` is ours.
    unsafe { sys!(libc::SYS_getrusage, libc::RUSAGE_THREAD, &mut usage as *mut libc::rusage) };
    let ns = |time: libc::timeval| time.tv_sec as u128 * 1_000_000_000 + time.tv_usec as u128 * 1000;
    let (user, system) = (ns(usage.ru_utime), ns(usage.ru_stime));
    let user = match user + system {
        0 => used,
        both => (u128::from(used) * user / both) as u64,
    };
    (user, used - user)
}

pub fn clock_gettime(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match read(hub, frame.rdi as i32) {
        None => Pass(Reason::NotOurs),
        Some(Ok(ns)) => match write_timespec(frame.rsi, ns) {
            Ok(()) => Done(0),
            Err(fault) => fault.into(),
        },
        Some(Err(errno)) => Done(errno),
    }
}

/// clock_getres and clock_settime: the carrier's clock is of the same kind.
pub fn same_for_carrier(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let clock = frame.rdi as i32;
    match owner(hub, clock) {
        None => Pass(Reason::NotOurs),
        // SAFETY: the program's own pointer.
        Some(Ok(_)) => Done(unsafe { sys!(frame.number, of_carrier(clock), frame.rsi) }),
        Some(Err(errno)) => Done(errno),
    }
}

/// The resolution of a green thread's clock, as `read`.
pub fn resolution(hub: &Hub, clock: i32, address: usize) -> Option<isize> {
    match owner(hub, clock)? {
        // SAFETY: the program's own pointer.
        Ok(_) => Some(unsafe { sys!(libc::SYS_clock_getres, of_carrier(clock), address) }),
        Err(errno) => Some(errno),
    }
}

pub fn getrusage(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdi as i32 != libc::RUSAGE_THREAD {
        return Pass(Reason::NotOurs);
    }
    // SAFETY: the program's own pointer.
    let result = unsafe { sys!(libc::SYS_getrusage, libc::RUSAGE_THREAD, frame.rsi) };
    if result < 0 {
        return Done(result);
    }
    let (user, system) = split(hub.cpu.used(hub, hub.current()));
    let timeval =
        |ns: u64| libc::timeval { tv_sec: (ns / 1_000_000_000) as i64, tv_usec: (ns % 1_000_000_000 / 1000) as i64 };
    match user::write(frame.rsi, &[timeval(user), timeval(system)]) {
        Ok(()) => Done(0),
        Err(fault) => fault.into(),
    }
}

/// clock_nanosleep on another green thread's clock; `None` for all other clocks.
pub(super) fn nanosleep(hub: &'static Hub, frame: &Frame) -> Option<Outcome> {
    let clock = frame.rdi as i32;
    thread_of(clock)?;
    let owner = owner(hub, clock)?;
    let ns = match read_timespec(frame.rdx) {
        Ok(ns) => ns,
        Err(errno) => return Some(Done(errno)),
    };
    let absolute = frame.rsi as i32 & libc::TIMER_ABSTIME != 0;
    Some(match owner {
        Ok(green) if !core::ptr::eq(green, hub.current()) => {
            Done(sleep(hub, green, ns, (!absolute).then_some(frame.r10)))
        }
        // The caller's own clock stands still while it sleeps.
        _ => Done(EINVAL),
    })
}

/// With `remaining`, for so long; else until the clock shows `ns`. For ever if the thread ends before.
fn sleep(hub: &'static Hub, green: &Green, ns: u64, remaining: Option<usize>) -> isize {
    let tid = green.tid.get();
    let begun = hub.cpu.used(hub, green);
    let until = if remaining.is_some() { begun.saturating_add(ns) } else { ns };
    let mut used = begun;
    while used < until {
        hub.cpu.enter_wait(hub, tid, until);
        let wake = hub.park(Waiting::Time, None, true);
        hub.cpu.leave_wait(hub);
        if hub.by_tid(tid).is_some_and(|now| core::ptr::eq(now, green)) {
            used = hub.cpu.used(hub, green);
        }
        if used < until && wake == Wake::Interrupted && signals::deliverable(hub, hub.current()) {
            return remaining.map_or(ERESTARTNOHAND, |remaining| time::interrupted(until - used, remaining));
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_made_from_ids() {
        let clock = |tid: i32, which: i32| (!tid << 3) | which;
        assert_eq!(thread_of(clock(0, 6)), Some(0));
        assert_eq!(thread_of(clock((1 << 28) - 1, 6)), Some((1 << 28) - 1));
        assert_eq!(thread_of(clock(1234, 2)), None, "a process");
        assert_eq!(thread_of(clock(5, 3)), None, "a descriptor");
        assert_eq!(thread_of(libc::CLOCK_REALTIME), None);
        assert_eq!(of_carrier(clock(1234, 6)), clock(0, 6));
        assert_eq!(of_carrier(libc::CLOCK_THREAD_CPUTIME_ID), libc::CLOCK_THREAD_CPUTIME_ID);
    }
}
