//! io_uring: who waits for completions lets others run.
//!
//! A ring is waited for by its descriptor, or by a helper where more than one completion or a timeout is asked for. Neither
//! works for a ring of which the kernel runs the work only when the thread that made it waits itself (DEFER_TASKRUN): it
//! wakes nobody who polls, and refuses other threads. Such a ring is made without that flag, which is there for speed alone:
//! its completions then come by themselves.

use super::block::{poll_now, Block, Stop};
use crate::calls::readiness::{read_mask, under_mask};
use crate::calls::{error, Outcome, Reason, ERESTARTNOHAND, ERESTARTSYS};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{offload, sys, user};
use Outcome::{Done, Pass};

/// The kernel's `struct io_uring_params`, of which only the flags concern us.
#[repr(C)]
#[derive(Clone, Copy)]
struct Parameters {
    entries: [u32; 2],
    flags: u32,
    rest: [u32; 27],
}

const SETUP_IOPOLL: u32 = 1;
const SETUP_COOP_TASKRUN: u32 = 1 << 8;
const SETUP_DEFER_TASKRUN: u32 = 1 << 13;

pub fn io_uring_setup(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (entries, at) = (frame.rdi, frame.rsi);
    let asked = match user::read::<Parameters>(at) {
        Ok(asked) => asked,
        Err(fault) => return fault.into(),
    };
    let make = |parameters: &mut Parameters| {
        // SAFETY: parameters of ours.
        unsafe { sys!(libc::SYS_io_uring_setup, entries, parameters as *mut Parameters) }
    };
    let mut given = asked;
    let mut fd = make(&mut given);
    if fd >= 0 && asked.flags & SETUP_DEFER_TASKRUN != 0 {
        // The kernel finds nothing wrong with them; this one goes, so that its successor has the number.
        sys::close(fd as i32);
        given = asked;
        given.flags = asked.flags & !SETUP_DEFER_TASKRUN | SETUP_COOP_TASKRUN;
        fd = make(&mut given);
        given.flags = asked.flags;
    }
    if fd < 0 {
        return Done(fd);
    }
    if let Err(fault) = user::write(at, &given) {
        sys::close(fd as i32);
        return fault.into();
    }
    hub.reactor.table(hub).made_ring(fd as i32, asked.flags & SETUP_IOPOLL == 0);
    Done(fd)
}

const REGISTER_RING_FDS: usize = 20;

/// A registered number stands for a ring in one kernel thread only, and cannot be waited for but by the kernel. So there
/// are none, as before Linux 5.18: liburing goes on with descriptors.
pub fn io_uring_register(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() || frame.rsi != REGISTER_RING_FDS {
        return Pass(Reason::NotOurs);
    }
    Done(error(libc::EINVAL))
}

/// The kernel's `struct io_uring_getevents_arg`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Extended {
    mask: usize,
    mask_size: u32,
    least_wait: u32,
    timeout: usize,
}

const GETEVENTS: u32 = 1;
const EXT_ARG: u32 = 8;
const REGISTERED_RING: u32 = 16;
/// What a helper gets from a ring of which another thread has to run the work.
const REFUSED: isize = -(libc::EEXIST as isize);

/// Submits, and takes what is complete, as the carrier, since a ring may belong to one thread; then waits.
pub fn io_uring_enter(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [ring, submit, least, flags, argument, size] = frame.args();
    let (fd, submit, least, flags) = (ring as i32, submit as u32, least as u32, flags as u32);
    if flags & GETEVENTS == 0 || least == 0 {
        return Pass(Reason::NonBlocking);
    }
    if flags & REGISTERED_RING != 0 {
        // A number that means something in the thread only that registered it.
        return Pass(Reason::NotOurs);
    }
    let mut extended = None;
    let (mask_at, mask_size) = if flags & EXT_ARG == 0 {
        (argument, size)
    } else {
        match user::read::<Extended>(argument) {
            Ok(given) if size == size_of::<Extended>() => {
                // A helper gets no mask.
                extended = Some(Extended { mask: 0, mask_size: 0, ..given });
                (given.mask, given.mask_size as usize)
            }
            _ => return Pass(Reason::NotOurs),
        }
    };
    let mask = match read_mask(mask_at, mask_size) {
        Ok(mask) => mask,
        Err(_) => return Pass(Reason::NotOurs),
    };
    // SAFETY: no pointers.
    let submitted = unsafe { sys!(libc::SYS_io_uring_enter, fd, submit, 0, flags & !EXT_ARG, 0, 0) };
    if submitted < 0 || submitted as u32 != submit {
        return Done(submitted);
    }
    let waited = under_mask(hub, mask, || {
        let waited = if least == 1 && extended.is_none() && hub.reactor.table(hub).is_pollable_ring(fd) {
            first_completion(hub, fd, flags)
        } else {
            let (argument, size) =
                extended.as_ref().map_or((0, 0), |argument| (argument as *const Extended as usize, size));
            let args = [ring, 0, least as usize, flags as usize, argument, size];
            match offload::call(hub, libc::SYS_io_uring_enter, args) {
                // Made before the first thread: only the kernel thread that made it can wait for it.
                REFUSED => {
                    // SAFETY: the program's ring, and an argument of ours.
                    unsafe { sys!(libc::SYS_io_uring_enter, ring, 0, least, flags, argument, size) }
                }
                waited => waited,
            }
        };
        match waited {
            // Under a mask of its own the handler runs before the old one is back.
            ERESTARTSYS | ERESTARTNOHAND if mask.is_some() => ERESTARTNOHAND,
            ERESTARTSYS | ERESTARTNOHAND => error(libc::EINTR),
            waited => waited,
        }
    });
    Done(if submitted > 0 { submitted } else { waited })
}

/// Waits until the ring has a completion.
fn first_completion(hub: &'static Hub, fd: i32, flags: u32) -> isize {
    let mut block = Block::new(hub, fd, READ);
    loop {
        match block.until(libc::POLLIN) {
            Ok(()) => (),
            Err(Stop::Answer(answer)) => return answer,
            Err(Stop::Cannot) => {
                let args = [fd as usize, 0, 1, flags as usize, 0, 0];
                return offload::call(hub, libc::SYS_io_uring_enter, args);
            }
        }
        // SAFETY: no pointers.
        let worked = unsafe { sys!(libc::SYS_io_uring_enter, block.fd(), 0, 0, flags, 0, 0) };
        if worked < 0 || poll_now(block.fd(), libc::POLLIN) != 0 {
            return worked.min(0);
        }
    }
}
