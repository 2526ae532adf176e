//! System call number → call: one table, and what becomes of a call that comes in through a site.

mod descriptors;

pub(crate) use descriptors::names_descriptor;

use crate::calls::{
    self, cpu_clock, credentials, dirents, fds, futex, futex2, ids, io, mapping, names, poll, process, sched, signal,
    socket, thread, time, timer, wait, Call, Outcome, Reason,
};
use crate::carrier::{NO_TIMER, SHARED_TLS, VFORK_CHILD};
use crate::config::Config;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::modules::Module;
use crate::{carrier, guest, protection_keys, scheduling, signals, stack_pool, sys};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::*};

/// Numbers from here on are passed on unseen.
pub const NUMBERS: usize = 512;
/// Bit of `gp_interest`: green threads' calls come to the dispatcher.
pub const GREEN: u8 = 1;
/// Bit of `gp_interest`: foreign threads' calls do.
pub const FOREIGN: u8 = 2;
/// Bit of `gp_interest`: guests' calls do.
pub const GUEST: u8 = 4;
/// Bit of `gp_interest`: reads the descriptor that is its first argument, and comes only if that may wait.
pub const READS: u8 = 8;
/// Bit of `gp_interest`: writes it, as `READS`.
pub const WRITES: u8 = 16;
/// Bit of `gp_interest`: comes only if the first argument may be a descriptor of ours.
pub const ONLY_OWN: u8 = 32;
/// Bit of `gp_interest`: gives the program a new descriptor.
const MAKES: u8 = 64;

/// Read by the entry before it saves anything.
#[no_mangle]
#[allow(non_upper_case_globals)]
static gp_interest: [AtomicU8; NUMBERS] = [const { AtomicU8::new(0) }; NUMBERS];

/// When a row counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// With this module.
    With(Module),
    /// With `os` or `socket`: the call looks at the kind of descriptor.
    Descriptor,
    /// Whenever there are green threads: state that the kernel keeps per thread, or that the runtime must follow.
    Always,
}
use When::{Always, Descriptor, With};

struct Row {
    number: i64,
    call: Call,
    when: When,
    foreign: Option<Call>,
}

const fn row(number: i64, when: When, call: Call) -> Row {
    Row { number, call, when, foreign: None }
}

const fn shared(number: i64, when: When, call: Call, foreign: Call) -> Row {
    Row { number, call, when, foreign: Some(foreign) }
}

/// Missing in the `libc` crate.
pub(crate) const SYS_IO_PGETEVENTS: i64 = 333;
pub(crate) const SYS_FUTEX_WAKE: i64 = 454;
const SYS_FUTEX_WAIT: i64 = 455;
pub(crate) const SYS_FUTEX_REQUEUE: i64 = 456;

