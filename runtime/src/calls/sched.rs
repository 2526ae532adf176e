//! The scheduler's calls, by thread id. The rules and what is kept are in `scheduling`; another process's threads are
//! the kernel's.
//!
//! A green thread that was never changed is as the carrier is: the kernel then answers for it.

use super::Outcome::{self, Done, Pass};
use super::{error, write_timespec, Reason};
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::scheduling::{self, Attr, Attributes, ATTR_BYTES, FLAG_RESET_ON_FORK, FLAG_SUGOV, SCHED_DEADLINE};
use crate::{sys, user};
use core::sync::atomic::Ordering::*;

const EINVAL: isize = error(libc::EINVAL);
/// SCHED_RESET_ON_FORK, or'ed to a policy.
const RESET_ON_FORK: i32 = 0x4000_0000;
const FLAG_KEEP_POLICY: u64 = 0x08;
const FLAG_KEEP_PARAMS: u64 = 0x10;
const FLAG_UTIL_CLAMP: u64 = 0x20 | 0x40;
const FLAGS: u64 = 0x7f | FLAG_SUGOV;
const NICEST: i32 = 19;
const LEAST_NICE: i32 = -20;

/// The green thread that `tid` names for the calling one; 0 is itself.
fn target(hub: &'static Hub, tid: i32) -> Result<&'static Green, Outcome> {
    match hub.by_tid(tid) {
        _ if tid == 0 => Ok(hub.current()),
        Some(green) => Ok(green),
        // Numbers beyond the kernel's largest belonged to green threads that have ended.
        None if tid > 1 << 22 => Err(Done(error(libc::ESRCH))),
        None => Err(Pass(Reason::NotOurs)),
    }
}

fn finish(result: Result<isize, Outcome>) -> Outcome {
    result.map_or_else(|outcome| outcome, Done)
}

fn check(result: Result<(), isize>) -> Result<(), Outcome> {
    result.map_err(Done)
}

// ---- policy and priority -------------------------------------------------------------------------------------------

/// sched_setscheduler and, with no policy, sched_setparam.
fn set_scheduler(hub: &'static Hub, tid: i32, policy: Option<i32>, parameters: usize) -> Result<isize, Outcome> {
    if parameters == 0 || tid < 0 || policy.is_some_and(|policy| policy < 0) {
        return Ok(EINVAL);
    }
    let priority: u32 = user::read(parameters)?;
    let green = target(hub, tid)?;
    let now = green.scheduling.attributes(hub);
    let policy_wanted = policy.map_or(now.policy, |policy| policy & !RESET_ON_FORK);
    let wanted = Attributes {
        policy: policy_wanted,
        priority,
        reset_on_fork: policy.map_or(now.reset_on_fork, |policy| policy & RESET_ON_FORK != 0),
        // A deadline can't be given in this way.
        deadline: 0,
        period: 0,
        deadline_flags: 0,
        runtime: if now.policy == SCHED_DEADLINE { 0 } else { now.runtime },
        nice: now.nice,
    };
    check(scheduling::limits().check(&now, &wanted))?;
    if wanted != now {
        scheduling::set(hub, green, wanted);
    }
    Ok(0)
}

pub fn sched_setscheduler(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(set_scheduler(hub, frame.rdi as i32, Some(frame.rsi as i32), frame.rdx))
}

pub fn sched_setparam(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(set_scheduler(hub, frame.rdi as i32, None, frame.rsi))
}

pub fn sched_getscheduler(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(target(hub, frame.rdi as i32).map(|green| {
        let now = green.scheduling.attributes(hub);
        (now.policy | if now.reset_on_fork { RESET_ON_FORK } else { 0 }) as isize
    }))
}

pub fn sched_getparam(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rsi == 0 {
        return Done(EINVAL);
    }
    finish(target(hub, frame.rdi as i32).and_then(|green| {
        let now = green.scheduling.attributes(hub);
        user::write(frame.rsi, &if now.is_real_time() { now.priority } else { 0 })?;
        Ok(0)
    }))
}

/// Reads the program's `struct sched_attr`, of whatever version.
fn read_attr(hub: &Hub, address: usize) -> Result<Attr, Outcome> {
    let size = match user::read::<u32>(address)? {
        0 => ATTR_BYTES,
        size => size,
    };
    let tid = hub.tid.load(Relaxed);
    if !(ATTR_BYTES..=4096).contains(&size) {
        // Refused with the size that the kernel knows written there.
        // SAFETY: the program's own pointer.
        return Err(Done(unsafe { sys!(libc::SYS_sched_setattr, tid, address, 0) }));
    }
    let known = size_of::<Attr>();
    let mut bytes: Vec<u8> = user::read_slice(address, size as usize)?;
    bytes.resize(known.max(bytes.len()), 0);
    // SAFETY: at least as many bytes as an `Attr` has.
    let mut attr: Attr = unsafe { bytes.as_ptr().cast::<Attr>().read_unaligned() };
    if bytes[known..].iter().any(|&byte| byte != 0) {
        // Whether the kernel knows more than we do: the flag makes it refuse whatever it understands.
        bytes[8..16].copy_from_slice(&(attr.flags | FLAG_SUGOV).to_ne_bytes());
        // SAFETY: our own buffer.
        let answer = unsafe { sys!(libc::SYS_sched_setattr, tid, bytes.as_ptr(), 0) };
        if answer == error(libc::E2BIG) {
            user::write_slice(address, &bytes[..4])?;
            return Err(Done(answer));
        }
    }
    if attr.flags & FLAG_UTIL_CLAMP != 0 && (size as usize) < known {
        return Err(Done(EINVAL));
    }
    attr.nice = attr.nice.clamp(LEAST_NICE, NICEST);
    Ok(attr)
}

fn set_attr(hub: &'static Hub, tid: i32, address: usize, flags: usize) -> Result<isize, Outcome> {
    if address == 0 || tid < 0 || flags as u32 != 0 {
        return Ok(EINVAL);
    }
    let attr = read_attr(hub, address)?;
    if (attr.policy as i32) < 0 {
        return Ok(EINVAL);
    }
    let green = target(hub, tid)?;
    let now = green.scheduling.attributes(hub);
    if attr.flags & !FLAGS != 0 {
        return Ok(EINVAL);
    }
    let keeps = |flag| attr.flags & flag != 0;
    let policy = if keeps(FLAG_KEEP_POLICY) { now.policy } else { attr.policy as i32 };
    let reset_on_fork = if keeps(FLAG_KEEP_POLICY) { now.reset_on_fork } else { keeps(FLAG_RESET_ON_FORK) };
    let deadline = policy == SCHED_DEADLINE;
    let fair = !deadline && !matches!(policy, libc::SCHED_FIFO | libc::SCHED_RR);
    let wanted = if keeps(FLAG_KEEP_PARAMS) {
        Attributes { policy, reset_on_fork, ..now }
    } else {
        Attributes {
            policy,
            reset_on_fork,
            priority: attr.priority,
            // SCHED_IDLE leaves it for later.
            nice: if fair && policy != libc::SCHED_IDLE { attr.nice } else { now.nice },
            deadline_flags: if deadline { attr.flags & 0x06 } else { 0 },
            runtime: match attr.runtime {
                runtime if fair && runtime != 0 => runtime.clamp(100_000, 100_000_000),
                runtime => runtime,
            },
            deadline: if deadline { attr.deadline } else { 0 },
            period: match attr.period {
                _ if !deadline => 0,
                0 => attr.deadline,
                period => period,
            },
        }
    };
    check(scheduling::limits().check(&now, &wanted))?;
    if attr.flags & FLAG_SUGOV != 0 {
        return Ok(EINVAL);
    }
    // As a kernel that was built without them: the clamps would be the carrier's.
    if attr.flags & FLAG_UTIL_CLAMP != 0 {
        return Ok(error(libc::EOPNOTSUPP));
    }
    let wanted = if keeps(FLAG_KEEP_PARAMS) { Attributes { reset_on_fork, ..now } } else { wanted };
    if wanted != now {
        scheduling::set(hub, green, wanted);
    }
    Ok(0)
}

pub fn sched_setattr(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(set_attr(hub, frame.rdi as i32, frame.rsi, frame.rdx))
}

pub fn sched_getattr(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (address, bytes, flags) = (frame.rsi, frame.rdx as u32 as usize, frame.r10 as u32);
    finish(target(hub, frame.rdi as i32).and_then(|green| {
        let tid = hub.tid.load(Relaxed);
        // SAFETY: the pointer is the program's or ours.
        let ask = |address: usize| unsafe { sys!(libc::SYS_sched_getattr, tid, address, bytes, flags) };
        let proper = address != 0 && flags == 0 && (ATTR_BYTES as usize..=4096).contains(&bytes);
        if !proper || !green.scheduling.has_attributes() {
            return Ok(ask(address));
        }
        let mut buffer = vec![0u64; bytes.max(size_of::<Attr>()).div_ceil(8)];
        let result = ask(buffer.as_mut_ptr() as usize);
        if result < 0 {
            return Ok(result);
        }
        // SAFETY: as long as an `Attr` and aligned as one.
        green.scheduling.attributes(hub).show(unsafe { &mut *buffer.as_mut_ptr().cast::<Attr>() });
        // SAFETY: the buffer has `bytes` bytes.
        let shown = unsafe { core::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), bytes) };
        user::write_slice(address, shown)?;
        Ok(0)
    }))
}

