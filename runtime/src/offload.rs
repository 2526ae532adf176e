//! System calls that have no non-blocking form, made by helper kernel threads while a green thread is parked.
//!
//! What waits for another party (`call`) gets a helper at once, and there is no queue: the call that one waits for may
//! be the one that another's end depends on. What waits for a disk (`disk`) ends by itself, so a few helpers serve all
//! of it, first come, first served. Helpers are named `greenpatch-io`, are no threads of libc's (they run nothing but one system call after another, on their
//! own small stack and thread-local storage), block all signals but SIGSETXID, with which a call is interrupted, and
//! end when they have been idle for a while.
//!
//! | `state` | meaning | who changes it |
//! |---|---|---|
//! | IDLE | waits for work | the helper, when its call is done |
//! | WORK | makes the call | the carrier |
//! | GONE | has ended, or is about to | the helper, from IDLE, after a time without work |

mod disk;

pub use disk::disk;

use crate::calls::{error, ERESTARTSYS};
use crate::green_thread::{Green, Waiting, Wake};
use crate::guest::{self, events};
use crate::hub::Hub;
use crate::lock::Lock;
use crate::signals::{self, bit, Info};
use crate::switch::Mapping;
use crate::sys;
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering::*};
use std::collections::VecDeque;

const IDLE: u32 = 0;
const WORK: u32 = 1;
const GONE: u32 = 2;
const STACK: usize = 32 * 1024;
/// Thread-local storage of a helper: all zero but for the pointer to itself, with room below for static TLS.
const TLS_BELOW: usize = 16 * 1024;
const IDLE_NS: i64 = 300_000_000;
/// glibc's `setxid` broadcasts do not reach helpers, so that one that was made before must not be used after.
static CREDENTIALS: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Job {
    nr: i64,
    args: [usize; 6],
    result: isize,
    /// A signal that the call sent to its caller, which the helper took to be.
    raised: Option<Info>,
    green: *const Green,
    /// The eventfd of a guest that waits instead, or -1.
    event: i32,
}

impl Job {
    fn new(green: &Green, nr: i64, args: [usize; 6]) -> Self {
        Job { nr, args, result: 0, raised: None, green, event: -1 }
    }

    pub(crate) fn of_guest(event: i32, nr: i64, args: [usize; 6]) -> Self {
        Job { nr, args, result: 0, raised: None, green: ptr::null(), event }
    }
}

pub(crate) struct Helper {
    state: AtomicU32,
    /// Set to end the call that is under way.
    cancel: AtomicU32,
    /// Set when the result is there.
    done: AtomicU32,
    /// The kernel's id; cleared by the kernel when the thread has ended.
    tid: AtomicI32,
    credentials: u32,
    job: UnsafeCell<Job>,
    /// The stack and the thread-local storage, freed with the record.
    _memory: Mapping,
}

// SAFETY: `job` belongs to the carrier in IDLE and to the helper in WORK.
unsafe impl Sync for Helper {}
// SAFETY: helpers are shared by pointer only.
unsafe impl Send for Helper {}

struct Pool {
    idle: Vec<*mut Helper>,
    gone: Vec<*mut Helper>,
}
// SAFETY: the pointers are to leaked boxes.
unsafe impl Send for Pool {}

static POOL: Lock<Pool> = Lock::new(Pool { idle: Vec::new(), gone: Vec::new() });

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
# gp_helper_call(nr, args[6], cancel): a call that is not begun once `cancel` is set, and not restarted
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
    fn gp_helper_call(nr: i64, args: *const usize, cancel: *const AtomicU32) -> isize;
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
        // SAFETY: the program's arguments; what they point to is the program's own promise to the kernel.
        job.result = unsafe { gp_helper_call(job.nr, job.args.as_ptr(), &helper.cancel) };
        if writes(job.nr) {
            job.raised = take_raised();
        }
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

/// Whether a call may send SIGPIPE or SIGXFSZ to its caller, whatever it answers: a part may have been written.
fn writes(nr: i64) -> bool {
    matches!(
        nr,
        libc::SYS_write
            | libc::SYS_writev
            | libc::SYS_pwrite64
            | libc::SYS_pwritev
            | libc::SYS_pwritev2
            | libc::SYS_sendto
            | libc::SYS_sendmsg
            | libc::SYS_sendmmsg
            | libc::SYS_sendfile
            | libc::SYS_splice
            | libc::SYS_tee
            | libc::SYS_vmsplice
            | libc::SYS_copy_file_range
    )
}

