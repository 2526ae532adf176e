//! The part of a hub that assembly and the kernel-level signal handler read, and the words of thread-local storage
//! that lead to it: a carrier's hub, the green thread that libc's thread descriptor belongs to, and the hub of a guest
//! (`guest`).
//!
//! "Which green thread am I" must cost an instruction and must work in a thread whose thread pointer libc has just
//! made, so the words are `.tbss` of our own in the initial-exec model: a preloaded library always has static TLS.
//! They are null in foreign threads.

use crate::filters;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::prefetch;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering::*};

global_asm!(
    r#"
.pushsection .tbss,"awT",@nobits
.balign 16
.hidden gp_tls
.globl gp_tls
.type gp_tls,@tls_object
.size gp_tls,32
gp_tls:
    .zero 32
.popsection

.pushsection .text.gp_wait,"ax",@progbits
.hidden gp_wait
.hidden gp_wait_begin
.hidden gp_wait_end
.hidden gp_wait_abort
.globl gp_wait
.globl gp_wait_begin
.globl gp_wait_end
.globl gp_wait_abort
.type gp_wait,@function
# gp_wait(nr, a, b, c, d, attention): a system call that a queued signal aborts even before it has begun
gp_wait:
    .cfi_startproc
    mov rax, rdi
    mov rdi, rsi
    mov rsi, rdx
    mov rdx, rcx
    mov r10, r8
    xor r8d, r8d
gp_wait_begin:
    cmp dword ptr [r9], 0
    jne gp_wait_abort
    syscall
gp_wait_end:
    ret
gp_wait_abort:
    mov rax, -4
    ret
    .cfi_endproc
.size gp_wait,.-gp_wait
.popsection
"#
);

extern "C" {
    fn gp_wait(nr: usize, a: usize, b: usize, c: usize, d: usize, attention: *const AtomicU32) -> isize;
    fn gp_wait_begin();
    fn gp_wait_end();
    fn gp_wait_abort();
}

/// Where a context that a signal interrupted just before the system call of `Carrier::wait` is to go on.
pub fn wait_fixup(rip: usize) -> Option<usize> {
    let window = gp_wait_begin as *const () as usize..gp_wait_end as *const () as usize;
    window.contains(&rip).then_some(gp_wait_abort as *const () as usize)
}

/// A signal frame, ready to be copied to where its handler will run, and the registers to enter the handler with.
/// The assembly knows the offsets.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entering {
    pub to: usize,
    pub from: *const u8,
    pub bytes: usize,
    pub rip: usize,
    pub rdi: usize,
    pub rsi: usize,
    pub rdx: usize,
}

/// Read by assembly. `attention` and `wary` lie side by side: the entry looks at both at once.
#[repr(C)]
pub struct Carrier {
    /// Non-zero while the carrier executes the runtime. The signal handler then only queues.
    pub inside: AtomicU32,
    /// Non-zero if something is to be looked at before the program goes on: a queued signal, a used-up time slice.
    pub attention: AtomicU32,
    /// What the dispatcher must look into before any call: `VFORK_CHILD` and so on.
    pub wary: AtomicU32,
    /// Non-zero if the last call was a read or write that was the kernel's since nobody else can run, and nothing has come
    /// to the dispatcher or to the signal handler since: what follows of that kind passes at the entry.
    pub alone: AtomicU32,
    /// The end of some kilobytes that serve as a stack for what is done inside, at once and without a call to anybody.
    pub spare_stack: core::cell::Cell<usize>,
    /// Written by whoever is inside.
    pub entering: core::cell::UnsafeCell<Entering>,
}

/// Bit of `wary`: a child made with CLONE_VM|CLONE_VFORK may be running in our memory.
pub const VFORK_CHILD: u32 = 1;
/// Bit of `wary`: a kernel thread with a carrier's thread pointer may exist.
pub const SHARED_TLS: u32 = 2;
/// Bit of `wary`: no timer ends time slices, so each call ends a turn.
pub const NO_TIMER: u32 = 4;
/// Bit of `wary`: the kernel holds signals back until the handler of another returns or calls.
pub const HELD_BACK: u32 = 8;

impl Carrier {
    /// Sets or clears a bit of `wary`. Only the carrier does that.
    pub(crate) fn set_wary(&self, bit: u32, on: bool) {
        let others = self.wary.load(Relaxed) & !bit;
        self.wary.store(if on { others | bit } else { others }, SeqCst);
    }

    /// Whether the caller may be somebody else with our thread pointer: thread ids are to be compared.
    #[inline]
    pub(crate) fn may_be_stranger(&self) -> bool {
        self.wary.load(Relaxed) & (VFORK_CHILD | SHARED_TLS) != 0
    }

