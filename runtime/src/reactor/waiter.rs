//! The wait of one call for one descriptor.

use super::CannotWait;
use crate::fd_table::{Node, READ, WRITE};
use crate::green_thread::{Green, Waiting, Wake};
use crate::hub::Hub;

/// A parked call's place in the queue of one descriptor. It enters at the first wait and leaves when dropped, and
/// keeps the file in between, whatever happens to the number.
pub struct FdWaiter<'a> {
    hub: &'a Hub,
    node: Node,
    /// What a guest's hub is asked to wait for.
    events: i16,
}

/// The poll events of directions.
fn events_of(interest: u8) -> i16 {
    let read = if interest & READ != 0 { libc::POLLIN } else { 0 };
    let write = if interest & WRITE != 0 { libc::POLLOUT } else { 0 };
    read | write
}

impl<'a> FdWaiter<'a> {
    /// For a call that takes something from `fd` in direction `interest`: woken one at a time.
    pub fn new(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        let who = hub.current() as *const Green as *const ();
        FdWaiter { hub, node: Node::new(fd, interest, false, who), events: events_of(interest) }
    }

    /// For a call that only looks: woken at every event.
    pub fn looking(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        let who = hub.current() as *const Green as *const ();
        FdWaiter { hub, node: Node::new(fd, interest, true, who), events: events_of(interest) }
    }

    /// As `looking`, for exactly these poll events where a guest's hub waits.
    pub fn looking_for(hub: &'a Hub, fd: i32, interest: u8, events: i16) -> Self {
        let mut waiter = FdWaiter::looking(hub, fd, interest);
        waiter.events = events;
        waiter
    }

    /// The poll events that are waited for.
    pub(crate) fn events(&self) -> i16 {
        self.events
    }

    #[inline]
    pub fn hub(&self) -> &'a Hub {
        self.hub
    }

    /// The number to use now: the program's, or a duplicate after the program has closed it.
    #[inline]
    pub fn fd(&self) -> i32 {
        self.node.fd.get()
    }

    /// Enters the queue, if not there yet. The waiter must not move from now on.
    pub fn enter(&self) -> Result<(), CannotWait> {
        if self.node.fd.get() < 0 {
            return Err(CannotWait::Bad);
        }
        if self.hub.guest.is_some() {
            // Nothing of ours may point into a guest's stack.
            return Ok(());
        }
        self.node.fired.set(false);
        if !self.node.queued.get() {
            let reactor = &self.hub.reactor;
            if !reactor.table(self.hub).enter(&self.node) {
                reactor.register(self.hub, self.fd())?;
                reactor.table(self.hub).enter(&self.node);
            }
        }
        Ok(())
    }

    /// Parks until an event, the deadline or a signal. The waiter must not move from now on.
    pub fn wait(&self, deadline: Option<u64>) -> Result<Wake, CannotWait> {
        if let Some(guest) = &self.hub.guest {
            return Ok(guest.ask(self.fd(), self.events, deadline));
        }
        self.enter()?;
        Ok(self.hub.park(Waiting::Descriptor(self.fd()), deadline, true))
    }
}

impl Drop for FdWaiter<'_> {
    fn drop(&mut self) {
        if self.node.queued.get() {
            self.hub.reactor.leave(self.hub, &self.node);
        }
    }
}
