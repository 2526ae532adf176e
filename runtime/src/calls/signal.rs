//! Signals as calls: actions, masks, sending to threads, and waiting.

use super::Outcome::{self, Done, Pass};
use super::{credentials, deadline_in, error, ids, read_timespec, Reason, ERESTARTNOHAND};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::green_thread::{Green, Waiting, Wake};
use crate::hub::Hub;
use crate::reactor::{move_up, FdWaiter};
use crate::signals::{self, action, bit, Action, AltStack, Info, UNBLOCKABLE};
use crate::{sys, user};
use core::sync::atomic::Ordering::*;

/// The kernel's `sigset_t`.
const SET_BYTES: usize = 8;
const SS_AUTODISARM: i32 = 1 << 31;
const MINSIGSTKSZ: usize = 2048;
/// The kernel's SIGRTMIN; libc's is higher.
const REAL_TIME: i32 = 32;

/// rt_sigaction, from green and foreign threads alike: actions belong to the process.
pub fn rt_sigaction(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (signal, new, old) = (frame.rdi as i32, frame.rsi, frame.rdx);
    let changeable = (1..=64).contains(&signal) && UNBLOCKABLE & bit(signal) == 0;
    if frame.r10 != SET_BYTES || !changeable {
        // Errors, and asking for SIGKILL's and SIGSTOP's default, are the kernel's to answer.
        return Pass(Reason::NotOurs);
    }
    let before = action::get(signal);
    if new != 0 {
        let wanted: Action = match user::read(new) {
            Ok(wanted) => wanted,
            Err(fault) => return fault.into(),
        };
        let result = action::set(signal, Action { mask: wanted.mask & !UNBLOCKABLE, ..wanted });
        if result < 0 {
            return Done(result);
        }
        if wanted.is_ignored(signal) {
            // POSIX: setting an action of ignoring discards what is pending, blocked or not.
            hub.signals.process.borrow_mut().discard(bit(signal));
            for green in hub.all() {
                green.pending.borrow_mut().discard(bit(signal));
            }
        }
    }
    if old != 0 {
        if let Err(fault) = user::write(old, &before) {
            return fault.into();
        }
    }
    Done(0)
}

pub fn rt_sigprocmask(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (how, new, old) = (frame.rdi as i32, frame.rsi, frame.rdx);
    if frame.r10 != SET_BYTES {
        return Done(error(libc::EINVAL));
    }
    let green = hub.current();
    let before = green.mask.get();
    if new != 0 {
        let set: u64 = match user::read(new) {
            Ok(set) => set,
            Err(fault) => return fault.into(),
        };
        let mask = match how {
            libc::SIG_BLOCK => before | set,
            libc::SIG_UNBLOCK => before & !set,
            libc::SIG_SETMASK => set,
            _ => return Done(error(libc::EINVAL)),
        };
        signals::set_mask(hub, green, mask);
    }
    if old != 0 {
        if let Err(fault) = user::write(old, &before) {
            return fault.into();
        }
    }
    Done(0)
}

pub fn rt_sigpending(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi > SET_BYTES {
        return Done(error(libc::EINVAL));
    }
    let green = hub.current();
    let mut in_kernel = 0u64;
    // SAFETY: `in_kernel` is ours.
    unsafe { sys!(libc::SYS_rt_sigpending, &mut in_kernel as *mut u64, SET_BYTES) };
    let pending = green.pending.borrow().set() | hub.signals.process.borrow().set() | in_kernel;
    let set = pending & green.mask.get();
    match user::write_slice(frame.rdi, &set.to_ne_bytes()[..frame.rsi]) {
        Ok(()) => Done(0),
        Err(fault) => fault.into(),
    }
}

pub fn sigaltstack(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (new, old) = (frame.rdi, frame.rsi);
    let green = hub.current();
    let now = green.alt_stack.get();
    let on_it = now.holds(frame.rsp) && now.flags & SS_AUTODISARM == 0;
    if new != 0 {
        let mut wanted: AltStack = match user::read(new) {
            Ok(wanted) => wanted,
            Err(fault) => return fault.into(),
        };
        if on_it {
            return Done(error(libc::EPERM));
        }
        match wanted.flags & !SS_AUTODISARM {
            libc::SS_DISABLE => wanted = AltStack { address: 0, bytes: 0, ..wanted },
            0 | libc::SS_ONSTACK => {
                if wanted.bytes < MINSIGSTKSZ {
                    return Done(error(libc::ENOMEM));
                }
                wanted.flags &= SS_AUTODISARM;
            }
            _ => return Done(error(libc::EINVAL)),
        }
        green.alt_stack.set(wanted);
    }
    if old != 0 {
        let mut shown = now;
        if on_it {
            shown.flags |= libc::SS_ONSTACK;
        }
        if let Err(fault) = user::write(old, &shown) {
            return fault.into();
        }
    }
    Done(0)
}

// ---- sending ---------------------------------------------------------------------------------------------------------

