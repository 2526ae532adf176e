//! The sleeps: a sleep always parks, so there is nothing to try; a zero one gives the others a turn at once.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::hooked;
use libc::{c_int, c_uint, timespec};

hooked! { fn nanosleep(request: *const timespec, remaining: *mut timespec) -> c_int as try_nanosleep,
libc::nanosleep => |hub| { let _ = hub; None } }

hooked! { fn usleep(microseconds: c_uint) -> c_int as try_usleep,
libc::usleep => |hub| { let _ = hub; None } }
