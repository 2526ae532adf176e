//! poll, select, epoll_wait and the sleeps on a hub, without the shim: each test makes its own kernel thread a carrier
//! and calls the calls as the entry would, with a frame of registers.

use greenpatch_runtime::calls::{epoll, poll, select, time, Outcome, Reason, ERESTARTNOHAND};
use greenpatch_runtime::config::Config;
use greenpatch_runtime::frame::Frame;
use greenpatch_runtime::green_thread::Waiting;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::{signals, sys};
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::rc::Rc;

type Call = fn(&'static Hub, &mut Frame) -> Outcome;

fn hub() -> &'static Hub {
    Hub::start(Config::DEFAULT)
}

fn call(hub: &'static Hub, call: Call, args: [usize; 6]) -> Outcome {
    let [rdi, rsi, rdx, r10, r8, r9] = args;
    // SAFETY: integers and pointers, for which zero is a value.
    let mut frame = Frame { rdi, rsi, rdx, r10, r8, r9, ..unsafe { std::mem::zeroed() } };
    call(hub, &mut frame)
}

fn done(hub: &'static Hub, it: Call, args: [usize; 6]) -> isize {
    match call(hub, it, args) {
        Outcome::Done(result) => result,
        pass => panic!("{pass:?}"),
    }
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair of sockets")
}

fn pollfd(fd: i32, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 99 }
}

fn address<T>(value: &mut T) -> usize {
    ptr::from_mut(value) as usize
}

const FOREVER: usize = -1i32 as u32 as usize;

/// A green thread that stays parked, so that no call is left to the kernel for want of others.
fn company(hub: &'static Hub) {
    hub.spawn(64 * 1024, move || loop {
        hub.park(Waiting::Signal, None, false);
    });
}

#[test]
fn alone_the_kernel_does_it() {
    let hub = hub();
    assert_eq!(call(hub, poll::poll, [0, 0, FOREVER, 0, 0, 0]), Outcome::Pass(Reason::NoOtherGreenThread));
    assert_eq!(call(hub, time::nanosleep, [0; 6]), Outcome::Pass(Reason::NoOtherGreenThread));
    company(hub);
    // Looked here, once: a tick that came meanwhile must not end the call.
    assert_eq!(call(hub, poll::poll, [0; 6]), Outcome::Done(0));
    assert_eq!(call(hub, time::clock_nanosleep, [999, 0, 0, 0, 0, 0]), Outcome::Pass(Reason::NotOurs));
}

#[test]
fn a_poll_waits_while_others_run() {
    let hub = hub();
    let (a, mut b) = pair();
    let (quiet, _other) = pair();
    let order = Rc::new(RefCell::new(Vec::new()));
    let log = order.clone();
    hub.spawn(64 * 1024, move || {
        log.borrow_mut().push("writes");
        b.write_all(b"x").expect("write");
        std::mem::forget(b);
    });
    let mut fds = [
        pollfd(quiet.as_raw_fd(), libc::POLLIN),
        pollfd(-1, libc::POLLIN),
        pollfd(a.as_raw_fd(), libc::POLLIN | libc::POLLPRI),
        pollfd(a.as_raw_fd(), libc::POLLIN),
    ];
    assert_eq!(done(hub, poll::poll, [address(&mut fds), 4, FOREVER, 0, 0, 0]), 2);
    order.borrow_mut().push("polled");
    assert_eq!(fds.map(|fd| fd.revents), [0, 0, libc::POLLIN, libc::POLLIN]);
    assert_eq!(*order.borrow(), ["writes", "polled"]);
}

#[test]
fn many_pollers_see_one_event() {
    let hub = hub();
    let (a, mut b) = pair();
    let fd = a.as_raw_fd();
    let seen = Rc::new(RefCell::new(0));
    for _ in 0..10 {
        let seen = seen.clone();
        hub.spawn(64 * 1024, move || {
            let mut one = pollfd(fd, libc::POLLIN);
            assert_eq!(done(hub, poll::poll, [address(&mut one), 1, FOREVER, 0, 0, 0]), 1);
            *seen.borrow_mut() += 1;
        });
    }
    company(hub);
    hub.yield_now();
    b.write_all(b"x").expect("write");
    while *seen.borrow() < 10 {
        assert_eq!(done(hub, time::nanosleep, [address(&mut timespec(1_000_000)), 0, 0, 0, 0, 0]), 0);
    }
}

