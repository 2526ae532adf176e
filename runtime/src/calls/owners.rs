//! Threads that own the signals of a file (F_SETOWN_EX with F_OWNER_TID): the kernel is told the carrier, and what it sends
//! goes to the green thread that the program has named.
//!
//! A plain SIGIO does not say which file it is about. So the kernel is asked to say so (F_SETSIG) for files with such an
//! owner, and the green thread gets the plain one.

use super::Outcome::{self, Done, Pass};
use super::Reason;
use crate::calls::io::block::poll_now;
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::lock::Lock;
use crate::signals::Info;
use crate::{sys, user};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Missing in the `libc` crate.
pub(super) const F_SETSIG: i32 = 10;
pub(super) const F_GETSIG: i32 = 11;
pub(super) const F_SETOWN_EX: i32 = 15;
pub(super) const F_GETOWN_EX: i32 = 16;
const F_OWNER_TID: i32 = 0;
const F_OWNER_PID: i32 = 1;
const SI_KERNEL: i32 = 0x80;
const SI_SIGIO: i32 = -5;
const POLL_IN: i32 = 1;
const POLL_HUP: i32 = 6;

/// The kernel's `struct f_owner_ex`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct OwnerEx {
    kind: i32,
    id: i32,
}

#[derive(Clone, Copy)]
struct Owner {
    fd: i32,
    /// F_OWNER_TID, or F_OWNER_PID for a thread's id that stands for its process.
    kind: i32,
    tid: i32,
    process: i32,
    /// The program has not asked for information: it gets SIGIO without.
    plain: bool,
}

static ANY: AtomicBool = AtomicBool::new(false);
static OWNERS: Lock<Vec<Owner>> = Lock::new(Vec::new());

/// Whether there are such files.
#[inline]
pub(crate) fn any() -> bool {
    ANY.load(Relaxed)
}

fn kernel(fd: i32, command: i32, argument: usize) -> isize {
    // SAFETY: the argument is a number, or a structure of ours.
    unsafe { sys!(libc::SYS_fcntl, fd, command, argument) }
}

/// Whether two numbers stand for one description.
fn same_file(a: i32, b: i32) -> bool {
    const KCMP_FILE: i32 = 0;
    let process = sys::getpid();
    // SAFETY: no pointers.
    a == b || unsafe { sys!(libc::SYS_kcmp, process, process, KCMP_FILE, a, b) } == 0
}

/// What is noted of the file `fd`, as long as the kernel still has the owner that we gave it.
fn find(fd: i32) -> Option<Owner> {
    if !any() {
        return None;
    }
    let mut owner = OwnerEx::default();
    let told = kernel(fd, F_GETOWN_EX, &mut owner as *mut OwnerEx as usize) >= 0;
    if !told {
        return None;
    }
    let owners = OWNERS.lock().clone();
    let exact = owners.iter().find(|owner| owner.fd == fd);
    let found = exact.or_else(|| owners.iter().find(|owner| same_file(owner.fd, fd))).copied();
    found.filter(|found| found.kind == owner.kind)
}

fn forget(fd: i32) {
    if let Some(owner) = find(fd) {
        if owner.plain {
            kernel(fd, F_SETSIG, 0);
        }
        OWNERS.lock().retain(|other| other.fd != owner.fd);
    }
}

/// The number is about to be closed.
pub(super) fn closed(fd: i32) {
    if any() {
        OWNERS.lock().retain(|owner| owner.fd != fd);
    }
}

/// In a forked child: the files are the parent's, and so are the owners.
pub(crate) fn rebuild_in_child() {
    // SAFETY: no other kernel thread exists.
    unsafe { OWNERS.reset_in_child() };
}

/// Whether a green thread has this id, but no process.
fn is_only_thread(hub: &Hub, id: i32) -> bool {
    id != hub.pid.load(Relaxed) && hub.by_tid(id).is_some()
}

/// The six commands of fcntl about owners and their signals.
pub(super) fn fcntl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (fd, argument) = (frame.rdi as i32, frame.rdx);
    match frame.rsi as i32 {
        F_SETOWN_EX => {
            let Ok(owner) = user::read::<OwnerEx>(argument) else { return Pass(Reason::NonBlocking) };
            if owner.kind == F_OWNER_TID && hub.by_tid(owner.id).is_some() {
                return Done(set_thread(hub, fd, owner.id));
            }
            forget(fd);
            if owner.kind == F_OWNER_PID && is_only_thread(hub, owner.id) {
                return Done(set_process(hub, fd, owner.id));
            }
            if is_only_thread(hub, owner.id) {
                // It leads no group: nobody is signalled.
                let nobody = OwnerEx { id: 0, ..owner };
                return Done(kernel(fd, F_SETOWN_EX, &nobody as *const OwnerEx as usize));
            }
        }
        libc::F_SETOWN => {
            let id = argument as i32;
            forget(fd);
            if is_only_thread(hub, id) {
                return Done(set_process(hub, fd, id));
            }
            if is_only_thread(hub, id.wrapping_neg()) {
                return Done(kernel(fd, libc::F_SETOWN, 0));
            }
        }
        F_GETOWN_EX => {
            if let Some(owner) = find(fd) {
                let answer = OwnerEx { kind: owner.kind, id: shown(hub, &owner) };
                return Done(user::write(argument, &answer).map_or_else(isize::from, |()| 0));
            }
        }
        libc::F_GETOWN => {
            if let Some(owner) = find(fd) {
                return Done(shown(hub, &owner) as isize);
            }
        }
        F_SETSIG => {
            if let Some(owner) = find(fd).filter(|owner| owner.kind == F_OWNER_TID) {
                let plain = argument == 0;
                let result = kernel(fd, F_SETSIG, if plain { libc::SIGIO as usize } else { argument });
                if result >= 0 {
                    note(Owner { plain, ..owner });
                }
                return Done(result);
            }
        }
        F_GETSIG if find(fd).is_some_and(|owner| owner.plain) => return Done(0),
        _ => {}
    }
    Pass(Reason::NonBlocking)
}

