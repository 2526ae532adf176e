//! futex(2), for green threads and for foreign kernel threads.
//!
//! Who waits where: a green thread waits in `futex_queue`; a foreign thread in the kernel; a green thread whose word
//! lies in memory that other processes or the kernel itself may wake, in the kernel by way of a helper thread (after a
//! moment in our queue: `futex_soon`). So whoever wakes takes from our queue first and, where somebody may wait in the
//! kernel, has the kernel wake the rest.
//!
//! Priority-inheritance operations are in `futex_pi`, the later system calls in `futex2`.

use super::futex_usual::{self, Usual};
use super::futex_wake_op::WakeOp;
use super::Outcome::{Done, Pass};
use super::{deadline_in, error, futex_pi, futex_soon, read_timespec, Outcome, Reason, FOREVER};
use super::{ERESTARTNOHAND, ERESTARTSYS};
use crate::frame::Frame;
use crate::futex_queue::{self, Waiter};
use crate::green_thread::{Waiting, Wake};
use crate::hub::Hub;
use crate::{offload, sys, user};

pub use crate::robust::walk_robust_list;

pub(super) const EINVAL: isize = error(libc::EINVAL);
pub(crate) const EAGAIN: isize = error(libc::EAGAIN);
pub(crate) const ETIMEDOUT: isize = error(libc::ETIMEDOUT);
const ENOSYS: isize = error(libc::ENOSYS);
/// Every waiter's bits.
pub(super) const ANY: u32 = u32::MAX;

/// The arguments of futex(2).
pub(crate) struct Request {
    pub word: usize,
    pub command: i32,
    pub shared: bool,
    pub realtime: bool,
    pub value: u32,
    /// A `timespec`, or the second count.
    pub time: usize,
    pub second: usize,
    pub value3: u32,
}

impl Request {
    pub fn of(frame: &Frame) -> Self {
        let operation = frame.rsi as i32;
        Request {
            word: frame.rdi,
            command: operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME),
            shared: operation & libc::FUTEX_PRIVATE_FLAG == 0,
            realtime: operation & libc::FUTEX_CLOCK_REALTIME != 0,
            value: frame.rdx as u32,
            time: frame.r10,
            second: frame.r8,
            value3: frame.r9 as u32,
        }
    }

    /// When the wait ends; FUTEX_LOCK_PI alone means CLOCK_REALTIME without saying so.
    pub fn until(&self) -> Result<Until, isize> {
        if self.time == 0 {
            return Ok(Until::Never);
        }
        let time = read_timespec(self.time)?;
        Ok(match self.command {
            libc::FUTEX_WAIT => deadline_in(time).map_or(Until::Never, Until::Monotonic),
            libc::FUTEX_LOCK_PI => Until::Realtime(time),
            _ if self.realtime => Until::Realtime(time),
            _ => Until::Monotonic(time),
        })
    }
}

impl Request {
    /// Whether the command takes no clock.
    pub fn refused(&self) -> bool {
        let takes_clock =
            matches!(self.command, libc::FUTEX_WAIT_BITSET | libc::FUTEX_WAIT_REQUEUE_PI | futex_pi::LOCK_PI2);
        self.realtime && !takes_clock
    }
}

/// When a wait ends by itself, ns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    Never,
    Monotonic(u64),
    Realtime(u64),
}

impl Until {
    pub fn deadline(self) -> Option<u64> {
        match self {
            Until::Never => None,
            Until::Monotonic(time) => (time < FOREVER).then_some(time),
            Until::Realtime(time) if time >= FOREVER => None,
            Until::Realtime(time) => {
                let now = sys::clock(libc::CLOCK_REALTIME).unwrap_or(0);
                deadline_in(time.saturating_sub(now.max(0) as u64))
            }
        }
    }

    /// Whether the moment is really there: CLOCK_REALTIME may have been set back meanwhile.
    pub fn is_reached(self) -> bool {
        match self {
            Until::Realtime(time) => sys::clock(libc::CLOCK_REALTIME).is_some_and(|now| now.max(0) as u64 >= time),
            _ => true,
        }
    }
}

