//! Queues of green threads that wait on futex words: our side of what the kernel's hash table is for its threads.
//!
//! A waiter is a node on the stack of its parked call. A bucket's lock entitles its holder to every node that is
//! linked into the bucket; whoever wakes or requeues a waiter does it under the lock, so foreign threads may (with
//! signals blocked, or a handler that wakes somebody would find its own thread's lock).
//!
//! Whoever began to wait first is woken first. Who is woken and finds the word taken anew, as it was when the wait began,
//! has waited in vain and keeps its place: otherwise two threads that compute and hand a lock to and fro could each time
//! stand before all others.
//!
//! Keys are addresses: private and shared waits on one address are in one queue. Errors are `-errno`.

mod bucket;
mod moves;

pub(crate) use bucket::keep_in_child;
pub use bucket::{may_have_waiters, rebuild_in_child};
pub use moves::{hand_over, requeue, requeue_pi, wake_op};

use crate::calls::error;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::list::{Linked, Links};
use crate::sys;
use bucket::{Bucket, Woken};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};

const EINVAL: isize = error(libc::EINVAL);
const EAGAIN: isize = error(libc::EAGAIN);

/// What a waiter is woken by; waking it by anything else is EINVAL, as in the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// FUTEX_WAKE and its kin.
    Plain,
    /// The hand-over of a priority-inheritance lock.
    Pi,
    /// FUTEX_CMP_REQUEUE_PI to this word, which makes it a `Pi` waiter there.
    RequeuePi(usize),
}

/// Whom a wake-up goes to.
#[derive(Clone, Copy)]
enum Who {
    /// A green thread.
    Green(*const Green),
    /// A guest (`guest`) that waits for this eventfd, which stays open: one that comes late wakes somebody for nothing.
    Event(i32),
}

impl Who {
    fn is(self, green: &Green) -> bool {
        matches!(self, Who::Green(mine) if ptr::eq(mine, green))
    }
}

/// A place in the order of waiting: lower ones began before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Turn(u64);

impl Turn {
    /// Behind all. Two kernel threads may get equal ones, which is no matter.
    #[inline]
    pub fn last() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let turn = LAST.load(Relaxed) + 1;
        LAST.store(turn, Relaxed);
        Turn(turn)
    }
}

/// What a green thread that has waited in vain may come back to: see the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InVain {
    word: usize,
    turn: Turn,
    times: u32,
}

impl InVain {
    pub const NEVER: InVain = InVain { word: 0, turn: Turn(0), times: 0 };
    /// A program may use a word that never changes: then nobody is to be the first for ever.
    const MOST: u32 = 32;

    /// The turn of a wait of `green` on `word`, and how often it has been kept.
    #[inline]
    fn turn(green: &Green, word: usize) -> (Turn, u32) {
        if green.waited_in_vain.replace(false) {
            let kept = green.in_vain.get();
            if kept.word == word && kept.times < Self::MOST {
                return (kept.turn, kept.times + 1);
            }
        }
        (Turn::last(), 0)
    }
}

/// A place in a queue, of a green thread or of a guest. All cells belong to the lock of the bucket of `key`.
pub struct Waiter {
    links: Links<Waiter>,
    /// Changes under the locks of both buckets; to be trusted only under the lock that it names.
    key: AtomicUsize,
    who: Who,
    bits: u32,
    /// The green thread's rank when it began to wait: higher ones are woken first.
    rank: u8,
    /// Of equal ranks, who began first is woken first. Changes as `key` does.
    turn: Cell<Turn>,
    /// How often the turn has been kept.
    kept: u32,
    role: Cell<Role>,
    /// Linked into a bucket.
    queued: Cell<bool>,
    /// Taken out by a wake-up, whose last access to the waiter this was.
    woken: AtomicBool,
}

impl Linked for Waiter {
    #[inline]
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waiter {
    /// A plain waiter on `key` for the current green thread. Not queued yet.
    #[inline]
    pub fn new(hub: &Hub, key: usize, bits: u32) -> Self {
        Self::with_role(hub, key, bits, Role::Plain)
    }

    /// As `new`, at the old place if the last wait was for the same word and in vain.
    #[inline]
    pub(crate) fn at_old_place(hub: &Hub, key: usize, bits: u32) -> Self {
        let green = hub.current();
        let turn = InVain::turn(green, key);
        Self::of(Who::Green(green), green.scheduling.rank(), key, bits, Role::Plain, turn)
    }

    /// The current green thread was woken, and the word is again as it was when this wait began.
    #[inline]
    pub(crate) fn was_in_vain(&self, hub: &Hub) {
        let green = hub.current();
        green.in_vain.set(InVain { word: self.key(), turn: self.turn.get(), times: self.kept });
        green.waited_in_vain.set(true);
    }

    /// A waiter on `key` for the current green thread. Not queued yet.
    #[inline]
    pub fn with_role(hub: &Hub, key: usize, bits: u32, role: Role) -> Self {
        Self::of(Who::Green(hub.current()), hub.current().scheduling.rank(), key, bits, role, (Turn::last(), 0))
    }

    /// A waiter of a guest, told by an eventfd. Not queued yet.
    pub(crate) fn of_guest(event: i32, key: usize, bits: u32) -> Self {
        Self::of(Who::Event(event), 0, key, bits, Role::Plain, (Turn::last(), 0))
    }

    #[inline]
    fn of(who: Who, rank: u8, key: usize, bits: u32, role: Role, (turn, kept): (Turn, u32)) -> Self {
        Waiter {
            links: Links::new(),
            key: AtomicUsize::new(key),
            who,
            bits,
            rank,
            turn: Cell::new(turn),
            kept,
            role: Cell::new(role),
            queued: Cell::new(false),
            woken: AtomicBool::new(false),
        }
    }

    /// Queues the waiter if `still_wanted`, asked under the bucket's lock, says so. The waiter must not move
    /// afterwards, and must be `leave`d, or seen `woken`, before it is dropped.
    #[inline]
    pub fn enqueue_if<E>(&self, still_wanted: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let key = self.key();
        let mut bucket = Bucket::of(key);
        bucket.announce();
        let decision = still_wanted();
        match decision {
            Ok(()) => bucket.push(self),
            Err(_) => bucket.retract(),
        }
        decision
    }

    /// As `enqueue_if`; `still_wanted` is told who waits there first.
    pub fn enqueue_behind<E>(&self, still_wanted: impl FnOnce(Option<&Waiter>) -> Result<(), E>) -> Result<(), E> {
        let key = self.key();
        let mut bucket = Bucket::of(key);
        bucket.announce();
        let decision = still_wanted(bucket.waiters_on(key).next());
        match decision {
            Ok(()) => bucket.push(self),
            Err(_) => bucket.retract(),
        }
        decision
    }

    /// The green thread that waits, if it is one.
    #[inline]
    pub fn green(&self) -> Option<&'static Green> {
        match self.who {
            // SAFETY: records are never freed.
            Who::Green(green) => Some(unsafe { &*green }),
            Who::Event(_) => None,
        }
    }

