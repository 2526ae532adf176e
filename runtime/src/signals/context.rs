//! The context of interrupted code as the kernel lays it out, and how much vector state there is in it.

use super::AltStack;
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

/// Read by the entry at sites outside libc: bytes of the standard-format XSAVE area.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_xsave_size: AtomicUsize = AtomicUsize::new(0);
/// Read by the entry and the exit: the features in that area. Tile data, which a process must ask for, is left out.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_xsave_features: AtomicUsize = AtomicUsize::new(0);

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
        }
    }
    gp_xsave_features.store(features as usize, Relaxed);
    gp_xsave_size.store(size, Relaxed);
}

/// Bytes of the XSAVE area, and the features in it.
pub(super) fn xsave_layout() -> (usize, u64) {
    (gp_xsave_size.load(Relaxed), gp_xsave_features.load(Relaxed) as u64)
}
