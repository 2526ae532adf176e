//! userfaultfd: one thread serves the page faults of others, which wait for it in the kernel, where no green thread could
//! let another run. So the threads that a process makes from then on are kernel threads, and one of them can serve.

use super::Outcome::{self, Done, Pass};
use super::Reason;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Of `/dev/userfaultfd`.
pub(crate) const USERFAULTFD_IOC_NEW: usize = 0xaa00;

/// A forked child inherits its parent's memory, but not the duty to serve it: this stays as it is there.
static SERVED: AtomicBool = AtomicBool::new(false);

/// The program has asked for a descriptor that tells of page faults, before arming or after.
pub fn begin() {
    SERVED.store(true, Relaxed);
}

/// Whether the threads that are made now are to be kernel threads.
pub(crate) fn are_served() -> bool {
    SERVED.load(Relaxed)
}

/// userfaultfd.
pub fn userfaultfd(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // SAFETY: the program's own call.
    let result = unsafe { sys!(libc::SYS_userfaultfd, frame.rdi) };
    if result >= 0 {
        begin();
    }
    Done(result)
}

/// One of libc's threads is made, as a kernel thread. libc has blocked all signals until its child is ready for them, which
/// the kernel has not been told.
pub(crate) fn kernel_thread(hub: &'static Hub) -> Outcome {
    hub.foreign_thread_added();
    hub.signals.tell_kernel_of_moment(hub.current());
    Pass(Reason::NotOurs)
}
