//! Addresses of interrupted code: where it really is, and what a program sees.

use core::sync::atomic::{AtomicUsize, Ordering::*};

static SHOWN: AtomicUsize = AtomicUsize::new(0);
static RESUME: AtomicUsize = AtomicUsize::new(0);

/// How the layer above maps addresses: from where a context really is (in a stub) to what a program should see, and
/// from an address that a program set to where it must go on (the `syscall` instruction of a redirected site, say).
pub fn set_address_maps(shown: fn(usize) -> usize, resume: fn(usize) -> usize) {
    SHOWN.store(shown as usize, Release);
    RESUME.store(resume as usize, Release);
}

fn map(with: &AtomicUsize, address: usize) -> usize {
    match with.load(Acquire) {
        0 => address,
        // SAFETY: only `set_address_maps` stores, and it stores such functions.
        function => unsafe { core::mem::transmute::<usize, fn(usize) -> usize>(function)(address) },
    }
}

pub(super) fn shown_address(rip: usize) -> usize {
    map(&SHOWN, rip)
}

pub(super) fn resume_address(rip: usize) -> usize {
    map(&RESUME, rip)
}
