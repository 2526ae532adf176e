//! The library's own allocator: dlmalloc over `mmap` by raw system calls.
//!
//! libc's malloc may be locked by a green thread that was stopped in the middle of it, so nothing that a call, the hub
//! or a handler reaches may use it.

use crate::lock::Lock;
use crate::{place, sys};
use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Address space kept back for the time when a program has used up all that it may have: what it has begun goes on,
/// and only new threads are refused.
const RESERVE: usize = 1 << 20;
/// What is left of the reserve, from where. Written under the heap's lock.
static RESERVE_AT: AtomicUsize = AtomicUsize::new(0);
static RESERVE_LEFT: AtomicUsize = AtomicUsize::new(0);

/// The heap grows by pieces of this size, which are filled soon: one call makes all of a piece's pages, where a fault for
/// each would cost several times as much.
const PIECE: usize = 64 << 10;

/// Makes the reserve whole if it is not. False if memory is short. Under no lock.
pub fn reserve() -> bool {
    if RESERVE_LEFT.load(Relaxed) == RESERVE {
        return true;
    }
    let _guard = HEAP.heap.lock();
    let address = place::map(RESERVE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE);
    if address < 0 {
        return false;
    }
    RESERVE_AT.store(address as usize, Relaxed);
    RESERVE_LEFT.store(RESERVE, Relaxed);
    true
}

fn take_from_reserve(size: usize) -> *mut u8 {
    let (at, left) = (RESERVE_AT.load(Relaxed), RESERVE_LEFT.load(Relaxed));
    if size > left {
        return core::ptr::null_mut();
    }
    RESERVE_AT.store(at + size, Relaxed);
    RESERVE_LEFT.store(left - size, Relaxed);
    at as *mut u8
}

struct Pages;

// SAFETY: returns fresh private mappings or null, as the trait asks.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let populate = if size <= PIECE { libc::MAP_POPULATE } else { 0 };
        let address = place::map(size, libc::PROT_READ | libc::PROT_WRITE, populate);
        if (-4095..0).contains(&address) {
            (take_from_reserve(size), size, 0)
        } else {
            (address as *mut u8, size, 0)
        }
    }

    fn remap(&self, ptr: *mut u8, oldsize: usize, newsize: usize, can_move: bool) -> *mut u8 {
        // SAFETY: dlmalloc passes a mapping that it got from `alloc`.
        let mut address = unsafe { sys!(libc::SYS_mremap, ptr, oldsize, newsize, 0) };
        if address < 0 && can_move {
            // SAFETY: as above; dlmalloc goes on with the new address only.
            address = unsafe { place::grow(ptr, oldsize, newsize) };
        }
        if (-4095..0).contains(&address) {
            core::ptr::null_mut()
        } else {
            address as *mut u8
        }
    }

    fn free_part(&self, ptr: *mut u8, oldsize: usize, newsize: usize) -> bool {
        // SAFETY: the tail of a mapping of ours that dlmalloc no longer uses.
        unsafe { sys!(libc::SYS_munmap, ptr as usize + newsize, oldsize - newsize) == 0 }
    }

    fn free(&self, ptr: *mut u8, size: usize) -> bool {
        // SAFETY: a mapping of ours that dlmalloc no longer uses.
        unsafe { sys!(libc::SYS_munmap, ptr, size) == 0 }
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

/// The heap of everything that this crate is linked into.
#[global_allocator]
pub static HEAP: Allocator = Allocator::new();

/// See `HEAP`.
pub struct Allocator {
    heap: Lock<dlmalloc::Dlmalloc<Pages>>,
}

impl Allocator {
    /// An empty heap.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Allocator { heap: Lock::new(dlmalloc::Dlmalloc::new_with_allocator(Pages)) }
    }

    /// Runs `fork` with the heap locked, so that the child finds it whole, and frees the lock on both sides.
    pub fn quiet_during<R>(&self, fork: impl FnOnce() -> R) -> R {
        let _guard = self.heap.lock();
        fork()
    }
}

// SAFETY: dlmalloc under a lock.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is dlmalloc's.
        unsafe { self.heap.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.heap.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.heap.lock().free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.heap.lock().realloc(ptr, layout.size(), layout.align(), new_size) }
    }
}