    pub(crate) fn new() -> Self {
        Carrier {
            inside: AtomicU32::new(1),
            attention: AtomicU32::new(0),
            wary: AtomicU32::new(0),
            alone: AtomicU32::new(0),
            spare_stack: core::cell::Cell::new(0),
            entering: core::cell::UnsafeCell::new(Entering {
                to: 0,
                from: core::ptr::null(),
                bytes: 0,
                rip: 0,
                rdi: 0,
                rsi: 0,
                rdx: 0,
            }),
        }
    }

    /// Whether the dispatcher has something to look into before the next call.
    #[inline]
    pub fn must_look(&self) -> bool {
        self.attention.load(Relaxed) | self.wary.load(Relaxed) != 0
    }

    /// Makes a system call of up to four arguments that ends with `-EINTR` if attention is wanted, with no window
    /// between the look and the call.
    ///
    /// # Safety
    /// As for the system call.
    pub(crate) unsafe fn wait(&self, nr: i64, a: usize, b: usize, c: usize, d: usize) -> isize {
        if filters::any() {
            if let Some(answer) = filters::answer(nr as usize, &[a, b, c, d, 0, 0]) {
                return answer;
            }
        }
        // SAFETY: the caller answers for the arguments.
        unsafe { gp_wait(nr as usize, a, b, c, d, &self.attention) }
    }

    /// Asks for a look before the program goes on. Async-signal-safe.
    #[inline]
    pub fn call_attention(&self) {
        self.attention.store(1, SeqCst);
    }
}

/// The offset of our words from a thread pointer: the same in every thread.
#[inline(always)]
fn tls_offset() -> isize {
    let offset: isize;
    // SAFETY: loads a constant that the dynamic linker has filled in.
    unsafe { asm!("mov {}, [rip + gp_tls@GOTTPOFF]", out(reg) offset, options(nomem, nostack, preserves_flags)) };
    offset
}

/// The hub of the calling kernel thread; null in a foreign thread and before arming.
#[inline(always)]
pub fn hub_pointer() -> *const Hub {
    let hub: *const Hub;
    // SAFETY: reads our own word of thread-local storage.
    unsafe {
        asm!(
            "mov {0}, [rip + gp_tls@GOTTPOFF]",
            "mov {0}, fs:[{0}]",
            out(reg) hub,
            options(nostack, preserves_flags, readonly),
        )
    };
    hub
}

/// The hub of the calling kernel thread if it is a guest; null in all others.
#[inline(always)]
pub fn guest_pointer() -> *const Hub {
    let hub: *const Hub;
    // SAFETY: reads our own word of thread-local storage.
    unsafe {
        asm!(
            "mov {0}, [rip + gp_tls@GOTTPOFF]",
            "mov {0}, fs:[{0} + 16]",
            out(reg) hub,
            options(nostack, preserves_flags, readonly),
        )
    };
    hub
}

/// Makes the calling kernel thread a guest, or with null no guest any more.
pub(crate) fn set_guest(hub: *const Hub) {
    // SAFETY: writes our own word of thread-local storage.
    unsafe {
        asm!(
            "mov {0}, [rip + gp_tls@GOTTPOFF]",
            "mov fs:[{0} + 16], {1}",
            out(reg) _,
            in(reg) hub,
            options(nostack, preserves_flags),
        )
    };
}

/// Writes our words into the thread-local storage that belongs to `thread_pointer`.
///
/// # Safety
/// `thread_pointer` is one that libc made in this process.
pub(crate) unsafe fn set_words(thread_pointer: usize, hub: *const Hub, green: *const Green) {
    let words = thread_pointer.wrapping_add_signed(tls_offset()) as *mut *const ();
    // SAFETY: static TLS of our library lies at the same offset from every thread pointer.
    unsafe {
        words.write(hub.cast());
        words.add(1).write(green.cast());
    }
}

/// Asks for what libc and our hooks look at in every call: our words, the first line of libc's descriptor and, in glibc from
/// 2.34 on, the one that says whether the thread is cancelled.
#[inline(always)]
pub(crate) fn prefetch_words(thread_pointer: usize) {
    const CANCEL_HANDLING: usize = 0x308;
    prefetch::line(thread_pointer.wrapping_add_signed(tls_offset()));
    prefetch::line(thread_pointer);
    prefetch::line(thread_pointer + CANCEL_HANDLING);
}

/// The green thread that libc's thread descriptor at `thread_pointer` (a `pthread_t`) belongs to, or null.
///
/// # Safety
/// `thread_pointer` is a live `pthread_t`.
pub unsafe fn green_of(thread_pointer: usize) -> *const Green {
    // SAFETY: as for `set_words`.
    unsafe { *(thread_pointer.wrapping_add_signed(tls_offset()) as *const *const Green).add(1) }
}
