//! Signals of green threads: masks, pending sets and actions as the kernel keeps them for its threads.
//!
//! The kernel delivers to one handler of ours (`kernel_handler`), which queues what comes, or, where the program was
//! interrupted, sets up the program's handler on the green thread's stack. The kernel's mask is the intersection of
//! all green masks, so a signal that every green thread blocks stays pending in the kernel.

pub mod action;
pub mod addresses;
pub mod context;
pub mod deliver;
pub mod kernel_handler;
mod masks;
pub(crate) mod own_frame;
pub mod pending;
mod routing;

pub use action::Action;
pub use pending::Pending;
pub use routing::{die, drain, info_of_tkill, send};
use routing::{distribute, end_by};
pub(crate) use routing::{hand_back, make_info, may_end_process};

use crate::green_thread::Green;
use crate::hub::Hub;
use crate::sys;
use core::cell::{Cell, RefCell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};

/// Signal `n` is bit `n-1`.
#[inline]
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals that can't be blocked.
pub const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);
/// Signals that an instruction causes.
const SYNCHRONOUS: u64 = bit(libc::SIGSEGV)
    | bit(libc::SIGBUS)
    | bit(libc::SIGILL)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGFPE)
    | bit(libc::SIGSYS);
/// glibc's SIGCANCEL and SIGSETXID.
pub const SIGCANCEL: i32 = 32;
pub const SIGSETXID: i32 = 33;
/// Never blocked in the kernel: faults of our accessors to program memory must reach us, and SIGSETXID interrupts
/// helper threads.
const ALWAYS_OPEN: u64 = UNBLOCKABLE | bit(libc::SIGSEGV) | bit(libc::SIGBUS) | bit(SIGSETXID);

/// Signals that the kernel sends to a thread because of a call that it has made.
const OF_A_CALL: u64 = bit(libc::SIGPIPE) | bit(libc::SIGXFSZ);

/// The kernel's 128 bytes.
pub type Info = libc::siginfo_t;

/// The alternate stack of one green thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AltStack {
    pub address: usize,
    pub flags: i32,
    pub bytes: usize,
}

impl AltStack {
    pub const DISABLED: AltStack = AltStack { address: 0, flags: libc::SS_DISABLE, bytes: 0 };

    /// Whether `rsp` is on this stack.
    pub fn holds(&self, rsp: usize) -> bool {
        self.flags & libc::SS_DISABLE == 0 && rsp > self.address && rsp - self.address <= self.bytes
    }
}

/// A signal, and the green thread that it is for (negative: that is preferred) or 0.
type Slot = core::mem::MaybeUninit<(Info, i32)>;

/// Signals that came while the runtime was running, in the order in which they came. The kernel-level handler, which
/// nothing interrupts, writes; the carrier, inside, reads.
struct Ring {
    slots: UnsafeCell<Box<[Slot]>>,
    head: AtomicU32,
    tail: AtomicU32,
    /// The handler blocked all signals because no slot was free, or because they come faster than they are read.
    held_back: AtomicBool,
}

const RING: u32 = 1024;

impl Ring {
    /// `tid` is the green thread that the signal is for, negative if another may have it, or 0 if it is still to be chosen.
    fn push(&self, info: &Info, tid: i32) -> bool {
        let (head, tail) = (self.head.load(Relaxed), self.tail.load(Acquire));
        if head.wrapping_sub(tail) == RING {
            return false;
        }
        // SAFETY: the slot is free, and only the handler writes.
        unsafe { (*self.slots.get())[(head % RING) as usize].write((*info, tid)) };
        self.head.store(head.wrapping_add(1), Release);
        true
    }

    /// One more slot is free than `push` needs for one signal.
    fn nearly_full(&self) -> bool {
        self.head.load(Relaxed).wrapping_sub(self.tail.load(Acquire)) >= RING - 1
    }

    /// Whether the signal that came last has not been read yet and counts as one with this: the same standard signal, or
    /// the same timer's.
    fn repeats_last(&self, info: &Info) -> bool {
        let (head, tail) = (self.head.load(Relaxed), self.tail.load(Acquire));
        if head == tail {
            return false;
        }
        // SAFETY: the slot was written before `head` moved on.
        let (last, _) = unsafe { (&(*self.slots.get()))[(head.wrapping_sub(1) % RING) as usize].assume_init() };
        let timer = crate::calls::timer::id_of(info);
        last.si_signo == info.si_signo
            && crate::calls::timer::id_of(&last) == timer
            && (timer.is_some() || info.si_signo < 32)
    }

