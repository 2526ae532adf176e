//! Guest mode: parking is done by somebody else's hub, gevent's for one, through a callback of a kernel thread.
//!
//! ```text
//!  C driver ──▶ site ──▶ entry ──▶ guest::dispatch ──▶ call: try … EAGAIN ──▶ Guest::ask ──▶ the callback
//!      ▲                                                   ▲                                    │ switches to
//!      │                                                   │                                    ▼ other greenlets
//!      └───────────── answer ◀──────────────────────────── try again ◀───────────── ready, timed out, given up, pass
//! ```
//!
//! The calls are those of green threads. A kernel thread with a callback has a [`Hub`] that runs nothing: calls ask it what
//! they always ask, and `Hub::park`, `FdWaiter::wait` and the few that park by other means ask the callback instead.
//! There is nothing else: signals, threads and all that the kernel keeps per thread stay the kernel's own.
//!
//! **Stacks.** greenlet copies a waiting greenlet's part of the stack away and back to the same place. So whatever lives in
//! the frames of a call is good again when the callback returns, but nothing elsewhere may point there meanwhile: what
//! others reach (places in futex queues, arguments that a helper thread works with) is in the heap. If the callback never
//! returns, since its greenlet was dropped with its stack, that memory is lost: some hundred bytes and a descriptor, and
//! a lock's place in a queue, which uses up one wake-up.
//!
//! **Inside.** The callback runs arbitrary code, and other greenlets' calls come in before it returns. So nothing is
//! borrowed or locked when it is called, and `Carrier::inside` says "in our code" only outside of it: then a call that comes
//! in is that of a signal handler which has interrupted us, and the kernel's.

mod calls;
pub mod events;
mod helper;
mod locks;
mod sets;

pub use calls::modules;
pub(crate) use calls::{call_for, foreign_call_for, has, is_left_out};
pub(crate) use helper::call as call_in_helper;
pub use locks::{set_kernel_ranges, KernelRanges};
pub(crate) use sets::{sleep_until_clock, wait_for_any, wait_for_child};
pub use sets::{Look, Pause};

use crate::calls::{error, Outcome, ERESTARTNOINTR};
use crate::config::Config;
use crate::dispatch::Way;
use crate::frame::Frame;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::lock::Lock;
use crate::{carrier, dispatch, sys};
use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::sync::atomic::{AtomicI32, AtomicU8, Ordering::*};

/// `greenpatch_wait_fn` of greenpatch.h.
pub type WaitFn = unsafe extern "C" fn(fd: i32, events: i32, timeout_ns: i64, data: *mut c_void) -> i32;

/// What the callback answers: `GREENPATCH_PASS` and its neighbours.
const READY: i32 = 1;
const TIMED_OUT: i32 = 0;
const PASS: i32 = -2;
const HANDLED: i32 = -3;

const ALONE: u8 = 0;
/// A child that borrows the thread until it executes a program.
const VFORK_CHILD: u8 = 1;
/// A clone that was given no thread pointer of its own.
const OTHERS: u8 = 2;

/// How a wait ended that ended its call as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The kernel is to do the call.
    Passed,
    /// The callback has given up.
    GivenUp,
    /// A signal handler has run, and the call is not to be restarted.
    Handled,
}

/// What a guest's hub of ours knows of the callback. Used by its own kernel thread only.
pub struct Guest {
    wait: Cell<Option<WaitFn>>,
    data: Cell<*mut c_void>,
    /// The kernel's id of the thread.
    tid: AtomicI32,
    /// Who else may run with this thread's thread pointer: `ALONE`, or one of the two others.
    shared_tls: AtomicU8,
    /// Descriptors whose waits are the kernel's: the program's own hub waits on them.
    passed: RefCell<Vec<i32>>,
    /// Said by the last wait that returned `Wake::Interrupted`.
    ended: Cell<Ended>,
    /// The callback has been entered and has not said yet that its code is reached; `None` if it never says so.
    entering: Cell<Option<bool>>,
    /// Callbacks that have not returned: as many other tasks may hold locks.
    waits: Cell<usize>,
    /// The kernel thread's own stack, which may be copied away during a wait.
    stack: Cell<(usize, usize)>,
}

/// Hubs of threads that are guests no more. A hub is never freed.
static SPARE: Lock<Spare> = Lock::new(Spare(Vec::new()));
struct Spare(Vec<&'static Hub>);
// SAFETY: a hub in here belongs to no thread.
unsafe impl Send for Spare {}

/// The hub of the calling kernel thread, if it is a guest.
#[inline]
pub fn current() -> Option<&'static Hub> {
    // SAFETY: null or a hub, which is never freed.
    unsafe { carrier::guest_pointer().as_ref() }
}

