//! futex(2) of the runtime: answers compared with the kernel's, and green threads that wait for each other.
//!
//! One test, since a process has one carrier here. It ends by SIGALRM if something waits for ever.

mod answers;
mod later;
mod owners;
mod rig;

use greenpatch_runtime::calls::{self, futex, futex2, Call};
use greenpatch_runtime::config::Config;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::robust::walk_robust_list;
use greenpatch_runtime::{signals, sys};
use libc::*;
use rig::{
    at, call, kernel, lock, op, pointer, prepare, settle, spawn, taken, time_in, unlock, until, wait, wake, word, Log,
    Word, DIED, LOCK_PI2, PRIVATE, STACK, WAITERS,
};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};

#[test]
fn futexes() {
    prepare();
    let hub = Hub::start(Config::DEFAULT);
    // Nothing takes the short cut of a process without other threads.
    hub.add_phantom();
    for (name, part) in [
        ("as the kernel answers", answers::as_the_kernel_answers as fn(&'static Hub)),
        ("order and bits", order_and_bits),
        ("timeouts", timeouts),
        ("requeue", requeue),
        ("wake_op", wake_op),
        ("join", join),
        ("foreign threads", foreign_threads),
        ("shared memory", shared_memory),
        ("waitv", later::waitv),
        ("the later calls", later::later_calls),
        ("PI hand-over", owners::pi_hand_over),
        ("PI errors", owners::pi_errors),
        ("PI requeue", owners::pi_requeue),
        ("signals", signals_interrupt),
        ("robust list", owners::robust_list),
        ("owner died with PI waiters", owners::owner_died),
    ] {
        println!("{name}");
        part(hub);
        settle(hub);
    }
}

fn order_and_bits(hub: &'static Hub) {
    let log = Log::default();
    let on = word(7);
    for name in 0..4 {
        spawn(hub, &log, name, move || op(hub, on, FUTEX_WAIT_BITSET | PRIVATE, 7, 0, 0, 1 << name));
    }
    settle(hub);
    assert_eq!(op(hub, on, FUTEX_WAKE_BITSET | PRIVATE, 9, 0, 0, 0b100), 1);
    // FUTEX_WAKE of none, or of fewer, wakes one.
    assert_eq!(wake(hub, on, 0), 1);
    assert_eq!(wake(hub, on, u32::MAX), 1);
    assert_eq!(wake(hub, on, 9), 1);
    assert_eq!(wake(hub, on, 9), 0);
    settle(hub);
    assert_eq!(taken(&log), [(2, 0), (0, 0), (1, 0), (3, 0)]);
}

fn timeouts(hub: &'static Hub) {
    let log = Log::default();
    let on = word(0);
    let done = Rc::new(Cell::new(0));
    for (name, command, clock) in [
        (0, FUTEX_WAIT, None),
        (1, FUTEX_WAIT_BITSET, Some(CLOCK_MONOTONIC)),
        (2, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, Some(CLOCK_REALTIME)),
        (3, FUTEX_WAIT, None),
    ] {
        let done = done.clone();
        spawn(hub, &log, name, move || {
            let ns = 1_000_000 * (name as i64 + 1);
            let time = match clock {
                Some(clock) => time_in(clock, ns),
                None => timespec { tv_sec: 0, tv_nsec: ns },
            };
            let result = op(hub, on, command | if name == 3 { 0 } else { PRIVATE }, 0, pointer(&time), 0, u32::MAX);
            done.set(done.get() + 1);
            result
        });
    }
    until(hub, || done.get() == 4);
    settle(hub);
    let mut results = taken(&log);
    results.sort();
    assert_eq!(results, [0, 1, 2, 3].map(|name| (name, -(ETIMEDOUT as isize))));
    // All have left the queue.
    assert_eq!(wake(hub, on, 9), 0);
    // A wake-up before the time.
    spawn(hub, &log, 0, move || {
        let time = timespec { tv_sec: 1 << 60, tv_nsec: 0 };
        op(hub, on, FUTEX_WAIT | PRIVATE, 0, pointer(&time), 0, 0)
    });
    settle(hub);
    assert_eq!(wake(hub, on, 1), 1);
    settle(hub);
    assert_eq!(taken(&log), [(0, 0)]);
}

fn requeue(hub: &'static Hub) {
    let log = Log::default();
    let (from, to) = (word(1), word(2));
    for name in 0..5 {
        spawn(hub, &log, name, move || wait(hub, from, 1));
    }
    settle(hub);
    let compare = FUTEX_CMP_REQUEUE | PRIVATE;
    assert_eq!(op(hub, from, compare, 1, 2, at(to), 9), -(EAGAIN as isize));
    assert_eq!(op(hub, from, compare, u32::MAX, 2, at(to), 1), -(EINVAL as isize));
    assert_eq!(op(hub, from, compare, 0, 0, at(to), 1), 0);
    assert_eq!(op(hub, from, compare, 1, 2, at(to), 1), 3);
    settle(hub);
    assert_eq!(taken(&log), [(0, 0)]);
    assert_eq!(wake(hub, to, 9), 2);
    settle(hub);
    assert_eq!(taken(&log), [(1, 0), (2, 0)]);
    // To itself counts and moves nothing.
    assert_eq!(op(hub, from, FUTEX_REQUEUE | PRIVATE, 0, 9, at(from), 0), 2);
    assert_eq!(op(hub, from, FUTEX_REQUEUE | PRIVATE, 0, i32::MAX as usize, at(to), 0), 2);
    assert_eq!((wake(hub, from, 9), wake(hub, to, 9)), (0, 2));
    settle(hub);
    assert_eq!(taken(&log), [(3, 0), (4, 0)]);
}

fn wake_op(hub: &'static Hub) {
    let log = Log::default();
    let (one, two) = (word(0), word(5));
    for name in 0..6 {
        spawn(hub, &log, name, move || if name < 3 { wait(hub, one, 0) } else { wait(hub, two, 5) });
    }
    settle(hub);
    // two += 1; on two as well if it was greater than 6.
    let encoded = (FUTEX_OP_ADD as u32) << 28 | (FUTEX_OP_CMP_GT as u32) << 24 | 1 << 12 | 6;
    let by = move |count| op(hub, one, FUTEX_WAKE_OP | PRIVATE, 1, count, at(two), encoded);
    assert_eq!((by(2), two.load(SeqCst)), (1, 6));
    assert_eq!((by(2), two.load(SeqCst)), (1, 7));
    assert_eq!((by(2), two.load(SeqCst)), (3, 8));
    settle(hub);
    assert_eq!(taken(&log), [0, 1, 2, 3, 4].map(|name| (name, 0)));
    assert_eq!(wake(hub, two, 9), 1);
}

/// A shared wait on the id of a green thread, as pthread_join does it.
fn join(hub: &'static Hub) {
    let tid = word(0);
    let go = word(0);
    let green = hub.spawn(STACK, move || {
        wait(hub, go, 0);
    });
    green.clear_child_tid.set(at(tid));
    let number = green.tid.get() as u32;
    tid.store(number, SeqCst);
    let log = Log::default();
    spawn(hub, &log, 0, move || op(hub, tid, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, number, 0, 0, u32::MAX));
    settle(hub);
    assert!(taken(&log).is_empty());
    assert_eq!(wake(hub, go, 1), 1);
    settle(hub);
    assert_eq!((taken(&log), tid.load(SeqCst)), (vec![(0, 0)], 0));
}

fn foreign_threads(hub: &'static Hub) {
    hub.foreign_thread_added();
    let log = Log::default();
    let (on, to) = (word(0), word(0));
    // A foreign thread wakes green threads.
    for name in 0..4 {
        spawn(hub, &log, name, move || wait(hub, on, 0));
    }
    settle(hub);
    let foreign = std::thread::spawn(move || {
        let by = |operation: i32, count: usize, time: usize, second: usize| {
            let arguments = [at(on), (operation | PRIVATE) as usize, count, time, second, 0];
            call(hub, SYS_futex, futex::futex_foreign, arguments)
        };
        [by(FUTEX_WAKE, 1, 0, 0), by(FUTEX_CMP_REQUEUE, 1, 1, at(to)), by(FUTEX_WAKE, 9, 0, 0), by(FUTEX_WAKE, 9, 0, 0)]
    });
    until(hub, || log.borrow().len() == 3);
    assert_eq!(foreign.join().expect("it ends"), [1, 2, 1, 0]);
    assert_eq!(wake(hub, to, 1), 1);
    settle(hub);
    let mut results = taken(&log);
    results.sort();
    assert_eq!(results, [0, 1, 2, 3].map(|name| (name, 0)));
    // Green threads wake foreign ones, after their own.
    static WOKEN: AtomicI32 = AtomicI32::new(0);
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(move || {
                let arguments = [at(on), (FUTEX_WAIT | PRIVATE) as usize, 0, 0, 0, 0];
                assert_eq!(call(hub, SYS_futex, futex::futex_foreign, arguments), 0);
                WOKEN.fetch_add(1, SeqCst);
            })
        })
        .collect();
    spawn(hub, &log, 9, move || wait(hub, on, 0));
    settle(hub);
    let total = Cell::new(0);
    until(hub, || {
        total.set(total.get() + wake(hub, on, 9));
        total.get() == 3
    });
    for waiter in waiters {
        waiter.join().expect("it ends");
    }
    settle(hub);
    assert_eq!((WOKEN.load(SeqCst), taken(&log)), (2, vec![(9, 0)]));
    // Several of both at one word, by one wake-up that is meant for all: nobody is left.
    hub.foreign_threads.store(false, SeqCst);
}

