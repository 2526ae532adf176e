//! Descriptors whose reads or writes never wait, as the entry and the hooks by name see them: /dev/null and its like, and
//! regular files that are written to the page cache. Such a call is the kernel's as long as nothing else is to be looked
//! at, and is not worth saving a register for.
//!
//! What is noted here is part of what the descriptor table knows of a number, and is forgotten with it: when the number is
//! closed or replaced, by whatever thread, or its flags change.

use crate::fd_table::{READ, WRITE};
use crate::hub::Hub;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Numbers from here on are not noted.
pub const NUMBERS: usize = 1024;

/// Bits READ and WRITE of each number. Read by the entry.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_never_waits: [AtomicU8; NUMBERS] = [const { AtomicU8::new(0) }; NUMBERS];

/// Notes that calls in `direction` on `fd` need not come to the runtime. Not where another kernel thread may have closed
/// the number since the caller looked.
pub(crate) fn note(hub: &Hub, fd: i32, direction: u8) {
    if hub.guest.is_some() || hub.has_foreign_threads() {
        return;
    }
    if let Some(bits) = gp_never_waits.get(fd as usize) {
        bits.store(bits.load(Relaxed) | direction, Relaxed);
    }
}

/// `fd` may mean something else from now on.
#[inline]
pub(crate) fn forget(fd: i32) {
    if let Some(bits) = gp_never_waits.get(fd as usize) {
        bits.store(0, Relaxed);
    }
}

/// Whether `read` of `fd` is the kernel's.
#[inline]
pub fn read(fd: i32) -> bool {
    has(fd, READ)
}

/// Whether `write` to `fd` is the kernel's.
#[inline]
pub fn write(fd: i32) -> bool {
    has(fd, WRITE)
}

#[inline]
fn has(fd: i32, direction: u8) -> bool {
    gp_never_waits.get(fd as usize).is_some_and(|bits| bits.load(Relaxed) & direction != 0)
}