const ROWS: &[Row] = &[
    // os and socket, by the kind of descriptor
    row(libc::SYS_read, Descriptor, io::read),
    row(libc::SYS_write, Descriptor, io::write),
    row(libc::SYS_readv, Descriptor, io::readv),
    row(libc::SYS_writev, Descriptor, io::writev),
    row(libc::SYS_pread64, With(Module::Os), io::pread64),
    row(libc::SYS_pwrite64, With(Module::Os), io::pwrite64),
    row(libc::SYS_preadv, With(Module::Os), io::preadv),
    row(libc::SYS_pwritev, With(Module::Os), io::pwritev),
    row(libc::SYS_preadv2, Descriptor, io::preadv2),
    row(libc::SYS_pwritev2, Descriptor, io::pwritev2),
    row(libc::SYS_sendfile, Descriptor, io::sendfile),
    row(libc::SYS_splice, Descriptor, io::splice),
    row(libc::SYS_tee, With(Module::Os), io::tee),
    row(libc::SYS_vmsplice, With(Module::Os), io::vmsplice),
    row(libc::SYS_copy_file_range, With(Module::Os), io::copy_file_range),
    row(libc::SYS_fsync, With(Module::Os), io::fsync),
    row(libc::SYS_fdatasync, With(Module::Os), io::fdatasync),
    row(libc::SYS_sync_file_range, With(Module::Os), io::sync_file_range),
    row(libc::SYS_open, Always, names::open),
    row(libc::SYS_openat, Always, names::openat),
    row(libc::SYS_flock, With(Module::Os), io::flock),
    row(libc::SYS_msgsnd, With(Module::Os), io::msgsnd),
    row(libc::SYS_msgrcv, With(Module::Os), io::msgrcv),
    row(libc::SYS_semop, With(Module::Os), io::semop),
    row(libc::SYS_semtimedop, With(Module::Os), io::semtimedop),
    row(libc::SYS_mq_timedsend, With(Module::Os), io::mq_timedsend),
    row(libc::SYS_mq_timedreceive, With(Module::Os), io::mq_timedreceive),
    row(libc::SYS_io_getevents, With(Module::Os), io::io_getevents),
    row(SYS_IO_PGETEVENTS, With(Module::Os), io::io_pgetevents),
    row(libc::SYS_io_uring_setup, With(Module::Os), io::io_uring_setup),
    row(libc::SYS_io_uring_register, With(Module::Os), io::io_uring_register),
    row(libc::SYS_io_uring_enter, With(Module::Os), io::io_uring_enter),
    // descriptors' lives, which the reactor follows
    row(libc::SYS_pipe, With(Module::Os), socket::pipe),
    row(libc::SYS_pipe2, With(Module::Os), socket::pipe),
    row(libc::SYS_eventfd, With(Module::Os), io::eventfd),
    row(libc::SYS_eventfd2, With(Module::Os), io::eventfd),
    shared(libc::SYS_close, Always, fds::close, fds::close),
    shared(libc::SYS_close_range, Always, fds::close_range, fds::close_range),
    shared(libc::SYS_dup, Always, fds::dup, fds::dup),
    shared(libc::SYS_dup2, Always, fds::dup2, fds::dup2),
    shared(libc::SYS_dup3, Always, fds::dup3, fds::dup3),
    shared(libc::SYS_epoll_ctl, Always, poll::epoll_ctl, poll::epoll_ctl),
    row(libc::SYS_getdents64, Always, dirents::getdents64),
    shared(libc::SYS_fcntl, Always, fds::fcntl, fds::fcntl_foreign),
    shared(libc::SYS_ioctl, Always, fds::ioctl, fds::ioctl_foreign),
    // socket
    row(libc::SYS_socket, With(Module::Socket), socket::socket),
    row(libc::SYS_socketpair, With(Module::Socket), socket::socketpair),
    row(libc::SYS_connect, With(Module::Socket), socket::connect),
    row(libc::SYS_accept, With(Module::Socket), socket::accept),
    row(libc::SYS_accept4, With(Module::Socket), socket::accept4),
    row(libc::SYS_sendto, With(Module::Socket), socket::sendto),
    row(libc::SYS_sendmsg, With(Module::Socket), socket::sendmsg),
    row(libc::SYS_sendmmsg, With(Module::Socket), socket::sendmmsg),
    row(libc::SYS_recvfrom, With(Module::Socket), socket::recvfrom),
    row(libc::SYS_recvmsg, With(Module::Socket), socket::recvmsg),
    row(libc::SYS_recvmmsg, With(Module::Socket), socket::recvmmsg),
    shared(libc::SYS_setsockopt, With(Module::Socket), socket::setsockopt, socket::setsockopt),
    // select
    row(libc::SYS_poll, With(Module::Select), poll::poll),
    row(libc::SYS_ppoll, With(Module::Select), poll::ppoll),
    row(libc::SYS_select, With(Module::Select), poll::select),
    row(libc::SYS_pselect6, With(Module::Select), poll::pselect6),
    row(libc::SYS_epoll_wait, With(Module::Select), poll::epoll_wait),
    row(libc::SYS_epoll_pwait, With(Module::Select), poll::epoll_pwait),
    row(libc::SYS_epoll_pwait2, With(Module::Select), poll::epoll_pwait2),
    // time
    row(libc::SYS_nanosleep, With(Module::Time), time::nanosleep),
    row(libc::SYS_clock_nanosleep, With(Module::Time), time::clock_nanosleep),
    row(libc::SYS_sched_yield, With(Module::Time), time::sched_yield),
    // memory: thread stacks
    shared(libc::SYS_mmap, Always, mapping::mmap, mapping::mmap_foreign),
    shared(libc::SYS_munmap, Always, mapping::munmap, mapping::munmap),
    shared(libc::SYS_mprotect, Always, mapping::mprotect, mapping::mprotect),
    shared(libc::SYS_madvise, Always, mapping::madvise, mapping::madvise),
    shared(libc::SYS_mremap, Always, mapping::mremap, mapping::mremap),
    shared(libc::SYS_mlock, Always, mapping::changes, mapping::changes),
    shared(libc::SYS_mlock2, Always, mapping::changes, mapping::changes),
    shared(libc::SYS_munlock, Always, mapping::changes, mapping::changes),
    row(libc::SYS_pkey_alloc, Always, protection_keys::pkey_alloc),
    shared(libc::SYS_pkey_mprotect, Always, mapping::changes, mapping::changes),
    shared(libc::SYS_mbind, Always, mapping::changes, mapping::changes),
    shared(libc::SYS_remap_file_pages, Always, mapping::changes, mapping::changes),
    shared(libc::SYS_mlockall, Always, mapping::mlockall, mapping::mlockall),
    // thread
    row(libc::SYS_clone3, Always, thread::clone3),
    row(libc::SYS_clone, Always, thread::clone),
    row(libc::SYS_exit, Always, thread::exit),
    shared(libc::SYS_futex, Always, futex::futex, futex::futex_foreign),
    row(libc::SYS_futex_waitv, Always, futex2::futex_waitv),
    shared(SYS_FUTEX_WAKE, Always, futex2::futex_wake, futex2::futex2_foreign),
    row(SYS_FUTEX_WAIT, Always, futex2::futex_wait),
    shared(SYS_FUTEX_REQUEUE, Always, futex2::futex_requeue, futex2::futex2_foreign),
    row(libc::SYS_set_robust_list, Always, thread::set_robust_list),
    row(libc::SYS_get_robust_list, Always, thread::get_robust_list),
    row(libc::SYS_set_tid_address, Always, thread::set_tid_address),
    row(libc::SYS_rseq, Always, thread::rseq),
    row(libc::SYS_gettid, Always, thread::gettid),
    row(libc::SYS_prctl, Always, names::prctl),
    row(libc::SYS_sched_setaffinity, Always, sched::sched_setaffinity),
    row(libc::SYS_sched_getaffinity, Always, sched::sched_getaffinity),
    row(libc::SYS_getcpu, Always, sched::getcpu),
    row(libc::SYS_sched_setscheduler, Always, sched::sched_setscheduler),
    row(libc::SYS_sched_getscheduler, Always, sched::sched_getscheduler),
    row(libc::SYS_sched_setparam, Always, sched::sched_setparam),
    row(libc::SYS_sched_getparam, Always, sched::sched_getparam),
    row(libc::SYS_sched_setattr, Always, sched::sched_setattr),
    row(libc::SYS_sched_getattr, Always, sched::sched_getattr),
    row(libc::SYS_sched_rr_get_interval, Always, sched::sched_rr_get_interval),
    row(libc::SYS_getpriority, Always, sched::getpriority),
    row(libc::SYS_setpriority, Always, sched::setpriority),
    row(libc::SYS_clock_gettime, Always, cpu_clock::clock_gettime),
    row(libc::SYS_clock_getres, Always, cpu_clock::same_for_carrier),
    row(libc::SYS_clock_settime, Always, cpu_clock::same_for_carrier),
    row(libc::SYS_getrusage, Always, cpu_clock::getrusage),
    row(libc::SYS_prlimit64, Always, ids::prlimit64),
    row(libc::SYS_setrlimit, Always, thread::change_limit),
    row(libc::SYS_capset, Always, ids::capset),
    // signal
    shared(libc::SYS_rt_sigaction, Always, signal::rt_sigaction, signal::rt_sigaction),
    row(libc::SYS_rt_sigprocmask, Always, signal::rt_sigprocmask),
    row(libc::SYS_rt_sigpending, Always, signal::rt_sigpending),
    row(libc::SYS_sigaltstack, Always, signal::sigaltstack),
    shared(libc::SYS_tkill, Always, signal::tkill, signal::tkill_foreign),
    shared(libc::SYS_tgkill, Always, signal::tgkill, signal::tgkill_foreign),
    row(libc::SYS_rt_tgsigqueueinfo, Always, signal::rt_tgsigqueueinfo),
    row(libc::SYS_rt_sigsuspend, Always, signal::rt_sigsuspend),
    row(libc::SYS_pause, Always, signal::pause),
    row(libc::SYS_rt_sigtimedwait, Always, signal::rt_sigtimedwait),
    row(libc::SYS_timer_create, Always, timer::timer_create),
    row(libc::SYS_timer_settime, Always, timer::timer_settime),
    row(libc::SYS_timer_gettime, Always, timer::timer_gettime),
    row(libc::SYS_timer_getoverrun, Always, timer::timer_getoverrun),
    row(libc::SYS_timer_delete, Always, timer::timer_delete),
    // a thread's id that stands for its process
    row(libc::SYS_kill, Always, ids::of_process),
    row(libc::SYS_rt_sigqueueinfo, Always, ids::of_process),
    row(libc::SYS_getpgid, Always, ids::of_process),
    row(libc::SYS_getsid, Always, ids::of_process),
    row(libc::SYS_process_vm_readv, Always, ids::of_process),
    row(libc::SYS_process_vm_writev, Always, ids::of_process),
    row(libc::SYS_migrate_pages, Always, ids::of_process),
    row(libc::SYS_move_pages, Always, ids::of_process),
    row(libc::SYS_kcmp, Always, ids::kcmp),
    row(libc::SYS_perf_event_open, Always, ids::perf_event_open),
    row(libc::SYS_setpgid, Always, ids::setpgid),
    row(libc::SYS_pidfd_open, Always, ids::pidfd_open),
    row(libc::SYS_capget, Always, ids::capget),
    row(libc::SYS_ioprio_get, Always, ids::ioprio),
    row(libc::SYS_ioprio_set, Always, ids::ioprio),
    // process
    row(libc::SYS_fork, Always, process::fork),
    row(libc::SYS_exit_group, Always, process::exit_group),
    row(libc::SYS_wait4, With(Module::Process), wait::wait4),
    row(libc::SYS_waitid, With(Module::Process), wait::waitid),
    shared(libc::SYS_ptrace, With(Module::Process), wait::ptrace, wait::ptrace),
    row(libc::SYS_execve, Always, process::execve),
    row(libc::SYS_execveat, Always, process::execve),
    row(libc::SYS_setuid, Always, credentials::change),
    row(libc::SYS_setgid, Always, credentials::change),
    row(libc::SYS_setreuid, Always, credentials::change),
    row(libc::SYS_setregid, Always, credentials::change),
    row(libc::SYS_setresuid, Always, credentials::change),
    row(libc::SYS_setresgid, Always, credentials::change),
    row(libc::SYS_setgroups, Always, credentials::change),
];

