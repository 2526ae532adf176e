//! Calls as a program makes them, on a hub of the test's own.

use greenpatch_runtime::calls::Outcome::{Done, Pass};
use greenpatch_runtime::calls::{futex, Call};
use greenpatch_runtime::frame::Frame;
use greenpatch_runtime::green_thread::Green;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::{sys, user};
use libc::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::AtomicU32;

pub const STACK: usize = 64 * 1024;
pub const PRIVATE: i32 = FUTEX_PRIVATE_FLAG;
pub const LOCK_PI2: i32 = 13;
pub const DIED: u32 = FUTEX_OWNER_DIED;
pub const WAITERS: u32 = FUTEX_WAITERS;

pub type Word = &'static AtomicU32;

pub fn word(value: u32) -> Word {
    Box::leak(Box::new(AtomicU32::new(value)))
}

pub fn at(word: Word) -> usize {
    word.as_ptr() as usize
}

pub fn kernel(nr: i64, a: [usize; 6]) -> isize {
    // SAFETY: the tests' own arguments.
    unsafe { sys!(nr, a[0], a[1], a[2], a[3], a[4], a[5]) }
}

pub fn call(hub: &'static Hub, nr: i64, call: Call, a: [usize; 6]) -> isize {
    // SAFETY: a frame is plain data.
    let mut frame: Frame = unsafe { std::mem::zeroed() };
    (frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9) = (a[0], a[1], a[2], a[3], a[4], a[5]);
    frame.rax = nr as usize;
    match call(hub, &mut frame) {
        Done(result) => result,
        Pass(_) => kernel(nr, a),
    }
}

pub fn op(hub: &'static Hub, word: Word, op: i32, value: u32, time: usize, second: usize, value3: u32) -> isize {
    let arguments = [at(word), op as usize, value as usize, time, second, value3 as usize];
    call(hub, SYS_futex, futex::futex, arguments)
}

pub fn wait(hub: &'static Hub, on: Word, value: u32) -> isize {
    op(hub, on, FUTEX_WAIT | PRIVATE, value, 0, 0, 0)
}

pub fn wake(hub: &'static Hub, on: Word, count: u32) -> isize {
    op(hub, on, FUTEX_WAKE | PRIVATE, count, 0, 0, 0)
}

pub fn lock(hub: &'static Hub, on: Word) -> isize {
    op(hub, on, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0)
}

pub fn unlock(hub: &'static Hub, on: Word) -> isize {
    op(hub, on, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0)
}

/// Runs everybody until nobody is ready.
pub fn settle(hub: &'static Hub) {
    while hub.yield_now() {}
}

pub fn until(hub: &'static Hub, what: impl Fn() -> bool) {
    while !what() {
        hub.yield_now();
        std::hint::spin_loop();
    }
}

pub fn time_in(clock: i32, ns: i64) -> timespec {
    let now = sys::clock(clock).expect("the clock exists") + ns;
    timespec { tv_sec: now / 1_000_000_000, tv_nsec: now % 1_000_000_000 }
}

pub fn pointer<T>(value: &T) -> usize {
    value as *const T as usize
}

/// The results of green threads, in the order in which they came.
pub type Log = Rc<RefCell<Vec<(usize, isize)>>>;

pub fn spawn(hub: &'static Hub, log: &Log, name: usize, body: impl FnOnce() -> isize + 'static) -> &'static Green {
    let log = log.clone();
    hub.spawn(STACK, move || {
        let result = body();
        log.borrow_mut().push((name, result));
    })
}

pub fn taken(log: &Log) -> Vec<(usize, isize)> {
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

pub fn prepare() {
    // SAFETY: all-zero is a valid action; the handler has the type that SA_SIGINFO asks for.
    unsafe {
        let mut action: sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, std::ptr::null_mut());
        alarm(120);
    }
}
