//! Calls made by helper threads: how many at once, in which order, and what they leave behind.
//!
//! One test, since a process has one carrier here. It ends by SIGALRM if something waits for ever.

use greenpatch_runtime::config::Config;
use greenpatch_runtime::green_thread::Waiting;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::{offload, signals, sys};
use std::cell::RefCell;
use std::rc::Rc;

const STACK: usize = 64 * 1024;

struct Pipe([i32; 2]);

impl Pipe {
    fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: fills our array.
        assert_eq!(unsafe { sys!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
        Pipe(ends)
    }

    fn put(&self) {
        // SAFETY: one byte of ours.
        assert_eq!(unsafe { sys!(libc::SYS_write, self.0[1], b"x".as_ptr(), 1) }, 1);
    }
}

/// Kernel threads that are helpers.
fn helpers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted").flatten();
    let names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|name| name == "greenpatch-io\n").count()
}

/// Starts a green thread for each pipe that reads a byte by way of `call`, and notes its number when it has.
fn readers(
    hub: &'static Hub,
    pipes: &Rc<Vec<Pipe>>,
    call: fn(&'static Hub, i64, [usize; 6]) -> isize,
) -> Rc<RefCell<Vec<usize>>> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let main = hub.current();
    for number in 0..pipes.len() {
        let (log, pipes) = (log.clone(), pipes.clone());
        hub.spawn(STACK, move || {
            let mut byte = 0u8;
            let args = [pipes[number].0[0] as usize, &mut byte as *mut u8 as usize, 1, 0, 0, 0];
            assert_eq!(call(hub, libc::SYS_read, args), 1);
            assert_eq!(byte, b'x');
            log.borrow_mut().push(number);
            hub.unpark(main);
        });
    }
    while hub.yield_now() {}
    log
}

fn wait_for(hub: &'static Hub, log: &Rc<RefCell<Vec<usize>>>, numbers: &[usize]) {
    while log.borrow().len() < numbers.len() {
        hub.park(Waiting::Signal, None, false);
    }
    assert_eq!(log.borrow()[..], *numbers);
}

/// Every kernel thread there is.
fn on_one_processor() {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted").flatten();
    // SAFETY: all-zero is a valid set of processors, and the set is ours.
    unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        for task in tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()) {
            // A helper may have ended meanwhile.
            libc::sched_setaffinity(task, size_of_val(&set), &set);
        }
    }
}

#[test]
fn helpers_make_calls() {
    // SAFETY: a clock for the whole test.
    unsafe { libc::alarm(60) };
    let hub = Hub::start(Config::DEFAULT);
    let most = hub.config().io_threads;
    assert_eq!(most, 4);

    // Each wait for another party has a thread of its own, so any of them may end first.
    let pipes = Rc::new((0..most + 3).map(|_| Pipe::new()).collect::<Vec<_>>());
    let log = readers(hub, &pipes, offload::call);
    let backwards: Vec<usize> = (0..most + 3).rev().collect();
    for (done, &number) in backwards.iter().enumerate() {
        pipes[number].put();
        wait_for(hub, &log, &backwards[..done + 1]);
    }

    // Disks are served by a few, in the order in which the calls came: the last three wait though they could end.
    let log = readers(hub, &pipes, offload::disk);
    for number in most..most + 3 {
        pipes[number].put();
    }
    while hub.yield_now() {}
    assert!(log.borrow().is_empty());
    pipes[2].put();
    wait_for(hub, &log, &[2, 4, 5, 6]);
    for number in [3, 0, 1] {
        pipes[number].put();
    }
    while log.borrow().len() < most + 3 {
        hub.park(Waiting::Signal, None, false);
    }

    // Who closes a number, or puts another file there, does not take it from a call whose helper has yet to begin: on one
    // processor it has not when its caller has parked.
    on_one_processor();
    for _ in 0..100 {
        let (pipe, other) = (Rc::new(vec![Pipe::new()]), Pipe::new());
        let number = pipe[0].0[0];
        let log = readers(hub, &pipe, offload::call);
        assert!(hub.reactor.before_close(hub, number));
        // SAFETY: our own descriptors.
        assert_eq!(unsafe { sys!(libc::SYS_dup3, other.0[0], number, libc::O_CLOEXEC) } as i32, number);
        pipe[0].put();
        wait_for(hub, &log, &[0]);
        pipe[0].0.into_iter().chain(other.0).for_each(sys::close);
    }

    // A write to a pipe that nobody reads: its signal is the caller's.
    let sigpipe = signals::bit(libc::SIGPIPE);
    signals::set_mask(hub, hub.current(), sigpipe);
    sys::close(pipes[0].0[0]);
    let byte = b'x';
    let args = [pipes[0].0[1] as usize, &byte as *const u8 as usize, 1, 0, 0, 0];
    let before = helpers();
    assert!((1..=most + 3).contains(&before), "idle helpers are used again: {before}");
    assert_eq!(offload::call(hub, libc::SYS_write, args), -(libc::EPIPE as isize));
    assert_eq!(hub.current().pending.borrow().set(), sigpipe);
    assert!(helpers() <= before);
}
