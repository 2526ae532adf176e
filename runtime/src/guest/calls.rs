//! Which calls are cooperative for a guest, and the few that are different for it.

use super::{events, locks, Guest, ALONE, OTHERS, VFORK_CHILD};
use crate::alloc::HEAP;
use crate::calls::{epoll, fds, futex, futex2, io, socket, thread, Call, Outcome, Reason};
use crate::config::Config;
use crate::dispatch::{SYS_FUTEX_REQUEUE, SYS_FUTEX_WAKE, SYS_IO_PGETEVENTS};
use crate::fd_table::Kind;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::{Module, Modules};
use crate::{futex_queue, offload, sys, user};
use core::sync::atomic::Ordering::Relaxed;
use Outcome::{Done, Pass};

/// The call of a guest for a row that is not switched by a module, or that is another than a green thread's.
pub(crate) fn call_for(number: i64) -> Option<Call> {
    Some(match number {
        libc::SYS_open => open,
        libc::SYS_openat => openat,
        libc::SYS_creat => creat,
        libc::SYS_close => close,
        libc::SYS_close_range => fds::close_range,
        libc::SYS_dup => fds::dup,
        libc::SYS_dup2 => fds::dup2,
        libc::SYS_dup3 => fds::dup3,
        libc::SYS_fcntl => fds::fcntl,
        libc::SYS_ioctl => fds::ioctl_foreign,
        libc::SYS_read => read,
        libc::SYS_futex => locks::futex,
        SYS_FUTEX_WAKE | SYS_FUTEX_REQUEUE => futex2::futex2_foreign,
        libc::SYS_clone => clone,
        libc::SYS_clone3 => clone3,
        libc::SYS_fork => fork,
        libc::SYS_ppoll => ppoll,
        libc::SYS_pselect6 => pselect6,
        libc::SYS_epoll_wait => epoll_wait,
        libc::SYS_epoll_pwait => epoll_pwait,
        libc::SYS_epoll_pwait2 => epoll_pwait2,
        _ => return None,
    })
}

/// Calls that take a part and wait for the rest in a way that only the kernel has: it makes all of the call.
pub(crate) fn is_left_out(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_io_getevents
            | SYS_IO_PGETEVENTS
            | libc::SYS_openat2
            | libc::SYS_io_uring_setup
            | libc::SYS_io_uring_register
            | libc::SYS_io_uring_enter
    )
}

/// What other kernel threads of a process with guests do that guests must know of.
pub(crate) fn foreign_call_for(number: i64) -> Option<Call> {
    Some(match number {
        libc::SYS_close => fds::close,
        libc::SYS_close_range => fds::close_range,
        libc::SYS_dup => fds::dup,
        libc::SYS_dup2 => fds::dup2,
        libc::SYS_dup3 => fds::dup3,
        libc::SYS_fcntl => fds::fcntl_foreign,
        libc::SYS_ioctl => fds::ioctl_foreign,
        libc::SYS_setsockopt => socket::setsockopt,
        libc::SYS_futex => futex::futex_foreign,
        SYS_FUTEX_WAKE | SYS_FUTEX_REQUEUE => futex2::futex2_foreign,
        libc::SYS_clone => clone_foreign,
        libc::SYS_clone3 => clone3_foreign,
        libc::SYS_fork => fork_foreign,
        _ => return None,
    })
}

/// Whether the row of a module may be opened: there are no threads of ours, and signals are the kernel's.
pub(crate) fn has(config: &Config, module: Module) -> bool {
    modules(config).contains(module)
}

/// The modules whose calls are cooperative for guests.
pub fn modules(config: &Config) -> Modules {
    config.modules.without(Modules::of(&[Module::Thread, Module::Signal]))
}

fn open(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    io::openat(hub, libc::AT_FDCWD, frame.rdi, frame.rsi, frame.rdx)
}

fn openat(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    io::openat(hub, frame.rdi as i32, frame.rsi, frame.rdx, frame.r10)
}

fn creat(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    io::openat(hub, libc::AT_FDCWD, frame.rdi, io::CREAT as usize, frame.rsi)
}

fn close(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(guest) = &hub.guest {
        guest.passed.borrow_mut().retain(|&fd| fd != frame.rdi as i32);
    }
    fds::close(hub, frame)
}

/// Files that libc reads for itself, those of the resolver and of NSS, are read without a switch: libc is in the middle of
/// something that belongs to the kernel thread, and another task would find it half done.
fn read(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if locks::is_libcs_own_read(frame) && hub.reactor.kind(hub, frame.rdi as i32) == Some(Kind::File) {
        return Pass(Reason::NotOurs);
    }
    io::read(hub, frame)
}

// ---- waits with a signal mask: the kernel's, if the mask is another than the thread's, since other greenlets must not
// run under it

fn is_masked(mask: usize) -> bool {
    if mask == 0 {
        return false;
    }
    let mut now = 0u64;
    // SAFETY: asks only.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, 0, &mut now as *mut u64, 8) };
    user::read::<u64>(mask) != Ok(now)
}

