//! Locks on files. Whether a lock is free is tried first; only the wait takes a helper.

use super::block::{help, EAGAIN};
use crate::calls::{error, Outcome, Reason};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::sys;
use Outcome::{Done, Pass};

pub fn flock(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let (fd, operation) = (frame.rdi as i32, frame.rsi as i32);
    if operation & libc::LOCK_NB != 0 || operation == libc::LOCK_UN {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: no pointers. A failed try drops a lock of another mode, as the waiting form does before it waits.
    match unsafe { sys!(libc::SYS_flock, fd, operation | libc::LOCK_NB) } {
        EAGAIN => Done(help(hub, frame, fd)),
        result => Done(result),
    }
}

/// F_SETLKW and F_OFD_SETLKW. Helpers share the descriptor table, which is what owns F_SETLKW's locks.
pub(crate) fn lock(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (fd, lock) = (frame.rdi as i32, frame.rdx);
    let command = if frame.rsi as i32 == libc::F_SETLKW { libc::F_SETLK } else { libc::F_OFD_SETLK };
    // SAFETY: the program's own pointer.
    let result = unsafe { sys!(libc::SYS_fcntl, fd, command, lock) };
    if result == EAGAIN || result == error(libc::EACCES) {
        return Done(help(hub, frame, fd));
    }
    Done(result)
}