/// The call of each number, filled when the rows are opened: a table made by the compiler would be a thousand addresses
/// that the dynamic linker must relocate in each program, with threads or without.
struct Calls([AtomicUsize; NUMBERS]);

/// Which rows count is in `gp_interest`, and where none does nobody asks.
static GREEN_CALLS: Calls = Calls([const { AtomicUsize::new(0) }; NUMBERS]);
/// As `GREEN_CALLS`, for foreign threads.
static FOREIGN_CALLS: Calls = Calls([const { AtomicUsize::new(0) }; NUMBERS]);

impl Calls {
    fn fill(&self, call_of: impl Fn(&Row) -> Option<Call>) {
        self.0.iter().for_each(|call| call.store(calls::pass as Call as usize, Relaxed));
        for row in ROWS {
            if let Some(call) = call_of(row) {
                self.0[row.number as usize].store(call as usize, Relaxed);
            }
        }
    }

    /// Of a table that has been filled.
    #[inline]
    fn of(&self, number: usize) -> Call {
        // SAFETY: only `fill` stores, and nothing but calls.
        unsafe { core::mem::transmute::<usize, Call>(self.0[number & (NUMBERS - 1)].load(Relaxed)) }
    }
}

/// Before arming: only the making of threads comes to the dispatcher.
pub fn open_for_clone() {
    for number in [libc::SYS_clone3, libc::SYS_clone] {
        gp_interest[number as usize].store(GREEN | FOREIGN, Release);
    }
}

