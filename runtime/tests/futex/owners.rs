//! Futexes whose word names an owner: priority inheritance, and what becomes of them when their owner ends.

use super::*;

pub fn pi_hand_over(hub: &'static Hub) {
    let log = Log::default();
    let on = word(0);
    let me = hub.current().tid.get() as u32;
    assert_eq!((lock(hub, on), on.load(SeqCst)), (0, me));
    let greens: Vec<_> = (0..3)
        .map(|name| {
            spawn(hub, &log, name, move || {
                let result = lock(hub, on);
                let mine = hub.current().tid.get() as u32;
                assert_eq!(on.load(SeqCst) & FUTEX_TID_MASK, mine);
                // While it holds the lock, others run, and can't take it.
                hub.yield_now();
                assert_eq!(on.load(SeqCst) & FUTEX_TID_MASK, mine);
                result + unlock(hub, on)
            })
        })
        .collect();
    settle(hub);
    assert_eq!(on.load(SeqCst), me | WAITERS);
    assert_eq!(op(hub, on, FUTEX_TRYLOCK_PI | PRIVATE, 0, 0, 0, 0), -(EDEADLK as isize));
    // A PI lock's waiters are not for FUTEX_WAKE.
    assert_eq!(wake(hub, on, 1), -(EINVAL as isize));
    assert_eq!(unlock(hub, on), 0);
    assert_eq!(on.load(SeqCst), greens[0].tid.get() as u32 | WAITERS);
    settle(hub);
    assert_eq!((taken(&log), on.load(SeqCst)), (vec![(0, 0), (1, 0), (2, 0)], 0));
}

pub fn pi_errors(hub: &'static Hub) {
    let log = Log::default();
    let (one, two) = (word(0), word(0));
    let me = hub.current().tid.get() as u32;
    assert_eq!(lock(hub, one), 0);
    let soon = time_in(CLOCK_REALTIME, 1_000_000);
    let later = time_in(CLOCK_MONOTONIC, 1_000_000);
    spawn(hub, &log, 0, move || op(hub, one, FUTEX_LOCK_PI | PRIVATE, 0, pointer(&soon), 0, 0));
    spawn(hub, &log, 1, move || op(hub, one, LOCK_PI2 | PRIVATE, 0, pointer(&later), 0, 0));
    spawn(hub, &log, 2, move || op(hub, one, FUTEX_TRYLOCK_PI | PRIVATE, 0, 0, 0, 0));
    spawn(hub, &log, 3, move || unlock(hub, one));
    until(hub, || log.borrow().len() == 4);
    let mut results = taken(&log);
    results.sort();
    let expected = [ETIMEDOUT, ETIMEDOUT, EAGAIN, EPERM].map(|errno| -(errno as isize));
    assert_eq!(results.iter().map(|result| result.1).collect::<Vec<_>>(), expected);
    assert_eq!((unlock(hub, one), one.load(SeqCst)), (0, 0));
    // Two that wait for each other's lock.
    assert_eq!(lock(hub, one), 0);
    spawn(hub, &log, 0, move || {
        let results = [lock(hub, two), lock(hub, one), unlock(hub, one), unlock(hub, two)];
        results.iter().sum()
    });
    settle(hub);
    assert_eq!(one.load(SeqCst), me | WAITERS);
    assert_eq!(lock(hub, two), -(EDEADLK as isize));
    assert_eq!(unlock(hub, one), 0);
    settle(hub);
    assert_eq!((taken(&log), one.load(SeqCst), two.load(SeqCst)), (vec![(0, 0)], 0, 0));
    // An owner that never was, and one that died.
    one.store(0x3fff_fffe, SeqCst);
    assert_eq!(lock(hub, one), -(ESRCH as isize));
    one.store(DIED, SeqCst);
    assert_eq!((lock(hub, one), one.load(SeqCst)), (0, me | DIED));
}

