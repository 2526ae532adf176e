//! What we know of each descriptor number: its kind, whether the reactor watches it, and who waits.
//!
//! The table knows nothing of epoll and of green threads' stacks, so that it can be tested alone. A waiter is a node
//! in memory of the parked call; it may be moved to another number (a duplicate) when the program closes the number
//! that it waits on.

use core::cell::Cell;
use core::ptr;

/// What a descriptor refers to, as far as calls care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Socket,
    /// A pipe or a FIFO.
    Pipe,
    /// A regular file or a block device.
    File,
    /// A character device, terminals among them.
    Character,
    Directory,
    /// eventfd, timerfd, signalfd, inotify, epoll, pidfd, …
    Anonymous,
}

/// Bit: readable, hung up, or urgent data.
pub const READ: u8 = 1;
/// Bit: writable.
pub const WRITE: u8 = 2;

/// A place in the queue of a descriptor.
pub struct Node {
    next: Cell<*const Node>,
    previous: Cell<*const Node>,
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
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            fd: Cell::new(fd),
            interest,
            broadcast,
            queued: Cell::new(false),
            fired: Cell::new(false),
            who,
        }
    }
}

/// One number.
pub struct Entry {
    first: *const Node,
    last: *const Node,
    /// Tells an event of this use of the number from a late one of an earlier use.
    pub generation: u32,
    /// In the reactor's epoll set.
    pub registered: bool,
    pub kind: Option<Kind>,
    /// A duplicate of ours that lives until its last waiter leaves.
    pub kept: bool,
    /// SOCK_STREAM and so on; 0 if not known.
    pub socket_type: u8,
    /// The table's `epoch` at which this process made the description, or 0: see `is_private`.
    private: u32,
    /// Known to be blocking and without a timeout. Counts only while the description is private, and until the
    /// program changes one of these.
    pub plain: bool,
}

impl Entry {
    const EMPTY: Entry = Entry {
        first: ptr::null(),
        last: ptr::null(),
        generation: 0,
        registered: false,
        kind: None,
        kept: false,
        socket_type: 0,
        private: 0,
        plain: false,
    };

    pub fn has_waiters(&self) -> bool {
        !self.first.is_null()
    }

    fn push(&mut self, node: &Node) {
        node.next.set(ptr::null());
        node.previous.set(self.last);
        if self.last.is_null() {
            self.first = node;
        } else {
            // SAFETY: queued nodes are alive, and `&mut self` is the table's lock.
            unsafe { (*self.last).next.set(node) };
        }
        self.last = node;
        node.queued.set(true);
    }

    fn unlink(&mut self, node: &Node) {
        let (previous, next) = (node.previous.get(), node.next.get());
        // SAFETY: queued nodes are alive, and `&mut self` is the table's lock.
        unsafe {
            match previous.as_ref() {
                Some(previous) => previous.next.set(next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.previous.set(previous),
                None => self.last = previous,
            }
        }
        node.queued.set(false);
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let mut at = self.first;
        core::iter::from_fn(move || {
            // SAFETY: queued nodes are alive.
            let node = unsafe { at.as_ref() }?;
            at = node.next.get();
            Some(node)
        })
    }

    /// Calls `wake` for whom an event in `directions` concerns: every broadcast waiter, and for each direction the
    /// first other one, unless one that was woken earlier has yet to try and will pass the turn on.
    pub fn fire(&self, directions: u8, mut wake: impl FnMut(*const ())) {
        let mut open = directions;
        for node in self.nodes() {
            if node.broadcast {
                if node.interest & directions != 0 {
                    node.fired.set(true);
                    wake(node.who);
                }
            } else if node.interest & open != 0 {
                open &= !node.interest;
                if !node.fired.replace(true) {
                    wake(node.who);
                }
            }
        }
    }
}

/// All numbers.
pub struct FdTable {
    entries: Vec<Entry>,
    /// Counts the moments at which descriptions may have become another process's too.
    epoch: u32,
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FdTable {
    pub const fn new() -> Self {
        FdTable { entries: Vec::new(), epoch: 1 }
    }

    /// The entry of `fd`, made if need be. `fd` must not be negative.
    pub fn entry(&mut self, fd: i32) -> &mut Entry {
        let index = fd as usize;
        if index >= self.entries.len() {
            self.entries.resize_with((index + 1).next_power_of_two().max(64), || Entry::EMPTY);
        }
        &mut self.entries[index]
    }

    /// The entry of `fd`, if anything was ever known of it.
    pub fn known(&mut self, fd: i32) -> Option<&mut Entry> {
        usize::try_from(fd).ok().and_then(|index| self.entries.get_mut(index))
    }

    /// One past the highest number that may be known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// This process has just made the description of `fd`.
    pub fn mark_private(&mut self, fd: i32) {
        let epoch = self.epoch;
        self.entry(fd).private = epoch;
    }

    /// Whether certainly no other process has the description of `fd`. Other numbers of this process may refer to it.
    pub fn is_private(&mut self, fd: i32) -> bool {
        let epoch = self.epoch;
        self.known(fd).is_some_and(|entry| entry.private == epoch)
    }

    /// Whether a wait for `fd` needs no look at its flags and timeouts.
    pub fn is_plain(&mut self, fd: i32) -> bool {
        self.is_private(fd) && self.entry(fd).plain
    }

    /// Notes that `fd` is blocking and has no timeout, or that the program is about to change that.
    pub fn set_plain(&mut self, fd: i32, plain: bool) {
        if plain || self.known(fd).is_some() {
            self.entry(fd).plain = plain;
        }
    }

    /// Whether `forget_private` was ever called.
    pub fn was_shared(&self) -> bool {
        self.epoch != 1
    }

    /// Another process may get our descriptions: a fork, a spawn, or descriptors sent through a socket.
    pub fn forget_private(&mut self) {
        self.epoch = self.epoch.checked_add(1).unwrap_or(2);
    }

    /// Queues a node at its number. It must not move until `leave`.
    pub fn enter(&mut self, node: &Node) {
        self.entry(node.fd.get()).push(node);
    }

    /// Takes a node out. If it had been woken, the turn passes to the next one (`wake`). Returns a kept duplicate that
    /// nobody waits on any more, to be closed.
    pub fn leave(&mut self, node: &Node, wake: impl FnMut(*const ())) -> Option<i32> {
        if !node.queued.get() {
            return None;
        }
        let fd = node.fd.get();
        let entry = self.entry(fd);
        entry.unlink(node);
        if node.fired.get() && !node.broadcast {
            entry.pass_on(node.interest, wake);
        }
        (entry.kept && !entry.has_waiters()).then(|| {
            *entry = Entry { generation: entry.generation.wrapping_add(1), ..Entry::EMPTY };
            fd
        })
    }

    /// Moves all waiters of `from` to `to`, a duplicate of the same file that lives until they have left.
    pub fn move_waiters(&mut self, from: i32, to: i32) {
        while let Some(node) = {
            let entry = self.entry(from);
            // SAFETY: queued nodes are alive.
            unsafe { entry.first.as_ref() }
        } {
            self.entry(from).unlink(node);
            node.fd.set(to);
            self.entry(to).push(node);
        }
        self.entry(to).kept = true;
    }

    /// The number no longer means what it meant: forget kind and registration. Waiters must have been moved.
    pub fn forget(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            debug_assert!(!entry.has_waiters());
            *entry = Entry { generation: entry.generation.wrapping_add(1), ..Entry::EMPTY };
        }
    }

