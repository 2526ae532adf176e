//! The calls: our implementations of system calls. Each tries, parks and retries; see `dispatch` for the table.

pub mod cpu_clock;
pub(crate) mod credentials;
pub mod dirents;
pub mod epoll;
pub mod fds;
pub mod futex;
pub mod futex2;
mod futex_lending;
pub mod futex_pi;
mod futex_pi_shared;
mod futex_soon;
mod futex_usual;
mod futex_wake_op;
pub(crate) mod ids;
pub mod io;
pub mod mapping;
pub mod names;
pub mod owners;
pub mod page_faults;
pub mod poll;
mod proc_state;
pub mod process;
pub mod readiness;
pub mod sched;
pub mod select;
pub mod signal;
pub mod signalfd;
pub mod socket;
pub mod thread;
pub mod time;
pub mod timer;
pub mod wait;

use crate::frame::Frame;
use crate::hub::Hub;
use crate::user::Fault;

/// Interrupted; the kernel's own marks, never seen by a program: the exit turns them into EINTR or a restart.
/// Restarted if the handler has SA_RESTART.
pub const ERESTARTSYS: isize = -512;
/// Always restarted.
pub const ERESTARTNOINTR: isize = -513;
/// EINTR whenever a handler runs.
pub const ERESTARTNOHAND: isize = -514;

/// Why a call is left to the kernel. As wide as a result, so that an `Outcome` is returned in two registers.
#[repr(isize)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A descriptor, flag, clock or command that we have nothing to add to.
    NotOurs,
    /// The user switched the module off.
    ModuleOff,
    /// The call cannot block.
    NonBlocking,
    /// Nobody else could run meanwhile.
    NoOtherGreenThread,
}

/// What a call came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The answer as the kernel would give it: a value, `-errno`, or a restart mark.
    Done(isize),
    /// The kernel is to perform the call with the program's own registers.
    Pass(Reason),
}

use Outcome::{Done, Pass};

/// A call gets the hub and the program's registers. It may park; it must hold nothing of the hub borrowed when it does.
pub type Call = fn(&'static Hub, &mut Frame) -> Outcome;

/// `-errno`, as the kernel returns it.
pub const fn error(errno: i32) -> isize {
    -(errno as isize)
}

impl From<Fault> for Outcome {
    fn from(_: Fault) -> Outcome {
        Done(error(libc::EFAULT))
    }
}

/// A `timespec` of the program as nanoseconds: EFAULT, or EINVAL if it is negative or not normalised.
pub fn read_timespec(address: usize) -> Result<u64, isize> {
    let time: libc::timespec = crate::user::read(address).map_err(isize::from)?;
    if time.tv_sec < 0 || !(0..1_000_000_000).contains(&time.tv_nsec) {
        return Err(error(libc::EINVAL));
    }
    Ok((time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64))
}

/// Writes nanoseconds as a `timespec` of the program.
pub fn write_timespec(address: usize, ns: u64) -> Result<(), Fault> {
    let time = libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 };
    crate::user::write(address, &time)
}

/// Deadlines beyond this are "for ever"; adding to the clock can't overflow below it.
pub const FOREVER: u64 = i64::MAX as u64;

/// `now + ns`, as a deadline for `Hub::park`; `None` if that is beyond what clocks can say.
pub fn deadline_in(ns: u64) -> Option<u64> {
    let deadline = crate::sys::now().saturating_add(ns);
    (deadline < FOREVER).then_some(deadline)
}

/// For numbers that are not ours.
pub fn pass(_hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    Pass(Reason::NotOurs)
}

/// A wait whose module is off, which the kernel would end with EINTR at a tick of ours.
pub fn cut_short(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    if hub.others_alive() {
        hub.slice.hold(hub);
    }
    Pass(Reason::ModuleOff)
}
