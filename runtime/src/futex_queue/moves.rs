//! Operations on the queues of two words: both are locked, and what they do they do to both at once.

use super::bucket::{two, Bucket, Woken};
use super::{Role, Turn, Waiter, EAGAIN, EINVAL};
use crate::green_thread::{Green, Waiting};
use crate::hub::current_hub;
use crate::user;
use core::ptr;
use core::sync::atomic::Ordering::*;

/// Moves a waiter of `source` to the queue of `to`, in `target` if that is another bucket.
fn transfer(source: &mut Bucket, target: Option<&mut Bucket>, waiter: &Waiter, to: usize, role: Role) {
    source.unlink(waiter);
    waiter.key.store(to, Relaxed);
    waiter.role.set(role);
    waiter.turn.set(Turn::last());
    let target = target.unwrap_or(source);
    target.announce();
    target.push(waiter);
    // The report of a deadlock is the carrier's.
    let Some(green) = waiter.green() else { return };
    if current_hub().is_some_and(|hub| ptr::eq(hub, green.hub) && !hub.is_stranger()) {
        green.waiting.set(Waiting::Futex(to));
    }
}

/// Wakes up to `wake` waiters on `from` and moves up to `requeue` more to `to`. With `expected`, only if the word at
/// `from` has that value, else EAGAIN. Returns (woken, moved).
pub fn requeue(
    from: usize,
    to: usize,
    wake: u32,
    requeue: u32,
    expected: Option<u32>,
) -> Result<(usize, usize), isize> {
    let mut woken = Woken::new();
    let (mut source, mut target) = two(from, to);
    // Before the word is read: who unlocks `to` from now on must find the waiters that we are about to move there.
    target.as_ref().unwrap_or(&source).announce();
    let mut perform = || {
        if let Some(expected) = expected {
            if user::load(from)? != expected {
                return Err(EAGAIN);
            }
        }
        let (mut taken, mut moved) = (0, 0);
        for waiter in source.waiters_on(from) {
            if taken + moved == wake as usize + requeue as usize {
                break;
            }
            if waiter.role.get() != Role::Plain {
                return Err(EINVAL);
            }
            if taken < wake as usize {
                woken.take(&mut source, waiter);
                taken += 1;
            } else {
                if to != from {
                    transfer(&mut source, target.as_mut(), waiter, to, Role::Plain);
                }
                moved += 1;
            }
        }
        Ok((taken, moved))
    };
    let result = perform();
    target.as_ref().unwrap_or(&source).retract();
    result
}

/// FUTEX_CMP_REQUEUE_PI: offers the lock at `to` to the first waiter on `from` (`acquire` gets it and who waits on `to`
/// first; true if it owns the lock now) and moves waiters to `to`, `limit` of them besides that first one, until `admit`
/// has something against one: it stays where it is, and the call fails although others have been moved.
pub fn requeue_pi(
    from: usize,
    to: usize,
    (limit, expected): (u32, u32),
    acquire: impl FnOnce(&Green, Option<&Waiter>) -> Result<bool, isize>,
    admit: impl Fn(&Green) -> Result<(), isize>,
) -> Result<usize, isize> {
    let mut woken = Woken::new();
    let (mut source, mut target) = two(from, to);
    if user::load(from)? != expected {
        return Err(EAGAIN);
    }
    let expects = Role::RequeuePi(to);
    let mut waiters = source.waiters_on(from).peekable();
    let Some(&top) = waiters.peek() else { return Ok(0) };
    if top.role.get() != expects {
        return Err(EINVAL);
    }
    let first = target.as_ref().unwrap_or(&source).waiters_on(to).next();
    let mut done = 0;
    if top.green().map_or(Ok(false), |green| acquire(green, first))? {
        waiters.next();
        woken.take(&mut source, top);
        done = 1;
    }
    for waiter in waiters {
        if done > limit as usize {
            break;
        }
        if waiter.role.get() != expects {
            return Err(EINVAL);
        }
        waiter.green().map_or(Ok(()), &admit)?;
        transfer(&mut source, target.as_mut(), waiter, to, Role::Pi);
        done += 1;
    }
    Ok(done)
}

/// Does `operation` on the word at `second` under the locks of both queues, wakes up to `count` on `first` and, if the
/// operation says so, up to `second_count` on `second`. Returns how many were woken on each, `None` if not asked to.
pub fn wake_op(
    first: usize,
    second: usize,
    count: u32,
    second_count: u32,
    operation: impl FnOnce() -> Result<bool, isize>,
) -> Result<(usize, Option<usize>), isize> {
    let mut woken = Woken::new();
    let (mut one, mut two) = two(first, second);
    let also_second = operation()?;
    let on_first = one.wake(first, count, u32::MAX, &mut woken)?;
    if !also_second {
        return Ok((on_first, None));
    }
    let on_second = two.as_mut().unwrap_or(&mut one).wake(second, second_count, u32::MAX, &mut woken)?;
    Ok((on_first, Some(on_second)))
}

/// Runs `body` with the queue of `key` locked; `body` gets the first waiter, if any, and whether there are more, and
/// says whether to wake the first. For priority-inheritance futexes, whose word is handed over together with the
/// wake-up.
pub fn hand_over<R>(key: usize, body: impl FnOnce(Option<&Waiter>, bool) -> (R, bool)) -> R {
    let mut woken = Woken::new();
    let mut bucket = Bucket::of(key);
    let mut waiters = bucket.waiters_on(key);
    let (first, more) = (waiters.next(), waiters.next().is_some());
    let (result, wake) = body(first, more);
    if let (Some(first), true) = (first, wake) {
        woken.take(&mut bucket, first);
    }
    result
}
