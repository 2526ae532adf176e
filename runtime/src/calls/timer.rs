//! Timers that concern single threads, which the kernel does not know: those that signal a green thread
//! (SIGEV_THREAD_ID, and with it libc's SIGEV_THREAD), and those on a green thread's CPU time.
//!
//! The kernel's timer signals the carrier with SIGSETXID and a mark of ours, a number that no program can use; from
//! that the signal is made that the program asked for. On a green thread's CPU time, the kernel's timer runs on the
//! carrier's, which is never slower: where it fires too early, it is set again for what is left.
//!
//! All other timers are the kernel's alone.

use super::Outcome::{self, Done, Pass};
use super::{cpu_clock, error, Reason};
use crate::carrier_timer::{self, SigEvent};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::lock::Lock;
use crate::signals::{self, Info, SIGSETXID};
use crate::{sys, user};
use core::sync::atomic::{AtomicUsize, Ordering::*};

const MARK: usize = 0x6772_6565_6e74_696d;
const EINVAL: isize = error(libc::EINVAL);
/// TIMER_ABSTIME.
const ABSOLUTE: i32 = 1;

/// Who is told that a timer has expired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notify {
    Nobody,
    Process,
    Thread(i32),
}

#[derive(Clone, Copy)]
struct Timer {
    /// The kernel's number, which is the program's as well.
    id: i32,
    notify: Notify,
    signal: i32,
    value: usize,
    /// The green thread on whose CPU time it runs, if it does.
    clock: Option<i32>,
    /// On CPU time: when it expires next, 0 if it is not set, and every how many ns after that.
    due: u64,
    interval: u64,
    /// Of the signal that was delivered last.
    overrun: i32,
}

static TIMERS: Lock<Vec<Timer>> = Lock::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn find(id: i32) -> Option<Timer> {
    if COUNT.load(Relaxed) == 0 {
        return None;
    }
    TIMERS.lock().iter().find(|timer| timer.id == id).copied()
}

fn change<R>(id: i32, body: impl FnOnce(&mut Timer) -> R) -> Option<R> {
    TIMERS.lock().iter_mut().find(|timer| timer.id == id).map(body)
}

/// Timers are not inherited.
pub(crate) fn rebuild_in_child() {
    // SAFETY: no other kernel thread exists.
    unsafe { TIMERS.reset_in_child() };
    TIMERS.lock().clear();
    COUNT.store(0, Relaxed);
}

pub fn timer_create(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    create(hub, frame).unwrap_or_else(|outcome| outcome)
}

fn create(hub: &Hub, frame: &Frame) -> Result<Outcome, Outcome> {
    let (clock, event_at, id_at) = (frame.rdi as i32, frame.rsi, frame.rdx);
    let event: Option<SigEvent> = if event_at == 0 { None } else { Some(user::read(event_at)?) };
    let clock_of = match cpu_clock::owner(hub, clock) {
        None => None,
        Some(Ok(green)) => Some(green.tid.get()),
        Some(Err(errno)) => return Ok(Done(errno)),
    };
    let notify = match event.map(|event| event.notify) {
        None | Some(libc::SIGEV_SIGNAL | libc::SIGEV_THREAD) => Notify::Process,
        Some(libc::SIGEV_NONE) => Notify::Nobody,
        Some(libc::SIGEV_THREAD_ID) => {
            let tid = event.map_or(0, |event| event.tid);
            match hub.by_tid(tid) {
                Some(_) => Notify::Thread(tid),
                // A foreign thread's, which the kernel signals itself, or nobody's.
                None => return Ok(Pass(Reason::NotOurs)),
            }
        }
        // The clock may be wrong as well, which comes first.
        Some(_) => return Ok(Pass(Reason::NotOurs)),
    };
    if clock_of.is_none() && !matches!(notify, Notify::Thread(_)) {
        return Ok(Pass(Reason::NotOurs));
    }
    let signal = event.map_or(libc::SIGALRM, |event| event.signal);
    if notify != Notify::Nobody && !(1..=64).contains(&signal) {
        return Ok(Done(EINVAL));
    }
    let id = make(hub, cpu_clock::of_carrier(clock), clock_of.is_some())?;
    if user::write(id_at, &id).is_err() {
        // SAFETY: no pointers.
        unsafe { sys!(libc::SYS_timer_delete, id) };
        return Ok(Done(user::EFAULT));
    }
    let value = event.map_or(id as usize, |event| event.value);
    let mut timers = TIMERS.lock();
    timers.push(Timer { id, notify, signal, value, clock: clock_of, due: 0, interval: 0, overrun: 0 });
    COUNT.store(timers.len(), Relaxed);
    Ok(Done(0))
}

