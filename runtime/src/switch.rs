//! Switching between stacks: contexts, the thread pointer, and the floating-point control words.
//!
//! ```text
//!   carrier's own stack      the stack that libc prepared      another one       the hub's stack
//!   main green thread  ◀──▶  a green thread  ◀───────────────▶ a green thread ◀──▶ hub
//! ```
//!
//! * A suspended stack is a [`Context`], which is little more than its stack pointer. Whoever runs may go to any context:
//!   a green thread hands over to the next one itself, and the hub is asked only if there is something else to do.
//! * A switch ends with a jump, not with a return. A processor predicts returns by a stack of its own, on which the
//!   return addresses of whoever ran before lie now. Two green threads that wait in the same call have the same ones,
//!   so all of their returns are predicted; a coroutine's `resume` and `suspend` leave that stack one off, and then
//!   each return on the way out is mispredicted, which costs more than all else in the switch.
//! * corosensei makes the first frame of a stack of ours, and is asked no more ([`begin`]). A thread of libc's begins
//!   as the way back into the program would leave it, with nothing of ours below it ([`Context::starts_at`]).
//! * A switch keeps what the psABI calls callee-saved, plus MXCSR and the x87 control word, which are per thread.
//! * `fs` is the base of thread-local storage: `errno`, `__thread` and `pthread_self` follow it. What programs may have in
//!   `gs` is in `gs_base`.

use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use corosensei::stack::{Stack, StackPointer};
use corosensei::{Coroutine, Yielder};

use crate::exit;
use crate::frame::Frame;
use crate::prefetch;
use crate::{place, sys};

/// Bytes between the stack pointer of a suspended call and the program's: what a read that waits has there.
const SUSPENDED: usize = 1792;

/// Where a stack goes on: its stack pointer. On top lies the address to jump to, which knows what lies below it.
pub struct Context(Cell<usize>);

impl Context {
    /// Nothing to go to yet.
    pub const fn new() -> Self {
        Context(Cell::new(0))
    }

    /// Makes this the context of a program that stands at the end of a call, with its registers in `frame`.
    ///
    /// # Safety
    /// `frame` lies on the stack that it is to run on, with 64 bytes of room below it that nobody uses.
    pub(crate) unsafe fn starts_at(&self, frame: *const Frame) {
        let top = frame.cast::<usize>().cast_mut();
        // SAFETY: the caller's promise.
        unsafe {
            top.sub(3).write(exit::start());
            top.sub(2).write(frame as usize);
            top.sub(1).write(0);
            self.0.set(top.sub(3) as usize);
        }
    }
}

impl Context {
    /// Asks for the translation of where it goes on.
    #[inline(always)]
    pub(crate) fn prefetch_page(&self) {
        prefetch::line(self.0.get());
    }

