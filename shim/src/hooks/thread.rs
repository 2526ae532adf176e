//! Thread creation arms the shim; cancellation marks its target.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use crate::init;
use core::ffi::c_void;
use greenpatch_runtime::calls::page_faults;
use greenpatch_runtime::filters::Pending;
use greenpatch_runtime::guard::Inside;
use greenpatch_runtime::{carrier, hub};
use libc::{c_int, c_long, pthread_attr_t, pthread_mutexattr_t, pthread_t};
use redhook::{hook, real};

found_early!(pthread_create);
hook! {
    unsafe fn pthread_create(
        thread: *mut pthread_t, attributes: *const pthread_attr_t, body: *mut c_void, argument: *mut c_void
    ) -> c_int => arm_and_create {
        init::arm_from_hook();
        init::rescan_if_loaded();
        let create = || {
            // What libc maps in there is a stack.
            let maker = hub::current_hub().map(|hub| hub.current());
            if let Some(green) = maker {
                green.makes_thread.set(true);
            }
            let result = unsafe { real!(pthread_create)(thread, attributes, body, argument) };
            if let Some(green) = maker {
                green.makes_thread.set(false);
            }
            result
        };
        let result = create();
        if result != libc::EAGAIN || !others_have_run() {
            return result;
        }
        create()
    }
}

/// There is no room for a thread. A program that tries again and again counts on others ending meanwhile, as they would on
/// other processors.
#[cold]
fn others_have_run() -> bool {
    Inside::enter().is_some_and(|inside| inside.hub().let_everybody_run())
}

found_early!(pthread_mutexattr_setprotocol);
hook! {
    unsafe fn pthread_mutexattr_setprotocol(
        attributes: *mut pthread_mutexattr_t, protocol: c_int
    ) -> c_int => arm_and_set_protocol {
        // Processes may share such a lock, and its word names its owner: all of them must be green or none.
        if protocol == libc::PTHREAD_PRIO_INHERIT {
            init::arm_from_hook();
        }
        unsafe { real!(pthread_mutexattr_setprotocol)(attributes, protocol) }
    }
}

found_early!(pthread_cancel);
hook! {
    unsafe fn pthread_cancel(thread: pthread_t) -> c_int => mark_and_cancel {
        if init::is_armed() {
            // From now on hooks by name leave this thread's calls to libc, whose cancellation points look for the
            // request.
            if let Some(green) = unsafe { carrier::green_of(thread as usize).as_ref() } {
                green.cancel_marked.set(true);
            }
        }
        unsafe { real!(pthread_cancel)(thread) }
    }
}

found_early!(syscall);
hook! {
    unsafe fn syscall(
        number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize
    ) -> c_long => short_syscall {
        // Its arguments are variadic in C, where they come in the same registers and stack slots.
        if number == libc::SYS_gettid {
            if let Some(tid) = crate::hook::short_way(|hub| Some(hub.current().tid.get() as isize)) {
                return tid as c_long;
            }
        }
        let result = unsafe { real!(syscall)(number, a, b, c, d, e, f) };
        if result >= 0 {
            note_filter(number, &[a, b, c, d, e, f], result as isize);
        }
        if number == libc::SYS_userfaultfd && result >= 0 {
            page_faults::begin();
        }
        result
    }
}

found_early!(prctl);
hook! {
    unsafe fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int => look_for_filter {
        let result = unsafe { real!(prctl)(option, a, b, c, d) };
        if result >= 0 {
            note_filter(libc::SYS_prctl, &[option as usize, a, b, c, d, 0], result as isize);
        }
        result
    }
}

/// A call has succeeded that may have put a filter on before the first thread. Later ones come to the dispatcher. Only now
/// is it certain that the filter can be read: programs ask with a null pointer whether there are filters at all.
fn note_filter(number: c_long, args: &[usize; 6], result: isize) {
    if init::may_arm() && !init::is_armed() && !init::has_guests() {
        if let Some(filter) = Pending::of_call(number, args) {
            filter.answered(result);
        }
    }
}
