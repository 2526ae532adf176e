//! System call number → call: one table, and what becomes of a call that comes in through a site.

mod descriptors;
mod rows;

pub(crate) use descriptors::names_descriptor;
pub(crate) use rows::{SYS_FUTEX_REQUEUE, SYS_FUTEX_WAKE, SYS_IO_PGETEVENTS};

use crate::calls::{self, names, readiness, thread, Call, Outcome, Reason};
use crate::carrier::{HELD_BACK, NO_TIMER, SHARED_TLS, VFORK_CHILD};
use crate::config::Config;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{carrier, guest, scheduling, signals, stack_pool, sys};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::*};
use rows::When::{Always, Descriptor, With};
use rows::{Row, ROWS};

/// Numbers from here on are passed on unseen.
pub const NUMBERS: usize = 512;
/// Bit of `gp_interest`: green threads' calls come to the dispatcher.
pub const GREEN: u8 = 1;
/// Bit of `gp_interest`: foreign threads' calls do.
pub const FOREIGN: u8 = 2;
/// Bit of `gp_interest`: guests' calls do.
pub const GUEST: u8 = 4;
/// Bit of `gp_interest`: reads the descriptor that is its first argument, and comes only if that may wait.
pub const READS: u8 = 8;
/// Bit of `gp_interest`: writes it, as `READS`.
pub const WRITES: u8 = 16;
/// Bit of `gp_interest`: comes only if the first argument may be a descriptor of ours.
pub const ONLY_OWN: u8 = 32;
/// Bit of `gp_interest`: gives the program a new descriptor.
const MAKES: u8 = 64;

/// Read by the entry before it saves anything.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_interest: [AtomicU8; NUMBERS] = [const { AtomicU8::new(0) }; NUMBERS];

/// The call of each number, filled when the rows are opened: a table made by the compiler would be a thousand addresses
/// that the dynamic linker must relocate in each program, with threads or without.
struct Calls([AtomicUsize; NUMBERS]);

/// Which rows count is in `gp_interest`, and where none does nobody asks.
static GREEN_CALLS: Calls = Calls([const { AtomicUsize::new(0) }; NUMBERS]);
/// As `GREEN_CALLS`, for foreign threads.
static FOREIGN_CALLS: Calls = Calls([const { AtomicUsize::new(0) }; NUMBERS]);

impl Calls {
    fn fill(&self, call_of: impl Fn(&Row) -> Option<Call>) {
        self.0.iter().for_each(|call| call.store(calls::pass as Call as usize, Relaxed));
        for row in ROWS {
            if let Some(call) = call_of(row) {
                self.0[row.number as usize].store(call as usize, Relaxed);
            }
        }
    }

    /// Of a table that has been filled.
    #[inline]
    fn of(&self, number: usize) -> Call {
        // SAFETY: only `fill` stores, and nothing but calls.
        unsafe { core::mem::transmute::<usize, Call>(self.0[number & (NUMBERS - 1)].load(Relaxed)) }
    }
}

/// Before arming: only the making of threads comes to the dispatcher.
pub fn open_for_clone() {
    for number in [libc::SYS_clone3, libc::SYS_clone] {
        gp_interest[number as usize].store(GREEN | FOREIGN, Release);
    }
}

/// Of the calls that `never_waits` is asked about.
const fn direction(number: i64) -> u8 {
    match number {
        libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 | libc::SYS_preadv => READS,
        libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 | libc::SYS_pwritev => WRITES,
        _ => 0,
    }
}

/// Opens the rows that `config` switches on.
pub fn open(config: &Config) {
    let modules = config.modules;
    let on = |row: &Row| match row.when {
        With(module) => modules.contains(module),
        Descriptor => modules.contains(Module::Os) || modules.contains(Module::Socket),
        Always => true,
    };
    let of_kernel = |row: &Row| if rows::is_cut_short(row.number) { calls::cut_short as Call } else { calls::pass };
    GREEN_CALLS.fill(|row| Some(if on(row) { row.call } else { of_kernel(row) }));
    FOREIGN_CALLS.fill(|row| row.foreign);
    for row in ROWS {
        let interest = &gp_interest[row.number as usize];
        if on(row) {
            let foreign = if row.foreign.is_some() { FOREIGN } else { 0 };
            interest.store(GREEN | foreign | direction(row.number), Release);
        } else if rows::is_cut_short(row.number) {
            interest.store(GREEN, Release);
        }
    }
    descriptors::open();
    readiness::note_personality();
}

