//! A helper: a kernel thread that makes one system call after another, each a job that somebody gives it.
//!
//! | `state` | meaning | who changes it |
//! |---|---|---|
//! | IDLE | waits for work | the helper, when its call is done |
//! | WORK | makes the call | the carrier |
//! | GONE | has ended, or is about to | the helper, from IDLE, after a time without work |

use super::lookup::Files;
use super::raised;
use crate::calls::error;
use crate::filters;
use crate::green_thread::Green;
use crate::guest::events;
use crate::list::{Linked, Links};
use crate::protection_keys;
use crate::signals::{self, Info};
use crate::switch::Mapping;
use crate::sys;
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::*};

const IDLE: u32 = 0;
const WORK: u32 = 1;
const GONE: u32 = 2;
const STACK: usize = 32 * 1024;
/// Thread-local storage of a helper: all zero but for the pointer to itself, with room below for static TLS.
const TLS_BELOW: usize = 16 * 1024;
const IDLE_NS: i64 = 300_000_000;

pub(crate) struct Job {
    pub(super) nr: i64,
    pub(super) args: [usize; 6],
    result: isize,
    /// A signal that the call sent to its caller, which the helper took to be.
    raised: Option<Info>,
    green: *const Green,
    /// The eventfd of a guest that waits instead, or -1.
    event: i32,
    /// The caller's, by protection key.
    rights: u32,
}

impl Job {
    fn rights() -> u32 {
        if protection_keys::in_use() {
            protection_keys::rights()
        } else {
            protection_keys::DEFAULT
        }
    }

    pub(super) fn new(green: &Green, nr: i64, args: [usize; 6]) -> Self {
        Job { nr, args, result: 0, raised: None, green, event: -1, rights: Self::rights() }
    }

    pub(crate) fn of_guest(event: i32, nr: i64, args: [usize; 6]) -> Self {
        Job { nr, args, result: 0, raised: None, green: ptr::null(), event, rights: Self::rights() }
    }
}

/// What the helper's code for a call looks at.
#[repr(C)]
struct Flags {
    /// Set to end the call that is under way.
    cancel: AtomicU32,
    /// Set by the helper when nothing but instructions lies between it and the call.
    entering: AtomicU32,
}

pub(crate) struct Helper {
    state: AtomicU32,
    flags: Flags,
    /// Set when the result is there.
    done: AtomicU32,
    /// The kernel's id; cleared by the kernel when the thread has ended.
    tid: AtomicI32,
    /// What `CHANGES` was when it was made.
    pub(super) changes: u32,
    job: UnsafeCell<Job>,
    pub(super) files: Files,
    /// Its place in `Pool::given`.
    links: Links<Helper>,
    /// The stack and the thread-local storage, freed with the record.
    _memory: Mapping,
}

// SAFETY: `job` belongs to the carrier in IDLE and to the helper in WORK.
unsafe impl Sync for Helper {}
// SAFETY: helpers are shared by pointer only.
unsafe impl Send for Helper {}

impl Linked for Helper {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Helper {
    /// Gives an idle helper its next job. The job comes back if it has been idle for too long.
    pub(super) fn give(&self, job: Job) -> Option<Job> {
        if self.state.load(Acquire) != IDLE {
            return Some(job);
        }
        self.flags.cancel.store(0, Relaxed);
        self.flags.entering.store(0, Relaxed);
        self.done.store(0, Relaxed);
        // SAFETY: in IDLE the job is ours. A helper that gives up now sees no WORK and never reads it.
        let before = unsafe { self.job.get().replace(job) };
        if self.state.compare_exchange(IDLE, WORK, AcqRel, Relaxed).is_err() {
            // SAFETY: the helper is gone; the job is still ours.
            return Some(unsafe { self.job.get().replace(before) });
        }
        let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: wakes on our own word.
        unsafe { sys!(libc::SYS_futex, self.state.as_ptr(), op, 1) };
        None
    }

