//! System calls that have no non-blocking form, made by helper kernel threads while a green thread is parked.
//!
//! What waits for another party (`call`) gets a helper at once, and there is no queue: the call that one waits for may
//! be the one that another's end depends on. What waits for a disk (`disk`) ends by itself, so a few helpers serve all
//! of it, first come, first served. Helpers are named `greenpatch-io`, are no threads of libc's (they run nothing but one
//! system call after another, on their own small stack and thread-local storage), block all signals but SIGSETXID, with
//! which a call is interrupted, and end when they have been idle for a while.

mod disk;
mod helper;
mod lookup;
mod raised;

pub use disk::disk;
pub(crate) use helper::{interrupted, Helper, Job};
pub use lookup::await_lookups;

use crate::calls::io::block::poll_now;
use crate::calls::{error, ERESTARTNOHAND, ERESTARTSYS};
use crate::filters;
use crate::green_thread::{Green, Waiting, Wake};
use crate::guest;
use crate::hub::Hub;
use crate::list::List;
use crate::lock::Lock;
use crate::signals::{self, Info};
use crate::sys;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering::*};
use std::collections::VecDeque;

/// Counts changes of what the kernel keeps for each kernel thread: credentials, which glibc's `setxid` broadcasts do not
/// bring to helpers, the table of descriptors, namespaces. A helper that was made before must not be used after.
static CHANGES: AtomicU32 = AtomicU32::new(0);

struct Pool {
    idle: Vec<*mut Helper>,
    gone: Vec<*mut Helper>,
    /// Those in a call that was given a descriptor.
    given: List<Helper>,
}
// SAFETY: the pointers are to leaked boxes.
unsafe impl Send for Pool {}

static POOL: Lock<Pool> = Lock::new(Pool { idle: Vec::new(), gone: Vec::new(), given: List::new() });

/// A helper for `job`.
fn start(job: Job) -> Option<&'static Helper> {
    let (nr, args) = (job.nr, job.args);
    let helper = idle_or_new(job)?;
    lookup::begin(helper, nr, &args);
    Some(helper)
}

/// The call of a helper is done: it is anybody's.
fn give_back(helper: &'static Helper) {
    let mut pool = POOL.lock();
    lookup::end(&mut pool, helper);
    pool.idle.push(ptr::from_ref(helper).cast_mut());
}

/// An idle helper that takes `job`, or a new one.
fn idle_or_new(mut job: Job) -> Option<&'static Helper> {
    let changes = CHANGES.load(Relaxed);
    loop {
        let candidate = {
            let mut pool = POOL.lock();
            reap(&mut pool);
            pool.idle.pop()
        };
        let Some(candidate) = candidate else { break };
        // SAFETY: helpers are freed only by `reap`, from `gone`.
        let helper = unsafe { &*candidate };
        if helper.changes == changes {
            job = match helper.give(job) {
                None => return Some(helper),
                Some(job) => job,
            };
        }
        POOL.lock().gone.push(candidate);
    }
    helper::spawn(job, changes)
}

/// Frees helpers whose thread has ended.
fn reap(pool: &mut Pool) {
    pool.gone.retain(|&helper| {
        // SAFETY: pointers in `gone` are to live boxes.
        let ended = unsafe { (*helper).has_ended() };
        if ended {
            // SAFETY: the thread no longer exists, and nobody else has the pointer.
            drop(unsafe { Box::from_raw(helper) });
        }
        !ended
    });
}

/// Lets a helper thread make system call `nr` while the current green thread is parked, and returns the kernel's
/// answer. A signal that a handler is to take ends the call in the helper as it would have ended it in the caller:
/// the answer is then the mark of whether such a call is restarted (`ERESTARTSYS`, `ERESTARTNOHAND`), or what the call had
/// already done.
pub fn call(hub: &'static Hub, nr: i64, args: [usize; 6]) -> isize {
    if let Some(guest) = &hub.guest {
        return guest::call_in_helper(hub, guest, nr, args, true);
    }
    if signals::deliverable(hub, hub.current()) {
        return ERESTARTSYS;
    }
    run(hub, nr, args, true)
}

/// Green threads for which no thread could be made. Each helper that becomes free feeds one.
static STARVED: Lock<Starved> = Lock::new(Starved(VecDeque::new()));

