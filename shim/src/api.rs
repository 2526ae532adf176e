//! The C API, declared and documented in `include/greenpatch.h`.

use crate::init;
use core::ffi::{c_char, c_int, c_ulong, CStr};
use greenpatch_runtime::guest;
use greenpatch_runtime::hub::current_hub;
use greenpatch_runtime::modules::{Module, Modules};

/// 1 if calls of the module yield, or will once there are threads; 0 if not; -1 and EINVAL for an unknown name.
///
/// # Safety
/// `module` is null or a C string.
#[no_mangle]
pub unsafe extern "C" fn greenpatch_is_patched(module: *const c_char) -> c_int {
    init::ready();
    // SAFETY: the caller's promise.
    let named =
        (!module.is_null()).then(|| unsafe { CStr::from_ptr(module) }).and_then(|name| Modules::named(name.to_bytes()));
    let Some(named) = named else {
        // SAFETY: the calling thread's own errno.
        unsafe { *libc::__errno_location() = libc::EINVAL };
        return -1;
    };
    let on = init::config().is_some_and(|config| {
        if init::has_guests() {
            // Of the thread that asks.
            guest::current().is_some() && guest::modules(config).contains_all(named)
        } else {
            init::will_arm() && config.modules.contains(Module::Thread) && config.modules.contains_all(named)
        }
    });
    c_int::from(on && !named.is_empty())
}

#[no_mangle]
pub extern "C" fn greenpatch_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Lets every other ready green thread run first. Not a cancellation point; `errno` stays.
#[no_mangle]
pub extern "C" fn greenpatch_yield() {
    if current_hub().is_some() || guest::current().is_some() {
        // libc's own function: its site leads to the hub, with the signal handling of every call.
        // SAFETY: the calling thread's own errno; sched_yield has no arguments.
        unsafe {
            let errno = *libc::__errno_location();
            libc::sched_yield();
            *libc::__errno_location() = errno;
        }
    }
}

/// The number of the calling green thread: 1 is the main one, 0 is none.
#[no_mangle]
pub extern "C" fn greenpatch_current() -> c_ulong {
    current_hub().map_or(0, |hub| hub.current().number.get() as c_ulong)
}
