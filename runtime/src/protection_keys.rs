//! Protection keys: what a thread may do with pages that carry a key is its own (the register PKRU), and begins with what
//! its maker may do. A signal handler begins with the rights of a new process; the end of the handler gives the
//! thread's back, since they are part of the signal frame.
//!
//! Nothing of this costs anything until the program asks for a key.

use crate::calls::Outcome::{self, Pass};
use crate::calls::Reason;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::sys;
use core::arch::{asm, x86_64};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The kernel's rights of a new process: everything with key 0, which is every page's that has no other, and nothing
/// with the others.
pub(crate) const DEFAULT: u32 = 0x5555_5554;

/// Whether the program has keys. Read by the way into a handler too.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_has_keys: AtomicBool = AtomicBool::new(false);

/// Whether processor and kernel have keys at all.
static POSSIBLE: AtomicBool = AtomicBool::new(false);

#[inline]
pub(crate) fn in_use() -> bool {
    gp_has_keys.load(Relaxed)
}

/// The carrier's rights. Only where keys are in use.
#[inline]
pub(crate) fn rights() -> u32 {
    let rights: u32;
    // SAFETY: the processor has keys.
    unsafe { asm!("rdpkru", in("ecx") 0, out("eax") rights, out("edx") _, options(nomem, nostack, preserves_flags)) };
    rights
}

/// Gives the carrier these rights, or the calling kernel thread. Only where keys are in use.
#[inline]
pub(crate) fn set_rights(rights: u32) {
    // SAFETY: the processor has keys. The runtime's own pages have none.
    unsafe { asm!("wrpkru", in("eax") rights, in("ecx") 0, in("edx") 0, options(nostack, preserves_flags)) };
}

/// Runs `look`, which may read every page that is mapped, whatever its key, also where a program may only execute.
pub(crate) fn with_all_rights<R>(look: impl FnOnce() -> R) -> R {
    if !POSSIBLE.load(Relaxed) {
        return look();
    }
    let before = rights();
    set_rights(0);
    let seen = look();
    set_rights(before);
    seen
}

/// Called at arming: a program may have keys by then, which shows in its rights or in the next key's number.
pub(crate) fn detect() {
    const OS_HAS_KEYS: u32 = 1 << 4;
    let leaves = x86_64::__cpuid(0).eax;
    if leaves < 7 || x86_64::__cpuid_count(7, 0).ecx & OS_HAS_KEYS == 0 {
        return;
    }
    POSSIBLE.store(true, Relaxed);
    const NO_ACCESS: usize = 1;
    let before = rights();
    // SAFETY: a key that is given back at once.
    let key = unsafe { sys!(libc::SYS_pkey_alloc, 0, NO_ACCESS) };
    if key > 0 {
        // SAFETY: ours.
        unsafe { sys!(libc::SYS_pkey_free, key) };
        set_rights(before);
    }
    gp_has_keys.store(before != DEFAULT || key != 1, Relaxed);
}

/// pkey_alloc: the kernel changes the rights of the carrier, whose threads have had the same until the first key.
pub fn pkey_alloc(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    if !in_use() && POSSIBLE.load(Relaxed) {
        let now = rights();
        hub.all().into_iter().for_each(|green| green.rights.set(now));
        gp_has_keys.store(true, Relaxed);
    }
    Pass(Reason::NonBlocking)
}
