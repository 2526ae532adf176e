//! What Rust programs make threads with: the standard library, crossbeam-channel and rayon. Prints results only.

use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    standard();
    channels();
    parallel();
    println!("end");
}

fn standard() {
    let threads: Vec<_> = (0..50u64).map(|i| thread::spawn(move || i * i)).collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("spawned {sum}");
    let panicked = thread::Builder::new().name("panics".into()).spawn(|| panic!("meant")).unwrap().join();
    println!("panicked {}", panicked.is_err());

    let mut parts = [0u64; 8];
    thread::scope(|scope| {
        for (i, part) in parts.iter_mut().enumerate() {
            scope.spawn(move || *part = (i as u64 + 1) * 10);
        }
    });
    println!("scoped {parts:?}");

    let (sender, receiver) = mpsc::sync_channel(3);
    for i in 0..4u64 {
        let sender = sender.clone();
        thread::spawn(move || (0..1000).for_each(|n| sender.send(i * 1000 + n).unwrap()));
    }
    drop(sender);
    println!("mpsc {}", receiver.iter().sum::<u64>());

    static TURN: AtomicUsize = AtomicUsize::new(0);
    let main = thread::current();
    let other = thread::spawn(move || {
        for n in 0..1000 {
            while TURN.load(Acquire) != 2 * n + 1 {
                thread::park();
            }
            TURN.store(2 * n + 2, Release);
            main.unpark();
        }
    });
    for n in 0..1000 {
        TURN.store(2 * n + 1, Release);
        other.thread().unpark();
        while TURN.load(Acquire) != 2 * n + 2 {
            thread::park();
        }
    }
    other.join().unwrap();
    // The last unpark may have come too late to be waited for: it is used up here.
    thread::park_timeout(Duration::ZERO);
    let begin = Instant::now();
    thread::park_timeout(Duration::from_millis(5));
    println!("parked {} {}", TURN.load(Relaxed), begin.elapsed() >= Duration::from_millis(4));

    let barrier = Arc::new(Barrier::new(6));
    let leaders: usize = (0..6)
        .map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || (0..100).filter(|_| barrier.wait().is_leader()).count())
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    println!("barrier {leaders}");

    let shared = RwLock::new((0u64, 0u64));
    static FIRST: OnceLock<u64> = OnceLock::new();
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for i in 0..4 {
            let (shared, made) = (&shared, &made);
            scope.spawn(move || {
                FIRST.get_or_init(|| {
                    made.fetch_add(1, Relaxed);
                    thread::sleep(Duration::from_millis(2));
                    7
                });
                for _ in 0..1000 {
                    if i == 0 {
                        let mut pair = shared.write().unwrap();
                        pair.0 += 1;
                        thread::yield_now();
                        pair.1 += 1;
                    } else {
                        let pair = shared.read().unwrap();
                        assert_eq!(pair.0, pair.1);
                    }
                }
            });
        }
    });
    println!("rwlock {:?} once {:?} {}", shared.read().unwrap(), FIRST.get(), made.load(Relaxed));

    let gate = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for i in 0..10 {
            let gate = &gate;
            scope.spawn(move || {
                let mut at = gate.1.wait_while(gate.0.lock().unwrap(), |at| *at != i).unwrap();
                *at += 1;
                gate.1.notify_all();
            });
        }
    });
    let (guard, wait) = gate.1.wait_timeout(gate.0.lock().unwrap(), Duration::from_millis(3)).unwrap();
    println!("condvar {} {}", *guard, wait.timed_out());
}

fn channels() {
    use crossbeam_channel::{after, bounded, never, select, tick, unbounded};
    let (work, jobs) = bounded::<u64>(4);
    let (done, results) = unbounded();
    thread::scope(|scope| {
        for _ in 0..6 {
            let (jobs, done) = (jobs.clone(), done.clone());
            scope.spawn(move || jobs.iter().for_each(|job| done.send(job * 2).unwrap()));
        }
        drop((jobs, done));
        (0..5000).for_each(|job| work.send(job).unwrap());
        drop(work);
    });
    println!("crossbeam {}", results.iter().sum::<u64>());

    // Without a buffer, both meet.
    let (there, here) = bounded::<usize>(0);
    let (back, answers) = bounded::<usize>(0);
    thread::scope(|scope| {
        scope.spawn(move || here.iter().for_each(|n| back.send(n + 1).unwrap()));
        let sum: usize = (0..1000).map(|n| (there.send(n).unwrap(), answers.recv().unwrap()).1).sum();
        println!("rendezvous {sum}");
        drop(there);
    });

    let ticks = tick(Duration::from_millis(1));
    let end = after(Duration::from_millis(30));
    let quiet = never::<()>();
    let mut seen = 0;
    loop {
        select! {
            recv(ticks) -> _ => seen += 1,
            recv(quiet) -> _ => unreachable!(),
            recv(end) -> _ => break,
        }
    }
    println!("select {}", seen > 0);
}

fn parallel() {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
    pool.install(|| {
        let sum: u64 = (0..1_000_000u64).into_par_iter().filter(|n| n % 3 == 0).map(|n| n * n % 1000).sum();
        let mut numbers: Vec<u64> = (0..200_000u64).map(|n| n * 7919 % 200_003).collect();
        numbers.par_sort_unstable();
        let sorted = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
        println!("rayon {sum} {sorted} {}", fibonacci(20));
        let ran = AtomicUsize::new(0);
        rayon::scope(|scope| {
            for _ in 0..500 {
                scope.spawn(|scope| {
                    scope.spawn(|_| {
                        ran.fetch_add(1, Relaxed);
                    })
                });
            }
        });
        println!("tasks {}", ran.load(Relaxed));
    });
}

fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
    a + b
}