/// Opens the rows of a process in which nobody is a green thread but kernel threads may be guests.
pub(crate) fn open_for_guests(config: &Config) {
    GUEST_CALLS.get_or_init(|| {
        let mut calls = Box::new(GuestCalls { guest: [None; NUMBERS], foreign: [None; NUMBERS] });
        for row in ROWS {
            let number = row.number as usize;
            let on = match row.when {
                With(module) => guest::has(config, module),
                Descriptor => guest::has(config, Module::Os) || guest::has(config, Module::Socket),
                Always => false,
            };
            let on = on && !guest::is_left_out(row.number);
            let always = row.when == Always;
            calls.guest[number] = match guest::call_for(row.number) {
                Some(call) if on || always => Some(call),
                _ => on.then_some(row.call),
            };
            calls.foreign[number] = guest::foreign_call_for(row.number);
            let bit = |calls: &[Option<Call>; NUMBERS], bit| if calls[number].is_some() { bit } else { 0 };
            gp_interest[number].store(bit(&calls.guest, GUEST) | bit(&calls.foreign, FOREIGN), Release);
        }
        calls
    });
}

/// The calls of a process in which kernel threads may be guests: of those, and of the others.
struct GuestCalls {
    guest: [Option<Call>; NUMBERS],
    foreign: [Option<Call>; NUMBERS],
}

static GUEST_CALLS: once_cell::sync::OnceCell<Box<GuestCalls>> = once_cell::sync::OnceCell::new();

/// A guest's call.
#[inline]
pub(crate) fn guest_call(number: usize) -> Option<Call> {
    GUEST_CALLS.get().and_then(|calls| calls.guest[number & (NUMBERS - 1)])
}

/// The call of a kernel thread that is neither carrier nor guest.
#[inline]
fn foreign_call(number: usize) -> Option<Call> {
    match GUEST_CALLS.get() {
        Some(calls) => calls.foreign[number & (NUMBERS - 1)],
        None => Some(FOREIGN_CALLS.of(number)),
    }
}

/// What the assembly does with the frame after the dispatcher.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// `gp_exit`: into the program.
    Exit = 0,
    /// `gp_enter`: into a handler.
    Enter = 1,
    /// `gp_exit_quiet`: the caller is not ours, or was inside already.
    Quiet = 2,
}

/// A thread stands at a system call instruction that is ours.
///
/// # Safety
/// Called by the entry with the frame that it built and the calling thread's hub, if it is a carrier.
#[no_mangle]
unsafe extern "C" fn gp_dispatch(frame: &mut Frame, hub: Option<&'static Hub>) -> Way {
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    frame.number = frame.rax;
    frame.rip = site.pass;
    let Some(hub) = hub else {
        return if carrier::guest_pointer().is_null() { foreign(frame) } else { guest::dispatch(frame) };
    };
    frame.carrier = core::ptr::from_ref(hub).cast();
    let wary = hub.carrier.wary.load(Relaxed);
    if wary & SHARED_TLS != 0 && sys::gettid() != hub.tid.load(Relaxed) {
        return foreign(frame);
    }
    if hub.carrier.inside.load(Relaxed) != 0 {
        return Way::Quiet;
    }
    if wary & VFORK_CHILD != 0 && !child_has_gone(hub) {
        return Way::Quiet;
    }
    hub.carrier.inside.store(1, Relaxed);
    hub.carrier.alone.store(0, Relaxed);
    perform(hub, frame)
}

/// Whether the caller is the carrier, although a child that shares our memory was made: then the child has executed
/// its program or ended.
#[cold]
fn child_has_gone(hub: &'static Hub) -> bool {
    if sys::gettid() != hub.tid.load(Relaxed) {
        if hub.child_unscheduled.replace(false) {
            scheduling::apply_in_vfork_child(hub.current());
        }
        return false;
    }
    hub.carrier.inside.store(1, Relaxed);
    hub.carrier.set_wary(VFORK_CHILD, false);
    hub.signals.take_mask_back();
    true
}

