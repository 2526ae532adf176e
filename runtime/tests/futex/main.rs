//! futex(2) of the runtime: answers compared with the kernel's, and green threads that wait for each other.
//!
//! One test, since a process has one carrier here. It ends by SIGALRM if something waits for ever.

mod owners;

use greenpatch_runtime::calls::Outcome::{Done, Pass};
use greenpatch_runtime::calls::{self, futex, futex2, Call};
use greenpatch_runtime::config::Config;
use greenpatch_runtime::frame::Frame;
use greenpatch_runtime::green_thread::Green;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::robust::walk_robust_list;
use greenpatch_runtime::{signals, sys, user};
use libc::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};

const STACK: usize = 64 * 1024;
const PRIVATE: i32 = FUTEX_PRIVATE_FLAG;
const LOCK_PI2: i32 = 13;
const DIED: u32 = FUTEX_OWNER_DIED;
const WAITERS: u32 = FUTEX_WAITERS;

type Word = &'static AtomicU32;

fn word(value: u32) -> Word {
    Box::leak(Box::new(AtomicU32::new(value)))
}

fn at(word: Word) -> usize {
    word.as_ptr() as usize
}

fn kernel(nr: i64, a: [usize; 6]) -> isize {
    // SAFETY: the tests' own arguments.
    unsafe { sys!(nr, a[0], a[1], a[2], a[3], a[4], a[5]) }
}

fn call(hub: &'static Hub, nr: i64, call: Call, a: [usize; 6]) -> isize {
    // SAFETY: a frame is plain data.
    let mut frame: Frame = unsafe { std::mem::zeroed() };
    (frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9) = (a[0], a[1], a[2], a[3], a[4], a[5]);
    frame.rax = nr as usize;
    match call(hub, &mut frame) {
        Done(result) => result,
        Pass(_) => kernel(nr, a),
    }
}

fn op(hub: &'static Hub, word: Word, op: i32, value: u32, time: usize, second: usize, value3: u32) -> isize {
    let arguments = [at(word), op as usize, value as usize, time, second, value3 as usize];
    call(hub, SYS_futex, futex::futex, arguments)
}

fn wait(hub: &'static Hub, on: Word, value: u32) -> isize {
    op(hub, on, FUTEX_WAIT | PRIVATE, value, 0, 0, 0)
}

fn wake(hub: &'static Hub, on: Word, count: u32) -> isize {
    op(hub, on, FUTEX_WAKE | PRIVATE, count, 0, 0, 0)
}

fn lock(hub: &'static Hub, on: Word) -> isize {
    op(hub, on, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0)
}

fn unlock(hub: &'static Hub, on: Word) -> isize {
    op(hub, on, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0)
}

/// Runs everybody until nobody is ready.
fn settle(hub: &'static Hub) {
    while hub.yield_now() {}
}

fn until(hub: &'static Hub, what: impl Fn() -> bool) {
    while !what() {
        hub.yield_now();
        std::hint::spin_loop();
    }
}

fn time_in(clock: i32, ns: i64) -> timespec {
    let now = sys::clock(clock).expect("the clock exists") + ns;
    timespec { tv_sec: now / 1_000_000_000, tv_nsec: now % 1_000_000_000 }
}

fn pointer<T>(value: &T) -> usize {
    value as *const T as usize
}

/// The results of green threads, in the order in which they came.
type Log = Rc<RefCell<Vec<(usize, isize)>>>;

fn spawn(hub: &'static Hub, log: &Log, name: usize, body: impl FnOnce() -> isize + 'static) -> &'static Green {
    let log = log.clone();
    hub.spawn(STACK, move || {
        let result = body();
        log.borrow_mut().push((name, result));
    })
}

fn taken(log: &Log) -> Vec<(usize, isize)> {
    std::mem::take(&mut *log.borrow_mut())
}

extern "C" fn on_fault(_: i32, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's context of the fault.
    let rip = unsafe { &mut (*(context as *mut ucontext_t)).uc_mcontext.gregs[REG_RIP as usize] };
    match user::fixup(*rip as usize) {
        Some(to) => *rip = to as i64,
        // SAFETY: ends the process.
        None => unsafe { abort() },
    }
}

fn prepare() {
    // SAFETY: all-zero is a valid action; the handler has the type that SA_SIGINFO asks for.
    unsafe {
        let mut action: sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, std::ptr::null_mut());
        alarm(120);
    }
}

