//! The run queue: one list for each rank, served from the highest down. Everybody has rank 0 until somebody uses
//! SCHED_FIFO, SCHED_RR or SCHED_DEADLINE, so the usual case is one list and one look at a word.
//!
//! As in the kernel, ranked threads leave a twentieth of the time to those of rank 0, so that one that spins while it
//! waits for such a thread doesn't hang the program.
//!
//! Of rank 0, those who have used up a time slice since they last waited or yielded stand in a line of their own, behind the others:
//! with many threads that compute, whoever is woken would otherwise wait for a slice of each. They in turn are passed over
//! for no longer than half a slice, so they have two thirds of the time or more. Once a new thread has computed for its whole
//! first slice, those behind it who have had no turn yet are taken for the same kind: a program that makes a thousand such
//! threads at once would otherwise wait for a slice of each.

use crate::green_thread::{Green, Pace};
use crate::sys;
use core::cell::Cell;
use core::ptr;

/// Rank of SCHED_DEADLINE, above every priority.
pub const HIGHEST_RANK: u8 = 100;
/// The kernel's sched_rt_runtime_us, and what is left of its sched_rt_period_us, ns.
const RANKED_TIME: u64 = 950_000_000;
const OTHERS_TIME: u64 = 50_000_000;

struct List {
    first: Cell<*const Green>,
    last: Cell<*const Green>,
}

impl List {
    const fn new() -> Self {
        List { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    fn push_back(&self, green: &Green) {
        green.next.set(ptr::null());
        if self.is_empty() {
            self.first.set(green);
        } else {
            // SAFETY: records are never freed.
            unsafe { (*self.last.get()).next.set(green) };
        }
        self.last.set(green);
    }

    #[inline]
    fn first(&self) -> Option<&'static Green> {
        // SAFETY: records are never freed.
        unsafe { self.first.get().as_ref() }
    }

    fn push_front(&self, green: &Green) {
        green.next.set(self.first.get());
        if self.is_empty() {
            self.last.set(green);
        }
        self.first.set(green);
    }

    fn pop(&self) -> Option<&'static Green> {
        let green = self.first()?;
        self.first.set(green.next.get());
        Some(green)
    }

    /// Takes `green` out, wherever it is. False if it is not here.
    fn remove(&self, green: &Green) -> bool {
        let mut before: *const Green = ptr::null();
        let mut at = self.first.get();
        while !at.is_null() {
            // SAFETY: records are never freed.
            let next = unsafe { (*at).next.get() };
            if ptr::eq(at, green) {
                // SAFETY: as above.
                match unsafe { before.as_ref() } {
                    Some(before) => before.next.set(next),
                    None => self.first.set(next),
                }
                if next.is_null() {
                    self.last.set(before);
                }
                return true;
            }
            (before, at) = (at, next);
        }
        false
    }

    fn clear(&self) {
        self.first.set(ptr::null());
        self.last.set(ptr::null());
    }
}

/// See the module.
pub(crate) struct ReadyQueue {
    /// By rank.
    lists: [List; HIGHEST_RANK as usize + 1],
    /// Of rank 0, those who compute.
    computing: List,
    /// Since when they have been passed over, or 0.
    computing_since: Cell<u64>,
    /// For how long they may be, ns.
    patience: u64,
    /// Bit n: somebody of rank n, above 0, is ready.
    ranks: Cell<u128>,
    /// Since when rank 0 has been passed over, or 0.
    passed_over_since: Cell<u64>,
    /// Until when rank 0 goes first, or 0.
    others_until: Cell<u64>,
}

