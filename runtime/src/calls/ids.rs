//! Calls that take the id of any thread and act on its process, or on the kernel thread: a green thread's id, which the
//! kernel does not know, is replaced by the carrier's.

use super::Outcome::{self, Done, Pass};
use super::{thread, Reason};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::sys;
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
