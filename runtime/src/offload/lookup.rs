//! When a helper has looked up the descriptors of its call.
//!
//! The kernel looks a descriptor up as soon as a call begins, and the call keeps that file whatever becomes of the number.
//! A helper begins after its caller has parked, and so may whoever runs then: who closes the number, or puts another file
//! there, first waits until the helpers that were given it are in the kernel. That is a moment, since all they lack is a
//! processor. Duplicates for the helpers would be no answer: closing one gives up the process's locks on a file, and its
//! notification by a message queue.

use super::{Helper, POOL};
use crate::reactor::with_room;
use crate::sys;
use core::cell::Cell;
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicUsize, Ordering::*};

/// A helper that has computed for so long since it was at the door is beyond the look-up.
const COMPUTED_NS: i64 = 1_000_000;
/// For so long a closing call waits at most: a debugger may hold the helper.
const PATIENCE_NS: u64 = 2_000_000_000;
/// The same where /proc does not tell whether a thread sleeps.
const BLIND_NS: u64 = 20_000_000;

/// How many helpers are in a call that was given a descriptor.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// What a helper's call was given, and what is known of its look-up. Belongs to whoever has the pool's lock.
pub(super) struct Files {
    numbers: Cell<[i32; 2]>,
    looked_up: Cell<bool>,
    /// The helper's CPU time when it was first seen at the door.
    since: Cell<Option<i64>>,
}

const NONE: [i32; 2] = [-1; 2];

impl Files {
    pub(super) const fn none() -> Self {
        Files { numbers: Cell::new(NONE), looked_up: Cell::new(false), since: Cell::new(None) }
    }
}

/// The arguments of a call that are descriptors, or -1.
fn numbers(nr: i64, args: &[usize; 6]) -> [i32; 2] {
    let [first, second, third] = [args[0], args[1], args[2]].map(|number| number as i32);
    match nr {
        libc::SYS_sendfile | libc::SYS_tee => [first, second],
        libc::SYS_splice | libc::SYS_copy_file_range => [first, third],
        libc::SYS_waitid if args[0] as u32 == libc::P_PIDFD => [second, -1],
        nr if crate::dispatch::names_descriptor(nr) => [first, -1],
        _ => NONE,
    }
}

/// `helper` makes a call for a green thread that has not parked yet.
pub(super) fn begin(helper: &'static Helper, nr: i64, args: &[usize; 6]) {
    let numbers = numbers(nr, args);
    if numbers != NONE {
        let mut pool = POOL.lock();
        let files = &helper.files;
        files.numbers.set(numbers);
        files.looked_up.set(false);
        files.since.set(None);
        // SAFETY: it is in no list, and is freed only after `end`.
        unsafe { pool.given.push(helper) };
        GIVEN.fetch_add(1, SeqCst);
    }
}

/// Its call is done. `pool` is locked.
pub(super) fn end(pool: &mut super::Pool, helper: &Helper) {
    if helper.files.numbers.replace(NONE) != NONE {
        GIVEN.fetch_sub(1, SeqCst);
        // SAFETY: `begin` has put it there.
        unsafe { pool.given.unlink(helper) };
    }
}

/// In a forked child, which has no helpers.
pub(super) fn forget() {
    GIVEN.store(0, SeqCst);
}

/// The numbers `fds` are about to mean something else: returns when no helper is to look one up any more.
#[inline]
pub fn await_lookups(fds: RangeInclusive<u32>) {
    if GIVEN.load(SeqCst) != 0 {
        await_helpers(fds);
    }
}

#[cold]
fn await_helpers(fds: RangeInclusive<u32>) {
    let start = sys::now();
    loop {
        {
            let pool = POOL.lock();
            let waited = sys::now() - start;
            let late = |helper: &&Helper| {
                helper.files.numbers.get().iter().any(|&fd| fd >= 0 && fds.contains(&(fd as u32)))
                    && !has_looked_up(helper, waited)
            };
            if waited > PATIENCE_NS || pool.given.iter().find(late).is_none() {
                return;
            }
        }
        // It can run: it has been told of its call.
        // SAFETY: no arguments.
        unsafe { sys!(libc::SYS_sched_yield) };
    }
}

fn has_looked_up(helper: &Helper, waited: u64) -> bool {
    let files = &helper.files;
    if files.looked_up.get() || helper.is_done() {
        return true;
    }
    if !helper.is_entering() {
        return false;
    }
    let tid = helper.tid();
    let beyond = match state(tid) {
        Some(b'R') => has_computed(files, tid),
        // It sleeps in the call. Nothing on the way there does.
        Some(_) => true,
        None => has_computed(files, tid) || waited > BLIND_NS,
    };
    files.looked_up.set(beyond);
    beyond
}

fn has_computed(files: &Files, tid: i32) -> bool {
    /// The lowest bits of the clock of a thread's CPU time.
    const CPU_TIME_OF_THREAD: i32 = 6;
    let Some(now) = sys::clock(!tid << 3 | CPU_TIME_OF_THREAD) else { return true };
    let since = files.since.get().unwrap_or(now);
    files.since.set(Some(since));
    now - since >= COMPUTED_NS
}

/// The letter for the state of a kernel thread. `None` if /proc is not there.
fn state(tid: i32) -> Option<u8> {
    let mut path = *b"/proc/self/task/..........\0/stat\0";
    let digits = &mut path[16..];
    let mut at = 0;
    for power in (0..10).rev().map(|power| 10i32.pow(power)) {
        if tid >= power {
            digits[at] = b'0' + (tid / power % 10) as u8;
            at += 1;
        }
    }
    digits[at..at + 6].copy_from_slice(b"/stat\0");
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let open = || {
        // SAFETY: a path of ours.
        let fd = unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) } as i32;
        (fd >= 0).then_some(fd)
    };
    let fd = open().or_else(|| with_room(open))?;
    // The name, of at most 15 bytes, is in brackets before the state.
    let mut text = [0u8; 48];
    // SAFETY: a buffer of ours.
    let read = unsafe { sys!(libc::SYS_read, fd, text.as_mut_ptr(), text.len()) };
    sys::close(fd);
    let text = &text[..usize::try_from(read).ok()?];
    let name_ends = text.iter().rposition(|&byte| byte == b')')?;
    text.get(name_ends + 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_calls() {
        let args = [3, 4, 5, 6, 7, 8];
        assert_eq!(numbers(libc::SYS_sendfile, &args), [3, 4]);
        assert_eq!(numbers(libc::SYS_splice, &args), [3, 5]);
        assert_eq!(numbers(libc::SYS_connect, &args), [3, -1]);
        assert_eq!(numbers(libc::SYS_waitid, &[libc::P_PIDFD as usize, 9, 0, 0, 0, 0]), [9, -1]);
        assert_eq!(numbers(libc::SYS_waitid, &[libc::P_PID as usize, 9, 0, 0, 0, 0]), NONE);
        assert_eq!(numbers(libc::SYS_futex, &args), NONE);
    }

    #[test]
    fn states_of_kernel_threads() {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(sys::gettid()).unwrap();
            ended.recv().unwrap_err();
        });
        let tid = told.recv().unwrap();
        assert_eq!(state(sys::gettid()), Some(b'R'));
        while state(tid) != Some(b'S') {
            std::thread::yield_now();
        }
        drop(end);
        thread.join().unwrap();
        assert_eq!(state(1 << 30), None);
    }
}