impl ReadyQueue {
    /// `slice`: how long a turn may last, ns.
    pub fn new(slice: u64) -> Self {
        ReadyQueue {
            lists: [const { List::new() }; HIGHEST_RANK as usize + 1],
            computing: List::new(),
            computing_since: Cell::new(0),
            patience: slice / 2,
            ranks: Cell::new(0),
            passed_over_since: Cell::new(0),
            others_until: Cell::new(0),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ranks.get() == 0 && self.lists[0].is_empty() && self.computing.is_empty()
    }

    #[inline]
    fn list(&self, green: &Green, rank: u8) -> &List {
        if rank == 0 && green.pace.get() == Pace::Computes {
            &self.computing
        } else {
            &self.lists[usize::from(rank)]
        }
    }

    /// Behind all others of its rank, which is returned.
    #[inline]
    pub fn push(&self, green: &Green) -> u8 {
        let rank = green.scheduling.rank();
        self.list(green, rank).push_back(green);
        self.mark(rank);
        rank
    }

    /// Those at the head of rank 0 who have had no turn yet stand in line with those who compute.
    pub fn set_new_aside(&self) {
        while let Some(green) = self.lists[0].first().filter(|green| green.pace.get() == Pace::New) {
            self.lists[0].pop();
            green.set_computes();
            self.computing.push_back(green);
        }
    }

    /// Before all others of its rank.
    pub fn push_front(&self, green: &Green) {
        let rank = green.scheduling.rank();
        self.list(green, rank).push_front(green);
        self.mark(rank);
    }

    #[inline]
    fn mark(&self, rank: u8) {
        if rank != 0 {
            self.ranks.set(self.ranks.get() | 1 << rank);
        }
    }

    /// The highest rank above 0 that somebody who is ready has, or 0.
    pub fn top_rank(&self) -> u8 {
        127u8.saturating_sub(self.ranks.get().leading_zeros() as u8)
    }

    /// The turn of somebody other than `leaving`, who has been taken out, is about to begin. Asks for what the turns behind
    /// it need: see `prefetch`.
    #[inline(always)]
    pub fn prefetch_coming(&self, leaving: &Green) {
        let Some(coming) = self.lists[0].first() else { return };
        if ptr::eq(coming, leaving) {
            return;
        }
        coming.prefetch_turn();
        // SAFETY: records are never freed.
        if let Some(behind) = unsafe { coming.next.get().as_ref() } {
            behind.prefetch_pages();
        }
    }

    #[inline]
    pub fn pop(&self) -> Option<&'static Green> {
        if self.ranks.get() == 0 {
            self.passed_over_since.set(0);
            return self.pop_unranked(sys::now);
        }
        self.pop_ranked(sys::now)
    }

