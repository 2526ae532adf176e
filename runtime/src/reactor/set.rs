//! The making of the epoll set.

use super::{numbers, WAKE_KEY};
use crate::{filters, sys};
use polling::{AsRawSource, Event, PollMode, Poller};
use std::os::fd::{AsRawFd, RawFd};

struct Source(RawFd);
impl AsRawSource for &Source {
    fn raw(&self) -> RawFd {
        self.0
    }
}

/// An epoll set that `wake` is in.
pub(super) fn make(wake: i32) -> Option<i32> {
    if filters::any() {
        alone(wake)
    } else {
        by_poller(wake)
    }
}

/// The poller serves to make its set, which lives on by another number. Its other descriptors nobody needs.
fn by_poller(wake: i32) -> Option<i32> {
    let poller = Poller::new().ok()?;
    // SAFETY: the eventfd lives as long as the epoll set.
    unsafe { poller.add_with_mode(&Source(wake), Event::readable(WAKE_KEY), PollMode::Edge) }.ok()?;
    numbers::duplicate(poller.as_raw_fd())
}

/// As `by_poller`, with no calls but those that a filter must allow.
fn alone(wake: i32) -> Option<i32> {
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: WAKE_KEY as u64 };
    // SAFETY: a descriptor of our own; `event` is ours.
    unsafe {
        let epoll = sys!(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC);
        if epoll < 0 {
            return None;
        }
        if sys!(libc::SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, wake, &mut event as *mut libc::epoll_event) < 0 {
            sys::close(epoll as i32);
            return None;
        }
        numbers::move_up(epoll as i32)
    }
}
