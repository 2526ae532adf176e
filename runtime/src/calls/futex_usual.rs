//! The two commands that libc's mutexes, condition variables, semaphores and barriers come to where nobody gave a time: a
//! wait and a wake-up, on a word that is this process's alone. All others are `futex::any`'s.
//!
//! They are functions of their own because a call goes through them twice for each hand-over: what is known of them
//! beforehand (no deadline, no other process, no kernel thread) is not asked again, and they keep few registers.

use super::futex::{after_waking, any, at_least_one, check_address, wait_on, Until, ANY};
use super::{error, Outcome};
use crate::frame::Frame;
use crate::futex_queue;
use crate::hub::Hub;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Usual {
    Wait,
    Wake,
}

const PRIVATE: i32 = libc::FUTEX_PRIVATE_FLAG;
const WAIT: i32 = libc::FUTEX_WAIT | PRIVATE;
const WAIT_BITSET: i32 = libc::FUTEX_WAIT_BITSET | PRIVATE;
const WAIT_BITSET_REALTIME: i32 = WAIT_BITSET | libc::FUTEX_CLOCK_REALTIME;
const WAKE: i32 = libc::FUTEX_WAKE | PRIVATE;

/// Which of the two a call is, if it is one.
#[inline(always)]
pub(super) fn of(hub: &Hub, frame: &Frame) -> Option<Usual> {
    if !hub.others_alive() {
        return None;
    }
    match frame.rsi as i32 {
        WAIT | WAIT_BITSET | WAIT_BITSET_REALTIME if frame.r10 == 0 => Some(Usual::Wait),
        WAKE => Some(Usual::Wake),
        _ => None,
    }
}

#[inline(never)]
pub(super) fn wait(hub: &'static Hub, frame: &Frame) -> Outcome {
    let bits = if frame.rsi as i32 == WAIT { ANY } else { frame.r9 as u32 };
    wait_on(hub, frame.rdi, frame.rdx as u32, bits, false, Until::Never, || error(libc::ENOSYS))
}

#[inline(never)]
pub(super) fn wake(hub: &'static Hub, frame: &Frame) -> Outcome {
    if hub.has_foreign_threads() || check_address(frame.rdi).is_err() {
        return any(hub, frame);
    }
    after_waking(hub, futex_queue::wake_by(hub, frame.rdi, at_least_one(frame.rdx as u32)).map(|woken| woken as isize))
}
