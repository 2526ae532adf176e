//! Park and unpark: the one way a green thread stops and starts, and the ways in which it gives its turn away.

use super::*;

/// With more green threads than this, what one of them needs is not in the caches when its turn comes.
const MANY: usize = 64;

/// After so many turns that ended because it spun, with no wait or yield between them, a thread counts as one that computes.
const MOST_SPUN: u8 = 16;

impl Hub {
    /// Stops the current green thread until `unpark`, `deadline` (ns of CLOCK_MONOTONIC) or, if `interruptible`, a
    /// signal that a handler is to take. The one way a green thread stops.
    #[inline(never)]
    pub fn park(&self, waiting: Waiting, deadline: Option<u64>, interruptible: bool) -> Wake {
        self.park_here(waiting, deadline, interruptible)
    }

    /// `park`, compiled into its caller.
    #[inline(always)]
    pub(crate) fn park_here(&self, waiting: Waiting, deadline: Option<u64>, interruptible: bool) -> Wake {
        if let Some(guest) = &self.guest {
            return guest.sleep(deadline);
        }
        let green = self.current();
        if interruptible && signals::deliverable(self, green) {
            return Wake::Interrupted;
        }
        green.generation.set(green.generation.get() + 1);
        green.state.set(State::Parked);
        green.pace.set(Pace::Reacts);
        if green.computed.get() != 0 {
            green.computed.set(green.computed.get() - 1);
        }
        green.waiting.set(waiting);
        green.interruptible.set(interruptible);
        if let Some(deadline) = deadline {
            green.timed.set(true);
            self.timers.borrow_mut().set(deadline, Ticket { green, generation: green.generation.get() });
        }
        self.leave(green);
        green.waiting.set(Waiting::Nothing);
        if deadline.is_some() && green.timed.replace(false) && green.wake.get() != Wake::TimedOut {
            self.timers.borrow_mut().cancelled(Ticket::is_valid);
        }
        // A signal that came for a green thread already made ready interrupts it as well, as in the kernel.
        if interruptible && green.wake.get() == Wake::Unparked && signals::deliverable(self, green) {
            return Wake::Interrupted;
        }
        green.wake.get()
    }

    /// Makes a parked green thread ready; does nothing to one that is not parked.
    #[inline]
    pub fn unpark(&self, green: &Green) {
        self.end_park(green, Wake::Unparked);
    }

    #[inline]
    pub(crate) fn end_park(&self, green: &Green, wake: Wake) {
        if green.state.get() == State::Parked {
            green.wake.set(wake);
            self.make_ready(green);
        }
    }

    /// Ends a park because of a signal, if it may be.
    pub(crate) fn interrupt(&self, green: &Green) {
        if green.interruptible.get() {
            self.end_park(green, Wake::Interrupted);
        }
    }

    /// Unparks from any kernel thread.
    pub fn unpark_remote(&self, green: *const Green) {
        self.tell(Remote::Unpark(green));
    }

    /// Sends a signal to a green thread from any kernel thread.
    pub fn signal_remote(&self, tid: i32, info: signals::Info) {
        self.tell(Remote::Signal(tid, Box::new(info)));
        // A carrier that runs the program looks at its next call, or when its time slice is over.
        self.carrier.call_attention();
    }

    pub(super) fn tell(&self, message: Remote) {
        self.remote.lock().push(message);
        self.remote_waiting.store(true, SeqCst);
        if self.sleeping.swap(false, SeqCst) {
            self.reactor.wake();
        }
    }

    /// Lets every other ready green thread run first. False if there was none.
    pub fn yield_now(&self) -> bool {
        // While somebody is ready, timers are served every so many turns.
        if self.ready.is_empty() {
            self.look(false);
            if self.ready.is_empty() {
                return false;
            }
        }
        let green = self.current();
        self.make_ready(green);
        self.leave(green);
        true
    }

    /// Whether somebody of a higher priority than the current green thread's is ready.
    pub(crate) fn outranked(&self) -> bool {
        self.ready.top_rank() > self.current().scheduling.rank()
    }

    /// Whoever outranks the current green thread runs first; it goes on before its equals.
    pub(crate) fn give_way_to_higher(&self) {
        let green = self.current();
        green.state.set(State::Ready);
        self.ready.push_front(green);
        self.leave(green);
    }

    /// The turn of the current green thread is over: timers and descriptors are served, and everybody ready runs.
    pub(crate) fn give_turn(&self) {
        self.cpu.charge(self, self.current());
        let green = self.current();
        let pace = green.pace.get();
        match pace {
            Pace::New | Pace::Reacts if self.slice.only_spun() => green.pace.set(Pace::Spins(1)),
            Pace::Spins(turns) if turns < MOST_SPUN && self.slice.only_spun() => green.pace.set(Pace::Spins(turns + 1)),
            _ => green.set_computes(),
        }
        let was_new = pace == Pace::New && green.pace.get() == Pace::Computes;
        self.slices_used.set(self.slices_used.get() + 1);
        self.slice.between_turns(self, || {
            self.look(true);
            if was_new {
                self.ready.set_new_aside();
            }
            self.yield_now();
        });
    }