    /// The next one, unless it is one that computes, whose turn is a long one.
    #[inline]
    pub fn pop_reacting(&self) -> Option<&'static Green> {
        if self.only_computing() {
            return None;
        }
        self.pop()
    }

    /// Whether somebody of rank 0 is ready who does not compute.
    pub fn somebody_reacts(&self) -> bool {
        !self.lists[0].is_empty()
    }

    /// Whether only such as compute are ready.
    #[inline]
    pub fn only_computing(&self) -> bool {
        !self.computing.is_empty() && self.lists[0].is_empty() && self.ranks.get() == 0
    }

    #[inline]
    fn pop_unranked(&self, now: impl Fn() -> u64) -> Option<&'static Green> {
        if self.computing.is_empty() {
            return self.lists[0].pop();
        }
        self.pop_computing_or_not(now)
    }

    #[cold]
    fn pop_computing_or_not(&self, now: impl Fn() -> u64) -> Option<&'static Green> {
        if !self.lists[0].is_empty() {
            let (now, since) = (now(), self.computing_since.get());
            if since == 0 || now.saturating_sub(since) < self.patience {
                if since == 0 {
                    self.computing_since.set(now);
                }
                return self.lists[0].pop();
            }
        }
        self.computing_since.set(0);
        self.computing.pop()
    }

    #[cold]
    fn pop_ranked(&self, now: impl Fn() -> u64) -> Option<&'static Green> {
        if self.lists[0].is_empty() && self.computing.is_empty() {
            self.passed_over_since.set(0);
        } else if self.is_the_others_turn(now()) {
            return self.pop_unranked(now);
        }
        let rank = self.top_rank();
        let green = self.lists[usize::from(rank)].pop();
        self.unmark_if_empty(rank);
        green
    }

    fn is_the_others_turn(&self, now: u64) -> bool {
        let until = self.others_until.get();
        if until != 0 {
            if now < until {
                return true;
            }
            self.others_until.set(0);
            self.passed_over_since.set(now);
            return false;
        }
        let since = self.passed_over_since.get();
        if since == 0 {
            self.passed_over_since.set(now);
            return false;
        }
        let over = now.saturating_sub(since) >= RANKED_TIME;
        if over {
            self.others_until.set(now + OTHERS_TIME);
        }
        over
    }

    fn unmark_if_empty(&self, rank: u8) {
        if self.lists[usize::from(rank)].is_empty() {
            self.ranks.set(self.ranks.get() & !(1 << rank));
        }
    }

    /// Takes out a green thread that had `rank` when it became ready.
    pub fn remove(&self, green: &Green, rank: u8) -> bool {
        let found = self.list(green, rank).remove(green);
        if rank != 0 {
            self.unmark_if_empty(rank);
        }
        found
    }

    /// Forgets everybody: they do not exist in a forked child.
    pub fn clear(&self) {
        self.lists.iter().for_each(List::clear);
        self.computing.clear();
        self.computing_since.set(0);
        self.ranks.set(0);
        self.passed_over_since.set(0);
        self.others_until.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn green(number: u64, rank: u8) -> &'static Green {
        let green = Box::leak(Green::new(ptr::null()));
        green.number.set(number);
        green.scheduling.set_rank(rank);
        green
    }

    fn all(queue: &ReadyQueue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).map(|green| green.number.get()).collect()
    }

    #[test]
    fn by_rank_and_in_order_within_one() {
        let queue = ReadyQueue::new(10_000_000);
        for (number, rank) in [(1, 0), (2, 5), (3, 0), (4, 99), (5, 5), (6, HIGHEST_RANK)] {
            assert_eq!(queue.push(green(number, rank)), rank);
        }
        queue.push_front(green(7, 5));
        assert_eq!(queue.top_rank(), HIGHEST_RANK);
        assert_eq!(all(&queue), [6, 4, 7, 2, 5, 1, 3]);
        assert!(queue.is_empty());
        assert_eq!(queue.top_rank(), 0);
    }

    #[test]
    fn who_computes_waits_for_half_a_slice_at_most() {
        let queue = ReadyQueue::new(10_000_000);
        let (computes, other, waits) = (green(1, 0), green(2, 0), green(3, 0));
        computes.pace.set(Pace::Computes);
        for green in [computes, waits, other] {
            queue.push(green);
        }
        assert_eq!(queue.pop_unranked(|| 1).unwrap().number.get(), 3);
        let (mut now, mut times) = (1, [0u64; 2]);
        for _ in 0..1000 {
            let green = queue.pop_unranked(|| now).unwrap();
            // One has short turns, the other whole slices.
            let lasts = [10_000_000, 100_000][green.number.get() as usize - 1];
            times[green.number.get() as usize - 1] += lasts;
            now += lasts;
            queue.push(green);
        }
        assert!((1.8..2.2).contains(&(times[0] as f64 / times[1] as f64)), "{times:?}");
        assert!(queue.remove(computes, 0) && !queue.remove(computes, 0));
        assert_eq!(all(&queue), [2]);
    }

    #[test]
    fn who_is_new_stands_aside_if_another_new_one_computes() {
        let queue = ReadyQueue::new(10_000_000);
        let [first, second, woken, third] = [1, 2, 3, 4].map(|number| green(number, 0));
        woken.pace.set(Pace::Reacts);
        for green in [first, second, woken, third] {
            queue.push(green);
        }
        queue.set_new_aside();
        assert_eq!(queue.pop_unranked(|| 1).unwrap().number.get(), 3);
        assert_eq!(queue.pop_unranked(|| 2).unwrap().number.get(), 4);
        assert_eq!(all(&queue), [1, 2]);
    }

    #[test]
    fn removal_from_anywhere() {
        for (gone, left) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
            for rank in [0, 9] {
                let queue = ReadyQueue::new(10_000_000);
                let greens = [1, 2, 3].map(|number| green(number, rank));
                for green in greens {
                    queue.push(green);
                }
                assert!(queue.remove(greens[gone - 1], rank));
                assert!(!queue.remove(greens[gone - 1], rank));
                queue.push(green(4, rank));
                assert_eq!(all(&queue), [left[0], left[1], 4]);
            }
        }
    }

    #[test]
    fn rank_0_gets_a_twentieth_of_the_time() {
        let queue = ReadyQueue::new(10_000_000);
        let (ranked, other) = (green(1, 9), green(2, 0));
        queue.push(ranked);
        queue.push(other);
        let (mut now, mut turns) = (1, [0u64; 2]);
        for _ in 0..10_000 {
            let green = queue.pop_ranked(|| now).unwrap();
            turns[green.number.get() as usize - 1] += 1;
            queue.push(green);
            now += 1_000_000;
        }
        assert!((450..=550).contains(&turns[1]), "{turns:?}");
    }
}
