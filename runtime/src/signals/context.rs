//! The context of interrupted code as the kernel lays it out, and how much vector state there is in it.

use super::AltStack;
use crate::{protection_keys, user};
use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The kernel's `struct sigcontext`, in its order.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Registers {
    pub r8: usize,
    pub r9: usize,
    pub r10: usize,
    pub r11: usize,
    pub r12: usize,
    pub r13: usize,
    pub r14: usize,
    pub r15: usize,
    pub rdi: usize,
    pub rsi: usize,
    pub rbp: usize,
    pub rbx: usize,
    pub rdx: usize,
    pub rax: usize,
    pub rcx: usize,
    pub rsp: usize,
    pub rip: usize,
    pub eflags: usize,
    pub segments: usize,
    pub error: usize,
    pub trap: usize,
    pub old_mask: usize,
    pub cr2: usize,
    pub vectors: usize,
    pub reserved: [usize; 8],
}

/// The kernel's `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UContext {
    pub flags: usize,
    pub link: usize,
    pub stack: AltStack,
    pub registers: Registers,
    pub mask: u64,
}

/// In the legacy part of a vector area: more follows.
pub(super) const MAGIC1: u32 = 0x4650_5853;

/// Read by the entry at sites outside libc: bytes of the standard-format XSAVE area.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_xsave_size: AtomicUsize = AtomicUsize::new(0);
/// Read by the entry: the features in that area. Tile data, which a process must ask for, is left out.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_xsave_features: AtomicUsize = AtomicUsize::new(0);
/// Read by the exit: those that it restores. Rights by protection key are a thread's as its call left them.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_xrstor_features: AtomicUsize = AtomicUsize::new(0);
const PROTECTION_KEYS: u64 = 1 << 9;
/// Where in the area the rights by protection key are; 0 without keys.
static RIGHTS_AT: AtomicUsize = AtomicUsize::new(0);

/// Asks the processor how much vector state there is. Called at arming.
pub fn measure_xsave() {
    let (low, high): (u32, u32);
    // SAFETY: every kernel that has the system calls we need enables XSAVE where the processor has it.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack)) };
    let features = (u64::from(high) << 32 | u64::from(low)) & !(3 << 17);
    let mut size = 512 + 64;
    for feature in 2..63 {
        if features & (1 << feature) != 0 {
            let leaf = core::arch::x86_64::__cpuid_count(0xd, feature);
            size = size.max((leaf.ebx + leaf.eax) as usize);
            if 1 << feature == PROTECTION_KEYS {
                RIGHTS_AT.store(leaf.ebx as usize, Relaxed);
            }
        }
    }
    gp_xsave_features.store(features as usize, Relaxed);
    gp_xrstor_features.store((features & !PROTECTION_KEYS) as usize, Relaxed);
    gp_xsave_size.store(size, Relaxed);
}

/// Bytes of the XSAVE area, and the features in it.
pub(super) fn xsave_layout() -> (usize, u64) {
    (gp_xsave_size.load(Relaxed), gp_xsave_features.load(Relaxed) as u64)
}

/// Makes the vector state in a kernel's signal frame the initial one: a handler, and whoever runs during a preemption,
/// starts with an empty x87 stack, default control words and the rights of a new process, as after the kernel's own
/// delivery.
pub(super) fn clear_vectors(area: usize) {
    const MXCSR_AT: usize = 24;
    const XSTATE_BV_AT: usize = 512;
    let bytes = vector_bytes(area);
    if bytes <= XSTATE_BV_AT {
        return;
    }
    let rights_at = RIGHTS_AT.load(Relaxed);
    let has_rights = rights_at != 0 && rights_at + 4 <= bytes;
    // SAFETY: the kernel's signal frame on the carrier's alternate stack.
    unsafe {
        ((area + XSTATE_BV_AT) as *mut u64).write(if has_rights { PROTECTION_KEYS } else { 0 });
        ((area + MXCSR_AT) as *mut u32).write(0x1f80);
        if has_rights {
            ((area + rights_at) as *mut u32).write(protection_keys::DEFAULT);
        }
    }
}

/// Bytes of a vector area that the kernel, or we, wrote in a signal frame.
pub(super) fn vector_bytes(area: usize) -> usize {
    if area == 0 {
        return 0;
    }
    match (user::read::<u32>(area + 464), user::read::<u32>(area + 468)) {
        (Ok(MAGIC1), Ok(extended)) => extended as usize,
        _ => 512,
    }
}