    /// In a forked child: nobody waits, nothing is registered; kinds still hold.
    pub fn rebuild_in_child(&mut self) -> Vec<i32> {
        self.forget_private();
        let mut kept = Vec::new();
        for (fd, entry) in self.entries.iter_mut().enumerate() {
            if entry.kept {
                kept.push(fd as i32);
            }
            let kind = if entry.kept { None } else { entry.kind };
            *entry = Entry { kind, generation: entry.generation.wrapping_add(1), ..Entry::EMPTY };
        }
        kept
    }
}

impl Entry {
    /// Wakes the first waiter for `interest` that is not awake yet.
    fn pass_on(&self, interest: u8, mut wake: impl FnMut(*const ())) {
        if let Some(next) = self.nodes().find(|node| !node.broadcast && node.interest & interest != 0) {
            if !next.fired.replace(true) {
                wake(next.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(fd: i32, interest: u8, broadcast: bool, who: usize) -> Node {
        Node::new(fd, interest, broadcast, who as *const ())
    }

    #[test]
    fn one_reader_at_a_time_and_the_turn_passes_on() {
        let mut table = FdTable::new();
        let (a, b, w, p) =
            (node(3, READ, false, 1), node(3, READ, false, 2), node(3, WRITE, false, 3), node(3, READ, true, 4));
        for waiter in [&a, &b, &w, &p] {
            table.enter(waiter);
        }
        let mut woken = Vec::new();
        table.entry(3).fire(READ, |who| woken.push(who as usize));
        assert_eq!(woken, [1, 4]);
        table.entry(3).fire(READ, |who| woken.push(who as usize));
        assert_eq!(woken, [1, 4, 4], "the first reader has yet to try");
        assert_eq!(table.leave(&a, |who| woken.push(who as usize)), None);
        assert_eq!(woken, [1, 4, 4, 2]);
        b.fired.set(false);
        assert_eq!(table.leave(&b, |who| woken.push(who as usize)), None);
        assert_eq!(woken.len(), 4, "who has found nothing passes nothing on");
        table.leave(&w, |_| ());
        table.leave(&p, |_| ());
        assert!(!table.entry(3).has_waiters());
    }

    #[test]
    fn waiters_follow_their_file_to_a_duplicate() {
        let mut table = FdTable::new();
        let (a, b) = (node(5, READ, false, 1), node(5, READ, false, 2));
        table.enter(&a);
        table.enter(&b);
        table.move_waiters(5, 900);
        table.forget(5);
        assert_eq!((a.fd.get(), b.fd.get()), (900, 900));
        assert_eq!(table.leave(&a, |_| ()), None);
        assert_eq!(table.leave(&b, |_| ()), Some(900), "the last one closes the duplicate");
    }

    #[test]
    fn a_description_is_private_until_another_process_may_have_it() {
        let mut table = FdTable::new();
        assert!(!table.is_private(4) && !table.is_private(-1));
        table.mark_private(4);
        assert!(table.is_private(4) && !table.is_private(5));
        table.forget_private();
        assert!(!table.is_private(4));
        table.mark_private(4);
        table.forget(4);
        assert!(!table.is_private(4), "the number was closed");
    }

    #[test]
    fn a_late_event_of_an_earlier_use_is_told_by_its_generation() {
        let mut table = FdTable::new();
        table.entry(7).registered = true;
        let before = table.entry(7).generation;
        table.forget(7);
        assert_ne!(table.entry(7).generation, before);
        assert!(!table.entry(7).registered);
    }
}