/// Makes the calling kernel thread a guest, or gives it another callback. `stack` is where its own stack lies.
pub fn begin(config: &Config, wait: WaitFn, data: *mut c_void, stack: (usize, usize)) {
    let hub = current().unwrap_or_else(|| {
        let spare = SPARE.lock().0.pop();
        spare.unwrap_or_else(|| Hub::for_guest(*config, Guest::new()))
    });
    let Some(guest) = &hub.guest else { return };
    let tid = sys::gettid();
    hub.tid.store(tid, Relaxed);
    hub.pid.store(sys::getpid(), Relaxed);
    guest.tid.store(tid, Relaxed);
    guest.stack.set(stack);
    guest.data.set(data);
    guest.wait.set(Some(wait));
    hub.carrier.inside.store(0, Relaxed);
    carrier::set_guest(hub);
}

/// The calling kernel thread is a guest no more. Waits that are under way have the kernel make their calls.
pub fn end() {
    let Some(hub) = current() else { return };
    carrier::set_guest(core::ptr::null());
    if let Some(guest) = &hub.guest {
        guest.wait.set(None);
        guest.entering.set(None);
        guest.waits.set(0);
        guest.passed.borrow_mut().clear();
    }
    SPARE.lock().0.push(hub);
}

/// Waits on this descriptor are the kernel's in the calling thread.
pub fn pass(fd: i32) {
    if let Some(guest) = current().and_then(|hub| hub.guest.as_ref()) {
        let mut passed = guest.passed.borrow_mut();
        if !passed.contains(&fd) {
            passed.push(fd);
        }
    }
}

/// The callback's own code is reached. From the first time on, a lock that is waited for between the callback's entry and
/// this is the kernel's to wait for.
pub fn entered() {
    if let Some(guest) = current().and_then(|hub| hub.guest.as_ref()) {
        guest.entering.set(Some(false));
    }
}

/// In a process that may have guests: opens the rows, and lets the kernel check the program's pointers.
pub fn open(config: &Config) {
    crate::signals::context::measure_xsave();
    crate::user::copy_by_kernel();
    dispatch::open_for_guests(config);
}

impl Guest {
    fn new() -> Self {
        Guest {
            wait: Cell::new(None),
            data: Cell::new(core::ptr::null_mut()),
            tid: AtomicI32::new(0),
            shared_tls: AtomicU8::new(ALONE),
            passed: RefCell::new(Vec::new()),
            ended: Cell::new(Ended::Passed),
            entering: Cell::new(None),
            waits: Cell::new(0),
            stack: Cell::new((0, 0)),
        }
    }

    fn is_passed(&self, fd: i32) -> bool {
        self.passed.borrow().contains(&fd)
    }

