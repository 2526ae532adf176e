//! The hub's loop: whose turn is next, what to do when it is nobody's, and the burial of threads that have ended.

use super::*;

impl Hub {
    /// The start of the hub's stack. Whoever looks at the process while all wait finds main's wait below the hub's.
    pub(super) fn begin(&'static self) {
        extern "C" fn run(hub: *const ()) {
            // SAFETY: what `begin` gives, and hubs are never freed.
            unsafe { &*hub.cast::<Hub>() }.run()
        }
        // SAFETY: records are never freed, and `run` wants a hub.
        unsafe { switch::on_behalf_of(&(*self.main).context, run, ptr::from_ref(self).cast()) }
    }

    fn run(&'static self) {
        loop {
            // Main may come here for the first time because it ends.
            let left = self.current();
            if left.state.get() == State::Exiting {
                self.bury(left);
            }
            let green = self.next();
            self.begin_turn(green);
            // SAFETY: whoever is ready has left its stack by a switch or has not begun; only the carrier comes here.
            unsafe { switch::switch(&self.context, &green.context) };
        }
    }

    /// The next green thread, if there is nothing else to look at before its turn.
    #[inline]
    pub(super) fn next_at_once(&self) -> Option<&'static Green> {
        let turns = self.turns.get() + 1;
        if self.carrier.attention.load(Relaxed) != 0
            || self.remote_waiting.load(Relaxed)
            || turns.is_multiple_of(TURNS_PER_LOOK)
        {
            return None;
        }
        let green = self.ready.pop_reacting()?;
        self.turns.set(turns);
        Some(green)
    }

    /// The next green thread to run; waits for one.
    pub(super) fn next(&self) -> &'static Green {
        loop {
            let ended = self.turns.get();
            if self.carrier.attention.load(Relaxed) != 0 {
                signals::drain(self);
            }
            if self.remote_waiting.load(Relaxed) {
                self.drain_remote();
            }
            // One that computes has a long turn.
            let long = self.ready.only_computing() && self.looked_in.get() != ended;
            if long || (ended + 1).is_multiple_of(TURNS_PER_LOOK) {
                self.look(true);
            }
            self.turns.set(ended + 1);
            if let Some(green) = self.ready.pop() {
                return green;
            }
            self.idle();
        }
    }

    /// Fires due timers and, if `descriptors`, takes what the reactor has, without waiting.
    pub(super) fn look(&self, descriptors: bool) {
        if self.remote_waiting.load(Relaxed) {
            self.drain_remote();
        }
        if !self.timers.borrow().is_empty() {
            self.fire(sys::now());
        }
        if descriptors {
            self.looked_in.set(self.turns.get());
            self.reactor.poll(self, Some(0));
        }
    }

    pub(super) fn fire(&self, now: u64) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(ticket) = due else { return };
            if ticket.is_valid() {
                // SAFETY: records are never freed.
                self.end_park(unsafe { &*ticket.green }, Wake::TimedOut);
            }
        }
    }

    pub(super) fn idle(&self) {
        let deadline = self.timers.borrow_mut().next(Ticket::is_valid);
        let now = if deadline.is_some() { sys::now() } else { 0 };
        let mut timeout = match deadline {
            Some(deadline) if deadline <= now => {
                self.fire(now);
                return;
            }
            Some(deadline) => Some(deadline - now),
            None => None,
        };
        if self.look_awake(&mut timeout) {
            return;
        }
        // Whoever finds us sleeping writes to a descriptor that is made here.
        self.reactor.prepare();
        self.sleeping.store(true, SeqCst);
        if self.remote_waiting.load(SeqCst) {
            self.sleeping.store(false, Relaxed);
            return;
        }
        if timeout.is_none() && !self.deadlock_reported.get() && report::nothing_can_wake(self) {
            self.deadlock_reported.set(true);
            report::deadlock(self);
        }
        // Memory of past threads goes back meanwhile.
        let nap = stack_pool::idle();
        self.sleep(timeout.into_iter().chain(nap).min());
        self.sleeping.store(false, Relaxed);
    }

    pub(crate) fn drain_remote(&self) {
        self.remote_waiting.store(false, SeqCst);
        let messages = core::mem::take(&mut *self.remote.lock());
        for message in messages {
            match message {
                // SAFETY: records are never freed; a wake-up for a park that is over is harmless.
                Remote::Unpark(green) => self.unpark(unsafe { &*green }),
                Remote::Signal(tid, info) => {
                    if let Some(green) = self.by_tid(tid) {
                        signals::send(self, green, &info);
                    }
                }
            }
        }
    }

    /// The green thread has left its stack for good: tell who joins it, and use the record again.
    pub(super) fn bury(&self, green: &'static Green) {
        // SAFETY: the native thread pointer is valid as long as the process; the dead thread's may be unmapped by its
        // joiner as soon as it is told.
        unsafe { switch::set_thread_pointer(self.native_thread_pointer) };
        green.state.set(State::Dead);
        self.tids.borrow_mut().remove(&green.tid.get());
        self.live.set(self.live.get() - 1);
        self.signals.thread_removed(self, green);
        fs_attributes::leave(self, green);
        let child_tid = green.clear_child_tid.get();
        if child_tid != 0 {
            let _ = crate::user::write(child_tid, &0u32);
            futex_queue::wake(self, child_tid, self.has_foreign_threads(), u32::MAX, u32::MAX);
        }
        if self.live() == 0 {
            sys::exit_group(self.exit_status.get());
        }
        signals::own_frame::give_buffer_back(green);
        if !ptr::eq(green, self.main) {
            self.spare.borrow_mut().push(green);
        }
    }
}
