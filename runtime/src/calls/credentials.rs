//! The setuid family. Credentials are each kernel thread's own, so libc has every thread make the call: it signals all
//! others with SIGSETXID, their handler makes it there, and the caller makes it last. The green threads are one kernel
//! thread: a second setuid(0) would not do what the first did (the first may give the right to change more), so the
//! call is made once and all of them get its result.

use super::Outcome::{self, Done, Pass};
use super::Reason;
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::{offload, sys};
use core::cell::Cell;

/// A broadcast under way.
#[derive(Clone, Copy)]
pub(crate) struct Broadcast {
    caller: *const Green,
    /// The call's number and first arguments, and its result.
    made: Option<([usize; 4], isize)>,
}

/// The hub's broadcast; libc makes one at a time.
pub(crate) type Current = Cell<Option<Broadcast>>;

/// The current green thread has signalled another with SIGSETXID.
pub(crate) fn broadcast_begins(hub: &Hub) {
    if hub.setxid.get().is_none_or(|broadcast| !core::ptr::eq(broadcast.caller, hub.current())) {
        hub.setxid.set(Some(Broadcast { caller: hub.current(), made: None }));
    }
}

pub fn change(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    // Helper threads made before would act with the old credentials.
    offload::leave_helpers();
    hub.thread_limit.forget();
    let Some(broadcast) = hub.setxid.get() else { return Pass(Reason::NonBlocking) };
    let call = [frame.number, frame.rdi, frame.rsi, frame.rdx];
    let result = match broadcast.made {
        Some((made, result)) if made == call => result,
        // SAFETY: the program's own call.
        _ => unsafe { sys::syscall6(frame.number, frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9) },
    };
    let is_last = core::ptr::eq(broadcast.caller, hub.current());
    hub.setxid.set((!is_last).then_some(Broadcast { made: Some((call, result)), ..broadcast }));
    Done(result)
}
