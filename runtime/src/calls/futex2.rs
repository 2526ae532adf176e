//! futex_waitv, futex_wake, futex_wait and futex_requeue: futexes with flags of their own for each word.

use super::futex::{
    answer, check_address, park_until, requeue_counts, requeue_with, wait_on, wake, with_signals_blocked,
    woken_from_outside, End, Until, ANY, EAGAIN, EINVAL, ETIMEDOUT,
};
use super::Outcome::{Done, Pass};
use super::{error, read_timespec, Outcome, Reason, ERESTARTSYS};
use crate::frame::Frame;
use crate::futex_queue::{self, Waiter};
use crate::hub::Hub;
use crate::{offload, sys, user};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

pub const SYS_FUTEX_WAITV: i64 = 449;
pub const SYS_FUTEX_WAKE: i64 = 454;
pub const SYS_FUTEX_WAIT: i64 = 455;
pub const SYS_FUTEX_REQUEUE: i64 = 456;

const SIZE_U32: u32 = 2;
const PRIVATE: u32 = 128;
/// FUTEX_WAITV_MAX.
const MOST_WORDS: usize = 128;

/// `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    value: u64,
    word: u64,
    flags: u32,
    reserved: u32,
}

/// Whether flags say shared. `None`: flags that only the kernel understands, if it does.
fn is_shared(flags: u32) -> Option<bool> {
    (flags & !PRIVATE == SIZE_U32).then_some(flags & PRIVATE == 0)
}

/// Whether the kernel has the call, so that a program that asks gets the same answer with one thread and with many.
fn kernel_has(number: i64) -> bool {
    /// By the last two bits of the number: 0 unknown, 1 yes, 2 no.
    static KNOWN: [AtomicU8; 4] = [const { AtomicU8::new(0) }; 4];
    let known = &KNOWN[number as usize & 3];
    if known.load(Relaxed) == 0 {
        // SAFETY: flags and counts that each of the calls refuses before it looks at anything.
        let result = unsafe { sys!(number, 0, 0, 1usize << 20, 1usize << 20, 0, 0) };
        known.store(if result == error(libc::ENOSYS) { 2 } else { 1 }, Relaxed);
    }
    known.load(Relaxed) == 1
}

/// The absolute time of the later calls, with a clock of its own argument.
fn until(time: usize, clock: i32) -> Result<Until, isize> {
    match clock {
        _ if time == 0 => Ok(Until::Never),
        libc::CLOCK_MONOTONIC => read_timespec(time).map(Until::Monotonic),
        libc::CLOCK_REALTIME => read_timespec(time).map(Until::Realtime),
        _ => Err(EINVAL),
    }
}

fn pass_reason(hub: &Hub, number: i64) -> Option<Outcome> {
    if !hub.others_alive() {
        return Some(Pass(Reason::NoOtherGreenThread));
    }
    (!kernel_has(number)).then_some(Pass(Reason::NotOurs))
}

/// futex_wake(word, mask, count, flags).
pub fn futex_wake(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(pass) = pass_reason(hub, SYS_FUTEX_WAKE) {
        return pass;
    }
    wake_by(frame, |shared| shared || hub.has_foreign_threads())
}

fn wake_by(frame: &Frame, kernel_too: impl FnOnce(bool) -> bool) -> Outcome {
    let (word, mask, count) = (frame.rdi, frame.rsi, frame.rdx as u32);
    let Some(shared) = is_shared(frame.r10 as u32) else { return Pass(Reason::NotOurs) };
    let Ok(mask @ 1..) = u32::try_from(mask) else { return Done(EINVAL) };
    if count == 0 {
        // Wakes none, unlike FUTEX_WAKE.
        return Pass(Reason::NonBlocking);
    }
    answer(wake(word, shared, count, mask, kernel_too(shared)))
}

/// futex_wait(word, value, mask, flags, time, clock).
pub fn futex_wait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(pass) = pass_reason(hub, SYS_FUTEX_WAIT) {
        return pass;
    }
    let in_kernel = || offload::call(hub, SYS_FUTEX_WAIT, frame.args());
    let Some(shared) = is_shared(frame.r10 as u32) else { return Done(in_kernel()) };
    let (Ok(value), Ok(mask)) = (u32::try_from(frame.rsi), u32::try_from(frame.rdx)) else { return Done(EINVAL) };
    let until = match until(frame.r8, frame.r9 as i32) {
        Ok(until) => until,
        Err(error) => return Done(error),
    };
    wait_on(hub, frame.rdi, value, mask, shared, until, in_kernel)
}

/// futex_requeue(two entries, flags, wake, requeue).
pub fn futex_requeue(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(pass) = pass_reason(hub, SYS_FUTEX_REQUEUE) {
        return pass;
    }
    requeue_by(frame, |shared| shared || hub.has_foreign_threads())
}