    /// Whether the call lies behind the helper, and `answer` can be asked.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Acquire) != 0
    }

    /// The answer, and the signal that the call sent to its caller.
    pub(super) fn answer(&self) -> (isize, Option<Info>) {
        // SAFETY: `done` was set after the result.
        let job = unsafe { &*self.job.get() };
        (job.result, job.raised)
    }

    /// Whether nothing but instructions lies between the helper and its call; or it is in it, or beyond.
    pub(super) fn is_entering(&self) -> bool {
        self.flags.entering.load(Acquire) != 0
    }

    /// Ends the call as a signal would. It may have come to its end already.
    pub(crate) fn cancel(&self) {
        self.flags.cancel.store(1, SeqCst);
        signals::action::catch_setxid();
        // SAFETY: a signal that the helper's handler expects.
        unsafe { sys!(libc::SYS_tgkill, sys::getpid(), self.tid(), signals::SIGSETXID) };
    }

    /// The kernel's id.
    pub(super) fn tid(&self) -> i32 {
        self.tid.load(Relaxed)
    }

    /// Whether its thread has ended, so that its memory may be freed.
    pub(super) fn has_ended(&self) -> bool {
        self.tid.load(Acquire) == 0
    }
}

global_asm!(
    r#"
.pushsection .text.gp_helper,"ax",@progbits
.hidden gp_helper_call
.hidden gp_helper_begin
.hidden gp_helper_end
.hidden gp_helper_abort
.globl gp_helper_call
.globl gp_helper_begin
.globl gp_helper_end
.globl gp_helper_abort
.type gp_helper_call,@function
# gp_helper_call(nr, args[6], flags): a call that is not begun once `cancel` is set, and not restarted
gp_helper_call:
    .cfi_startproc
    push rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    mov rbx, rdx
    mov rax, rdi
    mov r11, rsi
    mov rdi, [r11]
    mov rsi, [r11 + 8]
    mov rdx, [r11 + 16]
    mov r10, [r11 + 24]
    mov r8, [r11 + 32]
    mov r9, [r11 + 40]
    mov dword ptr [rbx + 4], 1
gp_helper_begin:
    cmp dword ptr [rbx], 0
    jne gp_helper_abort
    syscall
gp_helper_end:
    pop rbx
    ret
gp_helper_abort:
    mov rax, -512
    pop rbx
    ret
    .cfi_endproc
.size gp_helper_call,.-gp_helper_call
.popsection
"#
);

extern "C" {
    fn gp_helper_call(nr: i64, args: *const usize, flags: *const Flags) -> isize;
    fn gp_helper_begin();
    fn gp_helper_end();
    fn gp_helper_abort();
}

/// A signal came to a kernel thread that is no carrier. If it is a helper in the window of its call, the call ends.
/// True if the thread is a helper.
pub(crate) fn interrupted(rip: &mut usize) -> bool {
    let window = gp_helper_begin as *const () as usize..gp_helper_end as *const () as usize;
    if window.contains(rip) {
        *rip = gp_helper_abort as *const () as usize;
        return true;
    }
    let mark: usize;
    // SAFETY: the word at fs:[8] of a helper's block; other threads have libc's pointer to their vector there.
    unsafe { asm!("mov {}, fs:[8]", out(reg) mark, options(nostack, preserves_flags, readonly)) };
    mark == HELPER_MARK
}

const HELPER_MARK: usize = 0x6772_6565_6e69_6f31;

