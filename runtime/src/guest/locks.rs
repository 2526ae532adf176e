//! Waits for futex words: two greenlets of one kernel thread may want one lock, so who holds it must be able to run on.
//!
//! A waiter is in the queues of green threads (`futex_queue`), in the heap, and is told by an eventfd that the callback waits
//! for. Whoever wakes comes to these queues, in whatever kernel thread.
//!
//! Some waits are the kernel's all the same, because the callback must not run there, or cannot help:
//!
//! | word | why |
//! |---|---|
//! | a lock inside libc (malloc's arenas, stdio) | libc is in the middle of something, and its holder is another kernel thread; for a moment only, if it may be another task that waits |
//! | CPython's GIL | taken on the way into the callback itself |
//! | a lock that CPython itself waits for (import locks) | goes by kernel threads; it is not gevent's, or gevent would wait |
//! | on the waiting thread's own stack | it would be copied away |
//! | any, between the callback's entry and `greenpatch_guest_entered` | the same, for other languages |

use super::{events, Ended, Guest};
use crate::calls::futex::{check_address, with_signals_blocked, Request, Until, EAGAIN, ETIMEDOUT};
use crate::calls::{error, Outcome, Reason};
use crate::frame::Frame;
use crate::futex_queue::Waiter;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::{offload, sys, user};
use core::ffi::c_void;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use Outcome::{Done, Pass};

/// Where waits are the kernel's. Empty ranges for what is not there.
#[derive(Clone, Debug, Default)]
pub struct KernelRanges {
    /// libc's function that waits for locks of its own.
    pub libc_wait: Range<usize>,
    /// libc's function that reads files for itself.
    pub libc_read: Range<usize>,
    /// CPython's global state, with its GIL.
    pub python: Range<usize>,
    /// The objects that these are in, and our own.
    pub libc: Range<usize>,
    pub python_object: Range<usize>,
    pub own: Range<usize>,
}

type Place = [AtomicUsize; 2];

static LIBC_WAIT: Place = [const { AtomicUsize::new(0) }; 2];
static LIBC_READ: Place = [const { AtomicUsize::new(0) }; 2];
static PYTHON: Place = [const { AtomicUsize::new(0) }; 2];
static LIBC: Place = [const { AtomicUsize::new(0) }; 2];
static PYTHON_OBJECT: Place = [const { AtomicUsize::new(0) }; 2];
static OWN: Place = [const { AtomicUsize::new(0) }; 2];

pub fn set_kernel_ranges(ranges: &KernelRanges) {
    for (at, range) in [
        (&LIBC_WAIT, &ranges.libc_wait),
        (&LIBC_READ, &ranges.libc_read),
        (&PYTHON, &ranges.python),
        (&LIBC, &ranges.libc),
        (&PYTHON_OBJECT, &ranges.python_object),
        (&OWN, &ranges.own),
    ] {
        at[0].store(range.start, Relaxed);
        at[1].store(range.end, Relaxed);
    }
}

/// Whether CPython was there when a guest was last registered.
pub(super) fn in_python() -> bool {
    PYTHON[1].load(Relaxed) != 0
}

fn is_in(range: &Place, address: usize) -> bool {
    (range[0].load(Relaxed)..range[1].load(Relaxed)).contains(&address)
}

/// Whether libc reads for itself, not for the program.
pub(super) fn is_libcs_own_read(frame: &Frame) -> bool {
    // SAFETY: sites are never freed.
    is_in(&LIBC_READ, unsafe { (*frame.site).syscall })
}

fn is_the_kernels(guest: &Guest, frame: &Frame, word: usize) -> bool {
    // SAFETY: sites are never freed.
    let site = unsafe { (*frame.site).syscall };
    let (low, high) = guest.stack.get();
    let stack = low..high;
    guest.entering.get() == Some(true)
        || is_in(&LIBC_WAIT, site) && guest.waits.get() == 0
        || is_in(&PYTHON, word)
        || stack.contains(&frame.rsp) && (frame.rsp..high).contains(&word)
}

