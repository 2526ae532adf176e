//! What the table of calls does about the runtime's own descriptors: a call that names one is refused, and one that makes
//! a new descriptor may get its number.

use super::{gp_interest, FOREIGN, GREEN, GREEN_CALLS, MAKES, NUMBERS, ONLY_OWN};
use crate::calls::{error, fds, Outcome};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::reactor::{maybe_own, some_own};
use core::sync::atomic::Ordering::*;

/// Missing in the `libc` crate.
const SYS_OPENAT2: i64 = 437;
const SYS_FACCESSAT2: i64 = 439;

/// Calls whose first argument is a descriptor, or the folder of a path: a number of ours is EBADF. Those that are not in
/// `ROWS` come to us only if it may be one.
const NAMING: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_copy_file_range,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_syncfs,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_connect,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_shutdown,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_epoll_ctl,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fchdir,
    libc::SYS_fsetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fremovexattr,
    libc::SYS_getdents,
    libc::SYS_getdents64,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_signalfd,
    libc::SYS_signalfd4,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_fanotify_mark,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pidfd_getfd,
    libc::SYS_setns,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_utimensat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    SYS_FACCESSAT2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchownat,
    libc::SYS_fchmodat,
    SYS_OPENAT2,
    libc::SYS_execveat,
];

/// Calls that give the program new descriptors without waiting: see `fds::makes`.
const MAKING: &[i64] = &[
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_pipe,
    libc::SYS_pipe2,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_epoll_create,
    libc::SYS_epoll_create1,
    libc::SYS_eventfd,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_signalfd,
    libc::SYS_signalfd4,
    libc::SYS_inotify_init,
    libc::SYS_inotify_init1,
    libc::SYS_memfd_create,
    libc::SYS_pidfd_open,
];

/// `NAMING` as a table.
static NAMES: [bool; NUMBERS] = {
    let mut names = [false; NUMBERS];
    let mut at = 0;
    while at < NAMING.len() {
        names[NAMING[at] as usize] = true;
        at += 1;
    }
    names
};

/// Whether the first argument of call `number` is a descriptor.
pub(crate) fn names_descriptor(number: i64) -> bool {
    NAMES.get(number as usize).is_some_and(|&names| names)
}

/// Opens what is not open yet, in a process with green threads.
pub(super) fn open() {
    for &number in NAMING {
        let interest = &gp_interest[number as usize];
        if interest.load(Relaxed) == 0 {
            interest.store(ONLY_OWN | GREEN | FOREIGN, Release);
        }
    }
    for &number in MAKING {
        let interest = &gp_interest[number as usize];
        interest.fetch_and(!ONLY_OWN, Relaxed);
        interest.fetch_or(MAKES | GREEN, Release);
    }
}

/// The answer to a call that names a descriptor of ours.
#[inline(always)]
pub(super) fn refused(hub: &Hub, frame: &Frame) -> Option<Outcome> {
    let may = maybe_own(frame.rdi as i32) && NAMES[frame.number & (NUMBERS - 1)];
    (may && fds::names_own(hub, frame)).then_some(Outcome::Done(error(libc::EBADF)))
}

/// The call of a green thread.
#[inline(always)]
pub(super) fn call(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if let Some(outcome) = refused(hub, frame) {
        return outcome;
    }
    let at = frame.number & (NUMBERS - 1);
    let call = GREEN_CALLS.of(at);
    if gp_interest[at].load(Relaxed) & MAKES == 0 || !some_own() {
        return call(hub, frame);
    }
    match call(hub, frame) {
        Outcome::Pass(_) => fds::makes(hub, frame),
        Outcome::Done(result) if result == error(libc::EMFILE) => fds::makes(hub, frame),
        done => done,
    }
}
