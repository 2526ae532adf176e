//! Queues of green threads that wait on futex words: our side of what the kernel's hash table is for its threads.
//!
//! A waiter is a node on the stack of its parked call. A bucket's lock entitles its holder to every node that is
//! linked into the bucket; whoever wakes or requeues a waiter does it under the lock, so foreign threads may (with
//! signals blocked, or a handler that wakes somebody would find its own thread's lock).
//!
//! Keys are addresses: private and shared waits on one address are in one queue. Errors are `-errno`.

use crate::calls::error;
use crate::green_thread::{Green, Waiting};
use crate::guest::events;
use crate::hub::{current_hub, Hub};
use crate::lock::Lock;
use crate::{sys, user};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{fence, AtomicBool, AtomicU32, AtomicUsize, Ordering::*};

const BUCKETS: usize = 1024;

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

    fn wake(self) {
        match self {
            // SAFETY: records are never freed.
            Who::Green(green) => unpark_from_anywhere(unsafe { &*green }),
            Who::Event(fd) => events::set(fd),
        }
    }
}

/// A place in a queue, of a green thread or of a guest. All cells belong to the lock of the bucket of `key`.
pub struct Waiter {
    next: Cell<*const Waiter>,
    previous: Cell<*const Waiter>,
    /// Changes under the locks of both buckets; to be trusted only under the lock that it names.
    key: AtomicUsize,
    who: Who,
    bits: u32,
    /// The green thread's rank when it began to wait: higher ones are woken first.
    rank: u8,
    role: Cell<Role>,
    /// Linked into a bucket.
    queued: Cell<bool>,
    /// Taken out by a wake-up, whose last access to the waiter this was.
    woken: AtomicBool,
}

struct Bucket {
    first: *const Waiter,
    last: *const Waiter,
}

static BUCKET: [Lock<Bucket>; BUCKETS] =
    [const { Lock::new(Bucket { first: ptr::null(), last: ptr::null() }) }; BUCKETS];

/// How many wait in each bucket or are about to; written under the bucket's lock. A waiter counts itself before it
/// looks at its word, and a waker has changed the word before it looks here: one of them sees the other.
static WAITING: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];

/// Linked waiters that wait for a priority-inheritance lock.
static PI_WAITING: AtomicUsize = AtomicUsize::new(0);

fn index(key: usize) -> usize {
    (key >> 2).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - BUCKETS.ilog2())
}

fn announce(key: usize) {
    WAITING[index(key)].fetch_add(1, SeqCst);
}

fn retract(key: usize) {
    // Under the lock nobody else writes, so this needs no locked instruction.
    let count = &WAITING[index(key)];
    count.store(count.load(Relaxed) - 1, Relaxed);
}

/// Whether anybody may wait on `key`; never false when somebody who should see the caller's last store does.
pub fn may_have_waiters(key: usize) -> bool {
    fence(SeqCst);
    WAITING[index(key)].load(Relaxed) != 0
}