    fn pop(&self) -> Option<(Info, i32)> {
        let (head, tail) = (self.head.load(Acquire), self.tail.load(Relaxed));
        if head == tail {
            return None;
        }
        // SAFETY: the slot was written before `head` moved on.
        let signal = unsafe { (*self.slots.get())[(tail % RING) as usize].assume_init() };
        self.tail.store(tail.wrapping_add(1), Release);
        Some(signal)
    }
}

/// What a hub knows of signals.
pub struct HubSignals {
    ring: Ring,
    /// Signals for the process that no green thread could take yet.
    pub process: RefCell<Pending>,
    masks: masks::Masks,
    /// What the kernel has for the carrier.
    kernel_mask: Cell<u64>,
    /// The kernel-level handler is running, which no signal may interrupt: a new mask counts from its return on.
    in_handler: Cell<bool>,
    /// A filter has trapped a call of ours: a call of the program's that then fails with ENOSYS may be the one.
    pub(crate) trapped: Cell<bool>,
    /// Signals that the only green thread sent to itself may be pending in the kernel.
    pub(crate) sent_alone: Cell<bool>,
    /// A green thread is sending its own process a signal: none of what comes is of a call's making.
    pub(crate) by_kill: Cell<bool>,
    /// Our handlers are in place.
    armed: Cell<bool>,
    /// The image of a signal frame on its way to the program's stack.
    pub(crate) scratch: UnsafeCell<Box<deliver::Scratch>>,
    alt_stack: Cell<AltStack>,
}

impl HubSignals {
    pub(crate) fn new() -> Self {
        let slots = (0..RING).map(|_| core::mem::MaybeUninit::uninit()).collect();
        HubSignals {
            ring: Ring {
                slots: UnsafeCell::new(slots),
                head: AtomicU32::new(0),
                tail: AtomicU32::new(0),
                held_back: AtomicBool::new(false),
            },
            process: RefCell::new(Pending::new()),
            masks: masks::Masks::new(),
            kernel_mask: Cell::new(0),
            in_handler: Cell::new(false),
            trapped: Cell::new(false),
            sent_alone: Cell::new(false),
            by_kill: Cell::new(false),
            armed: Cell::new(false),
            scratch: UnsafeCell::new(deliver::Scratch::new()),
            alt_stack: Cell::new(AltStack::DISABLED),
        }
    }

