//! Deadlines of parked green threads: a heap in which a cancelled deadline stays until it is reached or until stale
//! ones are the majority. An entry is valid while its green thread is still in the park that made it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A deadline (ns of CLOCK_MONOTONIC) of one park of one green thread (`T` tells which).
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    sequence: u64,
    stale: usize,
}

struct Entry<T> {
    deadline: u64,
    /// Equal deadlines fire in the order in which they were set.
    sequence: u64,
    who: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.deadline, self.sequence) == (other.deadline, other.sequence)
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.deadline, self.sequence).cmp(&(other.deadline, other.sequence))
    }
}

impl<T: Copy> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> Timers<T> {
    pub fn new() -> Self {
        Timers { heap: BinaryHeap::new(), sequence: 0, stale: 0 }
    }

    /// Sets a deadline.
    pub fn set(&mut self, deadline: u64, who: T) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { deadline, sequence: self.sequence, who }));
    }

    /// Says that one deadline that is still in the heap no longer counts.
    pub fn cancelled(&mut self, is_valid: impl Fn(T) -> bool) {
        self.stale += 1;
        if self.stale > 256 && self.stale * 2 > self.heap.len() {
            self.heap.retain(|entry| is_valid(entry.0.who));
            self.stale = 0;
        }
    }

    /// Takes the next deadline that has been reached at `now`, valid or not.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        if self.heap.peek()?.0.deadline > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.0.who)
    }

    /// The earliest valid deadline.
    pub fn next(&mut self, is_valid: impl Fn(T) -> bool) -> Option<u64> {
        loop {
            let first = &self.heap.peek()?.0;
            if is_valid(first.who) {
                return Some(first.deadline);
            }
            self.heap.pop();
            self.stale = self.stale.saturating_sub(1);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub fn clear(&mut self) {
        self.heap.clear();
        self.stale = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;

    #[test]
    fn fires_in_order_of_deadline_then_of_setting() {
        let mut timers = Timers::new();
        for (deadline, who) in [(30, 'c'), (10, 'a'), (30, 'd'), (20, 'b')] {
            timers.set(deadline, who);
        }
        assert_eq!(timers.pop_due(9), None);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(30)).collect();
        assert_eq!(fired, ['a', 'b', 'c', 'd']);
        assert!(timers.is_empty());
    }

    #[test]
    fn cancelled_deadlines_do_not_pile_up() {
        let mut timers = Timers::new();
        timers.set(5, 0u32);
        for who in 1..100_000 {
            timers.set(1_000_000, who);
            timers.cancelled(|who| who == 0);
        }
        assert!(timers.heap.len() < 1000);
        assert_eq!(timers.next(|who| who == 0), Some(5));
    }
}
