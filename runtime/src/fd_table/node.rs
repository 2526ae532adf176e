//! A parked call's place in the queue of a descriptor.

use crate::list::{Linked, Links};
use core::cell::Cell;

/// A place in the queue of a descriptor.
pub struct Node {
    links: Links<Node>,
    /// The number that the waiter is queued at now.
    pub fd: Cell<i32>,
    /// READ, WRITE or both.
    pub interest: u8,
    /// Woken at every event (poll and its kin look at the descriptor but take nothing from it), not one at a time.
    pub broadcast: bool,
    pub queued: Cell<bool>,
    /// Woken, and has not waited again yet.
    pub fired: Cell<bool>,
    /// Whom to wake: opaque here.
    pub who: *const (),
}

impl Node {
    pub fn new(fd: i32, interest: u8, broadcast: bool, who: *const ()) -> Self {
        Node {
            links: Links::new(),
            fd: Cell::new(fd),
            interest,
            broadcast,
            queued: Cell::new(false),
            fired: Cell::new(false),
            who,
        }
    }
}

impl Linked for Node {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}
