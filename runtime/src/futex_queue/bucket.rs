//! Where waiters are: a table of queues by the hash of the word's address.

use super::{Role, Waiter, Who};
use crate::guest::events;
use crate::hub::{current_hub, Hub};
use crate::list::List;
use crate::lock::{self, Guard, ProgramLock};
use crate::sys;
use core::cmp::Reverse;
use core::ptr;
use core::sync::atomic::{fence, AtomicU32, AtomicUsize, Ordering::*};

/// So many that the way to a waiter stays short with 100,000 words waited on. Only pages that are used cost memory.
const BUCKETS: usize = 1 << 15;

/// One queue, of the waiters on all words that lead to it, and beside it how many they are or are about to be. The
/// number is written under the lock. A waiter counts itself before it looks at its word, and a waker has changed the
/// word before it looks at the number: one of them sees the other.
#[repr(align(32))]
pub(super) struct Slot {
    waiting: AtomicU32,
    waiters: ProgramLock<List<Waiter>>,
}

/// Alone on its pages; all-zero bytes are empty queues.
#[repr(C, align(4096))]
struct Table([Slot; BUCKETS]);

static TABLE: Table =
    Table([const { Slot { waiting: AtomicU32::new(0), waiters: ProgramLock::new(List::new()) } }; BUCKETS]);

/// Linked waiters that wait for a priority-inheritance lock.
static PI_WAITING: AtomicUsize = AtomicUsize::new(0);

#[inline]
fn index(key: usize) -> usize {
    (key >> 2).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - BUCKETS.ilog2())
}

/// Where those who wait on `key` are.
#[inline]
pub(super) fn slot(key: usize) -> &'static Slot {
    &TABLE.0[index(key)]
}

impl Slot {
    /// False if certainly nobody waits here: never when somebody does who should see the caller's last store.
    #[inline]
    pub fn may_have_waiters(&self) -> bool {
        fence_among_threads();
        self.waiting.load(Relaxed) != 0
    }
}

#[inline]
fn fence_among_threads() {
    if lock::several_threads() {
        fence(SeqCst);
    }
}

/// Whether anybody waits for a priority-inheritance lock.
pub(super) fn pi_waiting() -> bool {
    PI_WAITING.load(Relaxed) != 0
}

/// The queue that a word's address leads to. Nobody else has it or its waiters meanwhile.
pub(super) struct Bucket {
    slot: &'static Slot,
    waiters: Guard<'static, List<Waiter>>,
}

impl Bucket {
    #[inline]
    pub fn of(key: usize) -> Self {
        Self::at(slot(key))
    }

    #[inline]
    pub fn at(slot: &'static Slot) -> Self {
        Bucket { slot, waiters: slot.waiters.lock() }
    }

    /// Somebody is about to look at the word, and to wait here if it is as expected.
    #[inline]
    pub fn announce(&self) {
        let waiting = &self.slot.waiting;
        waiting.store(waiting.load(Relaxed) + 1, Relaxed);
        fence_among_threads();
    }

    /// Who was announced does not wait, or no more.
    #[inline]
    pub fn retract(&self) {
        let waiting = &self.slot.waiting;
        waiting.store(waiting.load(Relaxed) - 1, Relaxed);
    }

    /// Links an announced waiter, behind all that are to be woken first.
    #[inline]
    pub fn push(&mut self, waiter: &Waiter) {
        let order = |waiter: &Waiter| (Reverse(waiter.rank), waiter.turn.get());
        // SAFETY: a waiter is pushed once, and leaves or is woken before it ends.
        unsafe { self.waiters.push_before(waiter, |other| order(other) > order(waiter)) };
        waiter.queued.set(true);
        if waiter.role.get() == Role::Pi {
            PI_WAITING.fetch_add(1, Relaxed);
        }
    }

