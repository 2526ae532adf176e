//! poll and epoll_wait: the short way for what is ready.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::hooked;
use greenpatch_runtime::calls::{epoll, poll as polls};
use libc::{c_int, epoll_event, nfds_t, pollfd};

hooked! { fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int as try_poll,
libc::poll => |hub| polls::try_poll(hub, fds as usize, count as usize, timeout) }

hooked! { fn epoll_wait(fd: c_int, events: *mut epoll_event, count: c_int, timeout: c_int) -> c_int as try_epoll_wait,
libc::epoll_wait => |hub| epoll::try_epoll_wait(hub, fd, events as usize, count, timeout) }