    /// Asks for what a suspended call will look at first.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch::lines(self.0.get(), SUSPENDED);
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

/// Leaves the current stack, which goes on from here once somebody switches to `from`, for `to`.
///
/// # Safety
/// `to` was left by a switch, or begun, and has not been gone to since. Both contexts belong to this carrier.
#[inline(always)]
pub unsafe fn switch(from: &Context, to: &Context) {
    // SAFETY: all registers that a function keeps are kept or said to be lost; the stack is that of `to` until somebody
    // comes back to `from`.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, [rsi]",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbx",
            "pop rbp",
            inlateout("rdi") from.0.as_ptr() => _,
            inlateout("rsi") to.0.as_ptr() => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
}

global_asm!(
    r#"
.pushsection .text.gp_begin,"ax",@progbits
.hidden gp_begin
.globl gp_begin
.type gp_begin,@function
# gp_begin(context, leave, argument): leaves by leave(argument), and returns once somebody switches to context
gp_begin:
    .cfi_startproc
    push rbp
    .cfi_adjust_cfa_offset 8
    push rbx
    .cfi_adjust_cfa_offset 8
    push r12
    .cfi_adjust_cfa_offset 8
    push r13
    .cfi_adjust_cfa_offset 8
    push r14
    .cfi_adjust_cfa_offset 8
    push r15
    .cfi_adjust_cfa_offset 8
    lea rax, [rip + 1f]
    push rax
    .cfi_adjust_cfa_offset 8
    mov [rdi], rsp
    mov rdi, rdx
    call rsi
    ud2
    .cfi_adjust_cfa_offset -8
1:
    pop r15
    .cfi_adjust_cfa_offset -8
    pop r14
    .cfi_adjust_cfa_offset -8
    pop r13
    .cfi_adjust_cfa_offset -8
    pop r12
    .cfi_adjust_cfa_offset -8
    pop rbx
    .cfi_adjust_cfa_offset -8
    pop rbp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
.size gp_begin,.-gp_begin
.popsection
"#
);

global_asm!(
    r#"
.pushsection .text.gp_on_behalf,"ax",@progbits
.hidden gp_on_behalf
.globl gp_on_behalf
.type gp_on_behalf,@function
# gp_on_behalf(context, body, argument): calls body(argument), which does not return, as if from where context stands
gp_on_behalf:
    .cfi_startproc
    push rbx
    mov rbx, rdi
    mov rdi, rdx
    # CFA: *rbx + 24, which is the stack pointer once `switch` has taken off what it has pushed
    .cfi_escape 0x0f, 5, 0x73, 0x00, 0x06, 0x23, 0x18
    .cfi_offset rip, -24
    .cfi_offset rbx, -16
    .cfi_offset rbp, -8
    call rsi
    ud2
    .cfi_endproc
.size gp_on_behalf,.-gp_on_behalf
.popsection
"#
);

/// A stack that somebody else owns.
struct Borrowed {
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

type Parent = Yielder<(), ()>;

extern "C" {
    fn gp_begin(context: *mut usize, leave: extern "C" fn(&Parent), parent: &Parent);
    fn gp_on_behalf(context: *mut usize, body: extern "C" fn(*const ()), argument: *const ()) -> !;
}

/// Calls `body(argument)`, which must not return. To a debugger, it is called by what was left by a switch from `context`
/// last: it sees where that stands, whose stack the current one has no other tie to.
///
/// # Safety
/// `body` can be called with this argument.
pub unsafe fn on_behalf_of(context: &Context, body: extern "C" fn(*const ()), argument: *const ()) -> ! {
    // SAFETY: the caller's promise; the context is read for debuggers only.
    unsafe { gp_on_behalf(context.0.as_ptr(), body, argument) }
}

/// The coroutine has made the first frame of its stack, and goes on as a context.
extern "C" fn leave(parent: &Parent) {
    parent.suspend(());
}

/// Makes `context` one that calls `body`, which must not return, on `[limit, base)`.
///
/// # Safety
/// The memory is writable, and nobody uses it as long as somebody may switch to `context`, which stays where it is.
pub unsafe fn begin(limit: usize, base: usize, context: &Context, body: impl FnOnce() + 'static) {
    let stack = Borrowed { base: base & !63, limit: (limit + 63) & !63 };
    let context = context.0.as_ptr();
    let mut coroutine: Coroutine<(), (), (), Borrowed> = Coroutine::with_stack(stack, move |parent, ()| {
        // SAFETY: as the caller promises; whoever switches to the context finds what a function has to keep.
        unsafe { gp_begin(context, leave, parent) };
        body();
    });
    coroutine.resume(());
    // It is suspended for good, and there is nothing on its stack to be dropped.
    core::mem::forget(coroutine);
}

static FSGSBASE: AtomicBool = AtomicBool::new(false);

/// Whether user space may write the bases of `fs` and `gs` itself.
#[inline(always)]
pub(crate) fn may_write_bases() -> bool {
    FSGSBASE.load(Relaxed)
}

/// Finds out what `may_write_bases` tells; `allowed` is the test setting.
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
    if may_write_bases() {
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
        let address = place::map(bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE);
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