extern "C" fn helper_main(helper: &'static Helper) -> ! {
    let idle = libc::timespec { tv_sec: 0, tv_nsec: IDLE_NS };
    loop {
        while helper.state.load(Acquire) == IDLE {
            let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: waits on our own word.
            let waited =
                unsafe { sys!(libc::SYS_futex, helper.state.as_ptr(), op, IDLE, &idle as *const libc::timespec) };
            let too_long = waited == error(libc::ETIMEDOUT);
            if too_long && helper.state.compare_exchange(IDLE, GONE, AcqRel, Relaxed).is_ok() {
                // SAFETY: ends this thread; its memory is freed by the carrier once the kernel has cleared `tid`.
                unsafe { sys!(libc::SYS_exit, 0) };
            }
        }
        // SAFETY: in WORK the job is ours.
        let job = unsafe { &mut *helper.job.get() };
        if protection_keys::in_use() {
            protection_keys::set_rights(job.rights);
        }
        // SAFETY: the program's arguments; what they point to is the program's own promise to the kernel.
        job.result = unsafe { gp_helper_call(job.nr, job.args.as_ptr(), &helper.flags) };
        job.raised = raised::by(job.nr, &job.args, job.result);
        let (green, event) = (job.green, job.event);
        helper.state.store(IDLE, Release);
        helper.done.store(1, Release);
        if event >= 0 {
            events::set(event);
            continue;
        }
        // SAFETY: records are never freed.
        unsafe { (*(*green).hub).unpark_remote(green) };
    }
}

/// Starts a helper whose first job is already in place.
pub(super) fn spawn(job: Job, changes: u32) -> Option<&'static Helper> {
    if filters::refuse(libc::SYS_clone as usize, &[sys::CLONE_OF_A_THREAD as usize, 0, 0, 0, 0, 0]) {
        return None;
    }
    signals::action::catch_setxid();
    let memory = Mapping::new(STACK + TLS_BELOW + 4096)?;
    let (_, end) = memory.bounds();
    let thread_pointer = end - 4096;
    // SAFETY: inside the mapping: the pointer to itself that the ABI asks for, and our mark.
    unsafe {
        (thread_pointer as *mut usize).write(thread_pointer);
        (thread_pointer as *mut usize).add(1).write(HELPER_MARK);
    }
    let stack = thread_pointer - TLS_BELOW;
    let helper = Box::into_raw(Box::new(Helper {
        state: AtomicU32::new(WORK),
        flags: Flags { cancel: AtomicU32::new(0), entering: AtomicU32::new(0) },
        done: AtomicU32::new(0),
        tid: AtomicI32::new(-1),
        changes,
        job: UnsafeCell::new(job),
        files: Files::none(),
        links: Links::new(),
        _memory: memory,
    }));
    // The child inherits the name: whoever lists the threads must not see a helper before it could give itself one. A
    // filter of the program's may trap these calls, so signals are still open.
    let mut name = [0u8; 16];
    // SAFETY: a buffer of ours, and a string.
    let named = unsafe {
        sys!(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) == 0
            && sys!(libc::SYS_prctl, libc::PR_SET_NAME, c"greenpatch-io".as_ptr()) == 0
    };
    // So it does the mask: everything but SIGSETXID is blocked around the clone.
    let (mask, mut before) = (!signals::bit(signals::SIGSETXID), 0u64);
    let (mask_at, before_at) = (&mask as *const u64, &mut before as *mut u64);
    // SAFETY: both masks are ours and eight bytes long, as the call is told.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask_at, before_at, 8) };
    let result: isize;
    // SAFETY: the child starts on its own stack with its own thread pointer and never returns; the parent's stack and
    // registers are its own.
    unsafe {
        let tid = (*helper).tid.as_ptr();
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") sys::CLONE_OF_A_THREAD, in("rsi") stack, in("rdx") tid, in("r10") tid, in("r8") thread_pointer,
            in("r12") helper, in("r13") helper_main as *const (),
            lateout("rcx") _, lateout("r11") _,
        );
    }
    signals::set_kernel_mask(before);
    if named {
        // SAFETY: the name that the carrier had.
        unsafe { sys!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr()) };
    }
    if result < 0 {
        // SAFETY: no thread was made; the box is ours again.
        drop(unsafe { Box::from_raw(helper) });
        return None;
    }
    // SAFETY: freed only after the kernel has cleared `tid`.
    Some(unsafe { &*helper })
}