fn timespec(ns: i64) -> libc::timespec {
    libc::timespec { tv_sec: ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 }
}

#[test]
fn timeouts_are_kept_and_told() {
    let hub = hub();
    company(hub);
    let (a, _b) = pair();
    let mut one = pollfd(a.as_raw_fd(), libc::POLLIN);
    let begin = sys::now();
    assert_eq!(done(hub, poll::poll, [address(&mut one), 1, 20, 0, 0, 0]), 0);
    assert!(sys::now() - begin >= 20_000_000);
    assert_eq!(one.revents, 0);

    let mut time = timespec(3_000_001);
    let begin = sys::now();
    assert_eq!(done(hub, poll::ppoll, [address(&mut one), 1, address(&mut time), 0, 0, 0]), 0);
    assert!(sys::now() - begin >= 3_000_001);
    assert_eq!((time.tv_sec, time.tv_nsec), (0, 0));

    let mut zero_fds = timespec(2_000_000);
    assert_eq!(done(hub, poll::ppoll, [0, 0, address(&mut zero_fds), 0, 0, 0]), 0);
    let mut bad = timespec(0);
    bad.tv_nsec = -1;
    assert_eq!(done(hub, poll::ppoll, [0, 0, address(&mut bad), 0, 0, 0]), -(libc::EINVAL as isize));
}

#[test]
fn a_closed_number_is_reported() {
    let hub = hub();
    company(hub);
    let gone = 1 << 30;
    let mut one = pollfd(gone, libc::POLLIN);
    assert_eq!(done(hub, poll::poll, [address(&mut one), 1, FOREVER, 0, 0, 0]), 1);
    assert_eq!(one.revents, libc::POLLNVAL);
}

#[test]
fn select_answers_in_place() {
    let hub = hub();
    let (a, mut b) = pair();
    let (quiet, _other) = pair();
    hub.spawn(64 * 1024, move || {
        b.write_all(b"x").expect("write");
        std::mem::forget(b);
    });
    // SAFETY: all-zero is an empty set, and the numbers are small.
    let (mut read, mut except) = unsafe { (std::mem::zeroed::<libc::fd_set>(), std::mem::zeroed::<libc::fd_set>()) };
    // SAFETY: as above.
    unsafe {
        libc::FD_SET(a.as_raw_fd(), &mut read);
        libc::FD_SET(quiet.as_raw_fd(), &mut read);
        libc::FD_SET(quiet.as_raw_fd(), &mut except);
    }
    let n = 1 + a.as_raw_fd().max(quiet.as_raw_fd()) as usize;
    let mut time = libc::timeval { tv_sec: 50, tv_usec: 0 };
    let args = [n, address(&mut read), 0, address(&mut except), address(&mut time), 0];
    assert_eq!(done(hub, select::select, args), 1);
    // SAFETY: as above.
    unsafe {
        assert!(libc::FD_ISSET(a.as_raw_fd(), &read) && !libc::FD_ISSET(quiet.as_raw_fd(), &read));
        assert!(!libc::FD_ISSET(quiet.as_raw_fd(), &except));
    }
    assert!(time.tv_sec < 50, "what is left is told");

    // Timed out: the sets are empty, the timeout is zero.
    // SAFETY: as above.
    unsafe { libc::FD_SET(quiet.as_raw_fd(), &mut except) };
    company(hub);
    let mut time = timespec(2_000_000);
    let args = [n, 0, 0, address(&mut except), address(&mut time), 0];
    assert_eq!(done(hub, select::pselect6, args), 0);
    // SAFETY: as above.
    assert!(unsafe { !libc::FD_ISSET(quiet.as_raw_fd(), &except) });
    assert_eq!(time.tv_nsec, 0);
    let bad = done(hub, select::select, [FOREVER, 0, 0, 0, 0, 0]);
    assert_eq!(bad, -(libc::EINVAL as isize));
}

/// An epoll descriptor that watches `fds`.
fn epoll_of(fds: &[i32], flags: i32) -> File {
    // SAFETY: makes a descriptor that the `File` owns.
    let epoll = unsafe { File::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
    for &fd in fds {
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | flags) as u32, u64: fd as u64 };
        // SAFETY: valid descriptors and event.
        assert_eq!(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) }, 0);
    }
    epoll
}