pub fn pi_requeue(hub: &'static Hub) {
    let log = Log::default();
    let (condition, on) = (word(3), word(0));
    let me = hub.current().tid.get() as u32;
    let wait = move |value, time| op(hub, condition, FUTEX_WAIT_REQUEUE_PI | PRIVATE, value, time, at(on), 0);
    let requeue =
        |count: usize, to: usize, value| op(hub, condition, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, count, to, value);
    assert_eq!(wait(4, 0), -(EAGAIN as isize));
    for name in 0..4 {
        spawn(hub, &log, name, move || wait(3, 0) + unlock(hub, on));
    }
    settle(hub);
    assert_eq!(wake(hub, condition, 1), -(EINVAL as isize));
    assert_eq!(op(hub, condition, FUTEX_REQUEUE | PRIVATE, 1, 1, at(on), 0), -(EINVAL as isize));
    assert_eq!(requeue(9, at(condition), 3), -(EINVAL as isize));
    assert_eq!(requeue(9, at(word(0)), 3), -(EINVAL as isize));
    assert_eq!(requeue(9, at(on), 4), -(EAGAIN as isize));
    // A free lock: the first one gets it, one follows it.
    assert_eq!(requeue(1, at(on), 3), 2);
    settle(hub);
    assert_eq!(taken(&log), [(0, 0), (1, 0)]);
    // A lock that is held: they wait for it.
    assert_eq!(lock(hub, on), 0);
    assert_eq!(requeue(9, at(on), 3), 2);
    settle(hub);
    assert_eq!((taken(&log), on.load(SeqCst)), (vec![], me | WAITERS));
    assert_eq!(unlock(hub, on), 0);
    settle(hub);
    assert_eq!((taken(&log), on.load(SeqCst)), (vec![(2, 0), (3, 0)], 0));
    let soon = time_in(CLOCK_MONOTONIC, 1_000_000);
    assert_eq!(wait(3, pointer(&soon)), -(ETIMEDOUT as isize));
    assert_eq!(requeue(9, at(on), 3), 0);
}

/// `struct robust_list` with its lock behind it.
#[repr(C)]
struct Robust {
    next: Cell<usize>,
    lock: AtomicU32,
}

pub fn robust_list(hub: &'static Hub) {
    let log = Log::default();
    // Three in the list (the second one not held, the third one pending too) and a head.
    let locks: &'static [Robust] =
        Box::leak((0..3).map(|_| Robust { next: Cell::new(0), lock: AtomicU32::new(0) }).collect());
    let head: &'static [Cell<usize>; 3] = Box::leak(Box::new([const { Cell::new(0) }; 3]));
    head[0].set(pointer(&locks[0]));
    head[1].set(std::mem::offset_of!(Robust, lock));
    head[2].set(pointer(&locks[2]));
    locks[0].next.set(pointer(&locks[1]));
    locks[1].next.set(pointer(&locks[2]));
    locks[2].next.set(head.as_ptr() as usize);
    locks[1].lock.store(17, SeqCst);
    let go = word(0);
    let holder = hub.spawn(STACK, move || {
        hub.current().robust_list.set(head.as_ptr() as usize);
        let me = hub.current().tid.get() as u32;
        locks[0].lock.store(me | WAITERS, SeqCst);
        locks[2].lock.store(me, SeqCst);
        wait(hub, go, 0);
        walk_robust_list(hub, hub.current());
    });
    settle(hub);
    let value = holder.tid.get() as u32 | WAITERS;
    // Robust locks are always shared.
    spawn(hub, &log, 0, move || op(hub, &locks[0].lock, FUTEX_WAIT, value, 0, 0, 0));
    spawn(hub, &log, 1, move || op(hub, &locks[0].lock, FUTEX_WAIT, value, 0, 0, 0));
    settle(hub);
    assert_eq!(wake(hub, go, 1), 1);
    settle(hub);
    assert_eq!(taken(&log), [(0, 0)]);
    assert_eq!([0, 1, 2].map(|i: usize| locks[i].lock.load(SeqCst)), [DIED | WAITERS, 17, DIED]);
    assert_eq!(wake(hub, &locks[0].lock, 1), 1);
    // Circular lists and bad pointers end.
    locks[2].next.set(pointer(&locks[0]));
    hub.spawn(STACK, move || {
        hub.current().robust_list.set(head.as_ptr() as usize);
        walk_robust_list(hub, hub.current());
        hub.current().robust_list.set(8);
        walk_robust_list(hub, hub.current());
    });
    settle(hub);
}

pub fn owner_died(hub: &'static Hub) {
    let log = Log::default();
    let lock_word: &'static Robust = Box::leak(Box::new(Robust { next: Cell::new(0), lock: AtomicU32::new(0) }));
    let plain = word(0);
    let go = word(0);
    let on: Word = &lock_word.lock;
    hub.spawn(STACK, move || {
        // An entry of a PI lock is marked by bit 0 of the pointer to it.
        let head: [usize; 3] = [pointer(lock_word) | 1, std::mem::offset_of!(Robust, lock), 0];
        lock_word.next.set(pointer(&head));
        assert_eq!((lock(hub, on), lock(hub, plain)), (0, 0));
        wait(hub, go, 0);
        hub.current().robust_list.set(pointer(&head));
        walk_robust_list(hub, hub.current());
    });
    settle(hub);
    for (name, on) in [(0, on), (1, plain)] {
        spawn(hub, &log, name, move || {
            let result = lock(hub, on);
            assert_eq!(on.load(SeqCst), hub.current().tid.get() as u32 | DIED);
            result
        });
    }
    settle(hub);
    assert_eq!(wake(hub, go, 1), 1);
    settle(hub);
    assert_eq!(taken(&log), [(0, 0), (1, 0)]);
}