/// Sends to the thread `tid` of this process, if it is a green one.
fn send_to(hub: &'static Hub, tid: i32, signal: i32, info: impl FnOnce() -> Result<Info, isize>) -> Outcome {
    let Some(green) = hub.by_tid(tid) else {
        // Numbers beyond the kernel's largest belonged to green threads that have ended.
        return if tid > 1 << 22 { Done(error(libc::ESRCH)) } else { Pass(Reason::NotOurs) };
    };
    if !hub.others_alive() && tid == hub.tid.load(Relaxed) {
        // A handler of it may be sending to the call that it interrupted, which is in the kernel.
        hub.signals.sent_alone.set(true);
        return Pass(Reason::NoOtherGreenThread);
    }
    if !(0..=64).contains(&signal) {
        return Done(error(libc::EINVAL));
    }
    let info = match info() {
        Ok(info) => info,
        Err(errno) => return Done(errno),
    };
    if signal != 0 {
        if UNBLOCKABLE & bit(signal) != 0 {
            return pass_to_carrier(hub, signal);
        }
        // Standard signals come without their information then, and are not refused.
        if signal >= REAL_TIME && !signals::pending::has_room() {
            return Done(error(libc::EAGAIN));
        }
        signals::send(hub, green, &info);
    }
    Done(0)
}

fn pass_to_carrier(hub: &Hub, signal: i32) -> Outcome {
    signals::may_end_process(hub, signal);
    // SAFETY: SIGKILL and SIGSTOP act on the whole process, whichever thread they name.
    Done(unsafe { sys!(libc::SYS_tgkill, hub.pid.load(Relaxed), hub.tid.load(Relaxed), signal) })
}

/// kill and rt_sigqueueinfo: the kernel's, which delivers to the carrier, but a signal to this very process may end it.
pub fn kill(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (target, signal) = (frame.rdi as i32, frame.rsi as i32);
    let here = match target {
        0 => true,
        // A group. SAFETY: asks only.
        i32::MIN..=-1 => -(target as isize) == unsafe { sys!(libc::SYS_getpgid, 0) },
        _ => target == hub.pid.load(Relaxed) || hub.by_tid(target).is_some(),
    };
    if !here {
        return ids::of_process(hub, frame);
    }
    signals::may_end_process(hub, signal);
    hub.signals.by_kill.set(true);
    let outcome = match ids::of_process(hub, frame) {
        Pass(_) => {
            let [a, b, c, d, e, f] = frame.args();
            // SAFETY: the program's own call.
            Done(unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) })
        }
        done => done,
    };
    hub.signals.by_kill.set(false);
    outcome
}

pub fn tgkill(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (process, tid, signal) = (frame.rdi as i32, frame.rsi as i32, frame.rdx as i32);
    if process != hub.pid.load(Relaxed) || tid <= 0 {
        return Pass(Reason::NotOurs);
    }
    if signal == signals::SIGSETXID {
        credentials::broadcast_begins(hub);
    }
    send_to(hub, tid, signal, || Ok(signals::info_of_tkill(hub, signal)))
}

pub fn tkill(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (tid, signal) = (frame.rdi as i32, frame.rsi as i32);
    if tid <= 0 {
        return Pass(Reason::NotOurs);
    }
    send_to(hub, tid, signal, || Ok(signals::info_of_tkill(hub, signal)))
}

pub fn rt_tgsigqueueinfo(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (process, tid, signal, info) = (frame.rdi as i32, frame.rsi as i32, frame.rdx as i32, frame.r10);
    if process != hub.pid.load(Relaxed) || tid <= 0 {
        return Pass(Reason::NotOurs);
    }
    let mut info: Info = match user::read(info) {
        Ok(info) => info,
        Err(fault) => return fault.into(),
    };
    info.si_signo = signal;
    if has_unknown_rest(&info) {
        return Done(error(libc::E2BIG));
    }
    if claims_more(hub, tid, &info) {
        return Done(error(libc::EPERM));
    }
    send_to(hub, tid, signal, || Ok(info))
}

/// As kill, with information of the sender's own.
pub fn rt_sigqueueinfo(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let claims = user::read::<Info>(frame.rdx).is_ok_and(|mut info| {
        info.si_signo = frame.rsi as i32;
        !has_unknown_rest(&info) && claims_more(hub, frame.rdi as i32, &info)
    });
    if claims {
        return Done(error(libc::EPERM));
    }
    kill(hub, frame)
}

/// Whether information of a kind that the kernel does not know is longer than any that it keeps.
fn has_unknown_rest(info: &Info) -> bool {
    const KEPT: usize = 48;
    const SI_KERNEL: i32 = 0x80;
    const LEAST_KNOWN: i32 = -7;
    const SI_ASYNCNL: i32 = -60;
    let most_known = match info.si_signo {
        libc::SIGILL => 11,
        libc::SIGFPE => 15,
        libc::SIGSEGV => 10,
        libc::SIGBUS => 5,
        libc::SIGTRAP | libc::SIGCHLD => 6,
        libc::SIGSYS => 2,
        _ => 6,
    };
    let known = (LEAST_KNOWN..=most_known).contains(&info.si_code) || [SI_KERNEL, SI_ASYNCNL].contains(&info.si_code);
    // SAFETY: a `siginfo_t` is 128 plain bytes.
    let bytes = unsafe { &*core::ptr::from_ref(info).cast::<[u8; size_of::<Info>()]>() };
    !known && bytes[KEPT..].iter().any(|&byte| byte != 0)
}