    /// The current green thread has woken somebody. If it computes, whoever it woke goes first, and whom that one wakes
    /// in turn: they would find a lock taken again each time, if they only ran at the end of its slices.
    #[inline]
    pub(crate) fn let_pass(&self) {
        if self.computes() {
            self.let_others_pass();
        }
    }

    #[cold]
    fn let_others_pass(&self) {
        const ROUNDS: usize = 8;
        let used = self.slices_used.get();
        // It has its turn back before others that compute: it is about to wait, or to let go of a lock.
        let pace = self.current().pace.replace(Pace::Reacts);
        for _ in 0..ROUNDS {
            if !self.yield_now() || self.slices_used.get() != used {
                break;
            }
        }
        self.current().pace.set(pace);
    }

    /// Lets all others run until they wait for something, end, or have used a time slice up. False if there were none.
    pub fn let_everybody_run(&self) -> bool {
        const ROUNDS: usize = 64;
        let used = self.slices_used.get();
        (0..ROUNDS).take_while(|_| self.slices_used.get() == used && self.yield_now()).count() > 0
    }

    /// Looks at timers, descriptors and messages in the turn of the current green thread. True if somebody is ready now
    /// who should not wait for its end.
    pub(crate) fn look_for_others(&self) -> bool {
        self.look(true);
        self.outranked() || self.current().scheduling.rank() == 0 && self.ready.somebody_reacts()
    }

    /// Whether the current green thread was found computing lately.
    #[inline]
    pub(crate) fn computes(&self) -> bool {
        self.current().computed.get() != 0
    }

    /// Whether something may come that makes somebody ready and is no signal.
    pub(crate) fn may_be_told(&self) -> bool {
        let by_others = self.has_foreign_threads() || self.helpers_busy.get() != 0;
        self.others_alive() && (by_others || self.reactor.is_open() || !self.timers.borrow().is_empty())
    }

    /// How long it is until the first deadline, ns.
    pub(crate) fn until_deadline(&self) -> Option<u64> {
        let deadline = self.timers.borrow_mut().next(Ticket::is_valid);
        deadline.map(|deadline| deadline.saturating_sub(sys::now()))
    }

    /// How many turns there have been.
    pub(crate) fn turn(&self) -> u32 {
        self.turns.get()
    }

    /// Whether a green thread waits for its turn.
    #[inline]
    pub fn somebody_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a green thread that does not compute waits for its turn.
    pub(crate) fn somebody_reacts(&self) -> bool {
        self.ready.somebody_reacts()
    }

    /// Waits for at most `ns` in the turn of the current green thread until a helper has made somebody ready.
    pub(crate) fn await_helper(&self, ns: u64) -> bool {
        if self.helpers_busy.get() == 0 {
            return false;
        }
        let end = sys::now() + ns;
        loop {
            self.look(false);
            if self.somebody_reacts() || sys::now() >= end {
                return self.somebody_reacts();
            }
            // SAFETY: no arguments.
            unsafe { sys!(libc::SYS_sched_yield) };
        }
    }

    #[inline]
    pub(super) fn make_ready(&self, green: &Green) {
        green.state.set(State::Ready);
        if self.live.get() > MANY && self.ready.is_empty() {
            green.prefetch_turn();
        }
        let rank = self.ready.push(green);
        if rank != 0 && rank > self.current().scheduling.rank() {
            // Whoever made it ready gives way on its way out.
            self.carrier.call_attention();
        }
    }

    /// Ends the turn of the current green thread; returns when it is its turn again. If the run queue alone says who is
    /// next, that one is gone to directly.
    #[inline(always)]
    fn leave(&self, green: &Green) {
        let Some(next) = self.next_at_once() else { return self.leave_for_hub(green) };
        self.ready.prefetch_coming(green);
        self.end_turn(green);
        self.begin_turn(next);
        // SAFETY: whoever is ready has left its stack by a switch or has not begun; only the carrier comes here.
        unsafe { switch::switch(&green.context, &next.context) };
    }

    /// As `leave`, to the hub, which sees to everything.
    #[inline(never)]
    pub(super) fn leave_for_hub(&self, green: &Green) {
        self.end_turn(green);
        // SAFETY: the hub has left its stack to whoever runs.
        unsafe { switch::switch(&green.context, &self.context) };
    }

    #[inline]
    fn end_turn(&self, green: &Green) {
        let float = FloatControl::current();
        self.float.set(float);
        green.float.set(float);
        gs_base::end_turn(self, green);
        if protection_keys::in_use() {
            green.rights.set(protection_keys::rights());
        }
        self.cpu.charge(self, green);
    }

    #[inline]
    pub(super) fn begin_turn(&self, green: &Green) {
        self.current.set(green);
        self.slice.clear_mark();
        if signals::deliverable(self, green) {
            self.carrier.call_attention();
        }
        green.state.set(State::Running);
        if green.computed.get() != 0 {
            self.slice.look_out(self);
        }
        if self.float.get() != green.float.get() {
            green.float.get().load();
        }
        gs_base::begin_turn(self, green);
        if protection_keys::in_use() && protection_keys::rights() != green.rights.get() {
            protection_keys::set_rights(green.rights.get());
        }
        if fs_attributes::in_use() {
            fs_attributes::begin_turn(self, green);
        }
        // SAFETY: the green thread's own thread pointer.
        unsafe { switch::set_thread_pointer(green.thread_pointer.get()) };
    }
}
