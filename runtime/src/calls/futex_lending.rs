//! Priority inheritance: who holds a lock that somebody of a higher rank waits for runs with that rank until it gives
//! the lock away, and so does whoever it waits for in turn.

use crate::calls::futex_pi::OWNER;
use crate::futex_queue;
use crate::green_thread::{Green, Waiting};
use crate::hub::Hub;
use crate::{scheduling, user};

/// As far as the kernel, too, follows who waits for whom.
const LONGEST_CHAIN: usize = 1024;

fn owner(hub: &Hub, word: usize) -> Option<&'static Green> {
    hub.by_tid((user::load(word).ok()? & OWNER) as i32)
}

/// Somebody has begun to wait for the lock at `word`.
pub(super) fn lend(hub: &Hub, mut word: usize) {
    let rank = futex_queue::top_rank(word);
    for _ in 0..LONGEST_CHAIN {
        let Some(owner) = owner(hub, word).filter(|owner| owner.scheduling.rank() < rank) else { return };
        scheduling::lend_rank(hub, owner, rank);
        match owner.waiting.get() {
            Waiting::Futex(next) if futex_queue::waits_for_pi(next, owner) => word = next,
            _ => return,
        }
    }
}

/// Somebody no longer waits for the lock at `word`.
pub(super) fn review(hub: &Hub, word: usize) {
    if let Some(owner) = owner(hub, word) {
        review_owner(hub, owner);
    }
}

/// `green` has given a lock away, or somebody has stopped waiting for one of its locks.
pub(super) fn review_owner(hub: &Hub, green: &Green) {
    if !green.scheduling.is_lent() {
        return;
    }
    let held = futex_queue::awaited_pi_words().into_iter();
    let held = held.filter(|&word| owner(hub, word).is_some_and(|owner| core::ptr::eq(owner, green)));
    scheduling::lend_rank(hub, green, held.map(futex_queue::top_rank).max().unwrap_or(0));
    if hub.outranked() {
        hub.give_way_to_higher();
    }
}
