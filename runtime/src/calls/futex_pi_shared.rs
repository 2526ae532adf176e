//! Priority-inheritance futexes in memory that processes share, all of them under greenpatch.
//!
//! The kernel knows neither the owners nor, in another process, does our queue. So such a word is an ordinary lock on a
//! shared futex: who finds it taken sets FUTEX_WAITERS and waits in the kernel until it changes; unlocking frees it and
//! wakes one. Whoever has waited takes it with FUTEX_WAITERS set, since others may still wait. Unlike within a process
//! the lock is not handed over, and no priority is lent.

use super::futex::{check_address, is_shared_memory, kernel_wake, Request, ANY, EAGAIN};
use super::futex_pi::{LOCK_PI2, OWNER, OWNER_DIED, WAITERS};
use super::{error, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS};
use crate::hub::Hub;
use crate::{offload, user};

/// Whether the word is one of this file's.
pub(super) fn concerns(request: &Request) -> bool {
    request.shared && check_address(request.word).is_ok() && is_shared_memory(request.word)
}

/// FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI and FUTEX_UNLOCK_PI.
pub(super) fn futex(hub: &'static Hub, request: &Request) -> Result<isize, isize> {
    match request.command {
        libc::FUTEX_UNLOCK_PI => unlock(hub, request.word),
        libc::FUTEX_TRYLOCK_PI => match acquire(hub, request.word, false)? {
            Taken::Ours => Ok(0),
            Taken::Others(_) => Err(EAGAIN),
        },
        _ => lock(hub, request),
    }
}

enum Taken {
    Ours,
    /// The word as it is then, marked as waited for.
    Others(u32),
}

fn acquire(hub: &Hub, word: usize, waited: bool) -> Result<Taken, isize> {
    let id = hub.current().tid.get() as u32;
    loop {
        let value = user::load(word)?;
        if value & OWNER == id {
            return Err(error(libc::EDEADLK));
        }
        let free = value & OWNER == 0;
        let new = match free {
            true => id | value & (OWNER_DIED | WAITERS) | if waited { WAITERS } else { 0 },
            false => value | WAITERS,
        };
        if new == value || user::compare_exchange(word, value, new)? == value {
            return Ok(if free { Taken::Ours } else { Taken::Others(new) });
        }
    }
}

fn lock(hub: &'static Hub, request: &Request) -> Result<isize, isize> {
    let word = request.word;
    let mut waited = false;
    loop {
        let Taken::Others(value) = acquire(hub, word, waited)? else { return Ok(0) };
        // FUTEX_LOCK_PI means CLOCK_REALTIME without saying so.
        let realtime = request.realtime || request.command != LOCK_PI2;
        let clock = if realtime && request.time != 0 { libc::FUTEX_CLOCK_REALTIME } else { 0 };
        let operation = libc::FUTEX_WAIT_BITSET | clock;
        let args = [word, operation as usize, value as usize, request.time, 0, ANY as usize];
        match offload::call(hub, libc::SYS_futex, args) {
            0 | EAGAIN => waited = true,
            // A wake-up may have come at the same time. Who comes back does not know that it has waited, and would leave
            // the others asleep: the next one is to see for itself.
            ERESTARTSYS | ERESTARTNOHAND => {
                kernel_wake(word, true, 1, ANY);
                return Err(ERESTARTNOINTR);
            }
            other => return Err(other),
        }
    }
}

fn unlock(hub: &Hub, word: usize) -> Result<isize, isize> {
    let id = hub.current().tid.get() as u32;
    loop {
        let value = user::load(word)?;
        if value & OWNER != id {
            return Err(error(libc::EPERM));
        }
        if user::compare_exchange(word, value, 0)? == value {
            kernel_wake(word, true, 1, ANY);
            return Ok(0);
        }
    }
}
