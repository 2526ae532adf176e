//! "Inside the runtime": while the guard lives, every system call that comes to the dispatcher is passed on, and a
//! signal is only queued. The entry's own guard is `Carrier::inside` itself, which its assembly clears.

use crate::hub::{current_hub, Hub};
use crate::sys;
use core::sync::atomic::Ordering::*;

/// Holds the carrier inside the runtime, for the ways in that are plain functions.
pub struct Inside(&'static Hub);

impl Inside {
    /// `None` in a foreign thread, in a vfork child, and where the carrier is inside already.
    #[inline]
    pub fn enter() -> Option<Inside> {
        let hub = current_hub()?;
        if hub.carrier.inside.load(Relaxed) != 0 || hub.is_stranger() {
            return None;
        }
        hub.carrier.inside.store(1, Relaxed);
        core::sync::atomic::compiler_fence(SeqCst);
        Some(Inside(hub))
    }

    #[inline]
    pub fn hub(&self) -> &'static Hub {
        self.0
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        core::sync::atomic::compiler_fence(SeqCst);
        self.0.carrier.inside.store(0, Relaxed);
        if self.0.carrier.attention.load(Relaxed) != 0 {
            attend(self.0);
        }
    }
}

/// A signal came while a plain function held the guard, or was parked: nothing of the function's own is on the stack that
/// a handler could leave half done.
#[cold]
fn attend(hub: &Hub) {
    crate::signals::hand_back(hub);
}

impl Hub {
    /// Whether the caller is another kernel thread with our thread pointer: a child that shares our memory until it
    /// executes a program, or a thread that was made without a thread pointer of its own.
    #[inline]
    pub fn is_stranger(&self) -> bool {
        self.carrier.may_be_stranger() && sys::gettid() != self.tid.load(Relaxed)
    }
}