struct Starved(VecDeque<*const Green>);
// SAFETY: records are never freed.
unsafe impl Send for Starved {}

fn feed_starved(hub: &Hub) {
    let next = STARVED.lock().0.pop_front();
    if let Some(green) = next {
        // SAFETY: records are never freed.
        hub.unpark(unsafe { &*green });
    }
}

impl Helper {
    /// Starts a guest's job. `None` if there is no thread to be had.
    pub(crate) fn start(job: Job) -> Option<&'static Helper> {
        start(job)
    }

    /// The answer, and the signal that the call sent to its caller. The helper is another's afterwards.
    pub(crate) fn finish(&'static self) -> (isize, Option<Info>) {
        let answer = self.answer();
        give_back(self);
        answer
    }
}

/// How long a call that gets no helper waits before another look whether it needs one, ns.
const LOOK_AGAIN: u64 = 5_000_000;

/// Whether a call that moves data need not wait now, as far as its descriptor tells.
fn is_ready(nr: i64, args: &[usize; 6]) -> bool {
    /// So much a pipe takes that is ready to be written to.
    const AT_ONCE: usize = 4096;
    let events = match nr {
        libc::SYS_read | libc::SYS_readv | libc::SYS_preadv2 => libc::POLLIN,
        libc::SYS_write if args[2] <= AT_ONCE => libc::POLLOUT,
        _ => return false,
    };
    poll_now(args[0] as i32, events) != 0
}

fn run(hub: &'static Hub, nr: i64, args: [usize; 6], interruptible: bool) -> isize {
    if filters::any() {
        if let Some(answer) = filters::answer(nr as usize, &args) {
            return answer;
        }
    }
    let green = hub.current();
    let helper = loop {
        if let Some(helper) = start(Job::new(green, nr, args)) {
            break helper;
        }
        if hub.helpers_busy.get() == 0 || is_ready(nr, &args) {
            // No thread to be had at all, or none for a call that needs none by now: at worst the kernel blocks the carrier,
            // which is slow but right.
            // SAFETY: the program's own call.
            return unsafe { sys::syscall6(nr as usize, args[0], args[1], args[2], args[3], args[4], args[5]) };
        }
        STARVED.lock().0.push_back(green);
        // A helper that is busy may be so until this very call has been made.
        let wake = hub.park(Waiting::Helper, Some(sys::now() + LOOK_AGAIN), interruptible);
        let told = {
            let starved = &mut STARVED.lock().0;
            let before = starved.len();
            starved.retain(|&other| !ptr::eq(other, green));
            starved.len() == before
        };
        if wake == Wake::Interrupted {
            if told {
                feed_starved(hub);
            }
            return ERESTARTSYS;
        }
    };
    hub.helpers_busy.set(hub.helpers_busy.get() + 1);
    let mut cancelled = false;
    while !helper.is_done() {
        let wake = hub.park(Waiting::Helper, None, interruptible && !cancelled);
        if wake == Wake::Interrupted && !helper.is_done() {
            cancelled = true;
            helper.cancel();
        }
    }
    hub.helpers_busy.set(hub.helpers_busy.get() - 1);
    let (result, raised) = helper.finish();
    feed_starved(hub);
    if let Some(info) = raised {
        signals::send(hub, green, &info);
    }
    if cancelled && result == error(libc::EINTR) {
        // The signal's action has SA_RESTART: the kernel would have restarted the call if that were its rule.
        ERESTARTNOHAND
    } else {
        result
    }
}

/// Something of the carrier's that helpers don't share is about to change: those made before are not used again.
pub fn leave_helpers() {
    CHANGES.fetch_add(1, Relaxed);
}

/// In a forked child there are no helpers.
///
/// # Safety
/// No other kernel thread exists.
pub(crate) unsafe fn rebuild_in_child() {
    // SAFETY: as for this function.
    unsafe {
        POOL.reset_in_child();
        disk::rebuild_in_child();
        STARVED.reset_in_child();
    }
    STARVED.lock().0.clear();
    let mut pool = POOL.lock();
    let all: Vec<_> = pool.idle.drain(..).collect();
    for helper in all {
        // SAFETY: its thread does not exist here, and nobody else has the pointer.
        drop(unsafe { Box::from_raw(helper) });
    }
    pool.gone.clear();
    pool.given = List::new();
    lookup::forget();
}
