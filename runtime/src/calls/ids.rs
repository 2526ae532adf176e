//! Calls that take the id of any thread and act on its process, or on the kernel thread: a green thread's id, which the
//! kernel does not know, is replaced by the carrier's.

use super::Outcome::{self, Done, Pass};
use super::{error, thread, Reason};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{offload, sys, user};
use core::sync::atomic::Ordering::Relaxed;

/// IOPRIO_WHO_PROCESS, which means a thread.
const WHO_PROCESS: usize = 1;

/// Whether `id` is one that the kernel does not know.
fn is_invented(hub: &Hub, id: usize) -> bool {
    let id = id as i32;
    id != hub.tid.load(Relaxed) && hub.by_tid(id).is_some()
}

/// Makes the call with another argument at `at`. Not by changing the frame: a program's registers outlive the call.
fn with_argument(frame: &Frame, at: usize, id: i32) -> Outcome {
    let mut args = frame.args();
    args[at] = id as usize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: the program's own call.
    Done(unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) })
}

/// The first argument is a process, or a thread of it.
pub fn of_process(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_invented(hub, frame.rdi) {
        return with_argument(frame, 0, hub.pid.load(Relaxed));
    }
    Pass(Reason::NotOurs)
}

pub fn ioprio(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdi == WHO_PROCESS && is_invented(hub, frame.rsi) {
        return with_argument(frame, 1, hub.tid.load(Relaxed));
    }
    Pass(Reason::NotOurs)
}

pub fn prlimit64(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_invented(hub, frame.rdi) {
        hub.thread_limit.forget();
        return with_argument(frame, 0, hub.pid.load(Relaxed));
    }
    thread::change_limit(hub, frame)
}

/// kcmp compares two processes.
pub fn kcmp(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let mut args = frame.args();
    let carrier = hub.tid.load(Relaxed) as usize;
    let invented = args[..2].iter_mut().filter(|id| is_invented(hub, **id)).map(|id| *id = carrier).count();
    if invented == 0 {
        return Pass(Reason::NotOurs);
    }
    let [a, b, c, d, e, f] = args;
    // SAFETY: the program's own call.
    Done(unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) })
}

/// What is counted of one green thread is counted of all: the kernel sees the carrier.
pub fn perf_event_open(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_invented(hub, frame.rsi) {
        return with_argument(frame, 1, hub.tid.load(Relaxed));
    }
    Pass(Reason::NotOurs)
}

/// Only a process's first thread stands for the process here.
pub fn setpgid(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_invented(hub, frame.rdi) {
        return Done(error(libc::EINVAL));
    }
    Pass(Reason::NotOurs)
}

/// As `setpgid`, but the error number is another one since the kernel has descriptors of threads. Those it cannot have of
/// green threads: they are refused, as by kernels before, since a signal that is sent by one would come to another thread.
pub fn pidfd_open(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    const PIDFD_THREAD: usize = libc::O_EXCL as usize;
    if !is_invented(hub, frame.rdi) {
        return Pass(Reason::NotOurs);
    }
    if frame.rsi & PIDFD_THREAD != 0 {
        return Done(error(libc::EINVAL));
    }
    // SAFETY: a descriptor that nobody else sees.
    let fd = unsafe { sys!(libc::SYS_pidfd_open, hub.tid.load(Relaxed), frame.rsi | PIDFD_THREAD) };
    if fd < 0 {
        return Done(error(libc::EINVAL));
    }
    sys::close(fd as i32);
    Done(error(libc::ENOENT))
}

/// A header names the thread: a version and an id.
fn capabilities(hub: &Hub, frame: &Frame) -> Option<isize> {
    let [version, id] = user::read::<[u32; 2]>(frame.rdi).ok().filter(|header| is_invented(hub, header[1] as usize))?;
    let others = id as i32 != hub.current().tid.get();
    let mut header = [version, hub.tid.load(Relaxed) as u32];
    // A thread that is not the caller may be asked, but not be changed.
    let refused = frame.number as i64 == libc::SYS_capset && others;
    // Without data, a capget only looks at the version.
    let (number, data) = if refused { (libc::SYS_capget, 0) } else { (frame.number as i64, frame.rsi) };
    // SAFETY: a header of ours, and the program's own pointer.
    let result = unsafe { sys!(number, header.as_mut_ptr(), data) };
    if header[0] != version {
        // The version that the kernel would have.
        let result = if refused { error(libc::EINVAL) } else { result };
        return Some(user::write(frame.rdi, &header[0]).map_or_else(isize::from, |()| result));
    }
    Some(if refused { error(libc::EPERM) } else { result })
}

pub fn capget(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    capabilities(hub, frame).map_or(Pass(Reason::NotOurs), Done)
}

pub fn capset(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    hub.thread_limit.forget();
    offload::leave_helpers();
    capget(hub, frame)
}
