//! CPU time of green threads.
//!
//! To look at the carrier's clock at every switch costs more than the switch, so it is done only once somebody has
//! asked for a green thread's CPU time; from then on the clocks are exact, and what the hub does counts for who runs
//! next. What was used before is an estimate: each tick of ours has the thread that it finds pay for all since the tick
//! before, as in a kernel without precise accounting; the main thread also has what was used before there was a second one.

use crate::green_thread::Green;
use crate::hub::Hub;
use crate::sys;
use core::cell::{Cell, RefCell};

/// A green thread that sleeps until another one has used so much.
struct Wait {
    of: i32,
    until: u64,
    who: *const Green,
}

/// See the module.
pub struct CpuClock {
    /// The carrier's clock is looked at when a turn ends.
    exact: Cell<bool>,
    /// What the carrier had used when the current turn began, or, as long as it is an estimate, at the last tick.
    mark: Cell<u64>,
    /// There has been a second thread.
    begun: Cell<bool>,
    waits: RefCell<Vec<Wait>>,
}

/// What the carrier has used, ns.
pub(crate) fn carrier() -> u64 {
    sys::clock(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0) as u64
}

impl CpuClock {
    pub(crate) fn new() -> Self {
        CpuClock {
            exact: Cell::new(false),
            mark: Cell::new(0),
            begun: Cell::new(false),
            waits: RefCell::new(Vec::new()),
        }
    }

    /// The second green thread is being made.
    #[inline]
    pub(crate) fn begin(&self, hub: &Hub) {
        if !self.begun.replace(true) {
            self.mark.set(carrier());
            hub.current().cpu_time.set(self.mark.get());
        }
    }

    /// The turn of `green` is over.
    #[inline]
    pub(crate) fn charge(&self, hub: &Hub, green: &Green) {
        if self.exact.get() {
            self.settle(hub, green);
        }
    }

    #[cold]
    fn settle(&self, hub: &Hub, green: &Green) {
        let used = self.count(green);
        for wait in self.waits.borrow().iter() {
            if wait.of == green.tid.get() && wait.until <= used {
                // SAFETY: records are never freed.
                hub.unpark(unsafe { &*wait.who });
            }
        }
    }

    /// What the carrier has used since `mark` is `green`'s, who has used so much now.
    fn count(&self, green: &Green) -> u64 {
        let now = carrier();
        let used = green.cpu_time.get() + now.saturating_sub(self.mark.replace(now));
        green.cpu_time.set(used);
        used
    }

    /// A tick, of whichever timer: the one that ends the turn must find the thread whose turn it was. Called by the
    /// kernel-level signal handler.
    pub(crate) fn tick(&self, hub: &Hub) {
        if !self.exact.get() {
            self.count(hub.current());
        }
    }

    /// From here on the clocks are exact.
    pub(crate) fn be_exact(&self, hub: &Hub) {
        if !self.exact.replace(true) {
            self.begin(hub);
            self.mark.set(carrier());
        }
    }

    /// CPU time that `green` has used, ns.
    pub fn used(&self, hub: &Hub, green: &Green) -> u64 {
        if !self.exact.get() {
            self.be_exact(hub);
        } else if core::ptr::eq(green, hub.current()) {
            self.settle(hub, green);
        }
        green.cpu_time.get()
    }

    /// The current green thread is to be unparked when the one with id `of` has used `until`.
    pub(crate) fn enter_wait(&self, hub: &Hub, of: i32, until: u64) {
        self.waits.borrow_mut().push(Wait { of, until, who: hub.current() });
    }

    pub(crate) fn leave_wait(&self, hub: &Hub) {
        self.waits.borrow_mut().retain(|wait| !core::ptr::eq(wait.who, hub.current()));
    }

    /// A child's clocks begin at 0.
    pub(crate) fn rebuild_in_child(&self, green: &Green) {
        green.cpu_time.set(0);
        self.mark.set(0);
        self.waits.borrow_mut().clear();
    }
}