/// Whether it is CPython's own code that waits: the first on the way up that is neither libc's nor ours.
fn is_pythons_own() -> bool {
    const GO_ON: i32 = 0;
    const STOP: i32 = 4;
    extern "C" {
        fn _Unwind_Backtrace(visit: extern "C" fn(*mut c_void, *mut c_void) -> i32, argument: *mut c_void) -> i32;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    extern "C" fn visit(context: *mut c_void, found: *mut c_void) -> i32 {
        // SAFETY: the unwinder's own context.
        let address = unsafe { _Unwind_GetIP(context) };
        if is_in(&OWN, address) || is_in(&LIBC, address) {
            return GO_ON;
        }
        // SAFETY: the variable below, which lives until the walk has ended.
        unsafe { *found.cast::<bool>() = is_in(&PYTHON_OBJECT, address) };
        STOP
    }
    if !in_python() {
        return false;
    }
    let mut found = false;
    // SAFETY: walks our own stack; the entry and libc describe their frames.
    unsafe { _Unwind_Backtrace(visit, (&mut found as *mut bool).cast()) };
    found
}

/// How long another kernel thread may take to give a lock inside libc away, ns. A task may hold one while it waits: the
/// functions with a static result do.
const A_MOMENT: i64 = 20_000_000;

/// Waits for a lock inside libc in the kernel. `None` after a moment.
fn wait_for_libc(request: &Request, frame: &Frame) -> Option<isize> {
    // SAFETY: sites are never freed.
    let site = unsafe { (*frame.site).syscall };
    if request.time != 0 || request.command != libc::FUTEX_WAIT || !is_in(&LIBC_WAIT, site) {
        return None;
    }
    let moment = libc::timespec { tv_sec: 0, tv_nsec: A_MOMENT };
    // SAFETY: the program's own word, and a time of ours.
    let waited = unsafe { sys!(libc::SYS_futex, frame.rdi, frame.rsi, frame.rdx, &moment as *const libc::timespec) };
    (waited != ETIMEDOUT).then_some(waited)
}

/// futex(2) by a guest. What wakes is as for any kernel thread.
pub(super) fn futex(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let request = Request::of(frame);
    let bits = match request.command {
        libc::FUTEX_WAIT => u32::MAX,
        libc::FUTEX_WAIT_BITSET => request.value3,
        _ => return crate::calls::futex::futex_foreign(hub, frame),
    };
    let Some(guest) = &hub.guest else { return Pass(Reason::NotOurs) };
    if bits == 0 || check_address(request.word).is_err() || is_the_kernels(guest, frame, request.word) {
        return Pass(Reason::NotOurs);
    }
    if is_pythons_own() {
        return Pass(Reason::NotOurs);
    }
    let unchanged = || match user::load(request.word)? {
        now if now == request.value => Ok(()),
        _ => Err(EAGAIN),
    };
    let until = match request.until() {
        Ok(until) if !request.refused() => until,
        _ => return Pass(Reason::NotOurs),
    };
    if request.shared {
        if let Err(error) = unchanged() {
            return Done(error);
        }
        // Another process may wake it, or the kernel where a thread ends. A lock of libc's takes no other error.
        return match offload::call(hub, libc::SYS_futex, frame.args()) {
            super::UNFINISHED if guest.ended() != Ended::Passed => Done(error(libc::EINTR)),
            result => Done(result),
        };
    }
    if let Some(answer) = wait_for_libc(&request, frame) {
        return Done(answer);
    }
    // No descriptors left: then nobody else runs meanwhile.
    let Some(event) = events::take(hub) else { return Pass(Reason::NonBlocking) };
    let result = wait(guest, event, request.word, bits, until, unchanged);
    events::give_back(event);
    Done(result)
}

fn wait(
    guest: &Guest,
    event: i32,
    word: usize,
    bits: u32,
    until: Until,
    unchanged: impl FnOnce() -> Result<(), isize>,
) -> isize {
    let waiter = Box::new(Waiter::of_guest(event, word, bits));
    if let Err(error) = with_signals_blocked(|| waiter.enqueue_if(unchanged)) {
        return error;
    }
    loop {
        let wake = guest.ask(event, libc::POLLIN, until.deadline());
        if wake == Wake::Unparked {
            // Before the look: a waker marks the waiter first.
            events::clear(event);
        }
        if waiter.woken() {
            return 0;
        }
        let over = match wake {
            Wake::Unparked => continue,
            Wake::TimedOut if !until.is_reached() => continue,
            Wake::TimedOut => ETIMEDOUT,
            Wake::Interrupted if guest.ended() != Ended::Passed => error(libc::EINTR),
            Wake::Interrupted => super::UNFINISHED,
        };
        // A wake-up that was meant for this waiter is used up.
        return if with_signals_blocked(|| waiter.leave()) { 0 } else { over };
    }
}
