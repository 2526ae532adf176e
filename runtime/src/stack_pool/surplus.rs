//! Memory of stacks that nobody uses goes back to the system: of some at once, of the others when no thread has begun or ended
//! for a while.

use super::chunk::State;
use super::{kernel, Pool, POOL};
use crate::sys;
use core::sync::atomic::{AtomicBool, Ordering::*};

/// Stacks of a size that keep their memory while nobody uses them.
pub(super) const KEPT_WARM: usize = 1024;
/// The same when the process has had nothing to do for a while.
const KEPT_WHEN_IDLE: usize = 64;
/// Stacks whose memory goes back at a time.
const TRIMMED_AT_ONCE: usize = 4096;
/// How long no thread has begun or ended when memory goes back, ns.
const IDLE: u64 = 20_000_000;

/// Memory could go back.
static SURPLUS: AtomicBool = AtomicBool::new(false);

/// The hub has nothing to do: memory that has not been used for a while goes back. Within how many ns the hub is to ask
/// again; `None` if there is nothing to give back.
#[inline]
pub fn idle() -> Option<u64> {
    if SURPLUS.load(Relaxed) {
        POOL.lock().idle(sys::now())
    } else {
        None
    }
}

/// The last thread is about to wait in the kernel, where no hub looks at the clock. True if there is nothing to give back
/// at a later time either.
#[inline]
pub fn alone() -> bool {
    if SURPLUS.load(Relaxed) {
        POOL.lock().trim();
    }
    !SURPLUS.load(Relaxed)
}

impl Pool {
    /// One more than came is cooled, so that it gets less.
    pub(super) fn keep_few_warm(&mut self, at: usize) {
        let class = &self.classes[at];
        let kept = KEPT_WARM.max(class.used / 4);
        let surplus = class.warm.len().saturating_sub(kept);
        if surplus > 0 {
            self.cool(at, surplus.min(2));
        }
    }

    pub(super) fn surplus(&mut self) {
        self.changes += 1;
        SURPLUS.store(true, Relaxed);
    }

    /// Gives the memory of the `count` oldest warm stacks back.
    fn cool(&mut self, at: usize, count: usize) {
        let mut oldest: Vec<usize> = self.classes[at].warm.drain(..count).collect();
        let bytes = self.classes[at].bytes;
        oldest.sort_unstable();
        for run in oldest.chunk_by(|a, b| a + bytes == *b) {
            // Guard markers stay.
            let done = kernel::discard(run[0], run.len() * bytes);
            for &base in run {
                if !done {
                    self.classes[at].warm.push(base);
                    continue;
                }
                self.forget_put_off(base);
                if let Some((slot, _)) = self.find(base) {
                    slot.state = State::Clean;
                    self.classes[at].clean.push(base);
                }
            }
        }
    }

    fn idle(&mut self, now: u64) -> Option<u64> {
        if self.seen != self.changes {
            (self.seen, self.quiet_since) = (self.changes, now);
        }
        let quiet = now.saturating_sub(self.quiet_since);
        if quiet < IDLE {
            return Some(IDLE - quiet);
        }
        self.trim();
        self.quiet_since = now;
        SURPLUS.load(Relaxed).then_some(IDLE)
    }

    pub(super) fn trim(&mut self) {
        SURPLUS.store(false, Relaxed);
        for base in core::mem::take(&mut self.put_off) {
            let Some((slot, _)) = self.find(base) else { continue };
            if !slot.discard_put_off(base) {
                self.put_off.push(base);
            }
        }
        for at in 0..self.classes.len() {
            let surplus = self.classes[at].warm.len().saturating_sub(KEPT_WHEN_IDLE);
            if surplus > 0 {
                self.cool(at, surplus.min(TRIMMED_AT_ONCE));
            }
            if surplus > TRIMMED_AT_ONCE {
                SURPLUS.store(true, Relaxed);
            } else {
                self.release_chunks(at);
            }
        }
    }

    /// Unmaps chunks in which no stack is used, all but one: they have page tables.
    fn release_chunks(&mut self, at: usize) {
        let class = &mut self.classes[at];
        let mut spared = false;
        let mut gone = Vec::new();
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.bytes == class.bytes) {
            if !chunk.is_unused() {
                continue;
            }
            if !spared {
                spared = true;
            } else if kernel::unmap(chunk.base, chunk.end() - chunk.base) {
                gone.push(chunk.base..chunk.end());
                class.slots -= chunk.count();
            }
        }
        if gone.is_empty() {
            return;
        }
        let stays = |base: &usize| {
            let after = gone.partition_point(|range| range.start <= *base);
            !gone[..after].last().is_some_and(|range| range.contains(base))
        };
        class.clean.retain(stays);
        class.warm.retain(stays);
        self.chunks.retain(|chunk| stays(&chunk.base));
    }
}