/// How a wait in our queue ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Woken,
    TimedOut,
    Interrupted,
}

/// Parks until `over` says that a wake-up has come, the time, or a signal; the caller then leaves the queues.
#[inline(always)]
pub(super) fn park_until(hub: &Hub, word: impl Fn() -> usize, over: impl Fn() -> bool, until: Until) -> End {
    loop {
        match hub.park_here(Waiting::Futex(word()), until.deadline(), true) {
            Wake::Unparked if over() => return End::Woken,
            Wake::Unparked => {}
            Wake::TimedOut if until.is_reached() => return End::TimedOut,
            Wake::TimedOut => {}
            Wake::Interrupted => return End::Interrupted,
        }
    }
}

/// Waits for the wake-up of one queued waiter, which has left its queue afterwards.
#[inline(always)]
pub(super) fn await_wake(hub: &Hub, waiter: &Waiter, until: Until) -> End {
    let end = park_until(hub, || waiter.key(), || waiter.woken(), until);
    if end != End::Woken && waiter.leave() {
        // The wake-up was meant for this waiter and is used up.
        return End::Woken;
    }
    end
}

/// The address of a futex word as the kernel checks it before all else.
#[inline]
pub(crate) fn check_address(word: usize) -> Result<(), isize> {
    if !word.is_multiple_of(4) {
        return Err(EINVAL);
    }
    if word >= user::LIMIT {
        return Err(user::EFAULT);
    }
    Ok(())
}

/// A number of waiters to wake as FUTEX_WAKE understands it: the kernel wakes one, then asks whether to stop.
pub(super) fn at_least_one(count: u32) -> u32 {
    (count as i32).max(1) as u32
}

/// Ours and the kernel's; an error of the kernel counts only if we have done nothing.
pub(super) fn sum(ours: usize, kernels: isize) -> isize {
    match kernels {
        0.. => ours as isize + kernels,
        _ if ours > 0 => ours as isize,
        error => error,
    }
}

/// Answers a call from a `Result`.
pub(super) fn answer(result: Result<isize, isize>) -> Outcome {
    Done(result.unwrap_or_else(|error| error))
}

/// Whether a shared wait on `word`, which holds `value`, may be ended by somebody who does not come to our queues:
/// another process, or the kernel when a foreign thread ends.
pub(super) fn woken_from_outside(hub: &Hub, word: usize, value: u32) -> bool {
    woken_by_sharers(hub, word, value) && (hub.has_foreign_threads() || is_shared_memory(word))
}

/// Whether a shared wait is more than a join. pthread_join waits as if shared, but a green thread's word is cleared by us.
fn woken_by_sharers(hub: &Hub, word: usize, value: u32) -> bool {
    hub.by_tid(value as i32).is_none_or(|green| green.clear_child_tid.get() != word)
}

/// Whether `word` lies in a shared mapping, as far as the kernel does not deny it: mremap with an old size of 0
/// duplicates a shared mapping and is EINVAL for a private one. Needs no /proc.
pub(crate) fn is_shared_memory(word: usize) -> bool {
    // EINVAL may also mean that a huge page was not aligned.
    [4096, 2 << 20].iter().any(|&page: &usize| {
        let start = word & !(page - 1);
        // SAFETY: an old size of 0 leaves the mapping as it is; the duplicate is a new one at a new address.
        let copy = unsafe { sys!(libc::SYS_mremap, start, 0, page, libc::MREMAP_MAYMOVE) };
        if copy > 0 {
            // SAFETY: the duplicate, which nobody else knows.
            unsafe { sys!(libc::SYS_munmap, copy, page) };
        }
        // The larger page need not be mapped from its start.
        copy > 0 || (page == 4096 && copy != EINVAL)
    })
}

