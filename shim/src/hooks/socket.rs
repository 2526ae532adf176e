//! read, write and the socket calls: the short way for what succeeds at once.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use crate::hook::{answer, short_way};
use crate::hooked;
use greenpatch_runtime::calls::{io, socket as sockets};
use greenpatch_runtime::guard::Inside;
use greenpatch_runtime::guest;
use greenpatch_runtime::hub::current_hub;
use libc::{c_int, c_void, size_t, sockaddr, socklen_t, ssize_t};

hooked! { fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t as try_read,
libc::read => |hub| io::try_read(hub, fd, buffer as usize, count) }

hooked! { fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t as try_write,
libc::write => |hub| io::try_write(hub, fd, buffer as usize, count) }

hooked! { fn recv(fd: c_int, buffer: *mut c_void, count: size_t, flags: c_int) -> ssize_t as try_recv,
libc::recv => |hub| sockets::try_recv(hub, fd, buffer as usize, count, flags) }

hooked! { fn send(fd: c_int, buffer: *const c_void, count: size_t, flags: c_int) -> ssize_t as try_send,
libc::send => |hub| sockets::try_send(hub, fd, buffer as usize, count, flags) }

hooked! { fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int as try_connect,
libc::connect => |hub| sockets::try_connect(hub, fd, address as usize, length as usize) }

/// The runtime sees the descriptors that are made once it runs. Of an earlier one it must know that no other process has
/// it.
fn note(fd: c_int) -> c_int {
    if fd >= 0 && is_unseen() {
        sockets::note_early(fd);
    }
    fd
}

/// Whether no call of ours sees what is made here, but one may have to know of it later.
fn is_unseen() -> bool {
    current_hub().is_none() && guest::current().is_none() && crate::init::may_arm()
}

/// As `note`. Where nobody else can run the kernel accepts, also once we are armed.
fn note_accepted(listener: c_int, accepted: c_int, flags: c_int) -> c_int {
    if accepted >= 0 {
        if let Some(inside) = Inside::enter().filter(|inside| !inside.hub().others_alive()) {
            sockets::note_accepted(inside.hub(), listener, accepted, flags);
        }
    }
    note(accepted)
}

/// As `note`, for the two ends that a successful call has left.
fn note_pair(result: c_int, ends: *const c_int) -> c_int {
    if result == 0 && is_unseen() {
        sockets::note_early_pair(unsafe { ends.cast::<[c_int; 2]>().read() });
    }
    result
}

found_early!(accept);
redhook::hook! {
    unsafe fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int => try_accept {
        match short_way(|hub| sockets::try_accept(hub, fd, address as usize, length as usize, 0)) {
            Some(result) => answer(result) as c_int,
            None => note_accepted(fd, unsafe { redhook::real!(accept)(fd, address, length) }, 0),
        }
    }
}

found_early!(accept4);
redhook::hook! {
    unsafe fn accept4(fd: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int => try_accept4 {
        note_accepted(fd, unsafe { redhook::real!(accept4)(fd, address, length, flags) }, flags)
    }
}

found_early!(socket);
redhook::hook! {
    unsafe fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int => note_and_socket {
        note(unsafe { redhook::real!(socket)(domain, kind, protocol) })
    }
}

found_early!(socketpair);
redhook::hook! {
    unsafe fn socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int => note_and_pair {
        note_pair(unsafe { redhook::real!(socketpair)(domain, kind, protocol, ends) }, ends)
    }
}

found_early!(pipe);
redhook::hook! {
    unsafe fn pipe(ends: *mut c_int) -> c_int => note_and_pipe {
        note_pair(unsafe { redhook::real!(pipe)(ends) }, ends)
    }
}

found_early!(pipe2);
redhook::hook! {
    unsafe fn pipe2(ends: *mut c_int, flags: c_int) -> c_int => note_and_pipe2 {
        note_pair(unsafe { redhook::real!(pipe2)(ends, flags) }, ends)
    }
}
