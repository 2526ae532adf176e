//! Time slices: a timer on the carrier's CPU time ends the turn of a green thread that computes or never blocks.
//!
//! The timer signals with SIGSETXID and a mark of ours, a number that no program can use. A tick that interrupts the
//! runtime leaves a mark, which the way out serves; one that interrupts the program redirects it (`deliver::preempt`).
//! A tick ends a turn only if the turn began before the tick before. Two more timers end turns early: of threads that spin
//! (`spin`), and of threads that compute while others become ready (`lookout`).

mod lookout;
mod spin;

use crate::carrier::NO_TIMER;
use crate::carrier_timer::Timer;
use crate::hub::Hub;
use crate::signals::context::Registers;
use crate::signals::{Info, SIGSETXID};
use core::cell::Cell;
use core::time::Duration;
use lookout::Lookout;
use spin::Spin;

const MARK: usize = 0x6772_6565_6e74_696b;

/// The time slice of one hub.
pub struct Slice {
    /// CPU time of a turn; `None` is purely cooperative.
    length: Option<Duration>,
    timer: Timer,
    /// The hub's count of turns at the last tick.
    turn: Cell<u32>,
    due: Cell<Due>,
    /// The turn that ends has used up its slice, besides spinning maybe.
    used_up: Cell<bool>,
    spin: Spin,
    lookout: Lookout,
}

/// What the current turn has before it at the next way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    Nothing,
    /// A look whether somebody is to go first.
    Look,
    /// Its end.
    End,
}

/// Which timer of ours has signalled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// The slice's.
    Slice,
    /// The one that looks for threads that spin.
    Spin,
    /// The one that looks for others while a thread computes.
    Lookout,
}

/// Whether a signal is a tick of ours.
pub(crate) fn tick(info: &Info) -> Option<Tick> {
    if info.si_signo != SIGSETXID || info.si_code != libc::SI_TIMER {
        return None;
    }
    // SAFETY: a timer's signal has the value that the timer was made with.
    match unsafe { info.si_value() }.sival_ptr as usize {
        MARK => Some(Tick::Slice),
        spin::MARK => Some(Tick::Spin),
        lookout::MARK => Some(Tick::Lookout),
        _ => None,
    }
}

impl Slice {
    pub(crate) fn new(length: Option<Duration>) -> Self {
        Slice {
            length,
            timer: Timer::new(libc::CLOCK_THREAD_CPUTIME_ID, MARK),
            turn: Cell::new(0),
            due: Cell::new(Due::Nothing),
            used_up: Cell::new(false),
            spin: Spin::new(),
            lookout: Lookout::new(),
        }
    }

    /// Starts the timer, if there is none yet. Called when there is a second green thread.
    pub(crate) fn start(&self, hub: &Hub) {
        let Some(length) = self.length else { return };
        if self.timer.exists() {
            return;
        }
        let made = self.timer.prepare(hub);
        if made {
            // Two ticks make a slice: the turn that a tick ends has lasted for at least one.
            let half = (length.as_nanos() as u64 / 2).max(1);
            self.timer.set(half, half);
        } else {
            // No ticks to estimate by.
            hub.cpu.be_exact(hub);
        }
        hub.carrier.set_wary(NO_TIMER, !made);
    }

    /// Whether the kernel's timer `id` is one of these.
    pub(crate) fn has_timer(&self, id: i32) -> bool {
        self.timer.is(id) || self.spin.has_timer(id) || self.lookout.has_timer(id)
    }

    /// For as long as there is no timer each call ends a turn, and asks for a timer again.
    pub(crate) fn make_up(&self, hub: &Hub) {
        self.start(hub);
        self.end_turn(hub);
    }

    /// A tick has found the program with these registers: whether its turn is over.
    pub(crate) fn is_over(&self, hub: &Hub, tick: Tick, registers: &Registers) -> bool {
        hub.cpu.tick(hub);
        if tick == Tick::Lookout {
            self.lookout.ended();
            return hub.computes() && self.lookout.look(hub);
        }
        let used_up = tick == Tick::Slice && self.is_used_up(hub);
        self.used_up.set(used_up);
        let spins = self.spin.is_found(hub, registers);
        match tick {
            _ if spins => {}
            Tick::Spin => self.spin.waste(),
            Tick::Slice if !used_up => self.spin.look_closer(hub),
            Tick::Slice | Tick::Lookout => {}
        }
        used_up || spins
    }

    /// Whether the turn that a tick has found has used up its slice.
    fn is_used_up(&self, hub: &Hub) -> bool {
        hub.current().note_computing();
        self.turn.replace(hub.turn()) == hub.turn()
    }

    /// A tick has interrupted the runtime.
    pub(crate) fn mark(&self, hub: &Hub, tick: Tick) {
        hub.cpu.tick(hub);
        match tick {
            Tick::Spin => self.spin.waste(),
            Tick::Slice if self.is_used_up(hub) => self.end_turn(hub),
            Tick::Slice => {}
            Tick::Lookout => {
                self.lookout.ended();
                if hub.computes() && self.due.get() == Due::Nothing {
                    self.due.set(Due::Look);
                    hub.carrier.call_attention();
                }
            }
        }
    }

    /// A turn of a green thread that computes begins.
    #[cold]
    pub(crate) fn look_out(&self, hub: &Hub) {
        if self.length.is_some() {
            self.lookout.begin(hub);
        }
    }

    /// Whether the turn that ends does so for nothing but that its thread was found spinning.
    pub(crate) fn only_spun(&self) -> bool {
        self.spin.has_found() && !self.used_up.get()
    }

    /// Runs `others`, who have their turns while the current thread's is over.
    pub(crate) fn between_turns(&self, hub: &Hub, others: impl FnOnce()) {
        let spun = self.spin.take_found();
        others();
        if spun {
            self.spin.watch(hub);
        }
    }

    /// A call of the only green thread there is goes to the kernel, where a tick would end a sleep with EINTR: those that do
    /// not count CPU time stop.
    #[inline]
    pub(crate) fn rest(&self) {
        self.lookout.rest();
        self.spin.rest();
    }

    /// A wait of the kernel's keeps all threads waiting, and a tick would end it with EINTR. A tick of the CPU clock that could
    /// come while it begins counts as having come now.
    pub(crate) fn hold(&self, hub: &Hub) {
        loop {
            self.rest();
            let Some(length) = self.length.filter(|_| self.timer.exists()) else { return };
            let half = (length.as_nanos() as u64 / 2).max(1);
            if self.timer.left() >= half / 4 {
                return;
            }
            self.timer.set(half, half);
            hub.cpu.tick(hub);
            if !self.is_used_up(hub) {
                return;
            }
            hub.give_turn();
        }
    }

    /// The current turn is to end at the next way out.
    pub(crate) fn end_turn(&self, hub: &Hub) {
        self.due.set(Due::End);
        hub.carrier.call_attention();
    }

    /// Whether the way out has a mark to serve.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.due.get() != Due::Nothing
    }

    /// Whether the current turn is to end at the way out, where it is now.
    pub(crate) fn turn_ends(&self, hub: &Hub) -> bool {
        match self.due.replace(Due::Nothing) {
            Due::Nothing => false,
            Due::Look => self.lookout.look(hub),
            Due::End => true,
        }
    }

    /// Another turn has begun.
    #[inline]
    pub(crate) fn clear_mark(&self) {
        self.due.set(Due::Nothing);
    }

    pub(crate) fn rebuild_in_child(&self) {
        self.timer.forget_in_child();
        self.clear_mark();
        self.spin.rebuild_in_child();
        self.lookout.rebuild_in_child();
    }
}