/// Green threads share one epoll descriptor; every message must be taken once, and all of them.
fn workers_share_a_set(flags: i32) {
    const SOCKETS: usize = 20;
    const ROUNDS: usize = 50;
    let hub = hub();
    let mut pairs: Vec<_> = (0..SOCKETS).map(|_| pair()).collect();
    let fds: Vec<_> = pairs.iter().map(|pair| pair.0.as_raw_fd()).collect();
    let epoll = epoll_of(&fds, flags);
    let taken = Rc::new(RefCell::new(0));
    for _ in 0..5 {
        let (taken, set) = (taken.clone(), epoll.as_raw_fd());
        hub.spawn(64 * 1024, move || loop {
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 2];
            let count = done(hub, epoll::epoll_wait, [set as usize, address(&mut events), 2, FOREVER, 0, 0]);
            assert!((1..=2).contains(&count));
            for event in &events[..count as usize] {
                let fd = event.u64 as i32;
                let mut byte = 0u8;
                // SAFETY: one byte into one byte.
                while unsafe { libc::recv(fd, ptr::from_mut(&mut byte).cast(), 1, libc::MSG_DONTWAIT) } == 1 {
                    *taken.borrow_mut() += 1;
                    hub.yield_now();
                }
                if flags & libc::EPOLLONESHOT != 0 {
                    let mut event = libc::epoll_event { events: (libc::EPOLLIN | flags) as u32, u64: fd as u64 };
                    // SAFETY: as in `epoll_of`.
                    assert_eq!(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_MOD, fd, &mut event) }, 0);
                }
            }
        });
    }
    for round in 0..ROUNDS {
        for pair in &mut pairs {
            pair.1.write_all(b"x").expect("write");
        }
        let mut tries = 0;
        while *taken.borrow() < (round + 1) * SOCKETS {
            done(hub, time::nanosleep, [address(&mut timespec(1_000_000)), 0, 0, 0, 0, 0]);
            tries += 1;
            assert!(tries < 10_000, "an event was lost: {} of {}", taken.borrow(), (round + 1) * SOCKETS);
        }
    }
}

#[test]
fn workers_share_a_level_triggered_set() {
    workers_share_a_set(0);
}

#[test]
fn workers_share_an_edge_triggered_set() {
    workers_share_a_set(libc::EPOLLET);
}

#[test]
fn workers_share_a_one_shot_set() {
    workers_share_a_set(libc::EPOLLONESHOT);
}

#[test]
fn workers_share_an_exclusive_set() {
    workers_share_a_set(libc::EPOLLEXCLUSIVE);
}

#[test]
fn epoll_timeouts_and_errors() {
    let hub = hub();
    company(hub);
    let (a, _b) = pair();
    let epoll = epoll_of(&[a.as_raw_fd()], 0);
    let set = epoll.as_raw_fd() as usize;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
    let at = address(&mut events);
    let begin = sys::now();
    assert_eq!(done(hub, epoll::epoll_wait, [set, at, 4, 5, 0, 0]), 0);
    assert!(sys::now() - begin >= 5_000_000);
    let mut time = timespec(1_500_001);
    let begin = sys::now();
    assert_eq!(done(hub, epoll::epoll_pwait2, [set, at, 4, address(&mut time), 0, 0]), 0);
    assert!(sys::now() - begin >= 1_500_001);
    assert_eq!(time.tv_nsec, 1_500_001, "only read");
    let einval = -(libc::EINVAL as isize);
    assert_eq!(done(hub, epoll::epoll_wait, [set, at, 0, FOREVER, 0, 0]), einval);
    assert_eq!(done(hub, epoll::epoll_wait, [a.as_raw_fd() as usize, at, 4, FOREVER, 0, 0]), einval);
    let mut mask = 0u64;
    assert_eq!(done(hub, epoll::epoll_pwait, [set, at, 4, FOREVER, address(&mut mask), 4]), einval);
}