/// A wake-up through another address of the same memory, which only the kernel's key brings together.
fn shared_memory(hub: &'static Hub) {
    // SAFETY: new mappings, the second one of the first one's memory.
    let (address, alias) = unsafe {
        let protection = PROT_READ | PROT_WRITE;
        let address = sys!(SYS_mmap, 0, 4096, protection, MAP_SHARED | MAP_ANONYMOUS, -1isize, 0) as usize;
        (address, sys!(SYS_mremap, address, 0, 4096, MREMAP_MAYMOVE) as usize)
    };
    assert_ne!(address, alias);
    // SAFETY: mapped for the rest of the process.
    let (on, alias): (Word, Word) = unsafe { (&*(address as *const AtomicU32), &*(alias as *const AtomicU32)) };
    let log = Log::default();
    spawn(hub, &log, 0, move || op(hub, on, FUTEX_WAIT, 0, 0, 0, 0));
    let time = timespec { tv_sec: 0, tv_nsec: 2_000_000 };
    until(hub, || op(hub, alias, FUTEX_WAKE, 1, 0, 0, 0) == 1);
    until(hub, || !log.borrow().is_empty());
    assert_eq!(taken(&log), [(0, 0)]);
    let result = op(hub, on, FUTEX_WAIT, 0, pointer(&time), 0, 0);
    assert_eq!(result, -(ETIMEDOUT as isize));
    assert_eq!(op(hub, on, FUTEX_WAIT, 1, 0, 0, 0), -(EAGAIN as isize));
    // The private futex there is ours.
    spawn(hub, &log, 1, move || wait(hub, on, 0));
    settle(hub);
    assert_eq!(wake(hub, on, 1), 1);
    settle(hub);
    assert_eq!(taken(&log), [(1, 0)]);
}