const NO_SUCH_CALL: isize = crate::calls::error(libc::ENOSYS);

/// The call of a green thread that is inside the runtime now.
#[inline(always)]
fn perform(hub: &'static Hub, frame: &mut Frame) -> Way {
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    if hub.carrier.attention.load(Relaxed) != 0 || hub.carrier.wary.load(Relaxed) & HELD_BACK != 0 {
        signals::drain(hub);
        // A plain function that has left the runtime comes here too, with the mark of a tick that found it inside.
        if hub.slice.is_due() {
            hub.carrier.call_attention();
        }
    }
    let green = hub.current();
    if signals::deliverable(hub, green) {
        // A signal came before the call: its handler runs before the call.
        hub.carrier.call_attention();
        return Way::Exit;
    }
    if hub.carrier.wary.load(Relaxed) & NO_TIMER != 0 {
        hub.slice.make_up(hub);
    }
    green.where_from.set(site.syscall + 2);
    green.stack_at.set(frame.rsp);
    green.buffer.set(frame.rsi);
    match descriptors::call(hub, frame) {
        Outcome::Pass(reason) => {
            if reason == Reason::NoOtherGreenThread {
                hub.slice.rest();
                let settled = stack_pool::alone() && !names::any_open();
                if settled && gp_interest[frame.number & (NUMBERS - 1)].load(Relaxed) & (READS | WRITES) != 0 {
                    hub.carrier.alone.store(1, Relaxed);
                }
            }
            Way::Exit
        }
        // A filter of the program's has trapped this call itself: its handler is to see where the program made it.
        Outcome::Done(NO_SUCH_CALL) if hub.signals.trapped.replace(false) => Way::Exit,
        Outcome::Done(result) => {
            frame.rax = result as usize;
            frame.rip = site.resume;
            if (-516..=-512).contains(&result) || signals::deliverable(hub, hub.current()) {
                hub.carrier.call_attention();
            }
            Way::Exit
        }
    }
}

/// The call of a foreign kernel thread that concerns green threads.
#[cold]
fn foreign(frame: &mut Frame) -> Way {
    let Some(hub) = crate::hub::first() else {
        return first_thread(frame);
    };
    let outcome = match descriptors::refused(hub, frame) {
        Some(outcome) => Some(outcome),
        None => foreign_call(frame.number).map(|call| call(hub, frame)),
    };
    if let Some(Outcome::Done(result)) = outcome {
        frame.rax = result as usize;
        // SAFETY: sites are never freed.
        frame.rip = unsafe { (*frame.site).resume };
    }
    Way::Quiet
}

/// Not armed yet: the first thread, however it is made, arms; then its maker is the main green thread.
#[cold]
#[inline(never)]
fn first_thread(frame: &mut Frame) -> Way {
    let arm = ARM.load(Acquire);
    if arm == 0 || !thread::asks_for_thread(frame) {
        return Way::Quiet;
    }
    // SAFETY: only `set_arm` stores, and it stores such a function.
    match unsafe { core::mem::transmute::<usize, fn() -> Arming>(arm)() } {
        Arming::Armed => {}
        Arming::Native => return Way::Quiet,
        Arming::NoMemory => {
            // SAFETY: sites are never freed.
            frame.rip = unsafe { (*frame.site).resume };
            frame.rax = -libc::EAGAIN as isize as usize;
            return Way::Quiet;
        }
    }
    // Arming has left this thread, the main green thread now, inside.
    let hub_pointer = carrier::hub_pointer();
    frame.carrier = hub_pointer.cast();
    // SAFETY: arming has set the word.
    perform(unsafe { &*hub_pointer }, frame)
}

static ARM: AtomicUsize = AtomicUsize::new(0);

/// What came of arming.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arming {
    /// The calling thread is the main green thread.
    Armed,
    /// The process stays native.
    Native,
    /// Not now: there is not even memory for a thread.
    NoMemory,
}

/// What arms at the first thread that is made without a hook having seen it.
pub fn set_arm(arm: fn() -> Arming) {
    ARM.store(arm as usize, Release);
}
