//! The table: which system calls are ours, when, and what performs them.

use crate::calls::{
    cpu_clock, credentials, dirents, fds, futex, futex2, ids, io, mapping, names, page_faults, poll, process,
    readiness, sched, signal, socket, thread, time, timer, wait, Call,
};
use crate::filters;
use crate::modules::Module;
use crate::{fs_attributes, gs_base, protection_keys};

/// When a row counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// With this module.
    With(Module),
    /// With `os` or `socket`: the call looks at the kind of descriptor.
    Descriptor,
    /// Whenever there are green threads: state that the kernel keeps per thread, or that the runtime must follow.
    Always,
}
use When::{Always, Descriptor, With};

pub(super) struct Row {
    pub number: i64,
    pub call: Call,
    pub when: When,
    pub foreign: Option<Call>,
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
pub(crate) const SYS_FUTEX_WAIT: i64 = 455;
pub(crate) const SYS_FUTEX_REQUEUE: i64 = 456;

/// Waits that end when any handler has run, whatever its flags say (signal(7)): the kernel's own, too, where their module
/// is off, and ticks of ours have a handler.
pub(super) const fn is_cut_short(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_poll
            | libc::SYS_ppoll
            | libc::SYS_select
            | libc::SYS_pselect6
            | libc::SYS_epoll_wait
            | libc::SYS_epoll_pwait
            | libc::SYS_epoll_pwait2
            | libc::SYS_nanosleep
            | libc::SYS_clock_nanosleep
            | libc::SYS_msgsnd
            | libc::SYS_msgrcv
            | libc::SYS_semop
            | libc::SYS_semtimedop
            | libc::SYS_io_getevents
            | SYS_IO_PGETEVENTS
            | libc::SYS_io_uring_enter
            | libc::SYS_connect
            | libc::SYS_accept
            | libc::SYS_accept4
            | libc::SYS_sendto
            | libc::SYS_sendmsg
            | libc::SYS_sendmmsg
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_recvmmsg
    )
}

pub(super) const ROWS: &[Row] = &[
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
    row(libc::SYS_sync, With(Module::Os), io::sync),
    row(libc::SYS_syncfs, With(Module::Os), io::syncfs),
    row(libc::SYS_msync, With(Module::Os), io::msync),
    row(libc::SYS_fallocate, With(Module::Os), io::fallocate),
    row(libc::SYS_open, Always, names::open),
    row(libc::SYS_openat, Always, names::openat),
    row(libc::SYS_openat2, Always, names::openat2),
    row(libc::SYS_creat, Always, names::creat),
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
    row(libc::SYS_personality, With(Module::Select), readiness::personality),
    // time
    row(libc::SYS_nanosleep, With(Module::Time), time::nanosleep),
    row(libc::SYS_clock_nanosleep, With(Module::Time), time::clock_nanosleep),
    row(libc::SYS_sched_yield, With(Module::Time), time::sched_yield),
    row(libc::SYS_getrandom, Always, io::getrandom),
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
    row(libc::SYS_userfaultfd, Always, page_faults::userfaultfd),
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
    row(libc::SYS_arch_prctl, Always, gs_base::arch_prctl),
    row(libc::SYS_seccomp, Always, filters::install),
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
    row(libc::SYS_unshare, Always, fs_attributes::unshare),
    row(libc::SYS_setns, Always, fs_attributes::setns),
    row(libc::SYS_chdir, Always, fs_attributes::change_directory),
    row(libc::SYS_fchdir, Always, fs_attributes::change_directory),
    // signal
    shared(libc::SYS_rt_sigaction, Always, signal::rt_sigaction, signal::rt_sigaction),
    row(libc::SYS_rt_sigprocmask, Always, signal::rt_sigprocmask),
    row(libc::SYS_rt_sigpending, Always, signal::rt_sigpending),
    row(libc::SYS_sigaltstack, Always, signal::sigaltstack),
    row(libc::SYS_kill, Always, signal::kill),
    row(libc::SYS_rt_sigqueueinfo, Always, signal::rt_sigqueueinfo),
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
    shared(libc::SYS_ptrace, With(Module::Process), wait::ptrace, wait::ptrace_foreign),
    row(libc::SYS_execve, Always, process::execve),
    row(libc::SYS_execveat, Always, process::execve),
    row(libc::SYS_setuid, Always, credentials::change),
    row(libc::SYS_setgid, Always, credentials::change),
    row(libc::SYS_setreuid, Always, credentials::change),
    row(libc::SYS_setregid, Always, credentials::change),
    row(libc::SYS_setresuid, Always, credentials::change),
    row(libc::SYS_setresgid, Always, credentials::change),
    row(libc::SYS_setgroups, Always, credentials::change),
    row(libc::SYS_setfsuid, Always, credentials::change),
    row(libc::SYS_setfsgid, Always, credentials::change),
];
