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
use core::sync::atomic::{AtomicU32, Ordering::*};

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

#[cfg(test)]
mod tests {
    use super::Lock;

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
}
