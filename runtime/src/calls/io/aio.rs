//! Waiting for completions of Linux AIO.

use crate::calls::readiness::{read_mask, under_mask, undisturbed};
use crate::calls::{error, read_timespec, Outcome, Reason, ERESTARTNOHAND, ERESTARTSYS};
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
    let ready = undisturbed(hub, || unsafe { sys!(libc::SYS_io_getevents, context, least, most, events, now) });
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
        ERESTARTSYS | ERESTARTNOHAND => interrupted,
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