fn note(owner: Owner) {
    let mut owners = OWNERS.lock();
    owners.retain(|other| other.fd != owner.fd);
    owners.push(owner);
    ANY.store(true, Relaxed);
}

fn set_thread(hub: &Hub, fd: i32, tid: i32) -> isize {
    let known = find(fd);
    let carrier = OwnerEx { kind: F_OWNER_TID, id: hub.tid.load(Relaxed) };
    let result = kernel(fd, F_SETOWN_EX, &carrier as *const OwnerEx as usize);
    if result < 0 {
        return result;
    }
    let plain = match known {
        Some(owner) => owner.plain,
        None => kernel(fd, F_GETSIG, 0) == 0,
    };
    if plain {
        kernel(fd, F_SETSIG, libc::SIGIO as usize);
    }
    let fd = known.map_or(fd, |owner| owner.fd);
    note(Owner { fd, kind: F_OWNER_TID, tid, process: hub.pid.load(Relaxed), plain });
    0
}

/// Signals go to the thread's process, which is not told of as the owner.
fn set_process(hub: &Hub, fd: i32, tid: i32) -> isize {
    let process = OwnerEx { kind: F_OWNER_PID, id: hub.pid.load(Relaxed) };
    let result = kernel(fd, F_SETOWN_EX, &process as *const OwnerEx as usize);
    if result == 0 {
        note(Owner { fd, kind: F_OWNER_PID, tid, process: process.id, plain: false });
    }
    result
}

/// The id that the program sees: 0 once the thread has ended, and where it should be a process's. Of threads of a parent
/// process nothing is known.
fn shown(hub: &Hub, owner: &Owner) -> i32 {
    let ours = owner.process == hub.pid.load(Relaxed);
    if owner.kind == F_OWNER_PID || ours && hub.by_tid(owner.tid).is_none() {
        0
    } else {
        owner.tid
    }
}

/// Whom a signal of the kernel's is for.
pub(crate) enum Target {
    /// It is not about a file with such an owner.
    Any,
    Thread(&'static Green),
    /// The owner has ended: the kernel would not have sent it.
    Nobody,
}

/// The owner that a signal which the kernel gave to the carrier is for. Makes it the one that the program is to get.
pub(crate) fn target(hub: &Hub, info: &mut Info) -> Target {
    let process = hub.pid.load(Relaxed);
    let found = match about_file(info) {
        Some(fd) => find(fd),
        None if info.si_signo == libc::SIGURG && info.si_code == SI_KERNEL => {
            let owners = OWNERS.lock().clone();
            let urgent =
                |owner: &&Owner| owner.kind == F_OWNER_TID && poll_now(owner.fd, libc::POLLPRI) & libc::POLLPRI != 0;
            owners.iter().find(urgent).copied()
        }
        None => None,
    };
    let ours = found.filter(|owner| owner.process == process && owner.kind == F_OWNER_TID);
    let Some(owner) = ours else { return Target::Any };
    if owner.plain && info.si_signo == libc::SIGIO {
        // SAFETY: all-zero is a valid siginfo.
        *info = unsafe { core::mem::zeroed() };
        info.si_signo = libc::SIGIO;
        info.si_code = SI_KERNEL;
    }
    hub.by_tid(owner.tid).map_or(Target::Nobody, Target::Thread)
}

/// The number in a signal that says which file it is about.
fn about_file(info: &Info) -> Option<i32> {
    const FD_AT: usize = 24;
    // Of these signals, positive codes say something else.
    let specific = matches!(
        info.si_signo,
        libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP | libc::SIGCHLD | libc::SIGSYS
    );
    let about = info.si_code == SI_SIGIO || !specific && (POLL_IN..=POLL_HUP).contains(&info.si_code);
    // SAFETY: `si_fd` lies there in the kernel's layout.
    about.then(|| unsafe { (info as *const Info).byte_add(FD_AT).cast::<i32>().read() })
}