fn requeue_by(frame: &Frame, kernel_too: impl FnOnce(bool) -> bool) -> Outcome {
    let entries = frame.rdi;
    if frame.rsi as u32 != 0 || entries == 0 {
        return Done(EINVAL);
    }
    let (from, to) = match read_entries(entries, 2) {
        Ok(words) => (words[0], words[1]),
        Err(Bad::Error(error)) => return Done(error),
        Err(Bad::Unknown) => return Pass(Reason::NotOurs),
    };
    answer((|| {
        let counts = requeue_counts(frame.rdx as u32, frame.r10 as u32)?;
        check_address(from.word)?;
        check_address(to.word)?;
        let kernel_too = kernel_too(from.shared || to.shared);
        requeue_with(from.word, to.word, counts, Some(from.value), kernel_too, |wake, requeue| {
            // SAFETY: the program's own pointer; the kernel checks it.
            unsafe { sys!(SYS_FUTEX_REQUEUE, entries, 0, wake, requeue) }
        })
    })())
}

/// futex_wake and futex_requeue by a foreign kernel thread.
pub fn futex2_foreign(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match frame.rax as i64 {
        SYS_FUTEX_WAKE if futex_queue::may_have_waiters(frame.rdi) => with_signals_blocked(|| wake_by(frame, |_| true)),
        // Which words they are stands in memory, so this looks first and locks for little. It is a rare call.
        SYS_FUTEX_REQUEUE if kernel_has(SYS_FUTEX_REQUEUE) => with_signals_blocked(|| requeue_by(frame, |_| true)),
        _ => Pass(Reason::NotOurs),
    }
}

#[derive(Clone, Copy)]
struct Word {
    word: usize,
    value: u32,
    shared: bool,
}

enum Bad {
    Error(isize),
    /// Flags that only the kernel understands.
    Unknown,
}

fn read_entries(address: usize, count: usize) -> Result<Vec<Word>, Bad> {
    let mut words = Vec::with_capacity(count);
    for index in 0..count {
        let at = address.wrapping_add(index * size_of::<Entry>());
        let entry: Entry = user::read(at).map_err(|_| Bad::Error(user::EFAULT))?;
        if entry.reserved != 0 {
            return Err(Bad::Error(EINVAL));
        }
        let shared = is_shared(entry.flags).ok_or(Bad::Unknown)?;
        let value = u32::try_from(entry.value).map_err(|_| Bad::Error(EINVAL))?;
        words.push(Word { word: entry.word as usize, value, shared });
    }
    Ok(words)
}

/// futex_waitv(entries, count, flags, time, clock): waits on several words, returns the index of one that was woken.
pub fn futex_waitv(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(pass) = pass_reason(hub, SYS_FUTEX_WAITV) {
        return pass;
    }
    let (entries, count) = (frame.rdi, frame.rsi as u32 as usize);
    if frame.rdx as u32 != 0 || count == 0 || count > MOST_WORDS || entries == 0 {
        return Done(EINVAL);
    }
    let until = match until(frame.r10, frame.r8 as i32) {
        Ok(until) => until,
        Err(error) => return Done(error),
    };
    let in_kernel = || Done(offload::call(hub, SYS_FUTEX_WAITV, frame.args()));
    let words = match read_entries(entries, count) {
        Ok(words) => words,
        Err(Bad::Error(error)) => return Done(error),
        Err(Bad::Unknown) => return in_kernel(),
    };
    if let Err(error) = words.iter().try_for_each(|word| check_address(word.word)) {
        return Done(error);
    }
    if words.iter().any(|word| word.shared && woken_from_outside(hub, word.word, word.value)) {
        // The private words then wait in the kernel as well, as if a foreign thread did.
        hub.foreign_thread_added();
        drop(words);
        return in_kernel();
    }
    let waiters: Vec<Waiter> = words.iter().map(|word| Waiter::new(hub, word.word, ANY)).collect();
    let leave = |count: usize| {
        // All leave; the kernel too tells the last one that was woken.
        let mut woken = None;
        for (index, waiter) in waiters[..count].iter().enumerate() {
            if waiter.leave() {
                woken = Some(index as isize);
            }
        }
        woken
    };
    for (index, (waiter, word)) in waiters.iter().zip(&words).enumerate() {
        let queued = waiter.enqueue_if(|| match user::load(word.word)? {
            now if now == word.value => Ok(()),
            _ => Err(EAGAIN),
        });
        if let Err(error) = queued {
            return Done(leave(index).unwrap_or(error));
        }
    }
    let end = park_until(hub, || waiters[0].key(), || waiters.iter().any(Waiter::woken), until);
    Done(leave(count).unwrap_or(match end {
        End::TimedOut => ETIMEDOUT,
        // `Woken` never comes without an index.
        End::Interrupted | End::Woken => ERESTARTSYS,
    }))
}