/// Takes what the call that has just been made sent to this thread, which blocks it.
fn take_raised() -> Option<Info> {
    let set = bit(libc::SIGPIPE) | bit(libc::SIGXFSZ);
    // SAFETY: all-zero is a valid siginfo.
    let mut info: Info = unsafe { core::mem::zeroed() };
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: all pointers are ours.
    let signal = unsafe {
        sys!(libc::SYS_rt_sigtimedwait, &set as *const u64, &mut info as *mut Info, &now as *const libc::timespec, 8)
    };
    (signal > 0).then_some(info)
}

/// Starts a helper whose first job is already in place.
fn spawn(job: Job) -> Option<&'static Helper> {
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
        cancel: AtomicU32::new(0),
        done: AtomicU32::new(0),
        tid: AtomicI32::new(-1),
        credentials: CREDENTIALS.load(Relaxed),
        job: UnsafeCell::new(job),
        _memory: memory,
    }));
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    // The child inherits the mask: everything but SIGSETXID is blocked around the clone.
    let (mask, mut before) = (!signals::bit(signals::SIGSETXID), 0u64);
    let (mask_at, before_at) = (&mask as *const u64, &mut before as *mut u64);
    // SAFETY: both masks are ours and eight bytes long, as the call is told.
    unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask_at, before_at, 8) };
    // So it does the name: whoever lists the threads must not see a helper before it could give itself one.
    let mut name = [0u8; 16];
    // SAFETY: a buffer of ours, and a string.
    unsafe {
        sys!(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr());
        sys!(libc::SYS_prctl, libc::PR_SET_NAME, c"greenpatch-io".as_ptr());
    }
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
            in("rdi") flags, in("rsi") stack, in("rdx") tid, in("r10") tid, in("r8") thread_pointer,
            in("r12") helper, in("r13") helper_main as *const (),
            lateout("rcx") _, lateout("r11") _,
        );
    }
    // SAFETY: the name that the carrier had.
    unsafe { sys!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr()) };
    signals::set_kernel_mask(before);
    if result < 0 {
        // SAFETY: no thread was made; the box is ours again.
        drop(unsafe { Box::from_raw(helper) });
        return None;
    }
    // SAFETY: freed only after the kernel has cleared `tid`.
    Some(unsafe { &*helper })
}

/// An idle helper that takes `job`, or a new one.
fn start(job: Job) -> Option<&'static Helper> {
    let credentials = CREDENTIALS.load(Relaxed);
    let mut job = Some(job);
    loop {
        let candidate = {
            let mut pool = POOL.lock();
            reap(&mut pool);
            pool.idle.pop()
        };
        let Some(candidate) = candidate else { break };
        // SAFETY: helpers are freed only by `reap`, from `gone`.
        let helper = unsafe { &*candidate };
        if helper.credentials == credentials && helper.state.load(Acquire) == IDLE {
            helper.cancel.store(0, Relaxed);
            helper.done.store(0, Relaxed);
            // SAFETY: in IDLE the job is ours. A helper that gives up now sees no WORK and never reads it.
            unsafe { *helper.job.get() = job.take()? };
            if helper.state.compare_exchange(IDLE, WORK, AcqRel, Relaxed).is_ok() {
                let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
                // SAFETY: wakes on our own word.
                unsafe { sys!(libc::SYS_futex, helper.state.as_ptr(), op, 1) };
                return Some(helper);
            }
            // SAFETY: the helper is gone; the job is still ours.
            let unused = unsafe { &*helper.job.get() };
            job = Some(Job { raised: None, ..*unused });
        }
        POOL.lock().gone.push(candidate);
    }
    spawn(job?)
}

/// Frees helpers whose thread has ended.
fn reap(pool: &mut Pool) {
    pool.gone.retain(|&helper| {
        // SAFETY: pointers in `gone` are to live boxes.
        let ended = unsafe { (*helper).tid.load(Acquire) == 0 };
        if ended {
            // SAFETY: the thread no longer exists, and nobody else has the pointer.
            drop(unsafe { Box::from_raw(helper) });
        }
        !ended
    });
}

/// Lets a helper thread make system call `nr` while the current green thread is parked, and returns the kernel's
/// answer. A signal that a handler is to take ends the call in the helper as it would have ended it in the caller:
/// the answer is then a restart mark (`ERESTARTSYS`), or what the call had already done.
pub fn call(hub: &'static Hub, nr: i64, args: [usize; 6]) -> isize {
    if let Some(guest) = &hub.guest {
        return guest::call_in_helper(hub, guest, nr, args, true);
    }
    if signals::deliverable(hub, hub.current()) {
        return ERESTARTSYS;
    }
    run(hub, nr, args, true)
}