/// Of the calls that `never_waits` is asked about.
const fn direction(number: i64) -> u8 {
    match number {
        libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 | libc::SYS_preadv => READS,
        libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 | libc::SYS_pwritev => WRITES,
        _ => 0,
    }
}

/// Opens the rows that `config` switches on.
pub fn open(config: &Config) {
    GREEN_CALLS.fill(|row| Some(row.call));
    FOREIGN_CALLS.fill(|row| row.foreign);
    let modules = config.modules;
    for row in ROWS {
        let on = match row.when {
            With(module) => modules.contains(module),
            Descriptor => modules.contains(Module::Os) || modules.contains(Module::Socket),
            Always => true,
        };
        if on {
            let foreign = if row.foreign.is_some() { FOREIGN } else { 0 };
            gp_interest[row.number as usize].store(GREEN | foreign | direction(row.number), Release);
        }
    }
    descriptors::open();
}

/// Opens the rows of a process in which nobody is a green thread but kernel threads may be guests.
pub(crate) fn open_for_guests(config: &Config) {
    GUEST_CALLS.get_or_init(|| {
        let mut calls = Box::new(GuestCalls { guest: [None; NUMBERS], foreign: [None; NUMBERS] });
        for row in ROWS {
            let number = row.number as usize;
            let on = match row.when {
                With(module) => guest::has(config, module),
                Descriptor => guest::has(config, Module::Os) || guest::has(config, Module::Socket),
                Always => false,
            };
            let on = on && !guest::is_left_out(row.number);
            let always = row.when == Always;
            calls.guest[number] = match guest::call_for(row.number) {
                Some(call) if on || always => Some(call),
                _ => on.then_some(row.call),
            };
            calls.foreign[number] = guest::foreign_call_for(row.number);
            let bit = |calls: &[Option<Call>; NUMBERS], bit| if calls[number].is_some() { bit } else { 0 };
            gp_interest[number].store(bit(&calls.guest, GUEST) | bit(&calls.foreign, FOREIGN), Release);
        }
        calls
    });
}

