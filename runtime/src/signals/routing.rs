//! Which green thread a signal is for, and what becomes of it there; signals that end the process.

use super::{action, bit, set_kernel_mask, Info};
use crate::calls::owners::{self, Target};
use crate::carrier::HELD_BACK;
use crate::green_thread::{Green, Waiting};
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::Ordering::*;

/// Distributes what the kernel-level handler has queued, and lets the kernel deliver what it held back. Inside only.
pub fn drain(hub: &Hub) {
    distribute(hub);
    if hub.signals.ring.held_back.swap(false, Relaxed) {
        hub.carrier.set_wary(HELD_BACK, false);
        hub.signals.apply_kernel_mask();
    }
}

/// As `drain`, before a handler is entered: what the kernel holds back stays there, or so much might come at once, again
/// and again, that the handler never began. The handler's return lets it in, or the next call.
pub(super) fn distribute(hub: &Hub) {
    hub.carrier.attention.store(0, SeqCst);
    hub.drain_remote();
    while let Some((mut info, tid)) = hub.signals.ring.pop() {
        if crate::calls::timer::expired(hub, &info) {
            continue;
        }
        if owners::any() {
            match owners::target(hub, &mut info) {
                Target::Any => {}
                Target::Thread(green) => {
                    give(hub, green, &info);
                    continue;
                }
                Target::Nobody => continue,
            }
        }
        match hub.by_tid(tid.abs()) {
            Some(green) if tid > 0 || takes(green, info.si_signo) => give(hub, green, &info),
            _ => route(hub, &info),
        }
    }
    if hub.signals.ring.held_back.load(Relaxed) {
        hub.carrier.set_wary(HELD_BACK, true);
    }
}

/// Whether a green thread doesn't block a signal, or waits for it.
fn takes(green: &Green, signal: i32) -> bool {
    (!green.mask.get() | green.sigwait.get()) & bit(signal) != 0
}

/// Chooses the green thread for a signal that the kernel gave to the carrier.
fn route(hub: &Hub, info: &Info) {
    let signal = info.si_signo;
    // SAFETY: records are never freed.
    let main = unsafe { &*hub.main };
    let main_lives = hub.by_tid(main.tid.get()).is_some();
    if info.si_code == libc::SI_TKILL && main_lives {
        give(hub, main, info);
        return;
    }
    if main_lives && takes(main, signal) {
        give(hub, main, info);
        return;
    }
    match hub.all().into_iter().find(|green| takes(green, signal)) {
        Some(green) => give(hub, green, info),
        None => {
            hub.signals.process.borrow_mut().push(info);
            hub.all().into_iter().for_each(|green| look_again(hub, green));
        }
    }
}

/// A signal that `green` blocks has come: it may be waiting for a signalfd.
fn look_again(hub: &Hub, green: &Green) {
    if matches!(green.waiting.get(), Waiting::Descriptor(_) | Waiting::Descriptors) {
        hub.unpark(green);
    }
}

/// Makes a signal pending for a green thread, wakes it if need be, and drops what is ignored.
fn give(hub: &Hub, green: &Green, info: &Info) {
    let signal = info.si_signo;
    let blocked = green.mask.get() & bit(signal) != 0;
    if !blocked && action::get(signal).is_ignored(signal) && green.sigwait.get() & bit(signal) == 0 {
        return;
    }
    green.pending.borrow_mut().push(info);
    if green.sigwait.get() & bit(signal) != 0 {
        hub.unpark(green);
    } else if blocked {
        look_again(hub, green);
    } else {
        hub.interrupt(green);
        if core::ptr::eq(green, hub.current()) {
            hub.carrier.call_attention();
        }
    }
}

/// A signal that a green thread, or a foreign one of the process, sends to a green thread.
pub fn send(hub: &Hub, green: &Green, info: &Info) {
    let signal = info.si_signo;
    let blocked = green.mask.get() & bit(signal) != 0;
    let action = action::get(signal);
    if action.is_default() && !blocked && green.sigwait.get() & bit(signal) == 0 {
        if action::default_is_stop(signal) {
            // SAFETY: stops the whole process, as the default action of a stop signal for any thread does.
            unsafe { sys!(libc::SYS_tgkill, hub.pid.load(Relaxed), hub.tid.load(Relaxed), signal) };
            return;
        }
        if !action::default_is_ignore(signal) {
            end_by(hub, signal);
            return;
        }
    }
    give(hub, green, info);
}

/// The process sends itself a signal that the kernel is to deliver: if that ends it, nobody will look at its locks later.
pub(crate) fn may_end_process(hub: &Hub, signal: i32) {
    const INIT: i32 = 1; // whom its own signals don't end
    let fatal = match signal {
        libc::SIGKILL => true,
        1..=64 => {
            let open = hub.signals.masks.common() & bit(signal) == 0;
            let harmless = action::default_is_ignore(signal) || action::default_is_stop(signal);
            open && action::get(signal).is_default() && !harmless
        }
        _ => false,
    };
    if fatal && hub.pid.load(Relaxed) != INIT {
        crate::robust::process_ends(hub);
    }
}

/// Lets the kernel carry out the default action of a fatal signal. Returns if a tracer keeps it from the process, which then
/// goes on as if there had been none.
pub(super) fn end_by(hub: &Hub, signal: i32) {
    crate::robust::process_ends(hub);
    action::reset_in_kernel(signal);
    set_kernel_mask(!bit(signal));
    // SAFETY: ends the process.
    unsafe { sys!(libc::SYS_tgkill, hub.pid.load(Relaxed), hub.tid.load(Relaxed), signal) };
    hub.signals.take_mask_back();
}

/// Ends the process by a signal, where it cannot go on.
pub fn die(hub: &Hub, signal: i32) -> ! {
    end_by(hub, signal);
    sys::exit_group(128 + signal)
}

/// The `siginfo` of tgkill from this process.
pub fn info_of_tkill(hub: &Hub, signal: i32) -> Info {
    make_info(hub.pid.load(Relaxed), signal, libc::SI_TKILL)
}

/// The `siginfo` of a signal that the process sends to itself.
pub(crate) fn make_info(pid: i32, signal: i32, code: i32) -> Info {
    // SAFETY: all-zero is a valid siginfo.
    let mut info: Info = unsafe { core::mem::zeroed() };
    info.si_signo = signal;
    info.si_code = code;
    let words = (&mut info as *mut Info).cast::<u32>();
    // SAFETY: `si_pid` and `si_uid` are the words at offsets 16 and 20 of the kernel's structure.
    unsafe {
        words.add(4).write(pid as u32);
        words.add(5).write(sys!(libc::SYS_getuid) as u32);
    }
    info
}

/// A plain function, which no handler may interrupt, has left the runtime while signals wait: the program's handlers run
/// before the function returns, so that what it answers (a part of a write, say) is seen together with their doings.
pub(crate) fn hand_back(hub: &Hub) {
    // A call of libc's through a site of ours, which distributes what is queued and enters handlers. It sets no errno.
    // SAFETY: neither sets nor asks for a mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, core::ptr::null(), core::ptr::null_mut()) };
    // Where the site could not be redirected, the kernel gets the signals back and delivers them at once.
    while let Some((info, _)) = hub.signals.ring.pop() {
        let (process, tid) = (hub.pid.load(Relaxed), hub.tid.load(Relaxed));
        // SAFETY: a signal to this very thread, with the information that the kernel gave.
        unsafe { sys!(libc::SYS_rt_tgsigqueueinfo, process, tid, info.si_signo, &info as *const Info) };
    }
}