/// Green threads for which no thread could be made. Each helper that becomes free feeds one.
static STARVED: Lock<Starved> = Lock::new(Starved(VecDeque::new()));

struct Starved(VecDeque<*const Green>);
// SAFETY: records are never freed.
unsafe impl Send for Starved {}

fn feed_starved(hub: &Hub) {
    let next = STARVED.lock().0.pop_front();
    if let Some(green) = next {
        // SAFETY: records are never freed.
        hub.unpark(unsafe { &*green });
    }
}

impl Helper {
    /// Starts a guest's job. `None` if there is no thread to be had.
    pub(crate) fn start(job: Job) -> Option<&'static Helper> {
        start(job)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Acquire) != 0
    }

    /// Ends the call as a signal would. It may have come to its end already.
    pub(crate) fn cancel(&self) {
        self.cancel.store(1, SeqCst);
        signals::action::catch_setxid();
        // SAFETY: a signal that the helper's handler expects.
        unsafe { sys!(libc::SYS_tgkill, sys::getpid(), self.tid.load(Relaxed), signals::SIGSETXID) };
    }

    /// The answer, and the signal that the call sent to its caller. The helper is another's afterwards.
    pub(crate) fn finish(&self) -> (isize, Option<Info>) {
        // SAFETY: `done` was set after the result.
        let answer = unsafe {
            let job = &*self.job.get();
            (job.result, job.raised)
        };
        POOL.lock().idle.push(ptr::from_ref(self).cast_mut());
        answer
    }
}

fn run(hub: &'static Hub, nr: i64, args: [usize; 6], interruptible: bool) -> isize {
    let green = hub.current();
    let helper = loop {
        if let Some(helper) = start(Job::new(green, nr, args)) {
            break helper;
        }
        if hub.helpers_busy.get() == 0 {
            // No thread to be had at all: the kernel blocks the carrier, which is slow but right.
            // SAFETY: the program's own call.
            return unsafe { sys::syscall6(nr as usize, args[0], args[1], args[2], args[3], args[4], args[5]) };
        }
        STARVED.lock().0.push_back(green);
        let wake = hub.park(Waiting::Helper, None, interruptible);
        let told = {
            let starved = &mut STARVED.lock().0;
            let before = starved.len();
            starved.retain(|&other| !ptr::eq(other, green));
            starved.len() == before
        };
        if wake == Wake::Interrupted {
            if told {
                feed_starved(hub);
            }
            return ERESTARTSYS;
        }
    };
    hub.helpers_busy.set(hub.helpers_busy.get() + 1);
    let mut cancelled = false;
    while helper.done.load(Acquire) == 0 {
        let wake = hub.park(Waiting::Helper, None, interruptible && !cancelled);
        if wake == Wake::Interrupted && helper.done.load(Acquire) == 0 {
            cancelled = true;
            helper.cancel.store(1, SeqCst);
            // SAFETY: a signal that the helper's handler expects.
            unsafe {
                sys!(libc::SYS_tgkill, hub.pid.load(Relaxed), helper.tid.load(Relaxed), signals::SIGSETXID);
            }
        }
    }
    hub.helpers_busy.set(hub.helpers_busy.get() - 1);
    // SAFETY: `done` was set after the result.
    let (result, raised) = unsafe {
        let job = &*helper.job.get();
        (job.result, job.raised)
    };
    POOL.lock().idle.push(ptr::from_ref(helper).cast_mut());
    feed_starved(hub);
    if let Some(info) = raised {
        signals::send(hub, green, &info);
    }
    if cancelled && result == error(libc::EINTR) {
        ERESTARTSYS
    } else {
        result
    }
}

/// The process's credentials are about to change: helpers made before are not used again.
pub fn credentials_change() {
    CREDENTIALS.fetch_add(1, Relaxed);
}

/// In a forked child there are no helpers.
///
/// # Safety
/// No other kernel thread exists.
pub(crate) unsafe fn rebuild_in_child() {
    // SAFETY: as for this function.
    unsafe {
        POOL.reset_in_child();
        disk::rebuild_in_child();
        STARVED.reset_in_child();
    }
    STARVED.lock().0.clear();
    let mut pool = POOL.lock();
    let all: Vec<_> = pool.idle.drain(..).collect();
    for helper in all {
        // SAFETY: its thread does not exist here, and nobody else has the pointer.
        drop(unsafe { Box::from_raw(helper) });
    }
    pool.gone.clear();
}