    /// Takes the process's signals over: the carrier's alternate stack, the main thread's mask and alternate stack,
    /// and every handler that the program has installed so far.
    pub fn arm(&self, hub: &'static Hub) {
        if self.armed.replace(true) {
            return;
        }
        let main = hub.current();
        let mut old = AltStack::DISABLED;
        let stack = crate::switch::Mapping::new(64 * 1024).expect("no memory for the carrier's signal stack");
        let (limit, base) = stack.bounds();
        core::mem::forget(stack);
        let ours = AltStack { address: limit, flags: 0, bytes: base - limit };
        // SAFETY: the mapping is never freed.
        if unsafe { sys!(libc::SYS_sigaltstack, &ours as *const _, &mut old as *mut _) } < 0 {
            // The main thread runs on its alternate stack now: it stays the carrier's as well.
            // SAFETY: asks only.
            unsafe { sys!(libc::SYS_sigaltstack, 0, &mut old as *mut _) };
            self.alt_stack.set(old);
        } else {
            self.alt_stack.set(ours);
        }
        old.flags &= !1; // SS_ONSTACK is an answer, not a setting
        main.alt_stack.set(old);
        let mut mask = 0u64;
        // SAFETY: asks only.
        unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &mut mask as *mut u64, 8) };
        main.mask.set(mask);
        self.masks.note(main, mask);
        self.kernel_mask.set(mask);
        // SAFETY: nobody uses the buffers yet; they stay where they are.
        hub.carrier.spare_stack.set(unsafe { (*self.scratch.get()).spare_stack() });
        take_over_pending(self, main);
        context::measure_xsave();
        crate::protection_keys::detect();
        action::take_over();
        // Not before: what it catches is not the program's.
        self.update_kernel_mask();
    }

    /// The carrier's alternate stack.
    pub(crate) fn carrier_stack(&self) -> AltStack {
        self.alt_stack.get()
    }

    fn wanted_kernel_mask(&self) -> u64 {
        self.masks.common() & !ALWAYS_OPEN & !action::caught()
    }

    /// The kernel's mask as it should be while the carrier runs green threads.
    pub(crate) fn kernel_mask(&self) -> u64 {
        self.kernel_mask.get()
    }

    /// The kernel is told of a mask for a moment (`masks`), until it changes: a kernel thread that is about to be made
    /// inherits it.
    pub(crate) fn tell_kernel_of_moment(&self, green: &Green) {
        self.kernel_mask.set(green.mask.get() & !ALWAYS_OPEN);
        self.apply_kernel_mask();
    }

    fn update_kernel_mask(&self) {
        // The kernel knows one mask, and would end the process where the caller blocks what the others don't.
        let to_catch = self.masks.any() & OF_A_CALL & !action::caught();
        if to_catch != 0 && self.armed.get() {
            action::catch(to_catch);
        }
        let wanted = self.wanted_kernel_mask();
        if wanted != self.kernel_mask.get() && self.armed.get() {
            self.kernel_mask.set(wanted);
            self.apply_kernel_mask();
        }
    }

    fn apply_kernel_mask(&self) {
        if !self.in_handler.get() {
            set_kernel_mask(self.kernel_mask.get());
        }
    }

    /// Gives the carrier the mask of one green thread, for a child that is about to share or replace the process.
    pub fn lend_mask(&self, green: &Green) {
        set_kernel_mask(green.mask.get());
    }

    /// Ends `lend_mask`.
    pub fn take_mask_back(&self) {
        if self.armed.get() {
            set_kernel_mask(self.kernel_mask.get());
        }
    }

    /// Whether `green` blocks the signal and the carrier does not, as others don't.
    pub fn blocks_alone(&self, green: &Green, signal: i32) -> bool {
        let bit = 1u64 << (signal - 1);
        green.mask.get() & !self.kernel_mask.get() & bit != 0
    }

    /// The mask of `green`, which may be new, is another one now.
    pub(crate) fn mask_changed(&self, green: &Green) {
        if self.masks.note(green, green.mask.get()) {
            self.update_kernel_mask();
        }
    }

    /// A green thread has ended.
    pub(crate) fn thread_removed(&self, hub: &Hub, green: &Green) {
        self.masks.forget(green);
        if hub.live() > 0 {
            self.update_kernel_mask();
        }
    }

    /// A foreign thread sends a signal to a green one. False if there is no such thread, as far as is known.
    pub fn send_remote(&self, hub: &Hub, tid: i32, signal: i32) -> bool {
        if signal != 0 {
            hub.signal_remote(tid, info_of_tkill(hub, signal));
        }
        true
    }

    /// Whether a handler of the program's could still run and wake somebody.
    pub fn any_handler(&self) -> bool {
        let open = !self.masks.common();
        (1..=64).any(|signal| {
            signal != SIGCANCEL && signal != SIGSETXID && open & bit(signal) != 0 && action::get(signal).is_handler()
        })
    }

    pub(crate) fn rebuild_in_child(&self, hub: &Hub, me: &Green) {
        while self.ring.pop().is_some() {}
        self.process.borrow_mut().clear();
        me.pending.borrow_mut().clear();
        pending::rebuild_in_child();
        hub.carrier.attention.store(0, SeqCst);
        self.masks.keep_only(me);
        self.kernel_mask.set(self.wanted_kernel_mask());
        self.take_mask_back();
    }
}

/// Takes a blocked signal of `set` that the kernel holds back: the carrier's own first, then the process's.
pub(crate) fn take_from_kernel(set: u64) -> Option<Info> {
    // SAFETY: all-zero is a valid siginfo.
    let mut info: Info = unsafe { core::mem::zeroed() };
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: all pointers are ours.
    let signal =
        unsafe { sys!(libc::SYS_rt_sigtimedwait, &set as *const u64, &mut info as *mut Info, &now as *const _, 8) };
    (signal > 0).then_some(info)
}