#[test]
fn a_mask_lets_a_pending_signal_end_the_wait() {
    let hub = hub();
    company(hub);
    let green = hub.current();
    let usr1 = signals::bit(libc::SIGUSR1);
    signals::set_mask(hub, green, usr1);
    let info = signals::info_of_tkill(hub, libc::SIGUSR1);
    green.pending.borrow_mut().push(&info);
    let (a, mut b) = pair();
    let mut one = pollfd(a.as_raw_fd(), libc::POLLIN);
    let (mut open, mut closed) = (0u64, usr1);
    let mut zero = timespec(0);
    let (fds, zero) = (address(&mut one), address(&mut zero));

    assert_eq!(done(hub, poll::ppoll, [fds, 1, zero, address(&mut closed), 8, 0]), 0);
    assert_eq!((green.mask.get(), green.saved_mask.get()), (usr1, None));
    assert_eq!(done(hub, poll::ppoll, [fds, 1, zero, address(&mut open), 8, 0]), ERESTARTNOHAND);
    assert_eq!((green.mask.get(), green.saved_mask.get()), (0, Some(usr1)), "for the handler");
    signals::restore_saved_mask(hub, green);

    let mut pack = [address(&mut open), 8];
    assert_eq!(done(hub, select::pselect6, [0, 0, 0, 0, 0, address(&mut pack)]), ERESTARTNOHAND);
    signals::restore_saved_mask(hub, green);
    let epoll = epoll_of(&[a.as_raw_fd()], 0);
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let wait = [epoll.as_raw_fd() as usize, address(&mut event), 1, FOREVER, address(&mut open), 8];
    assert_eq!(done(hub, epoll::epoll_pwait, wait), ERESTARTNOHAND);
    signals::restore_saved_mask(hub, green);

    // What is ready comes before signals.
    b.write_all(b"x").expect("write");
    assert_eq!(done(hub, poll::ppoll, [fds, 1, 0, address(&mut open), 8, 0]), 1);
    assert_eq!(done(hub, epoll::epoll_pwait, wait), 1);
    assert_eq!((green.mask.get(), green.saved_mask.get()), (usr1, None));

    // And a sleep is interrupted, and tells what is left.
    signals::set_mask(hub, green, 0);
    let (mut long, mut left) = (timespec(3600 * 1_000_000_000), timespec(0));
    let sleep = [address(&mut long), address(&mut left), 0, 0, 0, 0];
    assert_eq!(done(hub, time::nanosleep, sleep), ERESTARTNOHAND);
    assert!(left.tv_sec >= 3500 && left.tv_sec < 3600);
    let mut far = timespec(i64::MAX);
    let until = [libc::CLOCK_REALTIME as usize, 1, address(&mut far), 0, 0, 0];
    assert_eq!(done(hub, time::clock_nanosleep, until), ERESTARTNOHAND);
}

#[test]
fn sleeps_of_every_clock_end_in_order_and_never_early() {
    let hub = hub();
    let clocks = [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME, libc::CLOCK_TAI];
    let ended = Rc::new(RefCell::new(0));
    let read = |clock: i32| sys::clock(clock).expect("a clock");
    for clock in clocks {
        for absolute in [false, true] {
            let ended = ended.clone();
            hub.spawn(64 * 1024, move || {
                let target = read(clock) + 10_000_000;
                let mut time = timespec(if absolute { target } else { 10_000_000 });
                let args = [clock as usize, usize::from(absolute), address(&mut time), 0, 0, 0];
                assert_eq!(done(hub, time::clock_nanosleep, args), 0);
                assert!(read(clock) >= target);
                *ended.borrow_mut() += 1;
            });
        }
    }
    company(hub);
    let mut time = timespec(1_000_000);
    while *ended.borrow() < 8 {
        assert_eq!(done(hub, time::nanosleep, [address(&mut time), 0, 0, 0, 0, 0]), 0);
    }
}

#[test]
fn a_yield_serves_descriptors() {
    let hub = hub();
    let (a, mut b) = pair();
    let got = Rc::new(RefCell::new(false));
    let (flag, fd) = (got.clone(), a.as_raw_fd());
    hub.spawn(64 * 1024, move || {
        let mut one = pollfd(fd, libc::POLLIN);
        assert_eq!(done(hub, poll::poll, [address(&mut one), 1, FOREVER, 0, 0, 0]), 1);
        *flag.borrow_mut() = true;
    });
    hub.yield_now();
    b.write_all(b"x").expect("write");
    let mut tries = 0;
    while !*got.borrow() {
        call(hub, time::sched_yield, [0; 6]);
        tries += 1;
        assert!(tries < 1000, "whoever yields in a loop starves those who wait for descriptors");
    }
    let mut byte = [0];
    (&a).read_exact(&mut byte).expect("read");
}