extern "C" fn never_run(_: i32) {}

/// How each kind of wait ends when a handler is to run.
fn signals_interrupt(hub: &'static Hub) {
    const RESTART: isize = -512;
    const RESTART_ALWAYS: isize = -513;
    // The kernel's `struct sigaction`: handler, flags, restorer, mask.
    let action = [never_run as *const () as usize, 0, 0, 0];
    let arguments = [SIGUSR1 as usize, pointer(&action), 0, 8, 0, 0];
    assert_eq!(call(hub, SYS_rt_sigaction, calls::signal::rt_sigaction, arguments), 0);
    let log = Log::default();
    let (on, held, condition) = (word(0), word(0), word(3));
    let shared = {
        // SAFETY: a new mapping, which stays.
        unsafe {
            let flags = MAP_SHARED | MAP_ANONYMOUS;
            let address = sys!(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, flags, -1isize, 0) as usize;
            &*(address as *const AtomicU32)
        }
    };
    let later: &'static timespec = Box::leak(Box::new(timespec { tv_sec: 1 << 40, tv_nsec: 0 }));
    let time = pointer(later);
    assert_eq!(lock(hub, held), 0);
    let requeue_pi = FUTEX_WAIT_REQUEUE_PI | PRIVATE;
    let waits: [(usize, Box<dyn FnOnce() -> isize>); 9] = [
        (0, Box::new(move || wait(hub, on, 0))),
        (1, Box::new(move || op(hub, on, FUTEX_WAIT | PRIVATE, 0, time, 0, 0))),
        (2, Box::new(move || op(hub, on, FUTEX_WAIT_BITSET | PRIVATE, 0, time, 0, 1))),
        (3, Box::new(move || lock(hub, held))),
        (4, Box::new(move || op(hub, condition, requeue_pi, 3, 0, at(held), 0))),
        (5, Box::new(move || op(hub, condition, requeue_pi, 3, 0, at(held), 0))),
        (6, Box::new(move || op(hub, shared, FUTEX_WAIT, 0, 0, 0, 0))),
        (7, Box::new(move || op(hub, shared, FUTEX_WAIT, 0, time, 0, 0))),
        (
            8,
            Box::new(move || {
                let list = later::entries(&[(on, 0), (held, u64::from(held.load(SeqCst)))], 2 | 128);
                let arguments = [list.as_ptr() as usize, 2, 0, 0, 0, 0];
                call(hub, futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, arguments)
            }),
        ),
    ];
    let greens: Vec<_> = waits.into_iter().map(|(name, body)| spawn(hub, &log, name, body)).collect();
    settle(hub);
    // The first of the two is moved to the lock.
    let requeued = op(hub, condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 0, at(held), 3);
    assert_eq!(requeued, 1);
    assert!(taken(&log).is_empty());
    for green in greens {
        signals::send(hub, green, &signals::info_of_tkill(hub, SIGUSR1));
    }
    until(hub, || log.borrow().len() == 9);
    let mut results = taken(&log);
    results.sort();
    let interrupted = -(EINTR as isize);
    let expected = [
        RESTART,
        interrupted,
        interrupted,
        RESTART_ALWAYS,
        -(EAGAIN as isize),
        RESTART_ALWAYS,
        RESTART,
        interrupted,
        RESTART,
    ];
    assert_eq!(results.iter().map(|result| result.1).collect::<Vec<_>>(), expected);
    // Nobody is left in a queue.
    assert_eq!((wake(hub, on, 9), wake(hub, held, 9), wake(hub, condition, 9)), (0, 0, 0));
    assert_eq!((unlock(hub, held), held.load(SeqCst)), (0, 0));
}
