//! RLIMIT_NPROC: the kernel doesn't count green threads against it, so it is asked as if it did.
//!
//! The exact answer costs a child process that ends at once, so it is asked for only near the limit: while the green
//! threads and all threads of the system together are below it, there is room.

use crate::hub::Hub;
use crate::scheduling::soft_limit;
use crate::sys;
use core::arch::asm;
use core::cell::Cell;

/// Threads made before the kernel is looked at again: other processes of the user count as well.
const TRUSTED: u32 = 1024;

/// See the module.
pub struct ThreadLimit {
    /// With fewer green threads than this there is room for one more.
    room_below: Cell<usize>,
    /// For so many more threads `room_below` is believed.
    trusted: Cell<u32>,
}

impl ThreadLimit {
    pub(crate) fn new() -> Self {
        ThreadLimit { room_below: Cell::new(0), trusted: Cell::new(0) }
    }

    /// The limit or the rights of the process may have changed.
    pub(crate) fn forget(&self) {
        self.trusted.set(0);
    }

    /// Whether the kernel would allow one more thread.
    #[inline]
    pub(crate) fn has_room(&self, hub: &Hub) -> bool {
        let trusted = self.trusted.get();
        if trusted != 0 && hub.live() < self.room_below.get() {
            self.trusted.set(trusted - 1);
            return true;
        }
        self.look(hub.live())
    }

    fn trust(&self, room_below: usize) {
        self.room_below.set(room_below);
        self.trusted.set(TRUSTED);
    }

    #[cold]
    fn look(&self, live: usize) -> bool {
        let limit = soft_limit(libc::RLIMIT_NPROC);
        if limit == libc::RLIM_INFINITY {
            self.trust(usize::MAX);
            return true;
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let spare = threads_of_system().map_or(0, |count| limit.saturating_sub(count));
        if live < spare {
            // Half of it, since others use it too.
            self.trust(live + (spare - live) / 2 + 1);
            return true;
        }
        // The kernel counts one thread of ours, the carrier, already.
        let others = live.saturating_sub(1);
        if others > limit || !kernel_allows(limit - others) {
            // Privileges exempt from the limit, whatever the number.
            return others > limit && self.is_exempt();
        }
        self.is_exempt();
        true
    }

    fn is_exempt(&self) -> bool {
        let exempt = kernel_allows(0);
        if exempt {
            self.trust(usize::MAX);
        }
        exempt
    }
}

/// Threads of all users, from /proc/loadavg: "0.10 0.20 0.30 running/all last".
fn threads_of_system() -> Option<usize> {
    let mut text = [0u8; 64];
    // SAFETY: a path and a buffer of ours.
    let bytes = unsafe {
        let path = c"/proc/loadavg".as_ptr();
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC) as i32;
        if fd < 0 {
            return None;
        }
        let bytes = sys!(libc::SYS_read, fd, text.as_mut_ptr(), text.len());
        sys::close(fd);
        bytes
    };
    let text = core::str::from_utf8(text.get(..usize::try_from(bytes).ok()?)?).ok()?;
    text.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

/// Whether this process may make a child under a limit of `limit`.
fn kernel_allows(limit: usize) -> bool {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let (every, mut mask) = (!0u64, 0u64);
    // SAFETY: all pointers are ours. The child has no signals that could run a handler on our stack.
    unsafe {
        sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NPROC, 0, &mut old as *mut libc::rlimit);
        let new = libc::rlimit { rlim_cur: (limit as u64).min(old.rlim_max), rlim_max: old.rlim_max };
        sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &every as *const u64, &mut mask as *mut u64, 8);
        let set = sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NPROC, &new as *const libc::rlimit, 0);
        let child = child_that_ends();
        if set == 0 {
            sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NPROC, &old as *const libc::rlimit, 0);
        }
        sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &mask as *const u64, 0, 8);
        if child > 0 {
            sys!(libc::SYS_wait4, child, 0, libc::__WALL, 0);
        }
        child >= 0
    }
}

/// A child on our own stack that ends before we go on, and tells nobody.
///
/// # Safety
/// Signals are blocked.
unsafe fn child_that_ends() -> isize {
    let result: isize;
    // SAFETY: the child touches no memory.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor edi, edi",
            "mov eax, {exit}",
            "syscall",
            "2:",
            exit = const libc::SYS_exit,
            inlateout("rax") libc::SYS_clone as isize => result,
            inlateout("rdi") (libc::CLONE_VM | libc::CLONE_VFORK) as usize => _,
            in("rsi") 0usize,
            in("rdx") 0usize,
            in("r10") 0usize,
            in("r8") 0usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_without_traces() {
        // SAFETY: the test's thread has no handlers.
        let child = unsafe { child_that_ends() };
        assert!(child > 0);
        // SAFETY: no pointers.
        let reaped = unsafe { sys!(libc::SYS_wait4, child, 0, libc::__WALL, 0) };
        assert_eq!(reaped, child);
    }

    #[test]
    fn there_are_threads() {
        assert!(threads_of_system().is_none_or(|count| count >= 1));
    }
}
