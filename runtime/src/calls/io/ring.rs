//! Waiting for completions of asynchronous I/O: Linux AIO and io_uring.

use super::block::{poll_now, Block, Stop};
use crate::calls::readiness::{read_mask, under_mask};
use crate::calls::{error, read_timespec, Outcome, Reason, ERESTARTNOHAND, ERESTARTSYS};
use crate::fd_table::READ;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{offload, sys, user};
use Outcome::{Done, Pass};

const EVENT_BYTES: usize = 32;

/// What has completed is taken at once; a helper waits for what is missing.
fn completions(hub: &'static Hub, frame: &Frame, interrupted: isize) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    let [context, least, most, events, timeout, _] = frame.args();
    let (least, most) = (least as i64, most as i64);
    if least <= 0 || most < least {
        return Pass(Reason::NonBlocking);
    }
    if timeout != 0 && read_timespec(timeout).is_err() {
        return Pass(Reason::NotOurs);
    }
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let now = &now as *const libc::timespec;
    // SAFETY: the program's own pointers, and a timeout of ours.
    let ready = unsafe { sys!(libc::SYS_io_getevents, context, least, most, events, now) };
    if ready < 0 || ready as i64 >= least {
        return Done(ready);
    }
    let rest = [
        context,
        (least - ready as i64) as usize,
        (most - ready as i64) as usize,
        events + ready as usize * EVENT_BYTES,
        timeout,
        0,
    ];
    Done(match offload::call(hub, libc::SYS_io_getevents, rest) {
        more if more >= 0 => ready + more,
        _ if ready > 0 => ready,
        ERESTARTSYS => interrupted,
        failed => failed,
    })
}

pub fn io_getevents(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    completions(hub, frame, error(libc::EINTR))
}

/// The signal mask is ours to set: a helper has no signals to wait for.
pub fn io_pgetevents(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let pack = if frame.r9 == 0 { Ok([0, 0]) } else { user::read::<[usize; 2]>(frame.r9) };
    let mask = match pack.map(|[address, size]| read_mask(address, size)) {
        Ok(Ok(mask)) => mask,
        Ok(Err(errno)) => return Done(errno),
        Err(fault) => return fault.into(),
    };
    if mask.is_none() {
        return completions(hub, frame, ERESTARTNOHAND);
    }
    let mut passed = None;
    let result = under_mask(hub, mask, || match completions(hub, frame, ERESTARTNOHAND) {
        Done(result) => result,
        Pass(reason) => {
            passed = Some(reason);
            0
        }
    });
    // What is passed on does not wait, or is wrong; with nobody else to run, the kernel waits under the mask that it gets.
    passed.map_or(Done(result), Pass)
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

/// Submits, and takes what is complete, as the carrier, since a ring may belong to one thread; then waits for the
/// ring's descriptor, or lets a helper wait where more than one completion or a timeout is asked for.
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
        let waited = if least == 1 && extended.is_none() {
            first_completion(hub, fd, flags)
        } else {
            let (argument, size) =
                extended.as_ref().map_or((0, 0), |argument| (argument as *const Extended as usize, size));
            let args = [ring, 0, least as usize, flags as usize, argument, size];
            offload::call(hub, libc::SYS_io_uring_enter, args)
        };
        match waited {
            // Under a mask of its own the handler runs before the old one is back.
            ERESTARTSYS if mask.is_some() => ERESTARTNOHAND,
            ERESTARTSYS => error(libc::EINTR),
            waited => waited,
        }
    });
    Done(if submitted > 0 { submitted } else { waited })
}

/// A ring that runs its work only inside this system call (DEFER_TASKRUN) is readable as soon as there is work.
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
