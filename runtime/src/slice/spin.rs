//! Threads that wait by spinning: whoever they wait for runs soon.
//!
//! OpenMP's barriers, spin locks and many hand-written queues spin in the belief that the other thread runs on a processor of
//! its own. Here it cannot run before the spinner's turn is over, so a whole slice would go by for each hand-over. Such
//! loops tell on themselves: they rest by the instruction `pause`, which takes most of their time, or by a row of `nop`s, or they go round, and
//! are found twice in one turn at the same place with the same in all registers. (A loop that counts in memory looks
//! the same. It only has shorter turns.) A tick that finds a thread like that ends its turn. From then on ticks come more often,
//! by a clock of their own, until for a while none has been of use: the clock of the slices counts CPU time, which the
//! kernel looks at only now and then. A slice's tick that finds no `pause` has a few such ticks look whether the thread
//! goes round, less and less often if it does not.

use crate::carrier_timer::Timer;
use crate::cpu_clock;
use crate::hub::Hub;
use crate::protection_keys;
use crate::signals::context::Registers;
use core::cell::Cell;

pub(super) const MARK: usize = 0x6772_6565_6e74_696a;
/// Between two ticks while somebody spins, ns. Each costs some 3 µs.
const INTERVAL: u64 = 50_000;
/// A tick before the thread has used so much since the one before finds the program where that one has left it: two that a
/// long system call has held up do, or all under a tracer that looks at each signal.
const SOON: u64 = INTERVAL / 4;
/// Ticks without use before they end.
const PATIENCE: u32 = 32;
/// So many look whether a thread goes round.
const LOOKS: u32 = 8;
/// At most so many of the slice's ticks go by between such looks.
const MOST_UNLOOKED: u32 = 64;

/// See the module.
pub(super) struct Spin {
    timer: Timer,
    ticking: Cell<bool>,
    /// Ticks in a row that were of no use.
    useless: Cell<u32>,
    /// The current turn ends because its thread spins.
    found: Cell<bool>,
    /// The hub's count of turns at the last tick, the places that ticks have found in that turn, and how many.
    turn: Cell<u32>,
    places: [Cell<u64>; LOOKS as usize],
    found_at: Cell<usize>,
    /// What the carrier had used at the last of these ticks, ns.
    looked_at: Cell<u64>,
    /// Of the slice's ticks: how many more go by without a look, and how many after the next look in vain.
    unlooked: Cell<u32>,
    wait: Cell<u32>,
}

