//! What the runtime's own parts cost, without any hook: `cargo bench --manifest-path benches/Cargo.toml`. The suite that
//! compares whole programs with kernel threads is `scripts/bench`.
//!
//! The benchmark's thread is the carrier and its main green thread; the others run when it gives its turn away.

use criterion::{BatchSize, BenchmarkId, Criterion};
use greenpatch_runtime::config::Config;
use greenpatch_runtime::futex_queue::{self, Waiter};
use greenpatch_runtime::green_thread::Waiting;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::timers::Timers;
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

const STACK: usize = 16 * 1024;
const CROWD: usize = 10_000;
const ANY: u32 = u32::MAX;

/// Green threads that yield to each other, `others` of them besides the one that measures: the time of one round.
fn switches(criterion: &mut Criterion, hub: &'static Hub) {
    let mut group = criterion.benchmark_group("yield");
    for others in [1, 10, 100] {
        let stop = Rc::new(Cell::new(false));
        for _ in 0..others {
            let stop = stop.clone();
            hub.spawn(STACK, move || {
                while !stop.get() {
                    hub.yield_now();
                }
            });
        }
        group.bench_function(BenchmarkId::from_parameter(others), |bencher| bencher.iter(|| hub.yield_now()));
        stop.set(true);
        while hub.yield_now() {}
    }
}

/// A parked green thread is made ready, runs, and parks again.
fn parks(criterion: &mut Criterion, hub: &'static Hub, name: &str) {
    let other = hub.spawn(STACK, move || loop {
        hub.park(Waiting::Nothing, None, false);
    });
    hub.yield_now();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            hub.unpark(other);
            hub.yield_now()
        })
    });
}

/// A wait on a futex word and the wake-up that ends it, as two green threads do them.
fn futexes(criterion: &mut Criterion, hub: &'static Hub, name: &str) {
    let word = Box::leak(Box::new(0u32)) as *const u32 as usize;
    hub.spawn(STACK, move || loop {
        let waiter = Waiter::new(hub, word, ANY);
        waiter.enqueue_if(|| Ok::<(), ()>(())).expect("nobody says no");
        while !waiter.woken() {
            hub.park(Waiting::Futex(word), None, false);
        }
    });
    hub.yield_now();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            futex_queue::wake_any(word, 1, ANY);
            hub.yield_now()
        })
    });
}

/// The queue alone: nobody switches.
fn futex_queues(criterion: &mut Criterion, hub: &'static Hub) {
    let word = &0u32 as *const u32 as usize;
    let mut group = criterion.benchmark_group("futex queue");
    group.bench_function("wake nobody", |bencher| bencher.iter(|| futex_queue::wake_any(black_box(word), 1, ANY)));
    group.bench_function("enter and leave", |bencher| {
        bencher.iter(|| {
            let waiter = Waiter::new(hub, black_box(word), ANY);
            waiter.enqueue_if(|| Ok::<(), ()>(())).expect("nobody says no");
            waiter.leave()
        })
    });
}

/// Deadlines that are cancelled, as most are, and deadlines that are reached, among `CROWD` others.
fn timers(criterion: &mut Criterion) {
    let crowd = || {
        let mut timers = Timers::new();
        (0..CROWD).for_each(|who| timers.set(1_000_000 + who as u64 * 7919 % 100_000, who));
        timers
    };
    let mut group = criterion.benchmark_group("timers");
    group.bench_function("set and cancel", |bencher| {
        let mut timers = crowd();
        let mut now = 0;
        bencher.iter(|| {
            now += 1;
            timers.set(2_000_000 + now, usize::MAX);
            timers.cancelled(|who| who != usize::MAX);
        })
    });
    group.bench_function("set and reach", |bencher| {
        let mut timers = crowd();
        bencher.iter(|| {
            timers.set(1, usize::MAX);
            timers.pop_due(2)
        })
    });
    group.bench_function(BenchmarkId::new("reach all of", CROWD), |bencher| {
        bencher.iter_batched(crowd, |mut timers| while timers.pop_due(u64::MAX).is_some() {}, BatchSize::LargeInput)
    });
}

/// Green threads that stay parked on words of their own.
fn park_a_crowd(hub: &'static Hub) {
    for _ in 0..CROWD {
        hub.spawn(STACK, move || {
            let word = 0u32;
            let waiter = Waiter::new(hub, &word as *const u32 as usize, ANY);
            waiter.enqueue_if(|| Ok::<(), ()>(())).expect("nobody says no");
            hub.park(Waiting::Nothing, None, false);
        });
    }
    while hub.yield_now() {}
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let hub = Hub::start(Config { slice: None, ..Config::DEFAULT });
    switches(&mut criterion, hub);
    parks(&mut criterion, hub, "park and unpark");
    futexes(&mut criterion, hub, "futex wait and wake");
    futex_queues(&mut criterion, hub);
    timers(&mut criterion);
    park_a_crowd(hub);
    parks(&mut criterion, hub, &format!("park and unpark beside {CROWD} parked"));
    futexes(&mut criterion, hub, &format!("futex wait and wake beside {CROWD} parked"));
    criterion.final_summary();
}
