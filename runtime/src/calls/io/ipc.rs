//! System V and POSIX message queues, and semaphores: a try that cannot wait, then a helper.

use super::block::EAGAIN;
use crate::calls::{error, read_timespec, Outcome, Reason, ERESTARTNOHAND, ERESTARTSYS};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{offload, sys};
use Outcome::{Done, Pass};

const EINTR: isize = error(libc::EINTR);
const EINVAL: isize = error(libc::EINVAL);
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

pub fn msgsnd(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [queue, message, size, flags, ..] = frame.args();
    if flags as i32 & libc::IPC_NOWAIT != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own pointer.
    match unsafe { sys!(libc::SYS_msgsnd, queue, message, size, flags as i32 | libc::IPC_NOWAIT) } {
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
    let result = unsafe { sys!(libc::SYS_msgrcv, queue, message, size, kind, flags as i32 | libc::IPC_NOWAIT) };
    if result == error(libc::ENOMSG) {
        wait(hub, frame)
    } else {
        Done(result)
    }
}

/// A timeout of zero is the try: it needs no copy of the operations.
fn semaphores(hub: &'static Hub, frame: &Frame) -> Outcome {
    let [set, operations, count, ..] = frame.args();
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
    if result == EAGAIN {
        wait(hub, frame)
    } else {
        Done(result)
    }
}

pub fn semop(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    semaphores(hub, frame)
}

pub fn semtimedop(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    // A bad timeout is an error even where nothing has to be waited for.
    if frame.r10 != 0 && read_timespec(frame.r10).is_err() {
        return Pass(Reason::NotOurs);
    }
    semaphores(hub, frame)
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