    /// For who holds the bucket.
    pub fn role(&self) -> Role {
        self.role.get()
    }

    /// Takes the waiter out of its queue. True if a wake-up had done so already.
    #[inline]
    pub fn leave(&self) -> bool {
        loop {
            // A requeue by another kernel thread may change the key until we hold the right lock.
            let key = self.key();
            let mut bucket = Bucket::of(key);
            if self.woken() {
                return true;
            }
            if self.key() == key {
                if self.queued.get() {
                    bucket.unlink(self);
                }
                return false;
            }
        }
    }

    /// Whether a wake-up has taken the waiter out.
    #[inline]
    pub fn woken(&self) -> bool {
        self.woken.load(Acquire)
    }

    /// The word the waiter waits on now; another one after a requeue.
    #[inline]
    pub fn key(&self) -> usize {
        self.key.load(Relaxed)
    }
}

/// Wakes up to `count` waiters on `key` whose bits intersect `bits`, in the order in which they came, and then the
/// kernel's, where somebody may wait: on the shared futex if `shared`, else on the private one. Returns how many.
/// Any kernel thread may call, a foreign one with signals blocked.
pub fn wake(hub: &Hub, key: usize, shared: bool, count: u32, bits: u32) -> usize {
    let woken = wake_any(key, count, bits);
    let rest = count.saturating_sub(woken as u32).min(i32::MAX as u32);
    if rest == 0 || !(shared || hub.has_foreign_threads()) {
        return woken;
    }
    let private = if shared { 0 } else { libc::FUTEX_PRIVATE_FLAG };
    let operation = libc::FUTEX_WAKE_BITSET | private;
    // SAFETY: a wake-up does not touch the word.
    let more = unsafe { sys!(libc::SYS_futex, key, operation, rest, 0, 0, bits) };
    woken + more.max(0) as usize
}

/// As `wake`, in our queues only.
pub fn wake_any(key: usize, count: u32, bits: u32) -> usize {
    wake_plain(key, count, bits).unwrap_or(0)
}

/// As `wake_any`; EINVAL if somebody waits on `key` for a priority-inheritance lock.
#[inline]
pub fn wake_plain(key: usize, count: u32, bits: u32) -> Result<usize, isize> {
    wake_told_by(Woken::new, key, count, bits)
}

/// As `wake_plain`, whatever the waiters' bits, by a green thread.
#[inline]
pub(crate) fn wake_by(hub: &'static Hub, key: usize, count: u32) -> Result<usize, isize> {
    wake_told_by(|| Woken::by(hub), key, count, u32::MAX)
}

#[inline(always)]
fn wake_told_by(woken: impl FnOnce() -> Woken, key: usize, count: u32, bits: u32) -> Result<usize, isize> {
    let slot = bucket::slot(key);
    if !slot.may_have_waiters() {
        return Ok(0);
    }
    // It outlives the bucket, which lets go first.
    let mut woken = woken();
    Bucket::at(slot).wake(key, count, bits, &mut woken)
}

/// Whether anybody waits on `key`.
pub fn has_waiters(key: usize) -> bool {
    Bucket::of(key).waiters_on(key).next().is_some()
}

/// The highest rank of those who wait on `key`.
pub fn top_rank(key: usize) -> u8 {
    Bucket::of(key).waiters_on(key).next().map_or(0, |waiter| waiter.rank)
}

/// Whether `green` waits on `key` for a priority-inheritance lock.
pub fn waits_for_pi(key: usize, green: &Green) -> bool {
    Bucket::of(key).waiters_on(key).any(|waiter| waiter.who.is(green) && waiter.role.get() == Role::Pi)
}

/// The words of all priority-inheritance locks that somebody waits for.
pub fn awaited_pi_words() -> Vec<usize> {
    if bucket::pi_waiting() {
        bucket::words_of_pi()
    } else {
        Vec::new()
    }
}
