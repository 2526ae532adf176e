//! clock_gettime and clock_getres: libc goes through the vDSO, whose own way into the kernel is no site of ours, so the
//! clocks of green threads' CPU time are taken by name.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use crate::hook::answer;
use greenpatch_runtime::calls::{cpu_clock, write_timespec};
use greenpatch_runtime::guard::Inside;
use greenpatch_runtime::sys;
use libc::{c_int, clockid_t, timespec};
use redhook::{hook, real};

const _: [unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int; 2] = [libc::clock_gettime, libc::clock_getres];

fn is_of_cpu(clock: clockid_t) -> bool {
    clock < 0 || clock == libc::CLOCK_THREAD_CPUTIME_ID
}

#[cold]
fn read(clock: clockid_t, time: *mut timespec) -> Option<isize> {
    let inside = Inside::enter()?;
    let result = cpu_clock::read(inside.hub(), clock)?;
    Some(match result {
        Ok(ns) => write_timespec(time as usize, ns).map_or_else(isize::from, |()| 0),
        Err(errno) => errno,
    })
}

#[cold]
fn resolution(clock: clockid_t, time: *mut timespec) -> Option<isize> {
    let inside = Inside::enter()?;
    cpu_clock::resolution(inside.hub(), clock, time as usize)
}

found_early!(clock_gettime);
hook! {
    unsafe fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int => read_clock {
        if is_of_cpu(clock) {
            if let Some(result) = read(clock, time) {
                return answer(result) as c_int;
            }
        }
        unsafe { real!(clock_gettime)(clock, time) }
    }
}

found_early!(clock_getres);
hook! {
    unsafe fn clock_getres(clock: clockid_t, time: *mut timespec) -> c_int => read_resolution {
        if is_of_cpu(clock) {
            if let Some(result) = resolution(clock, time) {
                return answer(result) as c_int;
            }
        }
        unsafe { real!(clock_getres)(clock, time) }
    }
}

/// The runtime's own clock is libc's function.
pub fn lend_to_runtime() {
    sys::set_clock_function(real!(clock_gettime));
}
