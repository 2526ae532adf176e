//! The runtime's own lock: a futex word and raw system calls, usable by green and foreign threads alike.
//!
//! It is held for a few instructions and never across a switch, so a carrier that finds it taken waits in the kernel
//! for a foreign thread that is about to let go.
//!
//! | state | meaning |
//! |---|---|
//! | 0 | free |
//! | 1 | held, nobody waits |
//! | 2 | held, somebody may wait |

use crate::sys;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};

/// A value behind a lock of the runtime's own.
pub struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is only reached through a guard, and one guard exists at a time.
unsafe impl<T> Sync for Lock<T> {}
// SAFETY: as for `Sync`; the runtime's values are not tied to a kernel thread.
unsafe impl<T> Send for Lock<T> {}

/// Entitles its holder to the value. The flag says whether the state was touched.
pub struct Guard<'a, T>(&'a Lock<T>, bool);

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Lock { state: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Waits until the lock is ours.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        if self.state.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            self.lock_slow();
        }
        Guard(self, true)
    }

    /// As `lock`, without atomic operations where no other kernel thread can want the lock.
    ///
    /// # Safety
    /// If `alone`, no kernel thread but the calling one can lock before the guard is dropped, and the calling one does
    /// not hold the lock.
    #[inline(always)]
    pub unsafe fn lock_unless(&self, alone: bool) -> Guard<'_, T> {
        if alone {
            Guard(self, false)
        } else {
            self.lock()
        }
    }

    #[cold]
    fn lock_slow(&self) {
        for _ in 0..100 {
            core::hint::spin_loop();
            if self.state.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                return;
            }
        }
        while self.state.swap(2, Acquire) != 0 {
            // SAFETY: waits on our own word.
            unsafe { sys!(libc::SYS_futex, self.state.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 2, 0) };
        }
    }

    /// Frees the lock in a forked child whose holder, another kernel thread, does not exist.
    ///
    /// # Safety
    /// No other kernel thread exists, and the calling one does not hold the lock.
    pub unsafe fn reset_in_child(&self) {
        self.state.store(0, Relaxed);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard proves that we hold the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard proves that we hold the lock, and `&mut` that it is used once.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.1 && self.0.state.swap(0, Release) == 2 {
            // SAFETY: wakes on our own word.
            unsafe {
                sys!(libc::SYS_futex, self.0.state.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
            }
        }
    }
}

static SEVERAL_THREADS: AtomicBool = AtomicBool::new(false);

/// Whether more than one kernel thread may take a `ProgramLock`.
#[inline]
pub fn several_threads() -> bool {
    SEVERAL_THREADS.load(Relaxed)
}

/// A kernel thread that may take a `ProgramLock` is about to be made. The caller is the only one so far, or this has
/// been said before, and holds none.
pub fn thread_added() {
    SEVERAL_THREADS.store(true, SeqCst);
}

/// Only the calling kernel thread is left, as in a forked child.
///
/// # Safety
/// So it is, and it holds no `ProgramLock`.
pub unsafe fn only_one_thread() {
    SEVERAL_THREADS.store(false, SeqCst);
}

/// A lock that is taken by carriers and by foreign threads whose calls concern green ones, but never by a helper thread:
/// as long as there is one carrier and no foreign thread, as in most programs, taking it costs no atomic instruction.
pub struct ProgramLock<T>(Lock<T>);

impl<T> ProgramLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        ProgramLock(Lock::new(value))
    }

    /// Waits until the lock is ours.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: alone, there is nobody to keep out, and nobody appears while a lock is held.
        unsafe { self.0.lock_unless(!several_threads()) }
    }

    /// As `Lock::reset_in_child`.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn reset_in_child(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.reset_in_child() };
    }
}

#[cfg(test)]
mod tests {
    use super::{thread_added, Lock, ProgramLock};

    #[test]
    fn excludes_kernel_threads() {
        static LOCK: Lock<u64> = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        *LOCK.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*LOCK.lock(), 80_000);
    }

    #[test]
    fn excludes_foreign_threads_once_there_are_some() {
        static LOCK: ProgramLock<u64> = ProgramLock::new(0);
        *LOCK.lock() += 1;
        thread_added();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        *LOCK.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*LOCK.lock(), 80_001);
    }
}