fn pending_in_kernel() -> u64 {
    let mut set = 0u64;
    // SAFETY: `set` is ours.
    unsafe { sys!(libc::SYS_rt_sigpending, &mut set as *mut u64, 8) };
    set
}

/// What the main thread was sent and blocks stays its own: from now on all that the kernel holds back is the process's.
fn take_over_pending(signals: &HubSignals, main: &Green) {
    let held_back = pending_in_kernel();
    if held_back == 0 {
        return;
    }
    let mut of_process = Vec::new();
    while let Some(info) = take_from_kernel(held_back) {
        if info.si_code == libc::SI_TKILL {
            main.pending.borrow_mut().push(&info);
        } else if ALWAYS_OPEN & bit(info.si_signo) != 0 {
            signals.process.borrow_mut().push(&info);
        } else {
            of_process.push(info);
        }
    }
    for info in of_process {
        // SAFETY: a process may send itself any information.
        unsafe { sys!(libc::SYS_rt_sigqueueinfo, sys::getpid(), info.si_signo, &info as *const Info) };
    }
}

/// Gives the kernel what is pending for a green thread and its process, blocked by its mask, for a program that is
/// about to be executed: pending signals stay. True if there was anything.
pub(crate) fn lend_pending(hub: &Hub, green: &Green) -> bool {
    let mut any = false;
    let (process, tid) = (hub.pid.load(Relaxed), hub.tid.load(Relaxed));
    loop {
        let own = green.pending.borrow_mut().take(!0);
        let Some(info) = own else { break };
        any = true;
        // SAFETY: a process may send itself any information.
        unsafe { sys!(libc::SYS_rt_tgsigqueueinfo, process, tid, info.si_signo, &info as *const Info) };
    }
    loop {
        let shared = hub.signals.process.borrow_mut().take(!0);
        let Some(info) = shared else { break };
        // SAFETY: as above.
        unsafe { sys!(libc::SYS_rt_sigqueueinfo, process, info.si_signo, &info as *const Info) };
    }
    any
}

/// Ends `lend_pending`, while the carrier's mask is still the green thread's.
pub(crate) fn take_pending_back(green: &Green) {
    take_over_pending(&green.hub().signals, green);
}

pub(crate) fn set_kernel_mask(mask: u64) {
    // SAFETY: reads eight bytes of ours.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &mask as *const u64, 0, 8) };
}

/// Gives `green` a new mask. What the old one held back and the new one doesn't is delivered at its next exit.
pub fn set_mask(hub: &Hub, green: &Green, mask: u64) {
    let mask = mask & !UNBLOCKABLE;
    let old = green.mask.replace(mask);
    if old == mask {
        return;
    }
    hub.signals.mask_changed(green);
    let opened = old & !mask;
    if opened != 0 {
        while hub.signals.process.borrow().set() & opened != 0 {
            let Some(info) = hub.signals.process.borrow_mut().take(opened) else { break };
            green.pending.borrow_mut().push(&info);
        }
        if deliverable(hub, green) {
            hub.carrier.call_attention();
        }
    }
}

/// Puts back the mask that a call such as ppoll had replaced, when no handler is to run under the replacement.
pub fn restore_saved_mask(hub: &Hub, green: &Green) {
    if let Some(mask) = green.saved_mask.take() {
        set_mask(hub, green, mask);
    }
}

/// A signal has cut a call of the current green thread's short: whether a handler of the program's is to run now. If not it
/// was another thread's signal or a tick of ours, which may have ended the turn.
#[cold]
pub(crate) fn interrupts(hub: &Hub) -> bool {
    drain(hub);
    hub.carrier.call_attention();
    deliverable(hub, hub.current())
}

/// Whether a handler is to run in `green` before it goes on.
#[inline]
pub fn deliverable(_hub: &Hub, green: &Green) -> bool {
    // SAFETY: a word is read, by the carrier, which alone changes it.
    let pending = unsafe { (*green.pending.as_ptr()).set() };
    pending & !green.mask.get() != 0
}
