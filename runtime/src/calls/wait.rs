//! Waiting for children: wait4 and waitid.
//!
//! A pidfd tells the end of one known child, and so any number of green threads waits for a child each with no kernel
//! thread. It tells nothing of children that stop or go on, nor which of several ends first: a helper waits for those.
//! It also waits for any child of a program that traces (see `tracing`).

mod tracing;

pub use tracing::{ptrace, ptrace_foreign};

use super::io::block::is_nonblocking;
use super::Outcome::{self, Done, Pass};
use super::{error, Reason, ERESTARTSYS};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::reactor::{move_up, CannotWait, FdWaiter};
use crate::user::{self, Fault};
use crate::{guest, offload, sys};
use core::sync::atomic::Ordering::Relaxed;

const WNOHANG: usize = libc::WNOHANG as usize;
/// Only children of the calling thread. All green threads' children are the carrier's, which a helper is not.
const WNOTHREAD: usize = libc::__WNOTHREAD as usize;

/// wait4(pid, status, options, usage)
pub fn wait4(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let [pid, status, options, usage, ..] = frame.args();
    if !hub.others_alive() || options & WNOHANG != 0 {
        return Pass(Reason::NonBlocking);
    }
    // SAFETY: the program's own pointers, for the kernel to check.
    let attempt = |_| match unsafe { sys!(libc::SYS_wait4, pid, status, options | WNOHANG, usage) } {
        0 => None,
        answer => Some(answer),
    };
    let only_ends = options as i32 & !libc::__WCLONE & !libc::__WNOTHREAD == 0;
    let one = (pid as i32 > 0 && only_ends).then_some(Child::Id(pid as i32));
    Done(wait(hub, one, attempt, || {
        offload::call(hub, libc::SYS_wait4, [pid, status, options & !WNOTHREAD, usage, 0, 0])
    }))
}

/// waitid(kind, id, info, options, usage)
pub fn waitid(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let [kind, id, info_at, options, usage, _] = frame.args();
    if !hub.others_alive() || options & WNOHANG != 0 {
        return Pass(Reason::NonBlocking);
    }
    let descriptor = kind as u32 == libc::P_PIDFD;
    if descriptor && is_nonblocking(id as i32) {
        return Pass(Reason::NonBlocking);
    }
    let attempt = |fd: Option<i32>| {
        let id = fd.map_or(id, |fd| fd as usize);
        let mut answer = Answer::default();
        let mine = &mut answer as *mut Answer;
        // SAFETY: `answer` is ours; `usage` is the program's, for the kernel to check.
        let result = unsafe { sys!(libc::SYS_waitid, kind, id, mine, options | WNOHANG, usage) };
        if result == 0 && answer.signal == 0 {
            return None;
        }
        Some(match answer.tell(info_at) {
            Ok(()) => result,
            Err(fault) => fault.into(),
        })
    };
    let other_events = libc::WSTOPPED | libc::WCONTINUED | libc::__WALL;
    let one = match kind as u32 {
        _ if options as i32 & other_events != 0 => None,
        libc::P_PID => Some(Child::Id(id as i32)),
        libc::P_PIDFD => Some(Child::Descriptor(id as i32)),
        _ => None,
    };
    Done(wait(hub, one, attempt, || {
        offload::call(hub, libc::SYS_waitid, [kind, id, info_at, options & !WNOTHREAD, usage, 0])
    }))
}

/// What waitid tells in a `siginfo`. The kernel leaves the padding and all that follows alone.
#[repr(C, align(8))]
#[derive(Default)]
struct Answer {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    pid: i32,
    uid: u32,
    status: i32,
    rest: [u64; 12],
}

impl Answer {
    fn tell(&self, address: usize) -> Result<(), Fault> {
        if address == 0 {
            return Ok(());
        }
        user::write(address, &[self.signal, self.errno, self.code])?;
        user::write(address + 16, &(self.pid, self.uid, self.status))
    }
}

/// One child, as a program names it.
#[derive(Clone, Copy)]
enum Child {
    Id(i32),
    Descriptor(i32),
}

/// Why a child's end cannot be waited for by a descriptor.
struct NoDescriptor;

/// Makes attempts until one has an answer. An attempt is told the child's descriptor if that is what the program gave,
/// since the wait keeps it.
fn wait(
    hub: &'static Hub,
    child: Option<Child>,
    attempt: impl Fn(Option<i32>) -> Option<isize>,
    helper: impl FnOnce() -> isize,
) -> isize {
    if let Some(answer) = attempt(None) {
        return answer;
    }
    // Whoever shares our descriptor table may close a descriptor of ours while we wait.
    let child = child.filter(|_| !hub.reactor.table_shared.load(Relaxed) && !tracing::possible());
    let waited = match child {
        Some(child) => by_descriptor(hub, child, &attempt),
        None => Err(NoDescriptor),
    };
    waited.unwrap_or_else(|NoDescriptor| match helper() {
        // The signal may tell of what is waited for. The kernel, too, looks once more.
        ERESTARTSYS => attempt(None).unwrap_or(ERESTARTSYS),
        result => result,
    })
}

fn by_descriptor(
    hub: &'static Hub,
    child: Child,
    attempt: impl Fn(Option<i32>) -> Option<isize>,
) -> Result<isize, NoDescriptor> {
    let fd = match child {
        Child::Descriptor(fd) => fd,
        Child::Id(pid) => open(hub, pid)?,
    };
    if let Some(guest) = &hub.guest {
        return Ok(guest::wait_for_child(hub, guest, fd, matches!(child, Child::Id(_)), || attempt(None)));
    }
    let waiter = FdWaiter::looking(hub, fd, READ);
    if let Err(cannot) = waiter.enter() {
        if let Child::Id(_) = child {
            hub.reactor.discard(fd);
        } else if cannot == CannotWait::Bad {
            return Ok(error(libc::EBADF));
        }
        return Err(NoDescriptor);
    }
    loop {
        let wake = waiter.wait(None);
        let fd = matches!(child, Child::Descriptor(_)).then(|| waiter.fd());
        if let Some(answer) = attempt(fd) {
            return Ok(answer);
        }
        match wake {
            Ok(Wake::Interrupted) => return Ok(ERESTARTSYS),
            Ok(_) if tracing::possible() => return Err(NoDescriptor),
            Ok(_) => {}
            Err(_) => return Err(NoDescriptor),
        }
    }
}

/// A pidfd of our own, which the program can't close. It is closed when its only waiter leaves.
fn open(hub: &Hub, pid: i32) -> Result<i32, NoDescriptor> {
    // SAFETY: makes a descriptor of our own.
    let low = unsafe { sys!(libc::SYS_pidfd_open, pid, 0) } as i32;
    let fd = move_up(low).ok_or(NoDescriptor)?;
    hub.reactor.keep(fd);
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn answers_as_the_kernel_writes_them() {
        let fields =
            [offset_of!(Answer, code), offset_of!(Answer, pid), offset_of!(Answer, uid), offset_of!(Answer, status)];
        assert_eq!(fields, [8, 16, 20, 24]);
        assert_eq!(size_of::<Answer>(), 128);
        let answer = Answer { signal: 17, code: 1, pid: 42, uid: 7, status: 3, ..Answer::default() };
        let mut words = [-1i32; 32];
        assert_eq!(answer.tell(words.as_mut_ptr() as usize), Ok(()));
        assert_eq!(words[..8], [17, 0, 1, -1, 42, 7, 3, -1]);
        assert_eq!(answer.tell(0), Ok(()));
    }
}
