//! read, write and the socket calls: the short way for what succeeds at once.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use crate::hooked;
use greenpatch_runtime::calls::{io, socket as sockets};
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

hooked! { fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int as try_accept,
libc::accept => |hub| sockets::try_accept(hub, fd, address as usize, length as usize, 0) }

hooked! { fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int as try_connect,
libc::connect => |hub| sockets::try_connect(hub, fd, address as usize, length as usize) }

found_early!(socket);
redhook::hook! {
    unsafe fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int => note_and_socket {
        let fd = unsafe { redhook::real!(socket)(domain, kind, protocol) };
        // The runtime sees the sockets that are made once it runs. Of an earlier one it must know that no other
        // process has it.
        if fd >= 0 && current_hub().is_none() && crate::init::will_arm() {
            sockets::note_early(fd);
        }
        fd
    }
}
