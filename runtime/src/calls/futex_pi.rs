//! Priority-inheritance futexes among green threads. The kernel does not know their owners (ids of ours), so these
//! never go there.
//!
//! The word: the owner's id, FUTEX_WAITERS if an unlock must come to us, FUTEX_OWNER_DIED. It changes hands under the
//! lock of its queue, before the new owner is woken, so nobody can take it in between. Words in memory that processes
//! share have no such lock: see `futex_pi_shared`.

use super::futex::{await_wake, check_address, End, Request, Until, ANY, EAGAIN, EINVAL, ETIMEDOUT};
use super::Outcome::Done;
use super::{error, futex_lending, futex_pi_shared, Outcome, ERESTARTNOINTR};
use crate::futex_queue::{self, Role, Waiter};
use crate::green_thread::{Green, Waiting};
use crate::hub::Hub;
use crate::user;
use core::ptr;

/// FUTEX_LOCK_PI on a clock that its caller chooses.
pub(super) const LOCK_PI2: i32 = 13;

pub(super) const WAITERS: u32 = libc::FUTEX_WAITERS;
pub(super) const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
pub(super) const OWNER: u32 = libc::FUTEX_TID_MASK;
/// As far as the kernel, too, follows who waits for whom.
const LONGEST_CHAIN: usize = 1024;

/// Whether the operation is one of this file's.
pub(super) fn is_pi(command: i32) -> bool {
    matches!(
        command,
        libc::FUTEX_LOCK_PI
            | LOCK_PI2
            | libc::FUTEX_UNLOCK_PI
            | libc::FUTEX_TRYLOCK_PI
            | libc::FUTEX_WAIT_REQUEUE_PI
            | libc::FUTEX_CMP_REQUEUE_PI
    )
}

pub(super) fn futex(hub: &'static Hub, request: &Request, until: Until) -> Outcome {
    let result = match request.command {
        libc::FUTEX_LOCK_PI | LOCK_PI2 | libc::FUTEX_TRYLOCK_PI | libc::FUTEX_UNLOCK_PI
            if futex_pi_shared::concerns(request) =>
        {
            futex_pi_shared::futex(hub, request)
        }
        libc::FUTEX_UNLOCK_PI => unlock(hub, request.word),
        libc::FUTEX_TRYLOCK_PI => try_lock(hub, request.word),
        libc::FUTEX_WAIT_REQUEUE_PI => wait_requeue(hub, request, until),
        libc::FUTEX_CMP_REQUEUE_PI => requeue(hub, request),
        _ => lock(hub, request.word, until),
    };
    Done(result.unwrap_or_else(|error| error))
}

/// Makes `green` the owner of a free lock (true), or marks the lock as waited for (false). Under the lock of the
/// queue, whose first waiter is `first`.
fn acquire(hub: &Hub, word: usize, green: &Green, first: Option<&Waiter>, mark_always: bool) -> Result<bool, isize> {
    let id = green.tid.get() as u32;
    loop {
        let value = user::load(word)?;
        if value & OWNER == id {
            return Err(error(libc::EDEADLK));
        }
        if first.is_some_and(|first| first.role() != Role::Pi) {
            return Err(EINVAL);
        }
        let free = value & OWNER == 0;
        if free && first.is_some() {
            // Somebody waits, so the owner can only have left by a hand-over.
            return Err(EINVAL);
        }
        let new = match free {
            true => id | value & OWNER_DIED | if mark_always { WAITERS } else { 0 },
            false => value | WAITERS,
        };
        if user::compare_exchange(word, value, new)? != value {
            continue;
        }
        if !free && hub.by_tid((value & OWNER) as i32).is_none() {
            return Err(error(libc::ESRCH));
        }
        return Ok(free);
    }
}

/// The owner of the lock at `word`, the owner of the lock that this one waits for, and so on.
fn chain(hub: &Hub, word: usize) -> impl Iterator<Item = &'static Green> + '_ {
    let owner_of = |word| hub.by_tid((user::load(word).ok()? & OWNER) as i32);
    let next = move |owner: &&'static Green| match owner.waiting.get() {
        Waiting::Futex(next) if futex_queue::waits_for_pi(next, owner) => owner_of(next),
        _ => None,
    };
    core::iter::successors(owner_of(word), next).take(LONGEST_CHAIN)
}

/// Whether the owner of the lock at `word` waits, over any number of locks, for `green`.
fn would_deadlock(hub: &Hub, green: &Green, word: usize) -> bool {
    chain(hub, word).any(|owner| ptr::eq(owner, green))
}

