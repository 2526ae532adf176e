//! The kernel, by system calls of our own: nothing here goes through libc's functions, so nothing here is redirected,
//! touches `errno`, or takes one of libc's locks.

use crate::filters;
use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Makes system call `nr`, unless a filter of the program's refuses it: `-ENOSYS` then. Returns the kernel's raw answer: a
/// value, or `-errno` in `-4095..=-1`.
///
/// # Safety
/// As for the system call itself: pointers must be valid for what the kernel does with them.
#[inline(always)]
pub unsafe fn syscall6(nr: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize {
    if filters::any() {
        if let Some(answer) = filters::answer(nr, &[a, b, c, d, e, f]) {
            return answer;
        }
    }
    let result: isize;
    // SAFETY: the register convention of x86-64 Linux; the caller answers for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// A system call with fewer arguments: `sys!(SYS_close, fd)`.
#[macro_export]
macro_rules! sys {
    ($nr:expr) => { $crate::sys!($nr, 0, 0, 0, 0, 0, 0) };
    ($nr:expr, $a:expr) => { $crate::sys!($nr, $a, 0, 0, 0, 0, 0) };
    ($nr:expr, $a:expr, $b:expr) => { $crate::sys!($nr, $a, $b, 0, 0, 0, 0) };
    ($nr:expr, $a:expr, $b:expr, $c:expr) => { $crate::sys!($nr, $a, $b, $c, 0, 0, 0) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr) => { $crate::sys!($nr, $a, $b, $c, $d, 0, 0) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => { $crate::sys!($nr, $a, $b, $c, $d, $e, 0) };
    ($nr:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr) => {
        $crate::sys::syscall6(
            $nr as usize, $a as usize, $b as usize, $c as usize, $d as usize, $e as usize, $f as usize,
        )
    };
}

/// The kernel's thread id of the calling kernel thread.
#[inline]
pub fn gettid() -> i32 {
    // SAFETY: no arguments.
    unsafe { sys!(libc::SYS_gettid) as i32 }
}

/// The process id, from the kernel.
#[inline]
pub fn getpid() -> i32 {
    // SAFETY: no arguments.
    unsafe { sys!(libc::SYS_getpid) as i32 }
}

/// Closes one of our own descriptors.
pub fn close(fd: i32) {
    // SAFETY: closes a number that the caller owns.
    unsafe { sys!(libc::SYS_close, fd) };
}

type ClockFunction = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;

static CLOCK_FUNCTION: AtomicUsize = AtomicUsize::new(0);

/// Tells libc's own `clock_gettime`, for where the name leads to a hook.
pub fn set_clock_function(function: ClockFunction) {
    CLOCK_FUNCTION.store(function as usize, Relaxed);
}

/// libc's function: a thin call of the vDSO's that sets errno on failure only, and only unknown clocks fail.
#[inline]
fn clock_function() -> ClockFunction {
    match CLOCK_FUNCTION.load(Relaxed) {
        0 => libc::clock_gettime,
        // SAFETY: only `set_clock_function` stores, and it stores such a function.
        function => unsafe { core::mem::transmute::<usize, ClockFunction>(function) },
    }
}

/// Nanoseconds of `clock`. `None` if the kernel does not know the clock.
#[inline]
pub fn clock(clock: i32) -> Option<i64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Clocks that the vDSO answers need no system call.
    if matches!(clock, libc::CLOCK_MONOTONIC | libc::CLOCK_REALTIME | libc::CLOCK_BOOTTIME | libc::CLOCK_TAI) {
        // SAFETY: `now` is ours.
        unsafe { clock_function()(clock, &mut now) };
    } else {
        // SAFETY: `now` is ours.
        if unsafe { sys!(libc::SYS_clock_gettime, clock, &mut now as *mut _) } < 0 {
            return None;
        }
    }
    Some(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
}

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock of all deadlines of the runtime.
#[inline]
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC).unwrap_or(0) as u64
}

/// Writes all of `text` to standard error, whatever happens to it.
pub fn write_stderr(text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        // SAFETY: the buffer is valid for its length.
        let n = unsafe { sys!(libc::SYS_write, 2, rest.as_ptr(), rest.len()) };
        if n == -(libc::EINTR as isize) {
            continue;
        }
        if n <= 0 {
            return;
        }
        rest = &rest[n as usize..];
    }
}

/// Ends the process at once, without libc's exit handlers.
pub fn exit_group(status: i32) -> ! {
    loop {
        // No filter is asked: where even this is refused, the process ends nevertheless.
        // SAFETY: does not return.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") libc::SYS_exit_group => _, in("rdi") status,
                lateout("rcx") _, lateout("r11") _,
                options(nostack),
            )
        };
    }
}

/// Tells the user, in one write, what is wrong.
pub fn complain(text: &str) {
    let mut line = String::with_capacity(text.len() + 13);
    line.push_str("greenpatch: ");
    line.push_str(text);
    line.push('\n');
    write_stderr(line.as_bytes());
}

/// What makes a thread as libc's `pthread_create` does.
pub const CLONE_OF_A_THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;