#[test]
fn futexes() {
    prepare();
    let hub = Hub::start(Config::DEFAULT);
    // Nothing takes the short cut of a process without other threads.
    hub.add_phantom();
    for (name, part) in [
        ("as the kernel answers", as_the_kernel_answers as fn(&'static Hub)),
        ("order and bits", order_and_bits),
        ("timeouts", timeouts),
        ("requeue", requeue),
        ("wake_op", wake_op),
        ("join", join),
        ("foreign threads", foreign_threads),
        ("shared memory", shared_memory),
        ("waitv", waitv),
        ("the later calls", later_calls),
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

/// Calls that neither park nor find a waiter: ours must say and leave what the kernel does.
fn as_the_kernel_answers(hub: &'static Hub) {
    let one = word(0);
    let two = word(0);
    // SAFETY: a new mapping that nothing can read.
    let hole = unsafe { sys!(SYS_mmap, 0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1isize, 0) } as usize;
    let me = sys::gettid() as u32;
    let past = timespec { tv_sec: 0, tv_nsec: 1000 };
    let bad = timespec { tv_sec: 1, tv_nsec: 1_000_000_000 };
    let negative = timespec { tv_sec: -1, tv_nsec: 0 };
    let zero = timespec { tv_sec: 0, tv_nsec: 0 };
    let commands: Vec<i32> = (0..16)
        .flat_map(|command| {
            [0, PRIVATE, FUTEX_CLOCK_REALTIME, PRIVATE | FUTEX_CLOCK_REALTIME].map(|flag| command | flag)
        })
        .collect();
    let words = [at(one), at(one) + 1, at(one) + 2, 0, hole, usize::MAX - 3];
    let seconds = [at(two), at(one), at(two) + 1, 0, hole];
    let times = [pointer(&past), pointer(&bad), pointer(&negative), pointer(&zero), hole];
    let counts = [0usize, 1, 3, i32::MAX as usize, u32::MAX as usize];
    let compare = |nr: i64, entry: Call, arguments: [usize; 6], start: (u32, u32)| {
        let run = |ours: bool| {
            one.store(start.0, SeqCst);
            two.store(start.1, SeqCst);
            let result = if ours { call(hub, nr, entry, arguments) } else { kernel(nr, arguments) };
            (result, one.load(SeqCst), two.load(SeqCst))
        };
        let theirs = run(false);
        assert_eq!(run(true), theirs, "nr {nr}, {arguments:x?}, words {start:x?}, this is {me:x}");
    };
    for &operation in &commands {
        let command = operation & !(PRIVATE | FUTEX_CLOCK_REALTIME);
        let waits =
            matches!(command, FUTEX_WAIT | FUTEX_WAIT_BITSET | FUTEX_LOCK_PI | LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI);
        let fourth: &[usize] = if waits { &times } else { &counts };
        for &first in &words {
            for &second in &seconds {
                if second != at(two) && (first != at(one) || command == FUTEX_CMP_REQUEUE) {
                    // Which of two wrong arguments counts does not matter.
                    continue;
                }
                for &time in fourth {
                    for value in [0, 1, u32::MAX] {
                        // A matching wait ends by its time, which has been.
                        compare(
                            SYS_futex,
                            futex::futex,
                            [first, operation as usize, value as usize, time, second, 5],
                            (0, 0),
                        );
                    }
                }
            }
        }
    }
    // The words of PI locks: ours, nobody's, somebody's who does not exist.
    let nobody = 0x3fff_fffe;
    for state in [0, DIED, WAITERS, DIED | WAITERS] {
        for owner in [0, me, nobody] {
            for command in [FUTEX_LOCK_PI, LOCK_PI2, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI] {
                let arguments = [at(one), (command | PRIVATE) as usize, 0, pointer(&past), 0, 0];
                // The kernel tells an owner that is gone from a word that is nobody's by more than one look.
                compare(SYS_futex, futex::futex, arguments, (owner | state, 0));
            }
        }
    }
    for encoded in (0..1u32 << 16).map(|bits| (bits >> 8 << 24) | (bits & 0xf0) << 16 | (bits & 0xf) << 8 | 0x0000_f00f)
    {
        let arguments = [at(one), (FUTEX_WAKE_OP | PRIVATE) as usize, 1, 1, at(two), encoded as usize];
        compare(SYS_futex, futex::futex, arguments, (0, 0xffff_f00f));
        compare(SYS_futex, futex::futex, arguments, (0, 7));
    }
    for bits in [0, 1] {
        for command in [FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET] {
            compare(
                SYS_futex,
                futex::futex,
                [at(one), (command | PRIVATE) as usize, 0, pointer(&past), 0, bits],
                (0, 0),
            );
        }
    }
    for flags in [0usize, 2, 2 | 128, 1, 3, 1 << 20] {
        for mask in [0usize, 1, 1 << 32] {
            for &address in &words {
                for count in counts {
                    compare(futex2::SYS_FUTEX_WAKE, futex2::futex_wake, [address, mask, count, flags, 0, 0], (0, 0));
                }
                for (time, clock) in
                    [(pointer(&past), 0), (pointer(&past), 1), (pointer(&past), 7), (pointer(&bad), 1), (hole, 0)]
                {
                    let arguments = [address, 0, mask, flags, time, clock];
                    compare(futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments, (0, 0));
                    compare(futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments, (1, 0));
                    let entries = [[0u64, address as u64, flags as u64]; 2];
                    for count in [0, 1, 2, 129] {
                        let arguments = [pointer(&entries), count, mask & 1, time, clock, 0];
                        compare(futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, arguments, (0, 0));
                    }
                    compare(futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, [hole, 1, 0, time, clock, 0], (0, 0));
                    for count in counts {
                        let arguments = [pointer(&entries), mask & 1, count, count, 0, 0];
                        compare(futex2::SYS_FUTEX_REQUEUE, futex2::futex_requeue, arguments, (0, 0));
                    }
                }
            }
        }
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

fn entries(words: &[(Word, u64)], flags: u64) -> Vec<[u64; 3]> {
    words.iter().map(|(word, value)| [*value, at(word) as u64, flags]).collect()
}

fn waitv(hub: &'static Hub) {
    let log = Log::default();
    let words: Vec<Word> = (0..100).map(word).collect();
    let list = entries(&words.iter().map(|&on| (on, u64::from(on.load(SeqCst)))).collect::<Vec<_>>(), 2 | 128);
    let run = move |time: usize| {
        let arguments = [list.as_ptr() as usize, list.len(), 0, time, CLOCK_MONOTONIC as usize, 0];
        call(hub, futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, arguments)
    };
    let run = Rc::new(run);
    for index in [0, 57, 99] {
        let run = run.clone();
        spawn(hub, &log, index, move || run(0));
        settle(hub);
        assert_eq!(wake(hub, words[index], 1), 1);
        settle(hub);
        assert_eq!(taken(&log), [(index, index as isize)]);
        assert!(words.iter().all(|&on| wake(hub, on, 1) == 0));
    }
    let soon = time_in(CLOCK_MONOTONIC, 1_000_000);
    assert_eq!(run(pointer(&soon)), -(ETIMEDOUT as isize));
    words[99].store(0, SeqCst);
    assert_eq!(run(0), -(EAGAIN as isize));
    assert!(words.iter().all(|&on| wake(hub, on, 1) == 0));
}

fn later_calls(hub: &'static Hub) {
    let log = Log::default();
    let (from, to) = (word(1), word(2));
    for name in 0..3 {
        spawn(hub, &log, name, move || {
            let arguments = [at(from), 1, 1 << name, 2 | 128, 0, 0];
            call(hub, futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments)
        });
    }
    settle(hub);
    if log.borrow().len() == 3 {
        // A kernel without these calls.
        return;
    }
    let wake =
        |count, mask| call(hub, futex2::SYS_FUTEX_WAKE, futex2::futex_wake, [at(from), mask, count, 2 | 128, 0, 0]);
    assert_eq!((wake(0, 7), wake(9, 2)), (0, 1));
    let list = entries(&[(from, 1), (to, 0)], 2 | 128);
    let arguments = [list.as_ptr() as usize, 0, 1, 9, 0, 0];
    assert_eq!(call(hub, futex2::SYS_FUTEX_REQUEUE, futex2::futex_requeue, arguments), 2);
    settle(hub);
    assert_eq!(taken(&log), [(1, 0), (0, 0)]);
    assert_eq!(self::wake(hub, to, 9), 1);
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
                let list = entries(&[(on, 0), (held, u64::from(held.load(SeqCst)))], 2 | 128);
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