/// Makes the kernel's timer, for the carrier.
fn make(hub: &Hub, clock: i32, on_cpu_time: bool) -> Result<i32, Outcome> {
    let clock = if on_cpu_time { libc::CLOCK_THREAD_CPUTIME_ID } else { clock };
    carrier_timer::make(hub, clock, MARK).map_err(Done)
}

/// The kernel's answer where the program names a timer of the runtime's: to the program there is none.
fn hidden(hub: &Hub, frame: &Frame) -> Option<Outcome> {
    // SAFETY: the program's own pointers.
    let nobodys = || unsafe { sys!(frame.number as i64, -1isize, frame.rsi, frame.rdx, frame.r10) };
    hub.slice.has_timer(frame.rdi as i32).then(|| Done(nobodys()))
}

fn not_ours(hub: &Hub, frame: &Frame) -> Outcome {
    hidden(hub, frame).unwrap_or(Pass(Reason::NotOurs))
}

pub fn timer_delete(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(outcome) = hidden(hub, frame) {
        return outcome;
    }
    let id = frame.rdi as i32;
    if find(id).is_some() {
        let mut timers = TIMERS.lock();
        timers.retain(|timer| timer.id != id);
        COUNT.store(timers.len(), Relaxed);
    }
    Pass(Reason::NonBlocking)
}

pub fn timer_getoverrun(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match find(frame.rdi as i32) {
        Some(timer) => Done(timer.overrun as isize),
        None => not_ours(hub, frame),
    }
}

// ---- timers on CPU time --------------------------------------------------------------------------------------------

/// The CPU time that the timer's thread has used; `None` if it has ended.
fn used(hub: &Hub, timer: &Timer) -> Option<u64> {
    hub.by_tid(timer.clock?).map(|green| hub.cpu.used(hub, green))
}

