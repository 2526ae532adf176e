//! The wait of one call for one descriptor.

use super::CannotWait;
use crate::fd_table::Node;
use crate::green_thread::{Green, Waiting, Wake};
use crate::hub::Hub;

/// A parked call's place in the queue of one descriptor. It enters at the first wait and leaves when dropped, and
/// keeps the file in between, whatever happens to the number.
pub struct FdWaiter<'a> {
    hub: &'a Hub,
    node: Node,
}

impl<'a> FdWaiter<'a> {
    /// For a call that takes something from `fd` in direction `interest`: woken one at a time.
    pub fn new(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        FdWaiter { hub, node: Node::new(fd, interest, false, hub.current() as *const Green as *const ()) }
    }

    /// For a call that only looks: woken at every event.
    pub fn looking(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        FdWaiter { hub, node: Node::new(fd, interest, true, hub.current() as *const Green as *const ()) }
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