impl Bucket {
    /// Links an announced waiter, behind all of its rank.
    fn push(&mut self, waiter: &Waiter) {
        let mut before = self.last;
        // SAFETY: linked waiters are alive, and we hold the bucket.
        while let Some(other) = unsafe { before.as_ref() }.filter(|other| other.rank < waiter.rank) {
            before = other.previous.get();
        }
        // SAFETY: as above.
        let next = match unsafe { before.as_ref() } {
            Some(before) => before.next.replace(waiter),
            None => core::mem::replace(&mut self.first, waiter),
        };
        waiter.previous.set(before);
        waiter.next.set(next);
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(waiter),
            None => self.last = waiter,
        }
        waiter.queued.set(true);
        if waiter.role.get() == Role::Pi {
            PI_WAITING.fetch_add(1, Relaxed);
        }
    }

    fn unlink(&mut self, waiter: &Waiter) {
        let (previous, next) = (waiter.previous.get(), waiter.next.get());
        // SAFETY: linked waiters are alive, and we hold the bucket.
        unsafe {
            match previous.as_ref() {
                Some(previous) => previous.next.set(next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.previous.set(previous),
                None => self.last = previous,
            }
        }
        waiter.queued.set(false);
        if waiter.role.get() == Role::Pi {
            PI_WAITING.fetch_sub(1, Relaxed);
        }
        retract(waiter.key());
    }

    /// The first waiter from `from` on that waits on `key`.
    fn find(&self, from: *const Waiter, key: usize) -> Option<&'static Waiter> {
        let mut at = from;
        // SAFETY: linked waiters are alive, and we hold the bucket.
        while let Some(waiter) = unsafe { at.as_ref() } {
            if waiter.key() == key {
                return Some(waiter);
            }
            at = waiter.next.get();
        }
        None
    }

    /// Wakes up to `limit` plain waiters on `key`. EINVAL at one that is not to be woken like that.
    fn wake(&mut self, key: usize, limit: u32, bits: u32, woken: &mut Woken) -> Result<usize, isize> {
        let mut count = 0;
        let mut at = self.first;
        while count < limit as usize {
            let Some(waiter) = self.find(at, key) else { break };
            at = waiter.next.get();
            if waiter.role.get() != Role::Plain {
                return Err(EINVAL);
            }
            if waiter.bits & bits != 0 {
                woken.take(self, waiter);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Moves a waiter of `source` to the queue of `to`, in `target` if that is another bucket.
fn transfer(source: &mut Bucket, target: Option<&mut Bucket>, waiter: &Waiter, to: usize, role: Role) {
    source.unlink(waiter);
    waiter.key.store(to, Relaxed);
    waiter.role.set(role);
    announce(to);
    target.unwrap_or(source).push(waiter);
    if let Some(green) = waiter.green().filter(|green| on_carrier_of(green)) {
        green.waiting.set(Waiting::Futex(to));
    }
}

/// The locks of one or two buckets, taken in the order of their index.
fn with_buckets<R>(a: usize, b: usize, body: impl FnOnce(&mut Bucket, Option<&mut Bucket>) -> R) -> R {
    let (i, j) = (index(a), index(b));
    match i.cmp(&j) {
        core::cmp::Ordering::Equal => body(&mut BUCKET[i].lock(), None),
        core::cmp::Ordering::Less => {
            let mut first = BUCKET[i].lock();
            let mut second = BUCKET[j].lock();
            body(&mut first, Some(&mut second))
        }
        core::cmp::Ordering::Greater => {
            let mut second = BUCKET[j].lock();
            let mut first = BUCKET[i].lock();
            body(&mut first, Some(&mut second))
        }
    }
}

/// Greens that are unparked when this is dropped: it must outlive the bucket's guard, so that waking is done outside
/// the critical section, and it does not matter how the section is left.
struct Woken {
    /// The usual one needs no allocation.
    first: Option<Who>,
    rest: Vec<Who>,
}

impl Woken {
    fn new() -> Self {
        Woken { first: None, rest: Vec::new() }
    }

    fn take(&mut self, bucket: &mut Bucket, waiter: &Waiter) {
        bucket.unlink(waiter);
        if self.first.is_none() {
            self.first = Some(waiter.who);
        } else {
            self.rest.push(waiter.who);
        }
        waiter.woken.store(true, Release);
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        if let Some(first) = self.first {
            first.wake();
        }
        for who in &self.rest {
            who.wake();
        }
    }
}

fn on_carrier_of(green: &Green) -> bool {
    current_hub().is_some_and(|hub| ptr::eq(hub, green.hub) && !hub.is_stranger())
}

fn unpark_from_anywhere(green: &Green) {
    if on_carrier_of(green) {
        green.hub().unpark(green);
    } else {
        green.hub().unpark_remote(green);
    }
}

impl Waiter {
    /// A plain waiter on `key` for the current green thread. Not queued yet.
    pub fn new(hub: &Hub, key: usize, bits: u32) -> Self {
        Self::with_role(hub, key, bits, Role::Plain)
    }

    /// A waiter on `key` for the current green thread. Not queued yet.
    pub fn with_role(hub: &Hub, key: usize, bits: u32, role: Role) -> Self {
        Self::of(Who::Green(hub.current()), hub.current().scheduling.rank(), key, bits, role)
    }

    /// A waiter of a guest, told by an eventfd. Not queued yet.
    pub(crate) fn of_guest(event: i32, key: usize, bits: u32) -> Self {
        Self::of(Who::Event(event), 0, key, bits, Role::Plain)
    }

    fn of(who: Who, rank: u8, key: usize, bits: u32, role: Role) -> Self {
        Waiter {
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            key: AtomicUsize::new(key),
            who,
            bits,
            rank,
            role: Cell::new(role),
            queued: Cell::new(false),
            woken: AtomicBool::new(false),
        }
    }

    /// Queues the waiter if `still_wanted`, asked under the bucket's lock, says so. The waiter must not move
    /// afterwards, and must be `leave`d, or seen `woken`, before it is dropped.
    pub fn enqueue_if<E>(&self, still_wanted: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.enqueue_behind(|_| still_wanted())
    }

    /// As `enqueue_if`; `still_wanted` is told who waits there first.
    pub fn enqueue_behind<E>(&self, still_wanted: impl FnOnce(Option<&Waiter>) -> Result<(), E>) -> Result<(), E> {
        let key = self.key();
        let mut bucket = BUCKET[index(key)].lock();
        announce(key);
        let decision = still_wanted(bucket.find(bucket.first, key));
        match decision {
            Ok(()) => bucket.push(self),
            Err(_) => retract(key),
        }
        decision
    }

    /// The green thread that waits, if it is one.
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
    pub fn leave(&self) -> bool {
        loop {
            // A requeue by another kernel thread may change the key until we hold the right lock.
            let key = self.key();
            let mut bucket = BUCKET[index(key)].lock();
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
    pub fn woken(&self) -> bool {
        self.woken.load(Acquire)
    }

    /// The word the waiter waits on now; another one after a requeue.
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
    if rest == 0 || !(shared || hub.foreign_threads.load(Relaxed)) {
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
pub fn wake_plain(key: usize, count: u32, bits: u32) -> Result<usize, isize> {
    if !may_have_waiters(key) {
        return Ok(0);
    }
    let mut woken = Woken::new();
    let mut bucket = BUCKET[index(key)].lock();
    bucket.wake(key, count, bits, &mut woken)
}

/// Wakes up to `wake` waiters on `from` and moves up to `requeue` more to `to`. With `expected`, only if the word at
/// `from` has that value, else EAGAIN. Returns (woken, moved).
pub fn requeue(
    from: usize,
    to: usize,
    wake: u32,
    requeue: u32,
    expected: Option<u32>,
) -> Result<(usize, usize), isize> {
    let mut woken = Woken::new();
    with_buckets(from, to, |source, mut target| {
        // Before the word is read: who unlocks `to` from now on must find the waiters that we are about to move there.
        announce(to);
        let result = (|| {
            if let Some(expected) = expected {
                if user::load(from)? != expected {
                    return Err(EAGAIN);
                }
            }
            let (mut taken, mut moved) = (0, 0);
            let mut at = source.first;
            while taken + moved < wake as usize + requeue as usize {
                let Some(waiter) = source.find(at, from) else { break };
                at = waiter.next.get();
                if waiter.role.get() != Role::Plain {
                    return Err(EINVAL);
                }
                if taken < wake as usize {
                    woken.take(source, waiter);
                    taken += 1;
                } else {
                    if to != from {
                        transfer(source, target.as_deref_mut(), waiter, to, Role::Plain);
                    }
                    moved += 1;
                }
            }
            Ok((taken, moved))
        })();
        retract(to);
        result
    })
}

/// FUTEX_CMP_REQUEUE_PI: offers the lock at `to` to the first waiter on `from` (`acquire` gets it and who waits on `to`
/// first; true if it owns the lock now) and moves waiters to `to`, `limit` of them besides that first one, until `admit`
/// has something against one: it stays where it is, and the call fails although others have been moved.
pub fn requeue_pi(
    from: usize,
    to: usize,
    (limit, expected): (u32, u32),
    acquire: impl FnOnce(&Green, Option<&Waiter>) -> Result<bool, isize>,
    admit: impl Fn(&Green) -> Result<(), isize>,
) -> Result<usize, isize> {
    let mut woken = Woken::new();
    with_buckets(from, to, |source, mut target| {
        if user::load(from)? != expected {
            return Err(EAGAIN);
        }
        let expects = Role::RequeuePi(to);
        let Some(top) = source.find(source.first, from) else { return Ok(0) };
        if top.role.get() != expects {
            return Err(EINVAL);
        }
        let first = match target.as_deref() {
            Some(target) => target.find(target.first, to),
            None => source.find(source.first, to),
        };
        let mut done = 0;
        let mut at = source.first;
        if top.green().map_or(Ok(false), |green| acquire(green, first))? {
            at = top.next.get();
            woken.take(source, top);
            done = 1;
        }
        while done <= limit as usize {
            let Some(waiter) = source.find(at, from) else { break };
            at = waiter.next.get();
            if waiter.role.get() != expects {
                return Err(EINVAL);
            }
            waiter.green().map_or(Ok(()), &admit)?;
            transfer(source, target.as_deref_mut(), waiter, to, Role::Pi);
            done += 1;
        }
        Ok(done)
    })
}

/// Does `operation` on the word at `second` under the locks of both queues, wakes up to `count` on `first` and, if the
/// operation says so, up to `second_count` on `second`. Returns how many were woken on each, `None` if not asked to.
pub fn wake_op(
    first: usize,
    second: usize,
    count: u32,
    second_count: u32,
    operation: impl FnOnce() -> Result<bool, isize>,
) -> Result<(usize, Option<usize>), isize> {
    let mut woken = Woken::new();
    with_buckets(first, second, |one, two| {
        let also_second = operation()?;
        let on_first = one.wake(first, count, u32::MAX, &mut woken)?;
        if !also_second {
            return Ok((on_first, None));
        }
        let on_second = two.unwrap_or(one).wake(second, second_count, u32::MAX, &mut woken)?;
        Ok((on_first, Some(on_second)))
    })
}

/// Runs `body` with the queue of `key` locked; `body` gets the first waiter, if any, and whether there are more, and
/// says whether to wake the first. For priority-inheritance futexes, whose word is handed over together with the
/// wake-up.
pub fn hand_over<R>(key: usize, body: impl FnOnce(Option<&Waiter>, bool) -> (R, bool)) -> R {
    let mut woken = Woken::new();
    let mut bucket = BUCKET[index(key)].lock();
    let first = bucket.find(bucket.first, key);
    let more = first.is_some_and(|first| bucket.find(first.next.get(), key).is_some());
    let (result, wake) = body(first, more);
    if let (Some(first), true) = (first, wake) {
        woken.take(&mut bucket, first);
    }
    result
}

/// Whether anybody waits on `key`.
pub fn has_waiters(key: usize) -> bool {
    let bucket = BUCKET[index(key)].lock();
    bucket.find(bucket.first, key).is_some()
}

/// The highest rank of those who wait on `key`.
pub fn top_rank(key: usize) -> u8 {
    let bucket = BUCKET[index(key)].lock();
    bucket.find(bucket.first, key).map_or(0, |waiter| waiter.rank)
}

/// Whether `green` waits on `key` for a priority-inheritance lock.
pub fn waits_for_pi(key: usize, green: &Green) -> bool {
    let bucket = BUCKET[index(key)].lock();
    let mut at = bucket.first;
    while let Some(waiter) = bucket.find(at, key) {
        if waiter.who.is(green) && waiter.role.get() == Role::Pi {
            return true;
        }
        at = waiter.next.get();
    }
    false
}

/// The words of all priority-inheritance locks that somebody waits for.
pub fn awaited_pi_words() -> Vec<usize> {
    let mut words = Vec::new();
    if PI_WAITING.load(Relaxed) == 0 {
        return words;
    }
    for bucket in &BUCKET {
        let bucket = bucket.lock();
        let mut at = bucket.first;
        // SAFETY: linked waiters are alive, and we hold the bucket.
        while let Some(waiter) = unsafe { at.as_ref() } {
            if waiter.role.get() == Role::Pi && !words.contains(&waiter.key()) {
                words.push(waiter.key());
            }
            at = waiter.next.get();
        }
    }
    words
}

/// In a child that a guest has forked: the locks are free, and of the waiters only those that `mine` says yes to (it gets
/// the eventfd) exist.
///
/// # Safety
/// No other kernel thread exists, and the caller holds no bucket.
pub(crate) unsafe fn keep_in_child(mine: impl Fn(i32) -> bool) {
    for bucket in &BUCKET {
        // SAFETY: as for this function.
        unsafe { bucket.reset_in_child() };
        let mut bucket = bucket.lock();
        let mut at = bucket.first;
        // SAFETY: linked waiters are alive: those of other threads were copied with the heap.
        while let Some(waiter) = unsafe { at.as_ref() } {
            at = waiter.next.get();
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
    for (bucket, waiting) in BUCKET.iter().zip(&WAITING) {
        // SAFETY: as for this function.
        unsafe { bucket.reset_in_child() };
        *bucket.lock() = Bucket { first: ptr::null(), last: ptr::null() };
        waiting.store(0, Relaxed);
    }
    PI_WAITING.store(0, Relaxed);
}