/// What is left, as the kernel tells it: something, as long as it has not expired.
fn left(hub: &Hub, timer: &Timer) -> [u64; 2] {
    let left = match used(hub, timer) {
        _ if timer.due == 0 => 0,
        None => 0,
        Some(used) => timer.due.saturating_sub(used).max(1),
    };
    [timer.interval, left]
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

fn write_setting(address: usize, setting: [u64; 2]) -> Result<(), user::Fault> {
    user::write(address, &setting.map(timespec))
}

/// Lets the kernel's timer fire once, after so many ns of the carrier's CPU time; 0 stops it.
fn arm(id: i32, ns: u64) {
    let setting = [timespec(0), timespec(ns)];
    // SAFETY: the setting is ours.
    unsafe { sys!(libc::SYS_timer_settime, id, 0, setting.as_ptr(), 0) };
}

pub fn timer_gettime(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match find(frame.rdi as i32).filter(|timer| timer.clock.is_some()) {
        None => not_ours(hub, frame),
        Some(timer) => match write_setting(frame.rsi, left(hub, &timer)) {
            Ok(()) => Done(0),
            Err(fault) => fault.into(),
        },
    }
}

pub fn timer_settime(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match find(frame.rdi as i32).filter(|timer| timer.clock.is_some()) {
        None => not_ours(hub, frame),
        Some(timer) => set_time(hub, frame, &timer).unwrap_or_else(|outcome| outcome),
    }
}

fn set_time(hub: &Hub, frame: &Frame, timer: &Timer) -> Result<Outcome, Outcome> {
    let (flags, new, old) = (frame.rsi as i32, frame.rdx, frame.r10);
    if new == 0 {
        return Ok(Done(EINVAL));
    }
    // Faults are for all 32 bytes.
    let _: [libc::timespec; 2] = user::read(new)?;
    let interval = super::read_timespec(new).map_err(Done)?;
    let value = super::read_timespec(new + size_of::<libc::timespec>()).map_err(Done)?;
    let before = left(hub, timer);
    let Some(used) = used(hub, timer) else { return Ok(Done(error(libc::ESRCH))) };
    let due = match value {
        0 => 0,
        _ if flags & ABSOLUTE != 0 => value,
        _ => used.saturating_add(value),
    };
    change(timer.id, |timer| (timer.due, timer.interval) = (due, interval));
    arm(timer.id, if due == 0 { 0 } else { due.saturating_sub(used).max(1) });
    if old != 0 {
        write_setting(old, before)?;
    }
    Ok(Done(0))
}

// ---- expiry --------------------------------------------------------------------------------------------------------

/// The words of a timer's `siginfo` behind `si_signo`, `si_errno`, `si_code` and padding.
const ID: usize = 4;
const OVERRUN: usize = 5;
const VALUE: usize = 6;

fn word(info: &Info, at: usize) -> i32 {
    // SAFETY: the structure has 32 words.
    unsafe { (info as *const Info).cast::<i32>().add(at).read() }
}

/// The number of the timer that a signal is from.
pub(crate) fn id_of(info: &Info) -> Option<i32> {
    (info.si_code == libc::SI_TIMER).then(|| word(info, ID))
}

/// A timer has expired again before its last signal was taken.
pub(crate) fn add_overrun(info: &mut Info, later: &Info) {
    let overrun = word(info, OVERRUN).saturating_add(1).saturating_add(word(later, OVERRUN));
    // SAFETY: as for `word`.
    unsafe { (info as *mut Info).cast::<i32>().add(OVERRUN).write(overrun) };
}

/// The program takes a signal.
#[inline]
pub(crate) fn taken(info: &Info) {
    if info.si_code == libc::SI_TIMER && COUNT.load(Relaxed) != 0 {
        change(word(info, ID), |timer| timer.overrun = word(info, OVERRUN));
    }
}

fn make_info(timer: &Timer, overrun: i32) -> Info {
    // SAFETY: all-zero is a valid siginfo.
    let mut info: Info = unsafe { core::mem::zeroed() };
    info.si_signo = timer.signal;
    info.si_code = libc::SI_TIMER;
    let words = (&mut info as *mut Info).cast::<i32>();
    // SAFETY: as for `word`; the value is eight bytes at a multiple of eight.
    unsafe {
        words.add(ID).write(timer.id);
        words.add(OVERRUN).write(overrun);
        words.add(VALUE).cast::<usize>().write(timer.value);
    }
    info
}

/// Handles a signal that the kernel sent to the carrier, if it is from one of these timers. Inside only.
pub(crate) fn expired(hub: &Hub, info: &Info) -> bool {
    if info.si_signo != SIGSETXID || info.si_code != libc::SI_TIMER {
        return false;
    }
    // SAFETY: a timer's signal has the value that the timer was made with.
    if unsafe { info.si_value() }.sival_ptr as usize != MARK {
        return false;
    }
    let Some(timer) = find(word(info, ID)) else { return true };
    let Some(overrun) = (if timer.clock.is_some() { fire(hub, &timer) } else { Some(word(info, OVERRUN)) }) else {
        return true;
    };
    let info = make_info(&timer, overrun);
    match timer.notify {
        Notify::Nobody => {}
        // The kernel knows what is to become of it.
        Notify::Process => {
            let process = hub.pid.load(Relaxed);
            // SAFETY: the information is ours.
            unsafe { sys!(libc::SYS_rt_sigqueueinfo, process, timer.signal, &info as *const Info) };
        }
        // As in the kernel, nobody is told if the thread has ended.
        Notify::Thread(tid) => {
            if let Some(green) = hub.by_tid(tid) {
                signals::send(hub, green, &info);
            }
        }
    }
    true
}

/// The kernel's timer has fired for one on a green thread's CPU time. The overruns, if that one has expired as well.
fn fire(hub: &Hub, timer: &Timer) -> Option<i32> {
    let used = used(hub, timer)?;
    if timer.due == 0 {
        return None;
    }
    if used < timer.due {
        arm(timer.id, timer.due - used);
        return None;
    }
    let overruns = (used - timer.due).checked_div(timer.interval).unwrap_or(0);
    let due = if timer.interval == 0 { 0 } else { timer.due + (overruns + 1) * timer.interval };
    change(timer.id, |timer| timer.due = due);
    if due != 0 {
        arm(timer.id, due - used);
    }
    Some(overruns.min(i32::MAX as u64) as i32)
}
