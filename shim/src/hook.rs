//! The one macro around redhook, and how an answer of the kernel becomes one of libc's.
//!
//! A hook by name is a short way in for a call that succeeds at once. It only *tries*: what would park, and everything
//! in a thread that somebody has cancelled, goes to libc's own function, whose cancellation points and `syscall`
//! instructions do the rest.

use greenpatch_runtime::guard::Inside;
use greenpatch_runtime::hub::Hub;

/// Tries a call by the short way. `None`: libc's own function is to do it.
#[inline(always)]
pub fn short_way(call: impl FnOnce(&'static Hub) -> Option<isize>) -> Option<isize> {
    let inside = Inside::enter()?;
    let hub = inside.hub();
    if !hub.others_alive() || hub.current().cancel_marked.get() || hub.carrier.must_look() {
        return None;
    }
    // A call of ours that a filter refuses is none of the program's.
    call(hub).filter(|&result| result != -(libc::ENOSYS as isize))
}

/// The kernel's answer as libc gives it: -1 and `errno`, or the value.
#[inline(always)]
pub fn answer(result: isize) -> isize {
    if (-4095..0).contains(&result) {
        // SAFETY: the calling thread's own errno.
        unsafe { *libc::__errno_location() = -result as i32 };
        -1
    } else {
        result
    }
}

extern "Rust" {
    /// What `found_early!` collects; the linker defines both ends.
    #[link_name = "__start_gp_hooks"]
    static FIRST: fn();
    #[link_name = "__stop_gp_hooks"]
    static END: fn();
}

/// Looks libc's own functions up while one thread runs. Later it would be done in a hook, and several kernel threads
/// that come to it at once wait for each other with functions that are hooked.
pub fn find_all() {
    let mut find = &raw const FIRST;
    while find != &raw const END {
        // SAFETY: the section holds nothing but such functions.
        unsafe {
            (*find)();
            find = find.add(1);
        }
    }
}

/// Has `find_all` look up what a `redhook::hook!` in the same module stands before.
#[macro_export]
macro_rules! found_early {
    ($name:ident) => {
        const _: () = {
            #[used]
            #[link_section = "gp_hooks"]
            static FIND: fn() = || {
                let _ = redhook::real!($name);
            };
        };
    };
}

/// Declares a hook of a libc function: `hooked! { fn name(arg: type, …) -> type, libc::name => |hub| try }`.
/// The compiler checks the signature against the `libc` crate's.
#[macro_export]
macro_rules! hooked {
    (fn $name:ident ( $($arg:ident : $type:ty),* ) -> $result:ty as $hook:ident, $declared:expr => |$hub:ident| $try:expr) => {
        const _: unsafe extern "C" fn($($type),*) -> $result = $declared;
        $crate::found_early!($name);
        redhook::hook! {
            unsafe fn $name($($arg: $type),*) -> $result => $hook {
                match $crate::hook::short_way(|$hub| $try) {
                    Some(result) => $crate::hook::answer(result) as $result,
                    // SAFETY: the program's own call of libc's function.
                    None => unsafe { redhook::real!($name)($($arg),*) },
                }
            }
        }
    };
}