fn unless_masked(mask: usize, call: Call, hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_masked(mask) {
        Pass(Reason::NotOurs)
    } else {
        call(hub, frame)
    }
}

fn ppoll(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    unless_masked(frame.r10, crate::calls::poll::ppoll, hub, frame)
}

fn pselect6(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let mask = match frame.r9 {
        0 => 0,
        pack => user::read::<usize>(pack).unwrap_or(0),
    };
    unless_masked(mask, crate::calls::poll::pselect6, hub, frame)
}

/// The program's hub waits here in every turn.
fn is_passed(hub: &Hub, frame: &Frame) -> bool {
    hub.guest.as_ref().is_some_and(|guest| guest.is_passed(frame.rdi as i32))
}

fn epoll_wait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_passed(hub, frame) {
        return Pass(Reason::NotOurs);
    }
    epoll::epoll_wait(hub, frame)
}

fn epoll_pwait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_passed(hub, frame) {
        return Pass(Reason::NotOurs);
    }
    unless_masked(frame.r8, epoll::epoll_pwait, hub, frame)
}

fn epoll_pwait2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if is_passed(hub, frame) {
        return Pass(Reason::NotOurs);
    }
    unless_masked(frame.r8, epoll::epoll_pwait2, hub, frame)
}

// ---- processes and kernel threads

fn clone(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    with_flags(hub, frame, frame.rdi as u64, frame.rsi)
}

fn clone3(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match user::read::<thread::CloneArgs>(frame.rdi) {
        Ok(args) if frame.rsi >= size_of::<thread::CloneArgs>() => {
            with_flags(hub, frame, args.flags, args.stack as usize)
        }
        _ => Pass(Reason::NotOurs),
    }
}

fn fork(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    with_flags(hub, frame, 0, 0)
}

fn with_flags(hub: &'static Hub, frame: &mut Frame, flags: u64, stack: usize) -> Outcome {
    let Some(guest) = &hub.guest else { return Pass(Reason::NotOurs) };
    let has = |flag: i32| flags & flag as u64 != 0;
    if has(libc::CLONE_THREAD) && has(libc::CLONE_SETTLS) {
        return Pass(Reason::NotOurs);
    }
    hub.reactor.forget_private();
    if has(libc::CLONE_VM) || stack != 0 {
        // From here on somebody else may run with our thread pointer.
        let who = if has(libc::CLONE_VFORK) { VFORK_CHILD } else { OTHERS };
        guest.shared_tls.fetch_max(who, Relaxed);
        return Pass(Reason::NotOurs);
    }
    make(hub, frame, |parent| guest.rebuild_in_child(hub, parent))
}

fn clone_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    foreign(hub, frame, frame.rdi as u64, frame.rsi)
}

fn clone3_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    match user::read::<thread::CloneArgs>(frame.rdi) {
        Ok(args) if frame.rsi >= size_of::<thread::CloneArgs>() => foreign(hub, frame, args.flags, args.stack as usize),
        _ => Pass(Reason::NotOurs),
    }
}

fn fork_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    foreign(hub, frame, 0, 0)
}

fn foreign(hub: &'static Hub, frame: &mut Frame, flags: u64, stack: usize) -> Outcome {
    if flags & libc::CLONE_THREAD as u64 != 0 {
        return Pass(Reason::NotOurs);
    }
    hub.reactor.forget_private();
    if flags & libc::CLONE_VM as u64 != 0 || stack != 0 {
        return Pass(Reason::NotOurs);
    }
    make(hub, frame, |_| {
        // SAFETY: the child's only thread, which is no guest.
        unsafe { rebuild_in_child(hub, 0) };
    })
}

/// Makes the child here, so that it finds our heap and locks in order.
fn make(hub: &'static Hub, frame: &Frame, in_child: impl FnOnce(i32)) -> Outcome {
    let _ = hub;
    let [a, b, c, d, e, f] = frame.args();
    let parent = sys::gettid();
    // SAFETY: the program's own call.
    let result = HEAP.quiet_during(|| unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) });
    if result == 0 {
        in_child(parent);
    }
    Done(result)
}

/// What all of a child's kind need. `user` is the thread that goes on in it, in the parent.
///
/// # Safety
/// No other kernel thread exists.
unsafe fn rebuild_in_child(hub: &Hub, user: i32) {
    // SAFETY: as for this function.
    unsafe {
        hub.reactor.table.reset_in_child();
        hub.reactor.forget_private();
        let mine = events::rebuild_in_child(user);
        futex_queue::keep_in_child(|event| mine.contains(&event));
        offload::rebuild_in_child();
    }
}

impl Guest {
    /// The thread goes on in a forked child, with all its greenlets.
    fn rebuild_in_child(&self, hub: &Hub, parent: i32) {
        // SAFETY: the child's only thread.
        unsafe { rebuild_in_child(hub, parent) };
        let tid = sys::gettid();
        self.tid.store(tid, Relaxed);
        self.shared_tls.store(ALONE, Relaxed);
        hub.tid.store(tid, Relaxed);
        hub.pid.store(sys::getpid(), Relaxed);
    }
}