/// The calls of a process in which kernel threads may be guests: of those, and of the others.
struct GuestCalls {
    guest: [Option<Call>; NUMBERS],
    foreign: [Option<Call>; NUMBERS],
}

static GUEST_CALLS: once_cell::sync::OnceCell<Box<GuestCalls>> = once_cell::sync::OnceCell::new();

/// A guest's call.
#[inline]
pub(crate) fn guest_call(number: usize) -> Option<Call> {
    GUEST_CALLS.get().and_then(|calls| calls.guest[number & (NUMBERS - 1)])
}

/// The call of a kernel thread that is neither carrier nor guest.
#[inline]
fn foreign_call(number: usize) -> Option<Call> {
    match GUEST_CALLS.get() {
        Some(calls) => calls.foreign[number & (NUMBERS - 1)],
        None => Some(FOREIGN_CALLS.of(number)),
    }
}

/// What the assembly does with the frame after the dispatcher.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// `gp_exit`: into the program.
    Exit = 0,
    /// `gp_enter`: into a handler.
    Enter = 1,
    /// `gp_exit_quiet`: the caller is not ours, or was inside already.
    Quiet = 2,
}

/// A thread stands at a system call instruction that is ours.
///
/// # Safety
/// Called by the entry with the frame that it built and the calling thread's hub, if it is a carrier.
#[no_mangle]
unsafe extern "C" fn gp_dispatch(frame: &mut Frame, hub: Option<&'static Hub>) -> Way {
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    frame.number = frame.rax;
    frame.rip = site.pass;
    let Some(hub) = hub else {
        return if carrier::guest_pointer().is_null() { foreign(frame) } else { guest::dispatch(frame) };
    };
    frame.carrier = core::ptr::from_ref(hub).cast();
    let wary = hub.carrier.wary.load(Relaxed);
    if wary & SHARED_TLS != 0 && sys::gettid() != hub.tid.load(Relaxed) {
        return foreign(frame);
    }
    if hub.carrier.inside.load(Relaxed) != 0 {
        return Way::Quiet;
    }
    if wary & VFORK_CHILD != 0 && !child_has_gone(hub) {
        return Way::Quiet;
    }
    hub.carrier.inside.store(1, Relaxed);
    hub.carrier.alone.store(0, Relaxed);
    perform(hub, frame)
}