    #[inline]
    pub fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: the caller has found it here.
        unsafe { self.waiters.unlink(waiter) };
        waiter.queued.set(false);
        if waiter.role.get() == Role::Pi {
            PI_WAITING.fetch_sub(1, Relaxed);
        }
        self.retract();
    }

    /// Those who wait on `key`, in the order in which they are to be woken. A waiter may be unlinked once it was given.
    #[inline]
    pub fn waiters_on(&self, key: usize) -> impl Iterator<Item = &'static Waiter> {
        self.waiters.iter().filter(move |waiter| waiter.key() == key)
    }

    /// Wakes up to `limit` plain waiters on `key`. EINVAL at one that is not to be woken like that.
    #[inline]
    pub fn wake(&mut self, key: usize, limit: u32, bits: u32, woken: &mut Woken) -> Result<usize, isize> {
        let mut count = 0;
        let mut waiters = self.waiters_on(key);
        while count < limit as usize {
            let Some(waiter) = waiters.next() else { break };
            if waiter.role.get() != Role::Plain {
                return Err(super::EINVAL);
            }
            if waiter.bits & bits != 0 {
                woken.take(self, waiter);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Whether anybody may wait on `key`; never false when somebody who should see the caller's last store does.
pub fn may_have_waiters(key: usize) -> bool {
    slot(key).may_have_waiters()
}

/// The buckets of two words, or the one of both, locked in the order of the table.
pub(super) fn two(a: usize, b: usize) -> (Bucket, Option<Bucket>) {
    match index(a).cmp(&index(b)) {
        core::cmp::Ordering::Equal => (Bucket::of(a), None),
        core::cmp::Ordering::Less => {
            let first = Bucket::of(a);
            (first, Some(Bucket::of(b)))
        }
        core::cmp::Ordering::Greater => {
            let second = Bucket::of(b);
            (Bucket::of(a), Some(second))
        }
    }
}

/// The words of all priority-inheritance locks that somebody waits for.
pub(super) fn words_of_pi() -> Vec<usize> {
    let mut words = Vec::new();
    for slot in TABLE.0.iter().filter(|slot| slot.waiting.load(Relaxed) != 0) {
        for waiter in slot.waiters.lock().iter() {
            if waiter.role.get() == Role::Pi && !words.contains(&waiter.key()) {
                words.push(waiter.key());
            }
        }
    }
    words
}

/// Wakes whom it takes: green threads of the calling carrier at once, since that takes no lock, and all others when it
/// is dropped. It must outlive the bucket's guard, and then it does not matter how the critical section is left.
pub(super) struct Woken {
    here: Option<&'static Hub>,
    /// `None` in the usual case, so that there is next to nothing to drop.
    elsewhere: Option<Vec<Who>>,
}

impl Woken {
    #[inline]
    pub fn new() -> Self {
        Woken { here: current_hub().filter(|hub| !hub.is_stranger()), elsewhere: None }
    }

    /// By a green thread of this carrier.
    #[inline]
    pub fn by(hub: &'static Hub) -> Self {
        Woken { here: Some(hub), elsewhere: None }
    }

    #[inline]
    pub fn take(&mut self, bucket: &mut Bucket, waiter: &Waiter) {
        bucket.unlink(waiter);
        match (self.here, waiter.green()) {
            (Some(hub), Some(green)) if ptr::eq(hub, green.hub) => hub.unpark(green),
            _ => self.take_elsewhere(waiter.who),
        }
        waiter.woken.store(true, Release);
    }

    #[cold]
    fn take_elsewhere(&mut self, who: Who) {
        self.elsewhere.get_or_insert_default().push(who);
    }
}

impl Drop for Woken {
    #[inline]
    fn drop(&mut self) {
        if let Some(elsewhere) = self.elsewhere.take() {
            for who in elsewhere {
                match who {
                    // SAFETY: records are never freed.
                    Who::Green(green) => unsafe { (*green).hub().unpark_remote(&*green) },
                    Who::Event(fd) => events::set(fd),
                }
            }
        }
    }
}

/// In a child that a guest has forked: the locks are free, and of the waiters only those that `mine` says yes to (it gets
/// the eventfd) exist.
///
/// # Safety
/// No other kernel thread exists, and the caller holds no bucket.
pub(crate) unsafe fn keep_in_child(mine: impl Fn(i32) -> bool) {
    for slot in TABLE.0.iter().filter(|slot| slot.waiting.load(Relaxed) != 0) {
        // SAFETY: as for this function.
        unsafe { slot.waiters.reset_in_child() };
        let mut bucket = Bucket::at(slot);
        for waiter in bucket.waiters.iter() {
            if !matches!(waiter.who, Who::Event(event) if mine(event)) {
                bucket.unlink(waiter);
            }
        }
    }
}

/// Forgets all waiters: their green threads do not exist in the child.
///
/// # Safety
/// No other kernel thread exists, and the caller holds no bucket.
pub unsafe fn rebuild_in_child() {
    PI_WAITING.store(0, Relaxed);
    // The system makes the pages zero again, without a look at those that were never used.
    // SAFETY: the pages are the table's alone, and zero is what it is to be.
    let emptied =
        unsafe { sys!(libc::SYS_madvise, &raw const TABLE, core::mem::size_of::<Table>(), libc::MADV_DONTNEED) };
    if emptied == 0 {
        return;
    }
    for slot in &TABLE.0 {
        // SAFETY: as for this function.
        unsafe { slot.waiters.reset_in_child() };
        *slot.waiters.lock() = List::new();
        slot.waiting.store(0, Relaxed);
    }
}