    /// How the last wait ended, if it was with `Wake::Interrupted`.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.get()
    }

    /// Whether that was because the kernel is to do it.
    pub(crate) fn has_passed(&self) -> bool {
        self.ended.get() == Ended::Passed
    }

    fn interrupted(&self, how: Ended) -> Wake {
        self.ended.set(how);
        Wake::Interrupted
    }

    /// Asks the callback to wait for `events` of `fd`, or with -1 to sleep. A deadline is ns of CLOCK_MONOTONIC. Nothing of
    /// the runtime may be borrowed or locked, and other calls of this thread may come and go before it returns.
    pub(crate) fn ask(&self, fd: i32, events: i16, deadline: Option<u64>) -> Wake {
        let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
        if left == Some(0) && fd >= 0 {
            return Wake::TimedOut;
        }
        let Some(wait) = self.wait.get().filter(|_| fd < 0 || !self.is_passed(fd)) else {
            return self.interrupted(Ended::Passed);
        };
        let timeout = left.map_or(-1, |left| i64::try_from(left).unwrap_or(i64::MAX));
        if self.entering.get().is_some() {
            self.entering.set(Some(true));
        }
        let Some(hub) = current() else { return self.interrupted(Ended::Passed) };
        // SAFETY: the calling thread's own errno, which the program is not to see changed.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        let kept = unsafe { *errno };
        self.waits.set(self.waits.get() + 1);
        hub.carrier.inside.store(0, Relaxed);
        // SAFETY: who registered the callback promised that it may be called so.
        let answer = unsafe { wait(fd, i32::from(events), timeout, self.data.get()) };
        hub.carrier.inside.store(1, Relaxed);
        self.waits.set(self.waits.get().saturating_sub(1));
        // SAFETY: as above.
        unsafe { *errno = kept };
        if self.entering.get().is_some() {
            self.entering.set(Some(false));
        }
        match answer {
            TIMED_OUT if deadline.is_some_and(|deadline| sys::now() >= deadline) => Wake::TimedOut,
            // Hubs count in coarser units, and may be early.
            TIMED_OUT | READY.. => Wake::Unparked,
            PASS => self.interrupted(Ended::Passed),
            HANDLED => self.interrupted(Ended::Handled),
            _ => self.interrupted(Ended::GivenUp),
        }
    }

    /// A sleep; one that is over still gives others a turn.
    pub(crate) fn sleep(&self, deadline: Option<u64>) -> Wake {
        self.ask(-1, 0, deadline)
    }

    /// Lets others run. False if the callback leaves that to the kernel.
    pub(crate) fn give_way(&self) -> bool {
        self.ask(-1, 0, Some(0)) != Wake::Interrupted
    }

    /// Waits in the kernel, for what has been begun and cannot be passed on any more.
    pub(crate) fn wait_in_kernel(&self, fd: i32, events: i16, deadline: Option<u64>) -> Wake {
        let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
        let time =
            left.map(|ns| libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 });
        let time = time.as_ref().map_or(0, |time| time as *const libc::timespec as usize);
        let mut poll = libc::pollfd { fd, events, revents: 0 };
        // SAFETY: both are ours.
        match unsafe { sys!(libc::SYS_ppoll, &mut poll as *mut libc::pollfd, 1, time, 0, 8) } {
            0 => Wake::TimedOut,
            1 => Wake::Unparked,
            _ => Wake::Interrupted,
        }
    }

    /// Whether the caller is this guest's thread, and not one that runs with its thread pointer.
    fn is_own_thread(&self) -> bool {
        let shared = self.shared_tls.load(Relaxed);
        if shared == ALONE {
            return true;
        }
        let own = sys::gettid() == self.tid.load(Relaxed);
        if own && shared == VFORK_CHILD {
            // It runs only while we don't.
            self.shared_tls.store(ALONE, Relaxed);
        }
        own
    }
}

/// A guest stands at a system call instruction that is ours.
#[cold]
pub(crate) fn dispatch(frame: &mut Frame) -> Way {
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    let Some((hub, guest)) = current().and_then(|hub| Some((hub, hub.guest.as_ref()?))) else { return Way::Quiet };
    let Some(call) = dispatch::guest_call(frame.number) else { return Way::Quiet };
    if !guest.is_own_thread() {
        return Way::Quiet;
    }
    if hub.carrier.inside.load(Relaxed) != 0 {
        // A handler that has interrupted us. Whom it wakes may wait in our queues, whose locks are never held with
        // signals open.
        if frame.number as i64 == libc::SYS_futex {
            if let Outcome::Done(result) = crate::calls::futex::futex_foreign(hub, frame) {
                frame.rax = result as usize;
                frame.rip = site.resume;
            }
        }
        return Way::Quiet;
    }
    hub.carrier.inside.store(1, Relaxed);
    if let Outcome::Done(result) = call(hub, frame) {
        // Marks of a restart stand for a wait that did not come to its end.
        let unfinished = (-516..=-512).contains(&result);
        let answer = match guest.ended() {
            _ if !unfinished => Some(result),
            Ended::GivenUp => Some(error(libc::ECANCELED)),
            Ended::Handled => Some(error(libc::EINTR)),
            Ended::Passed => None,
        };
        if let Some(answer) = answer {
            frame.rax = answer as usize;
            frame.rip = site.resume;
        }
    }
    hub.carrier.inside.store(0, Relaxed);
    Way::Quiet
}

/// Around vfork by name: the child runs in the calling guest's memory.
pub fn before_vfork() {
    if let Some((hub, guest)) = current().and_then(|hub| Some((hub, hub.guest.as_ref()?))) {
        if guest.is_own_thread() {
            hub.reactor.forget_private();
            guest.shared_tls.fetch_max(VFORK_CHILD, Relaxed);
        }
    }
}

/// The mark of a call that `Ended` decides about: one that no call of ours gives a meaning of its own.
pub(crate) const UNFINISHED: isize = ERESTARTNOINTR;