/// futex(2) by a green thread.
pub fn futex(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match futex_usual::of(hub, frame) {
        Some(Usual::Wait) => futex_usual::wait(hub, frame),
        Some(Usual::Wake) => futex_usual::wake(hub, frame),
        None => any(hub, frame),
    }
}

/// Every command.
#[inline(never)]
pub(super) fn any(hub: &'static Hub, frame: &Frame) -> Outcome {
    let request = Request::of(frame);
    if !hub.others_alive() && !futex_pi::is_pi(request.command) {
        return Pass(Reason::NoOtherGreenThread);
    }
    let plain = request.command == libc::FUTEX_WAIT;
    match request.command {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET if !(plain && request.realtime) => {
            wait(hub, &request, frame, if plain { ANY } else { request.value3 })
        }
        libc::FUTEX_WAKE if !request.realtime && check_address(request.word).is_ok() => {
            let kernel_too = request.shared || hub.has_foreign_threads();
            after_waking(hub, wake(request.word, request.shared, request.value, ANY, kernel_too))
        }
        _ => seldom(hub, &request),
    }
}

/// The commands, and combinations of flags, that `any` leaves.
#[inline(never)]
fn seldom(hub: &'static Hub, request: &Request) -> Outcome {
    let until = match request.command {
        libc::FUTEX_LOCK_PI | futex_pi::LOCK_PI2 | libc::FUTEX_WAIT_REQUEUE_PI | libc::FUTEX_WAIT => request.until(),
        _ => Ok(Until::Never),
    };
    let until = match until {
        Ok(until) => until,
        Err(error) => return Done(error),
    };
    if request.refused() {
        return Done(ENOSYS);
    }
    match request.command {
        command if futex_pi::is_pi(command) => futex_pi::futex(hub, request, until),
        _ => match wake_some(request, request.shared || hub.has_foreign_threads()) {
            Some(woken) => after_waking(hub, woken),
            None => Pass(Reason::NotOurs),
        },
    }
}

#[inline]
pub(super) fn after_waking(hub: &Hub, woken: Result<isize, isize>) -> Outcome {
    if matches!(woken, Ok(1..)) {
        hub.let_pass();
    }
    answer(woken)
}

#[inline]
fn wait(hub: &'static Hub, request: &Request, frame: &Frame, bits: u32) -> Outcome {
    let until = match request.until() {
        Ok(until) => until,
        Err(error) => return Done(error),
    };
    // The kernel would begin a relative time anew.
    let relative = request.time != 0 && request.command == libc::FUTEX_WAIT;
    let soon = if request.shared && !relative && woken_by_sharers(hub, request.word, request.value) {
        futex_soon::wait(hub, request.word, request.value, bits)
    } else {
        None
    };
    let outcome = match soon {
        Some(result) => Done(result),
        None => wait_on(hub, request.word, request.value, bits, request.shared, until, || {
            futex_soon::in_kernel(|| offload::call(hub, libc::SYS_futex, frame.args()))
        }),
    };
    // With a timeout it is not the call that would be restarted but the rest of it, and never after a handler.
    if request.time != 0 && matches!(outcome, Done(ERESTARTSYS | ERESTARTNOHAND)) {
        return Done(error(libc::EINTR));
    }
    outcome
}

/// Waits while the word has `value`; `in_kernel` does it where only the kernel can.
#[inline(always)]
pub(super) fn wait_on(
    hub: &Hub,
    word: usize,
    value: u32,
    bits: u32,
    shared: bool,
    until: Until,
    in_kernel: impl FnOnce() -> isize,
) -> Outcome {
    if bits == 0 {
        return Done(EINVAL);
    }
    if let Err(error) = check_address(word) {
        return Done(error);
    }
    let unchanged = || match user::load(word)? {
        now if now == value => Ok(()),
        _ => Err(EAGAIN),
    };
    if shared {
        if let Err(error) = unchanged() {
            return Done(error);
        }
        if woken_from_outside(hub, word, value) {
            return Done(in_kernel());
        }
    }
    let waiter = Waiter::at_old_place(hub, word, bits);
    if let Err(error) = waiter.enqueue_if(unchanged) {
        return Done(error);
    }
    Done(match await_wake(hub, &waiter, until) {
        End::Woken => {
            if user::load(waiter.key()) == Ok(value) {
                waiter.was_in_vain(hub);
            }
            0
        }
        End::TimedOut => ETIMEDOUT,
        End::Interrupted => ERESTARTSYS,
    })
}

