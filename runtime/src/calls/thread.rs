//! The life of threads, and what the kernel keeps for each: ids, names, robust lists, scheduling.

use super::Outcome::{self, Done, Pass};
use super::{error, futex, page_faults, process, Reason};
use crate::frame::{CallSite, Frame};
use crate::green_thread::Pace;
use crate::hub::Hub;
use crate::switch::FloatControl;
use crate::{alloc, carrier, fs_attributes, gs_base, protection_keys, stack_pool, user};
use core::sync::atomic::Ordering::*;

/// What libc's thread creation asks for. Other combinations make kernel threads, as the program wants.
const THREAD: u64 = crate::sys::CLONE_OF_A_THREAD as u64;

/// The part of `struct clone_args` that every version has.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
}

/// clone3: a green thread, a fork, a vfork, or the kernel's.
pub fn clone3(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi < size_of::<CloneArgs>() {
        return Pass(Reason::NotOurs);
    }
    let args: CloneArgs = match user::read(frame.rdi) {
        Ok(args) => args,
        Err(_) => return Pass(Reason::NotOurs),
    };
    if is_libc_thread(frame, args.flags) {
        if page_faults::are_served() {
            return page_faults::kernel_thread(hub);
        }
        return create(hub, frame, &args, (args.stack + args.stack_size) as usize);
    }
    process::clone(hub, frame, args.flags)
}

/// clone: as clone3, with the arguments in registers.
pub fn clone(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // The kernel looks at 32 bits.
    let flags = u64::from(frame.rdi as u32) & !0xff;
    if is_libc_thread(frame, flags) {
        if page_faults::are_served() {
            return page_faults::kernel_thread(hub);
        }
        let args = CloneArgs {
            flags,
            pidfd: 0,
            child_tid: frame.r10 as u64,
            parent_tid: frame.rdx as u64,
            exit_signal: 0,
            stack: 0,
            stack_size: 0,
            tls: frame.r8 as u64,
        };
        return create(hub, frame, &args, frame.rsi);
    }
    process::clone(hub, frame, flags)
}

/// Whether the call at hand makes one of libc's threads.
pub(crate) fn asks_for_thread(frame: &Frame) -> bool {
    match frame.rax as i64 {
        libc::SYS_clone3 => user::read(frame.rdi).is_ok_and(|flags| is_libc_thread(frame, flags)),
        libc::SYS_clone => is_libc_thread(frame, (frame.rdi as u64) & !0xff),
        _ => false,
    }
}

/// Whether libc itself asks for a thread: only then does the thread pointer lead to static TLS with our words in it.
fn is_libc_thread(frame: &Frame, flags: u64) -> bool {
    // SAFETY: sites are never freed.
    let in_libc = unsafe { (*frame.site).flags } & CallSite::WIDE_STATE == 0;
    in_libc && flags == THREAD
}

fn create(hub: &'static Hub, frame: &Frame, args: &CloneArgs, stack_top: usize) -> Outcome {
    let me = hub.current();
    if !hub.thread_limit.has_room(hub) || !alloc::reserve() {
        return Done(error(libc::EAGAIN));
    }
    if hub.signals.sent_alone.replace(false) {
        crate::signals::take_pending_back(me);
    }
    let green = hub.new_green();
    if let Err(errno) = green.scheduling.inherit(&me.scheduling) {
        hub.discard(green);
        return Done(errno);
    }
    let thread_pointer = args.tls as usize;
    green.thread_pointer.set(thread_pointer);
    green.clear_child_tid.set(args.child_tid as usize);
    green.stack_low.set(args.stack as usize);
    stack_pool::begun(stack_top);
    green.mask.set(me.mask.get());
    green.name.set(me.name.get());
    if me.pace.get() == Pace::New {
        // What it does is no sign of what those will do that it makes.
        me.pace.set(Pace::Reacts);
    }
    green.has_own_name.set(me.has_own_name.get());
    green.float.set(FloatControl::current());
    green.gs_base.set(gs_base::now(hub.gs_base.get()));
    if protection_keys::in_use() {
        green.rights.set(protection_keys::rights());
    }
    let tid = green.tid.get();
    if user::write(args.parent_tid as usize, &tid).is_err() {
        hub.discard(green);
        return Done(error(libc::EFAULT));
    }
    fs_attributes::inherit(me, green);
    hub.signals.mask_changed(green);
    // SAFETY: libc made the thread pointer, and the thread does not run yet.
    unsafe { carrier::set_words(thread_pointer, hub, green) };
    // The child leaves the call as its maker does, with its own stack and 0: its frame goes where its first call's
    // frame would go.
    let vector = (stack_top - 128 - 256) & !63;
    let at = (vector - size_of::<Frame>()) & !63;
    let mut child = *frame;
    child.rax = 0;
    child.rsp = stack_top;
    // SAFETY: sites are never freed.
    child.rip = unsafe { (*frame.site).resume };
    child.vector = vector as *mut u8;
    // SAFETY: libc's fresh stack, which is larger than a frame; the entry's vector area of a libc site is 256 bytes.
    unsafe {
        core::ptr::copy_nonoverlapping(frame.vector, vector as *mut u8, 256);
        (at as *mut Frame).write(child);
        green.context.starts_at(at as *const Frame);
    }
    hub.unpark(green);
    Done(tid as isize)
}

/// exit: the thread ends; the process goes on until the last one does.
///
/// The process's status is then that of its last thread, as in Linux since 5.19.
pub fn exit(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let green = hub.current();
    futex::walk_robust_list(hub, green);
    hub.exit_status.set(frame.rdi as i32 & 0xff);
    hub.exit()
}

pub fn gettid(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    Done(hub.current().tid.get() as isize)
}

pub fn set_tid_address(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let green = hub.current();
    green.clear_child_tid.set(frame.rdi);
    Done(green.tid.get() as isize)
}

pub fn set_robust_list(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let green = hub.current();
    if frame.rsi != 24 {
        return Done(error(libc::EINVAL));
    }
    green.robust_list.set(frame.rdi);
    // The kernel walks the list of the one that it knows when the process ends: main's, or that of a fork's caller.
    if green.tid.get() == hub.tid.load(Relaxed) {
        Pass(Reason::NotOurs)
    } else {
        Done(0)
    }
}

pub fn get_robust_list(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let tid = frame.rdi as i32;
    let green = if tid == 0 { Some(hub.current()) } else { hub.by_tid(tid) };
    let Some(green) = green.filter(|green| !green.is_main() || green.robust_list.get() != 0) else {
        return Pass(Reason::NotOurs);
    };
    match user::write(frame.rdx, &24usize).and_then(|()| user::write(frame.rsi, &green.robust_list.get())) {
        Ok(()) => Done(0),
        Err(fault) => fault.into(),
    }
}

/// Restartable sequences need the kernel to know every thread: a green thread has none, and its `cpu_id` says so.
pub fn rseq(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    const UNREGISTER: usize = 1;
    const REGISTRATION_FAILED: i32 = -2;
    if hub.current().is_main() {
        return Pass(Reason::NotOurs);
    }
    if frame.rdx & UNREGISTER == 0 {
        // An error would end the process in glibc 2.36, so the answer is success and the field says otherwise.
        if user::write(frame.rdi + 4, &REGISTRATION_FAILED).is_err() {
            return Done(error(libc::EFAULT));
        }
    }
    Done(0)
}

/// The process's limits or capabilities change.
pub fn change_limit(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    hub.thread_limit.forget();
    Pass(Reason::NonBlocking)
}