/// Whether a signal to another than the sender itself claims to be from the kernel, or from tgkill.
fn claims_more(hub: &Hub, target: i32, info: &Info) -> bool {
    (info.si_code >= 0 || info.si_code == libc::SI_TKILL) && target != hub.current().tid.get()
}

/// A foreign thread sends to a green one: the kernel carries the signal to the carrier, with the target's id in it
/// only if the target is the carrier; others go through the hub's queue.
pub fn tgkill_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    foreign_send(hub, frame.rsi as i32, frame.rdx as i32)
}

pub fn tkill_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    foreign_send(hub, frame.rdi as i32, frame.rsi as i32)
}

fn foreign_send(hub: &'static Hub, tid: i32, signal: i32) -> Outcome {
    if tid <= 1 << 22 {
        return Pass(Reason::NotOurs);
    }
    if !(0..=64).contains(&signal) {
        return Done(error(libc::EINVAL));
    }
    if hub.signals.send_remote(hub, tid, signal) {
        Done(0)
    } else {
        Done(error(libc::ESRCH))
    }
}

// ---- waiting ---------------------------------------------------------------------------------------------------------

pub fn rt_sigsuspend(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi != SET_BYTES {
        return Done(error(libc::EINVAL));
    }
    let mask: u64 = match user::read(frame.rdi) {
        Ok(mask) => mask,
        Err(fault) => return fault.into(),
    };
    let green = hub.current();
    green.saved_mask.set(Some(green.mask.get()));
    signals::set_mask(hub, green, mask);
    until_handler(hub)
}

pub fn pause(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    until_handler(hub)
}

/// Parks until a handler is to run. Always done here, even if nobody else could run: masks are ours.
fn until_handler(hub: &'static Hub) -> Outcome {
    while hub.park(Waiting::Signal, None, true) != Wake::Interrupted {}
    Done(ERESTARTNOHAND)
}

/// Takes a pending signal out of `set`: the thread's, the process's, or one that the kernel holds back for us.
fn take_pending(hub: &Hub, green: &Green, set: u64) -> Option<Info> {
    if let Some(info) = green.pending.borrow_mut().take(set) {
        return Some(info);
    }
    if let Some(info) = hub.signals.process.borrow_mut().take(set) {
        return Some(info);
    }
    signals::take_from_kernel(set)
}

pub fn rt_sigtimedwait(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (set, info_at, timeout) = (frame.rdi, frame.rsi, frame.rdx);
    if frame.r10 != SET_BYTES {
        return Done(error(libc::EINVAL));
    }
    let set: u64 = match user::read::<u64>(set) {
        Ok(set) => set & !UNBLOCKABLE,
        Err(fault) => return fault.into(),
    };
    let timeout = match timeout {
        0 => None,
        address => match read_timespec(address) {
            Ok(ns) => Some(ns),
            Err(errno) => return Done(errno),
        },
    };
    let green = hub.current();
    let deadline = timeout.and_then(deadline_in);
    green.sigwait.set(set);
    let result = wait_for_signal(hub, green, set, timeout == Some(0), deadline);
    green.sigwait.set(0);
    match result {
        Ok(info) => {
            if info_at != 0 {
                if let Err(fault) = user::write(info_at, &info) {
                    return fault.into();
                }
            }
            Done(info.si_signo as isize)
        }
        Err(errno) => Done(errno),
    }
}

fn wait_for_signal(
    hub: &'static Hub,
    green: &Green,
    set: u64,
    only_look: bool,
    deadline: Option<u64>,
) -> Result<Info, isize> {
    if let Some(info) = take_pending(hub, green, set) {
        return Ok(info);
    }
    if only_look {
        return Err(error(libc::EAGAIN));
    }
    // Signals that every green thread blocks stay in the kernel; a signalfd tells when one comes.
    let mut waiter = descriptor(hub, set).map(|fd| FdWaiter::looking(hub, fd, READ));
    loop {
        if let Some(fd) = waiter.as_ref().filter(|waiter| waiter.enter().is_err()).map(FdWaiter::fd) {
            hub.reactor.discard(fd);
            waiter = None;
        }
        let wake = hub.park(Waiting::Signal, deadline, true);
        if let Some(info) = take_pending(hub, green, set) {
            return Ok(info);
        }
        match wake {
            Wake::Unparked => {}
            Wake::TimedOut => return Err(error(libc::EAGAIN)),
            Wake::Interrupted => return Err(error(libc::EINTR)),
        }
    }
}

/// A signalfd of ours, which is closed when its only waiter leaves.
fn descriptor(hub: &Hub, set: u64) -> Option<i32> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: makes a descriptor of our own.
    let fd = move_up(unsafe { sys!(libc::SYS_signalfd4, -1isize, &set as *const u64, 8, flags) } as i32)?;
    hub.reactor.keep(fd);
    Some(fd)
}