/// The operations that wake and never wait, by any kernel thread. `None`: not one of them, or an address at which the
/// kernel only says what is wrong.
fn wake_some(request: &Request, kernel_too: bool) -> Option<Result<isize, isize>> {
    let two = matches!(request.command, libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE | libc::FUTEX_WAKE_OP);
    if check_address(request.word).is_err() || (two && check_address(request.second).is_err()) {
        return None;
    }
    Some(match request.command {
        libc::FUTEX_WAKE => wake(request.word, request.shared, request.value, ANY, kernel_too),
        libc::FUTEX_WAKE_BITSET => wake(request.word, request.shared, request.value, request.value3, kernel_too),
        libc::FUTEX_REQUEUE => requeue(request, None, kernel_too),
        libc::FUTEX_CMP_REQUEUE => requeue(request, Some(request.value3), kernel_too),
        libc::FUTEX_WAKE_OP => wake_op(request, kernel_too),
        _ => return None,
    })
}

#[inline]
pub(super) fn wake(word: usize, shared: bool, count: u32, bits: u32, kernel_too: bool) -> Result<isize, isize> {
    if bits == 0 {
        return Err(EINVAL);
    }
    check_address(word)?;
    let limit = at_least_one(count);
    let woken = futex_queue::wake_plain(word, limit, bits)?;
    if !kernel_too || woken as u32 == limit {
        if shared && woken > 0 && futex_soon::kernel_has_waited() {
            kernel_wake(word, shared, 1, bits);
        }
        return Ok(woken as isize);
    }
    let in_kernel = kernel_wake(word, shared, limit - woken as u32, bits);
    futex_soon::woken_in_kernel(in_kernel);
    Ok(sum(woken, in_kernel))
}

pub(super) fn kernel_wake(word: usize, shared: bool, count: u32, bits: u32) -> isize {
    // SAFETY: a wake-up does not touch the word.
    unsafe { sys!(libc::SYS_futex, word, plus_private(libc::FUTEX_WAKE_BITSET, shared), count, 0, 0, bits) }
}

fn plus_private(command: i32, shared: bool) -> i32 {
    command | if shared { 0 } else { libc::FUTEX_PRIVATE_FLAG }
}

/// The two counts of a requeue, which unlike FUTEX_WAKE's may be 0.
pub(super) fn requeue_counts(wake: u32, requeue: u32) -> Result<(u32, u32), isize> {
    if (wake as i32) < 0 || (requeue as i32) < 0 {
        return Err(EINVAL);
    }
    Ok((wake, requeue))
}

fn requeue(request: &Request, expected: Option<u32>, kernel_too: bool) -> Result<isize, isize> {
    let (from, to) = (request.word, request.second);
    let counts = requeue_counts(request.value, request.time as u32)?;
    if request.shared {
        // The kernel looks where the words are before it looks what they are.
        user::load(from).and(user::load(to))?;
    }
    requeue_with(from, to, counts, expected, kernel_too, |wake, requeue| {
        let operation = plus_private(request.command, request.shared);
        // SAFETY: a requeue only reads the word, and the kernel checks the address.
        unsafe { sys!(libc::SYS_futex, from, operation, wake, requeue, to, request.value3) }
    })
}