/// Whether the caller is the carrier, although a child that shares our memory was made: then the child has executed
/// its program or ended.
#[cold]
fn child_has_gone(hub: &'static Hub) -> bool {
    if sys::gettid() != hub.tid.load(Relaxed) {
        if hub.child_unscheduled.replace(false) {
            scheduling::apply_in_vfork_child(hub.current());
        }
        return false;
    }
    hub.carrier.inside.store(1, Relaxed);
    hub.carrier.set_wary(VFORK_CHILD, false);
    hub.signals.take_mask_back();
    true
}

/// The call of a green thread that is inside the runtime now.
#[inline]
fn perform(hub: &'static Hub, frame: &mut Frame) -> Way {
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    if hub.carrier.attention.load(Relaxed) != 0 {
        signals::drain(hub);
    }
    let green = hub.current();
    if signals::deliverable(hub, green) {
        // A signal came before the call: its handler runs before the call.
        hub.carrier.call_attention();
        return Way::Exit;
    }
    if hub.carrier.wary.load(Relaxed) & NO_TIMER != 0 {
        hub.slice.make_up(hub);
    }
    green.where_from.set(site.syscall + 2);
    green.stack_at.set(frame.rsp);
    green.buffer.set(frame.rsi);
    match descriptors::call(hub, frame) {
        Outcome::Pass(reason) => {
            if reason == Reason::NoOtherGreenThread {
                let settled = stack_pool::alone() && !names::any_open();
                if settled && gp_interest[frame.number & (NUMBERS - 1)].load(Relaxed) & (READS | WRITES) != 0 {
                    hub.carrier.alone.store(1, Relaxed);
                }
            }
            Way::Exit
        }
        Outcome::Done(result) => {
            frame.rax = result as usize;
            frame.rip = site.resume;
            if (-516..=-512).contains(&result) || signals::deliverable(hub, hub.current()) {
                hub.carrier.call_attention();
            }
            Way::Exit
        }
    }
}

/// The call of a foreign kernel thread that concerns green threads.
#[cold]
fn foreign(frame: &mut Frame) -> Way {
    let Some(hub) = crate::hub::first() else {
        return first_thread(frame);
    };
    let outcome = match descriptors::refused(hub, frame) {
        Some(outcome) => Some(outcome),
        None => foreign_call(frame.number).map(|call| call(hub, frame)),
    };
    if let Some(Outcome::Done(result)) = outcome {
        frame.rax = result as usize;
        // SAFETY: sites are never freed.
        frame.rip = unsafe { (*frame.site).resume };
    }
    Way::Quiet
}

/// Not armed yet: the first thread, however it is made, arms; then its maker is the main green thread.
fn first_thread(frame: &mut Frame) -> Way {
    let arm = ARM.load(Acquire);
    if arm == 0 || !thread::asks_for_thread(frame) {
        return Way::Quiet;
    }
    // SAFETY: only `set_arm` stores, and it stores such a function.
    match unsafe { core::mem::transmute::<usize, fn() -> Arming>(arm)() } {
        Arming::Armed => {}
        Arming::Native => return Way::Quiet,
        Arming::NoMemory => {
            // SAFETY: sites are never freed.
            frame.rip = unsafe { (*frame.site).resume };
            frame.rax = -libc::EAGAIN as isize as usize;
            return Way::Quiet;
        }
    }
    // Arming has left this thread, the main green thread now, inside.
    let hub_pointer = carrier::hub_pointer();
    frame.carrier = hub_pointer.cast();
    // SAFETY: arming has set the word.
    perform(unsafe { &*hub_pointer }, frame)
}

static ARM: AtomicUsize = AtomicUsize::new(0);

/// What came of arming.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arming {
    /// The calling thread is the main green thread.
    Armed,
    /// The process stays native.
    Native,
    /// Not now: there is not even memory for a thread.
    NoMemory,
}

/// What arms at the first thread that is made without a hook having seen it.
pub fn set_arm(arm: fn() -> Arming) {
    ARM.store(arm as usize, Release);
}
