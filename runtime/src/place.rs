//! Where mappings of ours lie: far from where the kernel puts those of the program.
//!
//! A program may leave a hole in its address space that it means to use later: below a stack that grows, or where it has
//! reserved room and given it back. The kernel would put our mappings into the first hole that is large enough. So they
//! get addresses of their own, one behind the other, far below the libraries; where such a one is taken, the kernel chooses.

use crate::sys;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// From the libraries. What a process maps itself is less, as a rule.
const DISTANCE: usize = 1 << 40;
/// So close to the libraries they do not come.
const NEAR: usize = 4 << 30;
/// Our addresses begin at a multiple of this.
const ALIGNMENT: usize = 1 << 30;
/// The next one, or 0.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The address that the next `bytes` should have; 0 if all have been given.
fn next(bytes: usize) -> usize {
    let here = next as fn(usize) -> usize as usize;
    if NEXT.load(Relaxed) == 0 {
        let first = here.saturating_sub(DISTANCE) & !(ALIGNMENT - 1);
        let _ = NEXT.compare_exchange(0, first.max(ALIGNMENT), Relaxed, Relaxed);
    }
    let bytes = bytes.next_multiple_of(4096);
    let last = here.saturating_sub(NEAR);
    let room = |at: usize| at.checked_add(bytes).filter(|&end| end <= last);
    NEXT.fetch_update(Relaxed, Relaxed, room).unwrap_or(0)
}

/// A new private mapping of no file: its address, or `-errno`. `flags` beyond those that this takes.
pub fn map(bytes: usize, protection: i32, flags: i32) -> isize {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, which replaces nothing.
    unsafe { sys!(libc::SYS_mmap, next(bytes), bytes, protection, flags, -1isize, 0) }
}

/// Moves a mapping of ours that has no room to grow where it is: its address, or `-errno`.
///
/// # Safety
/// Nobody uses the old address any more.
pub unsafe fn grow(address: *mut u8, old: usize, new: usize) -> isize {
    let room = map(new, libc::PROT_NONE, libc::MAP_NORESERVE);
    if room < 0 {
        return room;
    }
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: from a mapping of ours, as the caller promises, to one that nobody knows.
    let moved = unsafe { sys!(libc::SYS_mremap, address, old, new, flags, room) };
    if moved < 0 {
        // SAFETY: as above.
        unsafe { sys!(libc::SYS_munmap, room, new) };
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_from_the_program_and_side_by_side() {
        let here = far_from_the_program_and_side_by_side as fn() as usize;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let [first, second] = [10_000, 4096].map(|bytes| map(bytes, rights, 0) as usize);
        assert!(first < here - DISTANCE / 2);
        // Other tests may map something at the same time.
        assert!(second >= first + 12_288 && second < first + ALIGNMENT);
        // SAFETY: mappings of ours.
        unsafe {
            *(first as *mut u8) = 7;
            let moved = grow(first as *mut u8, 12_288, 1 << 20) as usize;
            assert!(moved > second && moved < second + ALIGNMENT);
            assert_eq!((*(moved as *const u8), *((moved + (1 << 20) - 1) as *const u8)), (7, 0));
        }
    }
}