pub fn sched_rr_get_interval(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(target(hub, frame.rdi as i32).and_then(|green| {
        let now = green.scheduling.attributes(hub);
        let interval = match now.policy {
            libc::SCHED_RR => round_robin_interval(),
            libc::SCHED_FIFO | SCHED_DEADLINE => 0,
            _ => {
                let tid = hub.tid.load(Relaxed);
                // SAFETY: the program's own pointer.
                return Ok(unsafe { sys!(libc::SYS_sched_rr_get_interval, tid, frame.rsi) });
            }
        };
        write_timespec(frame.rsi, interval)?;
        Ok(0)
    }))
}

/// The kernel's time slice of SCHED_RR, ns.
fn round_robin_interval() -> u64 {
    let mut text = [0u8; 16];
    let path = c"/proc/sys/kernel/sched_rr_timeslice_ms";
    // SAFETY: a path and a buffer of ours.
    let bytes = unsafe {
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) as i32;
        if fd < 0 {
            0
        } else {
            let bytes = sys!(libc::SYS_read, fd, text.as_mut_ptr(), text.len());
            sys::close(fd);
            bytes
        }
    };
    let text = text.get(..bytes.max(0) as usize).unwrap_or(&[]);
    let ms = core::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<u64>().ok());
    ms.unwrap_or(100) * 1_000_000
}