/// The program's place, and what is in its registers.
fn place(registers: &Registers) -> u64 {
    let r = registers;
    let all = [
        r.rip, r.rsp, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
        r.r15,
    ];
    all.iter().fold(0, |hash: u64, &value| (hash.rotate_left(5) ^ value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Around the place where a tick finds a thread: an instruction or two of a loop's condition before it, and what it is about to do.
const BEFORE: usize = 12;
const AFTER: usize = 8;

/// Whether the program rests in a spin loop: it is at the instruction `pause` or has just executed it, or at a row of eight
/// `nop`s (OpenBLAS's way) or the few instructions behind it. No fault may come of it, since signals are blocked: only the
/// page is looked at that the program executes.
fn rests(rip: usize) -> bool {
    const PAGE: usize = 4096;
    /// Above is the kernel, and its page of old calls, which cannot be read.
    const TOP: usize = 1 << 47;
    if rip >= TOP {
        return false;
    }
    let page = rip / PAGE * PAGE;
    let (from, to) = (page.max(rip.saturating_sub(BEFORE)), (page + PAGE).min(rip + AFTER));
    protection_keys::with_all_rights(|| {
        // SAFETY: the page is mapped, since the program executes it, and the bytes are in it.
        let code = unsafe { core::slice::from_raw_parts(from as *const u8, to - from) };
        is_rest(code, rip - from)
    })
}

/// The same of the code around: `at` is where the thread stands in it.
fn is_rest(code: &[u8], at: usize) -> bool {
    const PAUSE: [u8; 2] = [0xf3, 0x90];
    const NOPS: [u8; 8] = [0x90; 8];
    let pause = |from: usize| code.get(from..from + PAUSE.len()) == Some(&PAUSE);
    pause(at) || at >= PAUSE.len() && pause(at - PAUSE.len()) || code.windows(NOPS.len()).any(|row| row == NOPS)
}

impl Spin {
    pub(super) const fn new() -> Self {
        Spin {
            timer: Timer::new(libc::CLOCK_MONOTONIC, MARK),
            ticking: Cell::new(false),
            useless: Cell::new(0),
            found: Cell::new(false),
            turn: Cell::new(0),
            places: [const { Cell::new(0) }; LOOKS as usize],
            found_at: Cell::new(0),
            looked_at: Cell::new(0),
            unlooked: Cell::new(0),
            wait: Cell::new(0),
        }
    }

    /// Whether the turn of the program, which a tick has found with these registers, is to end because it only waits for
    /// another one's.
    pub(super) fn is_found(&self, hub: &Hub, registers: &Registers) -> bool {
        let found = hub.somebody_ready() && (rests(registers.rip) || self.goes_round(hub, registers));
        if found {
            self.found.set(true);
            self.wait.set(0);
            self.watch(hub);
        }
        found
    }

    fn goes_round(&self, hub: &Hub, registers: &Registers) -> bool {
        if self.turn.replace(hub.turn()) != hub.turn() {
            self.found_at.set(0);
        }
        let used = cpu_clock::carrier();
        if used.saturating_sub(self.looked_at.replace(used)) < SOON && self.found_at.get() != 0 {
            return false;
        }
        let (place, count) = (place(registers), self.found_at.get());
        let known = self.places.iter().take(count).any(|old| old.get() == place);
        self.places[count % self.places.len()].set(place);
        self.found_at.set(count + 1);
        known
    }

    /// A tick of the slice has found a thread that does not spin, as far as one tick can tell.
    pub(super) fn look_closer(&self, hub: &Hub) {
        if self.ticking.get() || !hub.somebody_ready() {
            return;
        }
        match self.unlooked.get() {
            0 => {
                self.unlooked.set(self.wait.get());
                self.wait.set((self.wait.get() * 2 + 1).min(MOST_UNLOOKED));
                self.watch(hub);
                self.useless.set(PATIENCE - LOOKS);
            }
            more => self.unlooked.set(more - 1),
        }
    }

    /// A thread spins, or did so when its last turn ended.
    pub(super) fn watch(&self, hub: &Hub) {
        self.useless.set(0);
        // Without a timer, the slice's ticks must do.
        if !self.ticking.get() && self.timer.prepare(hub) {
            self.set(INTERVAL);
        }
    }

    /// Whoever ticks so fast that nothing gets on between two ticks, as under a tracer, must still find that it may be stopped:
    /// `ticking` is set before the timer, and cleared after it.
    fn set(&self, interval: u64) {
        if interval != 0 {
            self.ticking.set(true);
        }
        self.timer.set(interval, interval);
        if interval == 0 {
            self.ticking.set(false);
        }
    }

    pub(super) fn has_timer(&self, id: i32) -> bool {
        self.timer.is(id)
    }

    /// There is nobody to spin for.
    pub(super) fn rest(&self) {
        if self.ticking.get() {
            self.set(0);
        }
    }

    /// A tick of these was of no use.
    pub(super) fn waste(&self) {
        self.useless.set(self.useless.get() + 1);
        if self.ticking.get() && self.useless.get() >= PATIENCE {
            self.set(0);
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.found.get()
    }

    /// Whether the turn that ends now was found spinning.
    pub(super) fn take_found(&self) -> bool {
        self.found.replace(false)
    }

    pub(super) fn rebuild_in_child(&self) {
        self.timer.forget_in_child();
        self.ticking.set(false);
        self.found.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::is_rest;

    #[test]
    fn knows_the_instructions_that_rest() {
        let pause = [0x48, 0x8b, 0x01, 0xf3, 0x90, 0x48, 0x85, 0xc0];
        assert_eq!([2, 3, 4, 5, 6].map(|at| is_rest(&pause, at)), [false, true, false, true, false]);
        let nops = [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x49, 0x8b, 0x08];
        assert!(is_rest(&nops, 0) && is_rest(&nops, 8) && is_rest(&nops, 10));
        // Seven are what an assembler may fill a gap with.
        assert!(!is_rest(&nops[1..], 0));
        assert!(!is_rest(&[], 0));
    }
}