/// Requeues in our queues, then by `kernel` what is left of both counts.
pub(super) fn requeue_with(
    from: usize,
    to: usize,
    (wake, requeue): (u32, u32),
    expected: Option<u32>,
    kernel_too: bool,
    kernel: impl FnOnce(u32, u32) -> isize,
) -> Result<isize, isize> {
    let (woken, moved) = futex_queue::requeue(from, to, wake, requeue, expected)?;
    let (wake, requeue) = (wake - woken as u32, requeue - moved as u32);
    let done = woken + moved;
    // Where nothing was asked for, the kernel still looks at shared addresses.
    if !kernel_too || (wake + requeue == 0 && done > 0) {
        return Ok(done as isize);
    }
    Ok(sum(done, kernel(wake, requeue)))
}

fn wake_op(request: &Request, kernel_too: bool) -> Result<isize, isize> {
    let (first, second) = (request.word, request.second);
    let counts = (at_least_one(request.value), at_least_one(request.time as u32));
    let operation = WakeOp::of(request.value3);
    let (one, two) = futex_queue::wake_op(first, second, counts.0, counts.1, || operation.perform(second))?;
    let mut total = (one + two.unwrap_or(0)) as isize;
    if kernel_too && (one as u32) < counts.0 {
        total = sum(total as usize, kernel_wake(first, request.shared, counts.0 - one as u32, ANY));
    }
    match two {
        Some(two) if kernel_too && total >= 0 && (two as u32) < counts.1 => {
            Ok(sum(total as usize, kernel_wake(second, request.shared, counts.1 - two as u32, ANY)))
        }
        _ => Ok(total),
    }
}

/// futex(2) by a foreign kernel thread: it waits in the kernel, and wakes green threads before the kernel's.
pub fn futex_foreign(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let request = Request::of(frame);
    let concerns_us = match request.command {
        _ if request.realtime => false,
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET | libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
            futex_queue::may_have_waiters(request.word)
        }
        libc::FUTEX_WAKE_OP => {
            futex_queue::may_have_waiters(request.word) || futex_queue::may_have_waiters(request.second)
        }
        _ => false,
    };
    if !concerns_us {
        return Pass(Reason::NotOurs);
    }
    let result = with_signals_blocked(|| wake_some(&request, true));
    result.map_or(Pass(Reason::NotOurs), answer)
}

/// Runs `body`, which takes locks of ours, where no handler can come in between and want them too. For foreign
/// threads; a carrier's handlers wait until it has left the runtime.
pub(crate) fn with_signals_blocked<R>(body: impl FnOnce() -> R) -> R {
    let (all, mut before) = (u64::MAX, 0u64);
    // SAFETY: both masks are ours and eight bytes long, as the call is told.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all as *const u64, &mut before as *mut u64, 8) };
    let result = body();
    // SAFETY: as above.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &before as *const u64, 0, 8) };
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_counts() {
        assert_eq!(check_address(0x1001), Err(EINVAL));
        assert_eq!(check_address(0x1002), Err(EINVAL));
        assert_eq!(check_address(usize::MAX - 3), Err(user::EFAULT));
        assert_eq!(check_address(0x1000), Ok(()));
        assert_eq!([0, 1, 7, u32::MAX, 1 << 31].map(at_least_one), [1, 1, 7, 1, 1]);
        assert_eq!(requeue_counts(0, 0), Ok((0, 0)));
        assert_eq!(requeue_counts(u32::MAX, 0), Err(EINVAL));
        assert_eq!(requeue_counts(0, 1 << 31), Err(EINVAL));
        assert_eq!((sum(2, 3), sum(0, EINVAL), sum(2, EINVAL)), (5, EINVAL, 2));
    }

    #[test]
    fn shared_memory_is_told_from_private() {
        let map = |flags| {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping.
            unsafe { sys!(libc::SYS_mmap, 0, 8192, protection, flags | libc::MAP_ANONYMOUS, -1isize, 0) as usize }
        };
        let (shared, private) = (map(libc::MAP_SHARED), map(libc::MAP_PRIVATE));
        assert!(is_shared_memory(shared + 4096 + 8));
        assert!(!is_shared_memory(private + 4096 + 8));
        let local = 0u32;
        assert!(!is_shared_memory(&local as *const u32 as usize));
    }
}
