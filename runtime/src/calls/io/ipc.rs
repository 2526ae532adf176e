//! System V and POSIX message queues, and semaphores: a try that cannot wait, then a helper.
//!
//! A hand-over by a helper takes some ten times what one between kernel threads does. What is missing often comes from a
//! green thread that is ready, or that a helper is just about to make ready, so System V's calls without a time limit let
//! such run and try again before they take a helper. POSIX queues do not: mq_notify tells whether somebody was waiting.

use super::block::EAGAIN;
use crate::calls::{error, read_timespec, Outcome, Reason, ERESTARTNOHAND, ERESTARTSYS};
use crate::frame::Frame;
use crate::green_thread::Pace;
use crate::hub::Hub;
use crate::{offload, signals, sys, user};
use Outcome::{Done, Pass};

const EINTR: isize = error(libc::EINTR);
const EINVAL: isize = error(libc::EINVAL);
const ENOMSG: isize = error(libc::ENOMSG);
const NOW: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 0 };

/// Restarted only if no handler ran, as the kernel does for these. The try has found the queue or set, so that a helper that
/// finds none comes after its removal.
fn wait(hub: &'static Hub, frame: &Frame) -> Outcome {
    match offload::call(hub, frame.number as i64, frame.args()) {
        ERESTARTSYS => Done(ERESTARTNOHAND),
        EINVAL => Done(error(libc::EIDRM)),
        result => Done(result),
    }
}

/// `attempt`, and again after turns of others as long as it `lacks` what it needs. At most `TURNS`, and none of threads that
/// compute: the kernel is to know of one who waits in a moment.
fn try_between_turns(hub: &Hub, attempt: impl Fn() -> isize, lacks: isize) -> isize {
    const TURNS: usize = 4;
    /// A helper needs about so long to be woken and to say so.
    const HELPER_NS: u64 = 20_000;
    let mut result = attempt();
    for _ in 0..TURNS {
        let somebody = || hub.somebody_reacts() || hub.await_helper(HELPER_NS);
        if result != lacks || hub.guest.is_some() || !somebody() || signals::deliverable(hub, hub.current()) {
            break;
        }
        hub.current().pace.set(Pace::Reacts);
        hub.yield_now();
        result = match attempt() {
            // It was there.
            EINVAL => error(libc::EIDRM),
            again => again,
        };
    }
    result
}

pub fn msgsnd(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [queue, message, size, flags, ..] = frame.args();
    if flags as i32 & libc::IPC_NOWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own pointer.
    let attempt = || unsafe { sys!(libc::SYS_msgsnd, queue, message, size, flags as i32 | libc::IPC_NOWAIT) };
    match try_between_turns(hub, attempt, EAGAIN) {
        EAGAIN => wait(hub, frame),
        result => Done(result),
    }
}

pub fn msgrcv(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [queue, message, size, kind, flags, _] = frame.args();
    if flags as i32 & libc::IPC_NOWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own pointer.
    let attempt = || unsafe { sys!(libc::SYS_msgrcv, queue, message, size, kind, flags as i32 | libc::IPC_NOWAIT) };
    match try_between_turns(hub, attempt, ENOMSG) {
        ENOMSG => wait(hub, frame),
        result => Done(result),
    }
}

/// A semaphore call's operations as a try makes them.
enum Operations {
    /// The program's, each made one that does not wait.
    Copied([libc::sembuf; Self::MOST], usize),
    /// There are too many for a copy, or none that could be read: a timeout of zero is the try. The kernel puts the caller
    /// to sleep even so.
    InPlace,
    /// The program says of each that it does not wait.
    NonBlocking,
}

impl Operations {
    const MOST: usize = 8;

    fn of(frame: &Frame) -> Self {
        let [_, operations, count, ..] = frame.args();
        if count > Self::MOST {
            return Operations::InPlace;
        }
        let mut copies = [libc::sembuf { sem_num: 0, sem_op: 0, sem_flg: 0 }; Self::MOST];
        let mut waits = false;
        for (at, copy) in copies[..count].iter_mut().enumerate() {
            let Ok(operation) = user::read(operations.wrapping_add(at * size_of::<libc::sembuf>())) else {
                return Operations::InPlace;
            };
            *copy = operation;
            waits |= i32::from(copy.sem_flg) & libc::IPC_NOWAIT == 0;
            copy.sem_flg |= libc::IPC_NOWAIT as i16;
        }
        if waits {
            Operations::Copied(copies, count)
        } else {
            Operations::NonBlocking
        }
    }

    fn attempt(&self, frame: &Frame) -> isize {
        let [set, operations, count, ..] = frame.args();
        if let Operations::Copied(copies, count) = self {
            // SAFETY: operations of ours.
            return unsafe { sys!(libc::SYS_semop, set, copies.as_ptr(), *count) };
        }
        // SAFETY: the program's own pointer, and a timeout of ours.
        let attempt = || unsafe { sys!(libc::SYS_semtimedop, set, operations, count, &NOW as *const libc::timespec) };
        let mut result = attempt();
        while result == EINTR {
            // A tick of ours; or the set went just as the time was up, which the kernel calls so too.
            result = match attempt() {
                EINVAL => error(libc::EIDRM),
                again => again,
            };
        }
        result
    }
}

/// `limited`: there is a timeout, which turns of others would lengthen.
fn semaphores(hub: &'static Hub, frame: &Frame, limited: bool) -> Outcome {
    let operations = Operations::of(frame);
    if matches!(operations, Operations::NonBlocking) {
        return Pass(Reason::NonBlocking);
    }
    let attempt = || operations.attempt(frame);
    match if limited { attempt() } else { try_between_turns(hub, attempt, EAGAIN) } {
        EAGAIN => wait(hub, frame),
        result => Done(result),
    }
}

pub fn semop(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    semaphores(hub, frame, false)
}

pub fn semtimedop(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    // A bad timeout is an error even where nothing has to be waited for.
    if frame.r10 != 0 && read_timespec(frame.r10).is_err() {
        return Pass(Reason::NotOurs);
    }
    semaphores(hub, frame, frame.r10 != 0)
}

/// A deadline in the past is the try; a queue that the program made non-blocking says EAGAIN to it.
fn posix_queue(hub: &'static Hub, frame: &Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    if frame.r8 != 0 && read_timespec(frame.r8).is_err() {
        return Pass(Reason::NotOurs);
    }
    let [queue, message, size, priority, ..] = frame.args();
    let past = &NOW as *const libc::timespec;
    // SAFETY: the program's own pointers, and a deadline of ours.
    let result = unsafe { sys!(frame.number, queue, message, size, priority, past) };
    if result == error(libc::ETIMEDOUT) {
        Done(offload::call(hub, frame.number as i64, frame.args()))
    } else {
        Done(result)
    }
}

pub fn mq_timedsend(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    posix_queue(hub, frame)
}

pub fn mq_timedreceive(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    posix_queue(hub, frame)
}
