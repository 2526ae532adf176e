//! While a thread computes, those who only react need not wait for the end of its slice: a timer of the lookout's own has
//! the hub look at timers, descriptors and messages meanwhile, and whoever becomes ready by it has the next turn.
//!
//! It is set when a turn of a thread that computes begins, for the next deadline of the hub's timers, but no later than
//! an interval that follows what comes: short while looks find somebody, longer with each one in vain. By the kernel's own
//! clock it is: CPU time, which the slices are counted in, the kernel looks at only every few milliseconds.

use crate::carrier_timer::Timer;
use crate::hub::Hub;
use core::cell::Cell;

pub(super) const MARK: usize = 0x6772_6565_6e74_696c;
/// Between two looks, ns. Each costs some 3 µs.
const LEAST: u64 = 100_000;
const MOST: u64 = 4_000_000;

/// See the module.
pub(super) struct Lookout {
    timer: Timer,
    /// The timer has been set and has not signalled yet.
    set: Cell<bool>,
    interval: Cell<u64>,
}

impl Lookout {
    pub(super) const fn new() -> Self {
        Lookout { timer: Timer::new(libc::CLOCK_MONOTONIC, MARK), set: Cell::new(false), interval: Cell::new(MOST) }
    }

    /// A thread that computes is about to go on.
    pub(super) fn begin(&self, hub: &Hub) {
        // Without a timer, the slice's ticks must do.
        if self.set.get() || !hub.may_be_told() || !self.timer.prepare(hub) {
            return;
        }
        let left = hub.until_deadline().unwrap_or(MOST).max(LEAST);
        // First, since the signal may come before the call is over.
        self.set.set(true);
        self.timer.set(left.min(self.interval.get()), 0);
    }

    /// Nobody is there to look for.
    pub(super) fn rest(&self) {
        if self.set.get() {
            self.timer.set(0, 0);
            self.ended();
        }
    }

    /// The timer has signalled.
    pub(super) fn ended(&self) {
        self.set.set(false);
    }

    /// Looks, in the turn of a thread that computes. True if somebody is to go before it; otherwise it goes on.
    pub(super) fn look(&self, hub: &Hub) -> bool {
        let foreseen = hub.until_deadline() == Some(0);
        let found = hub.look_for_others();
        let interval = self.interval.get();
        if !foreseen {
            self.interval.set(if found { (interval / 2).max(LEAST) } else { (interval * 2).min(MOST) });
        }
        if !found {
            self.begin(hub);
        }
        found
    }

    pub(super) fn has_timer(&self, id: i32) -> bool {
        self.timer.is(id)
    }

    pub(super) fn rebuild_in_child(&self) {
        self.timer.forget_in_child();
        self.set.set(false);
    }
}
