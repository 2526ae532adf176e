//! A set of pending signals: one of each standard signal, all of each real-time signal, lowest number first.

use super::{bit, Info, SYNCHRONOUS};
use crate::calls::timer;
use crate::sys;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::collections::VecDeque;

/// Signals queued in all sets of the process.
static QUEUED: AtomicUsize = AtomicUsize::new(0);

/// Whether RLIMIT_SIGPENDING leaves room for one more. The kernel counts all processes of the user, we our own signals.
pub fn has_room() -> bool {
    let mut limit = [0u64; 2];
    // SAFETY: `limit` is ours, and as large as `struct rlimit64`.
    let result = unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_SIGPENDING, 0, limit.as_mut_ptr()) };
    result < 0 || (QUEUED.load(Relaxed) as u64) < limit[0]
}

/// A forked child has no pending signals.
pub(super) fn rebuild_in_child() {
    QUEUED.store(0, Relaxed);
}

/// See the module.
pub struct Pending {
    set: u64,
    /// In the order of arrival.
    queue: VecDeque<Info>,
}

impl Default for Pending {
    fn default() -> Self {
        Self::new()
    }
}

impl Pending {
    pub const fn new() -> Self {
        Pending { set: 0, queue: VecDeque::new() }
    }

    /// Which signals are pending.
    #[inline]
    pub fn set(&self) -> u64 {
        self.set
    }

    /// Adds a signal; a standard one that is pending already is dropped, as in the kernel, and a timer's counts as an
    /// overrun of its last.
    pub fn push(&mut self, info: &Info) {
        let signal = info.si_signo;
        if let Some(id) = timer::id_of(info) {
            let same = |other: &&mut Info| other.si_signo == signal && timer::id_of(other) == Some(id);
            if let Some(earlier) = self.queue.iter_mut().find(same) {
                timer::add_overrun(earlier, info);
                return;
            }
        }
        if signal < 32 && self.set & bit(signal) != 0 {
            return;
        }
        self.set |= bit(signal);
        self.queue.push_back(*info);
        QUEUED.fetch_add(1, Relaxed);
    }

    /// Takes the next signal out of `allowed`: faults first, then the lowest number, the oldest of its kind.
    pub fn take(&mut self, allowed: u64) -> Option<Info> {
        let mut choice = self.set & allowed;
        if choice == 0 {
            return None;
        }
        if choice & SYNCHRONOUS != 0 {
            choice &= SYNCHRONOUS;
        }
        let signal = choice.trailing_zeros() as i32 + 1;
        let at = self.queue.iter().position(|info| info.si_signo == signal)?;
        let info = self.queue.remove(at);
        QUEUED.fetch_sub(1, Relaxed);
        if !self.queue.iter().any(|info| info.si_signo == signal) {
            self.set &= !bit(signal);
        }
        info.inspect(timer::taken)
    }

    /// Drops all signals out of `which`.
    pub fn discard(&mut self, which: u64) {
        self.set &= !which;
        let before = self.queue.len();
        self.queue.retain(|info| which & bit(info.si_signo) == 0);
        QUEUED.fetch_sub(before - self.queue.len(), Relaxed);
    }

    pub fn clear(&mut self) {
        self.set = 0;
        QUEUED.fetch_sub(self.queue.len(), Relaxed);
        self.queue = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(signal: i32, code: i32) -> Info {
        // SAFETY: all-zero is a valid siginfo.
        let mut info: Info = unsafe { core::mem::zeroed() };
        info.si_signo = signal;
        info.si_code = code;
        info
    }

    #[test]
    fn standard_signals_merge_and_real_time_ones_queue() {
        let mut pending = Pending::new();
        for (signal, code) in [(40, 1), (10, 1), (10, 2), (40, 2), (34, 1)] {
            pending.push(&info(signal, code));
        }
        let taken: Vec<_> = std::iter::from_fn(|| pending.take(!0)).map(|info| (info.si_signo, info.si_code)).collect();
        assert_eq!(taken, [(10, 1), (34, 1), (40, 1), (40, 2)]);
        assert_eq!(pending.set(), 0);
    }

    #[test]
    fn faults_come_first_and_masks_hold_back() {
        let mut pending = Pending::new();
        pending.push(&info(libc::SIGHUP, 0));
        pending.push(&info(libc::SIGSEGV, 0));
        assert_eq!(pending.take(!0).map(|info| info.si_signo), Some(libc::SIGSEGV));
        assert!(pending.take(!bit(libc::SIGHUP)).is_none());
        pending.discard(bit(libc::SIGHUP));
        assert!(pending.take(!0).is_none());
    }
}
