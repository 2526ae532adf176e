//! Processes: fork and what resembles it, waiting for children, execution of programs.

use super::thread::CloneArgs;
use super::Outcome::{self, Done, Pass};
use super::{error, Reason};
use crate::carrier::{SHARED_TLS, VFORK_CHILD};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{robust, scheduling, signals, stack_pool, sys, user};
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;

/// For clone3 only: the child begins with the default action wherever its parent has a handler.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// A clone or clone3 that is not one of libc's threads.
pub fn clone(hub: &'static Hub, frame: &mut Frame, flags: u64) -> Outcome {
    let has = |flag: i32| flags & flag as u64 != 0;
    hub.reactor.forget_private();
    if !has(libc::CLONE_VM) {
        return do_fork(hub, frame, flags);
    }
    if has(libc::CLONE_VFORK) {
        before_vfork(hub);
    } else if has(libc::CLONE_THREAD) {
        hub.foreign_thread_added();
        if !has(libc::CLONE_SETTLS) {
            hub.carrier.set_wary(SHARED_TLS, true);
        }
    } else {
        // A process that shares our memory for as long as it likes.
        hub.foreign_thread_added();
        hub.carrier.set_wary(SHARED_TLS, true);
    }
    Pass(Reason::NotOurs)
}

/// A child is about to run in our memory until it executes a program: it gets the caller's signal mask, and the
/// entries compare thread ids until the caller is back.
pub fn before_vfork(hub: &Hub) {
    hub.reactor.forget_private();
    hub.carrier.set_wary(VFORK_CHILD, true);
    hub.child_unscheduled.set(hub.current().scheduling.is_own());
    hub.signals.lend_mask(hub.current());
}

/// The caller of vfork is back.
pub fn after_vfork(hub: &Hub) {
    hub.carrier.set_wary(VFORK_CHILD, false);
    hub.signals.take_mask_back();
}

pub fn fork(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    hub.reactor.forget_private();
    do_fork(hub, frame, 0)
}

/// Makes the system call here: the child gets a copy of this stack and goes on from here with the hub made anew. If the
/// program gave the child a stack, the child moves there on its way out: the memory is a copy either way.
fn do_fork(hub: &'static Hub, frame: &mut Frame, flags: u64) -> Outcome {
    let same_files = flags & libc::CLONE_FILES as u64 != 0;
    let [mut a, mut b, c, d, e, f] = frame.args();
    let mut own_stack = None;
    let mut args = Vec::new();
    if frame.number as i64 == libc::SYS_clone && b != 0 {
        own_stack = Some(b);
        b = 0;
    }
    if frame.number as i64 == libc::SYS_clone3 {
        if let Some((stack, without)) = take_stack(a, b) {
            own_stack = Some(stack);
            args = without;
            a = args.as_ptr() as usize;
        }
    }
    if same_files {
        // What we make later the child would not know to be ours.
        hub.reactor.open();
        hub.reactor.table_shared.store(true, Relaxed);
    }
    // Until the child is a process of its own, the kernel keeps what is sent to it.
    signals::set_kernel_mask(!0);
    // SAFETY: the program's own call. The heap and the pool of stacks are locked, so that the child finds
    // them whole.
    let result = stack_pool::quiet_during(|| unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) });
    if result == 0 {
        // SAFETY: we are the child's only thread, and this is the first thing it does.
        unsafe { hub.rebuild_in_child(same_files) };
        if flags & CLONE_CLEAR_SIGHAND != 0 {
            signals::action::cleared_in_child();
        }
        if let Some(stack) = own_stack {
            frame.rsp = stack;
        }
    } else {
        signals::set_kernel_mask(hub.signals.kernel_mask());
    }
    drop(args);
    Done(result)
}

/// The end of the stack that a clone3 gives its child, and a copy of the arguments without it. `None` if there is none,
/// or if the arguments are wrong: that is for the kernel to say.
fn take_stack(address: usize, size: usize) -> Option<(usize, Vec<u64>)> {
    // Nothing shorter than the first version is valid, and nothing longer than a page.
    if !(64..=4096).contains(&size) || !size.is_multiple_of(8) {
        return None;
    }
    let mut words: Vec<u64> = user::read_slice(address, size / 8).ok()?;
    let (stack, length) = (words[offset_of!(CloneArgs, stack) / 8], words[offset_of!(CloneArgs, stack_size) / 8]);
    // Only both or neither is valid.
    let end = stack.checked_add(length).filter(|_| stack != 0 && length != 0)?;
    words[offset_of!(CloneArgs, stack) / 8] = 0;
    words[offset_of!(CloneArgs, stack_size) / 8] = 0;
    Some((end as usize, words))
}

/// exit_group: ends every green thread, as the kernel would if it knew them.
pub fn exit_group(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    robust::process_ends(hub);
    Pass(Reason::NonBlocking)
}

/// Whether an execve is about to succeed, as far as one look tells: execvp tries every folder of the path.
fn looks_executable(frame: &Frame) -> bool {
    const SYS_FACCESSAT2: i64 = 439;
    const NOT_THERE: isize = error(libc::ENOSYS);
    const FORBIDDEN: isize = error(libc::EPERM);
    let [directory, path, flags] = match frame.number as i64 {
        libc::SYS_execveat => [frame.rdi, frame.rsi, frame.r8],
        _ => [libc::AT_FDCWD as usize, frame.rdi, 0],
    };
    let effective = flags | libc::AT_EACCESS as usize;
    // SAFETY: the program's own path.
    match unsafe { sys!(SYS_FACCESSAT2, directory, path, libc::X_OK, effective) } {
        // Before Linux 5.8, or under a filter that does not know the call.
        NOT_THERE | FORBIDDEN if flags == 0 => {
            // SAFETY: as above.
            unsafe { sys!(libc::SYS_faccessat, directory, path, libc::X_OK) == 0 }
        }
        result => matches!(result, 0 | NOT_THERE | FORBIDDEN),
    }
}

/// execve and execveat: the new program inherits the mask of the thread that calls.
pub fn execve(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let [a, b, c, d, e, f] = frame.args();
    hub.signals.lend_mask(hub.current());
    let likely = looks_executable(frame);
    let lent = if likely { scheduling::lend(hub) } else { None };
    let pending = likely && signals::lend_pending(hub, hub.current());
    // SAFETY: the program's own call. It returns only if it failed.
    let result = unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) };
    if let Some(lent) = lent {
        lent.take_back();
    }
    if pending {
        signals::take_pending_back(hub.current());
    }
    hub.signals.take_mask_back();
    Done(result)
}