fn lock(hub: &Hub, word: usize, until: Until) -> Result<isize, isize> {
    check_address(word)?;
    let waiter = Waiter::with_role(hub, word, ANY, Role::Pi);
    // `Err(0)`: it is ours, nothing to wait for.
    let contended = waiter.enqueue_behind(|first| match acquire(hub, word, hub.current(), first, false)? {
        true => Err(0),
        false => Ok(()),
    });
    if let Err(result) = contended {
        return Ok(result);
    }
    if would_deadlock(hub, hub.current(), word) && !waiter.leave() {
        return Err(error(libc::EDEADLK));
    }
    futex_lending::lend(hub, word);
    let end = await_wake(hub, &waiter, until);
    if end != End::Woken {
        futex_lending::review(hub, word);
    }
    match end {
        End::Woken => Ok(0),
        End::TimedOut => Err(ETIMEDOUT),
        End::Interrupted => Err(ERESTARTNOINTR),
    }
}

fn try_lock(hub: &Hub, word: usize) -> Result<isize, isize> {
    check_address(word)?;
    let acquired = futex_queue::hand_over(word, |first, _| (acquire(hub, word, hub.current(), first, false), false))?;
    if acquired {
        Ok(0)
    } else {
        Err(EAGAIN)
    }
}

fn unlock(hub: &Hub, word: usize) -> Result<isize, isize> {
    let id = hub.current().tid.get() as u32;
    if user::load(word)? & OWNER != id {
        return Err(error(libc::EPERM));
    }
    check_address(word)?;
    hand_over(word, id, 0)?;
    futex_lending::review_owner(hub, hub.current());
    Ok(0)
}

/// Takes the lock from owner `id` and gives it to who waits first; `mark` is added for the new owner, or left if there
/// is none.
fn hand_over(word: usize, id: u32, mark: u32) -> Result<(), isize> {
    let exchange = |first: Option<&Waiter>, more| loop {
        let new = match first {
            None => mark,
            Some(first) if first.role() == Role::Pi => {
                first.green().map_or(0, |green| green.tid.get() as u32) | mark | if more { WAITERS } else { 0 }
            }
            Some(_) => return Err(EINVAL),
        };
        let value = user::load(word)?;
        if value & OWNER != id {
            return Err(EINVAL);
        }
        if user::compare_exchange(word, value, new)? == value {
            return Ok(());
        }
    };
    futex_queue::hand_over(word, |first, more| {
        let result = exchange(first, more);
        (result, result.is_ok())
    })
}

/// The owner `id` of a lock has ended: the next one gets it with FUTEX_OWNER_DIED.
pub(crate) fn owner_died(word: usize, id: u32) {
    let _ = hand_over(word, id, OWNER_DIED);
}

/// The lock that a requeue is to: the kernel looks at shared memory at once, at private memory when it must.
fn check_lock(request: &Request) -> Result<(), isize> {
    check_address(request.second)?;
    if request.shared {
        user::load(request.second)?;
    }
    Ok(())
}

fn wait_requeue(hub: &Hub, request: &Request, until: Until) -> Result<isize, isize> {
    let (word, lock) = (request.word, request.second);
    if word == lock {
        return Err(EINVAL);
    }
    check_lock(request)?;
    check_address(word)?;
    let waiter = Waiter::with_role(hub, word, ANY, Role::RequeuePi(lock));
    waiter.enqueue_if(|| match user::load(word)? {
        now if now == request.value => Ok(()),
        _ => Err(EAGAIN),
    })?;
    let end = await_wake(hub, &waiter, until);
    if end != End::Woken {
        futex_lending::review(hub, lock);
    }
    match end {
        End::Woken => Ok(0),
        End::TimedOut => Err(ETIMEDOUT),
        // Once it has been moved, a second try would find the word changed.
        End::Interrupted if waiter.key() == lock => Err(EAGAIN),
        End::Interrupted => Err(ERESTARTNOINTR),
    }
}

fn requeue(hub: &Hub, request: &Request) -> Result<isize, isize> {
    let (from, to, limit) = (request.word, request.second, request.time as u32);
    if (request.value as i32) < 0 || (limit as i32) < 0 || from == to || request.value != 1 {
        return Err(EINVAL);
    }
    check_address(from)?;
    check_lock(request)?;
    let acquire = |green: &Green, first: Option<&Waiter>| acquire(hub, to, green, first, limit > 0);
    // Looked at beforehand, since it needs the queues' locks; nobody but the carrier changes it.
    let owners: Vec<_> = chain(hub, to).collect();
    let admit = |green: &Green| match owners.iter().any(|owner| ptr::eq(*owner, green)) {
        true => Err(error(libc::EDEADLK)),
        false => Ok(()),
    };
    let result = futex_queue::requeue_pi(from, to, (limit, request.value3), acquire, admit);
    futex_lending::lend(hub, to);
    result.map(|count| count as isize)
}