// ---- processors ----------------------------------------------------------------------------------------------------

pub fn sched_setaffinity(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    finish(set_affinity(hub, frame.rdi as i32, frame.rsi as u32 as usize, frame.rdx))
}

fn set_affinity(hub: &'static Hub, tid: i32, bytes: usize, address: usize) -> Result<isize, Outcome> {
    let allowed = scheduling::allowed_processors(hub);
    let mut wanted: Vec<u8> = user::read_slice(address, bytes.min(allowed.len()))?;
    let green = target(hub, tid)?;
    wanted.resize(allowed.len(), 0);
    wanted.iter_mut().zip(&allowed).for_each(|(wanted, allowed)| *wanted &= allowed);
    if wanted.iter().all(|&byte| byte == 0) {
        return Ok(EINVAL);
    }
    green.scheduling.set_affinity(wanted.into());
    Ok(0)
}

pub fn sched_getaffinity(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (bytes, address) = (frame.rsi as u32, frame.rdx);
    finish(target(hub, frame.rdi as i32).and_then(|green| {
        let tid = hub.tid.load(Relaxed);
        // The kernel knows which sizes are right.
        // SAFETY: the program's own pointer.
        let result = unsafe { sys!(libc::SYS_sched_getaffinity, tid, bytes, address) };
        green.scheduling.with_affinity(|processors| match processors {
            Some(processors) if result > 0 => {
                user::write_slice(address, &processors[..processors.len().min(result as usize)])
            }
            _ => Ok(()),
        })?;
        Ok(result)
    }))
}

/// The processor that the caller is told it runs on, when the carrier runs on `real`. Threads that a program ties to
/// processors count on running nowhere else, with data of their own for each: a thread whose affinity leaves the carrier's
/// out is on the first that it may use.
pub fn shown_processor(hub: &Hub, real: u32) -> u32 {
    let has = |mask: &[u8], number: usize| mask.get(number / 8).is_some_and(|byte| byte & 1 << (number % 8) != 0);
    hub.current().scheduling.with_affinity(|mask| match mask {
        Some(mask) if !has(mask, real as usize) => {
            (0..mask.len() * 8).find(|&number| has(mask, number)).map_or(real, |number| number as u32)
        }
        _ => real,
    })
}

/// getcpu, past the vDSO.
pub fn getcpu(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let mut real = 0u32;
    // SAFETY: a word of ours and the program's own pointer. The third argument has no meaning to the kernel any more.
    let result = unsafe { sys!(libc::SYS_getcpu, &raw mut real, frame.rsi, 0) };
    if result == 0 && frame.rdi != 0 {
        if let Err(fault) = user::write(frame.rdi, &shown_processor(hub, real)) {
            return fault.into();
        }
    }
    Done(result)
}

// ---- nice values ---------------------------------------------------------------------------------------------------

pub fn getpriority(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdi as i32 != libc::PRIO_PROCESS as i32 {
        return Pass(Reason::NotOurs);
    }
    finish(target(hub, frame.rsi as i32).map(|green| (20 - green.scheduling.attributes(hub).nice) as isize))
}

pub fn setpriority(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let nice = (frame.rdx as i32).clamp(LEAST_NICE, NICEST);
    if frame.rdi as i32 != libc::PRIO_PROCESS as i32 {
        return of_many(hub, frame, nice);
    }
    finish(target(hub, frame.rsi as i32).map(|green| {
        let now = green.scheduling.attributes(hub);
        if !scheduling::limits().allow_nice(now.nice, nice) {
            return error(libc::EACCES);
        }
        if nice != now.nice {
            scheduling::set(hub, green, Attributes { nice, ..now });
        }
        0
    }))
}

/// A process group or a user, whose threads may be ours.
fn of_many(hub: &'static Hub, frame: &Frame, nice: i32) -> Outcome {
    // SAFETY: no pointers.
    let result = unsafe { sys!(libc::SYS_setpriority, frame.rdi, frame.rsi, frame.rdx) };
    // SAFETY: as above.
    let carrier = 20 - unsafe { sys!(libc::SYS_getpriority, libc::PRIO_PROCESS, hub.tid.load(Relaxed)) } as i32;
    if result == 0 && carrier == nice {
        for green in hub.all().into_iter().filter(|green| green.scheduling.has_attributes()) {
            let now = green.scheduling.attributes(hub);
            scheduling::set(hub, green, Attributes { nice, ..now });
        }
    }
    Done(result)
}
