//! Looking for events for a while before sleeping.
//!
//! To sleep and to be woken costs a CPU, and a virtual one above all, several microseconds, so whoever answers at once is
//! better waited for awake. That pays only where answers do come at once. So a wait that brought nothing takes from a
//! credit, and one that was short (awake or asleep, it is no matter) gives to it; without credit the hub sleeps at once.
//! A process that idles spends a few times the setting, once.
//!
//! The end of a sleep of the program's own gives nothing: it is known beforehand.

use super::*;

/// Microseconds, where nothing is set and there are several CPUs. Measured with an echo server of one connection and a
/// peer that sleeps: 10 catch half of the answers; 20 nearly all, at the CPU time per request of sleeping; 50 no more.
const DEFAULT: u32 = 20;
const MOST_CREDIT: u32 = 8;

/// The credit, and how long a look lasts.
pub(super) struct Spin {
    /// ns; 0: never.
    limit: u64,
    credit: Cell<u32>,
}

/// How many CPUs the calling kernel thread may use.
fn cpus() -> u32 {
    let mut set = [0u64; 128];
    // SAFETY: `set` is ours.
    let bytes = unsafe { sys!(libc::SYS_sched_getaffinity, 0, size_of_val(&set), set.as_mut_ptr()) };
    set[..bytes.max(0) as usize / 8].iter().map(|word| word.count_ones()).sum()
}

impl Spin {
    pub fn new(setting: Option<u32>) -> Self {
        let limit = setting.unwrap_or_else(|| if cpus() > 1 { DEFAULT } else { 0 });
        Spin { limit: u64::from(limit) * 1000, credit: Cell::new(MOST_CREDIT / 2) }
    }

    /// Whether a wait is to begin with looking.
    fn pays(&self) -> bool {
        self.limit != 0 && self.credit.get() != 0
    }

    /// An event has come after a wait of so many ns.
    fn came_after(&self, ns: u64) {
        if ns <= self.limit {
            self.credit.set((self.credit.get() + 1).min(MOST_CREDIT));
        }
    }

    fn in_vain(&self) {
        self.credit.set(self.credit.get().saturating_sub(1));
    }
}

impl Hub {
    /// Looks for events, timers and messages, for as long as that is likely to be short. True if something came;
    /// otherwise `timeout` ns (`None`: for ever) have become what is left.
    pub(super) fn look_awake(&self, timeout: &mut Option<u64>) -> bool {
        if !self.spin.pays() {
            return false;
        }
        let (begin, mut waited) = (sys::now(), 0);
        let most = timeout.map_or(self.spin.limit, |timeout| timeout.min(self.spin.limit));
        while waited < most {
            if self.reactor.poll(self, Some(0)) != 0 || self.is_wanted() {
                self.spin.came_after(waited);
                return true;
            }
            waited = sys::now() - begin;
        }
        self.spin.in_vain();
        *timeout = timeout.map(|timeout| timeout.saturating_sub(waited));
        false
    }

    /// Sleeps until an event, a message, a signal or the end of `timeout`.
    pub(super) fn sleep(&self, timeout: Option<u64>) {
        let begin = if self.spin.limit == 0 { 0 } else { sys::now() };
        if self.reactor.poll(self, timeout) != 0 && begin != 0 {
            self.spin.came_after(sys::now() - begin);
        }
    }

    /// Whether there is something to do that is no event.
    fn is_wanted(&self) -> bool {
        self.remote_waiting.load(Acquire) || self.carrier.attention.load(Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_ends_where_it_does_not_pay_and_begins_again_where_it_would() {
        let spin = Spin::new(Some(20));
        assert!(spin.pays());
        for _ in 0..MOST_CREDIT {
            spin.in_vain();
        }
        assert!(!spin.pays());
        spin.came_after(20_001);
        assert!(!spin.pays());
        spin.came_after(20_000);
        assert!(spin.pays());
        (0..1000).for_each(|_| spin.came_after(1));
        (0..MOST_CREDIT).for_each(|_| spin.in_vain());
        assert!(!spin.pays(), "however well it went before");
        assert!(!Spin::new(Some(0)).pays());
        assert!(cpus() > 0);
    }
}
