//! Switching between green threads: the thread pointer, the floating-point control words, and corosensei.
//!
//! ```text
//!   carrier's own stack          hub's stack                  a green thread
//!   main green thread  ──resume──▶ hub (a coroutine) ──resume──▶ base block (a coroutine that left at once for
//!                      ◀─suspend──                    ◀─suspend── the stack that libc prepared)
//! ```
//!
//! * corosensei keeps its link to the parent at the base of the coroutine's stack. The program owns every byte of the
//!   stack that libc prepared, so the coroutine begins on a small *base block* of ours and jumps to libc's stack. A
//!   suspend saves three words wherever the stack pointer is, be it an alternate or a `ucontext` stack.
//! * A switch keeps what the psABI calls callee-saved, plus MXCSR and the x87 control word, which are per thread.
//! * `fs` is the base of thread-local storage: `errno`, `__thread` and `pthread_self` follow it.

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use corosensei::stack::{Stack, StackPointer};
use corosensei::{Coroutine, Yielder};

use crate::sys;

/// A stack that somebody else owns.
pub struct Borrowed {
    base: usize,
    limit: usize,
}

// SAFETY: `base` and `limit` bound memory that outlives the coroutine, both aligned as corosensei asks.
unsafe impl Stack for Borrowed {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.base).expect("a stack has an address")
    }
    fn limit(&self) -> StackPointer {
        StackPointer::new(self.limit).expect("a stack has an address")
    }
}

pub type Fiber = Coroutine<(), (), (), Borrowed>;
pub type Parent = Yielder<(), ()>;

/// Bytes of a base block: what corosensei and the first closure need before the program's own stack is entered.
pub const BASE_BLOCK: usize = 2048;

/// The memory on which a green thread's coroutine begins.
#[repr(C, align(64))]
pub struct BaseBlock([u8; BASE_BLOCK]);

impl Default for BaseBlock {
    fn default() -> Self {
        Self::new()
    }
}

impl BaseBlock {
    pub const fn new() -> Self {
        BaseBlock([0; BASE_BLOCK])
    }

    fn bounds(&mut self) -> Borrowed {
        let limit = self.0.as_mut_ptr() as usize;
        Borrowed { base: limit + BASE_BLOCK, limit }
    }
}

/// A coroutine that begins on `block` with `body`, which must never return.
///
/// # Safety
/// `block` stays where it is and is not used otherwise while the coroutine lives.
pub unsafe fn fiber_on_block(block: &mut BaseBlock, body: impl FnOnce(&Parent) + 'static) -> Fiber {
    Coroutine::with_stack(block.bounds(), move |parent, ()| body(parent))
}

/// A coroutine on `[limit, base)`.
///
/// # Safety
/// The memory is writable, not used otherwise, and outlives the coroutine.
pub unsafe fn fiber_on(limit: usize, base: usize, body: impl FnOnce(&Parent) + 'static) -> Fiber {
    Coroutine::with_stack(Borrowed { base: base & !63, limit: (limit + 63) & !63 }, move |parent, ()| body(parent))
}

static FSGSBASE: AtomicBool = AtomicBool::new(false);

/// Finds out whether user space may write the `fs` base itself; `allowed` is the test setting.
pub fn detect_fsgsbase(allowed: bool) {
    const HWCAP2_FSGSBASE: u64 = 2;
    // SAFETY: reads the auxiliary vector.
    let hwcap2 = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    FSGSBASE.store(allowed && hwcap2 & HWCAP2_FSGSBASE != 0, Relaxed);
}

/// The thread pointer now.
pub fn thread_pointer() -> usize {
    let value: usize;
    // SAFETY: the first word behind the thread pointer is the thread pointer itself (x86-64 TLS ABI).
    unsafe { asm!("mov {}, fs:[0]", out(reg) value, options(nostack, preserves_flags, readonly)) };
    value
}

/// Makes `value` the thread pointer.
///
/// # Safety
/// `value` is a thread pointer that libc made, of a thread that is to run on this carrier.
#[inline]
pub unsafe fn set_thread_pointer(value: usize) {
    if FSGSBASE.load(Relaxed) {
        // SAFETY: the kernel says that the instruction is allowed.
        unsafe { asm!("wrfsbase {}", in(reg) value, options(nostack, preserves_flags)) };
    } else {
        const ARCH_SET_FS: usize = 0x1002;
        // SAFETY: sets this kernel thread's fs base.
        unsafe { sys!(libc::SYS_arch_prctl, ARCH_SET_FS, value) };
    }
}

/// MXCSR and the x87 control word: rounding and exception masks are per thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FloatControl {
    mxcsr: u32,
    x87: u16,
}

impl FloatControl {
    /// What a process starts with.
    pub const DEFAULT: FloatControl = FloatControl { mxcsr: 0x1f80, x87: 0x37f };

    /// The carrier's words now.
    #[inline]
    pub fn current() -> Self {
        let (mut mxcsr, mut x87) = (0u32, 0u16);
        // SAFETY: stores the two control words.
        unsafe {
            asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &mut mxcsr, in(reg) &mut x87, options(nostack, preserves_flags));
        }
        // The exception flags are sticky and belong to the thread too, so they are compared and kept as well.
        FloatControl { mxcsr, x87 }
    }

    /// Loads the words into the carrier.
    #[inline]
    pub fn load(self) {
        // SAFETY: values that came from `current` or the default are valid.
        unsafe {
            asm!("ldmxcsr [{}]", "fldcw [{}]", in(reg) &self.mxcsr, in(reg) &self.x87, options(nostack, preserves_flags, readonly));
        }
    }
}

/// A mapping for a stack of ours, with a guard page below it.
pub struct Mapping {
    address: usize,
    bytes: usize,
}

impl Mapping {
    /// Maps a stack of `bytes` (rounded up to pages). `None` without memory.
    pub fn new(bytes: usize) -> Option<Self> {
        let bytes = ((bytes + 4095) & !4095) + 4096;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping.
        let address = unsafe { sys!(libc::SYS_mmap, 0, bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1isize, 0) };
        if (-4095..0).contains(&address) {
            return None;
        }
        // SAFETY: the lowest page of our mapping.
        unsafe { sys!(libc::SYS_mprotect, address, 4096, libc::PROT_NONE) };
        Some(Mapping { address: address as usize, bytes })
    }

    /// Lowest usable address and the end.
    pub fn bounds(&self) -> (usize, usize) {
        (self.address + 4096, self.address + self.bytes)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our mapping, no longer used.
        unsafe { sys!(libc::SYS_munmap, self.address, self.bytes) };
    }
}
