//! What we know of each descriptor number: its kind, whether the reactor watches it, and who waits.
//!
//! The table knows nothing of epoll and of green threads' stacks, so that it can be tested alone. A waiter is a node
//! in memory of the parked call; it may be moved to another number (a duplicate) when the program closes the number
//! that it waits on.

mod node;

pub use node::Node;

use crate::list::{Iter, List};
use crate::never_waits;
use crate::prefetch;

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

/// One number, in one cache line.
#[repr(align(64))]
pub struct Entry {
    nodes: List<Node>,
    /// Tells an event of this use of the number from a late one of an earlier use.
    pub generation: u32,
    /// In the reactor's epoll set.
    pub registered: bool,
    pub kind: Option<Kind>,
    /// A descriptor of the runtime's, which to the program is not open.
    pub own: bool,
    /// One of those that lives until its last waiter leaves: a duplicate that a wait keeps, a child's pidfd.
    pub kept: bool,
    /// SOCK_STREAM and so on; 0 if not known.
    pub socket_type: u8,
    /// The table's `epoch` at which this process made the description, or 0: see `is_private`.
    private: u32,
    /// Known to be blocking and without a timeout. Counts only while the description is private, and until the
    /// program changes one of these.
    pub plain: bool,
    /// A stream of bytes, of which a read that gets less than it asked for has taken all there was: nothing else has
    /// ever been seen to end a read of it early (urgent data, an end or an error that waits behind the data).
    pub drains: bool,
    /// Nothing was there to read, and no event has been taken since: what comes now is an event, since the number is
    /// registered, or the registration will say what is there.
    pub empty: bool,
    /// For a file: whether its writes wait for the disk (O_SYNC, O_DSYNC, O_DIRECT), once asked.
    pub synchronous: Option<bool>,
    /// An io_uring of this process, which whoever polls it is told of.
    pub pollable_ring: bool,
    /// How much may be added to an eventfd before its counter could be full. Counts only while it is private.
    room: u64,
    /// For an epoll set: whether it has had something in it for which only one of several sets is to be woken
    /// (EPOLLEXCLUSIVE), once asked.
    pub exclusive: Option<bool>,
    /// The number at which this process made the other end, or -1. Only a hint where to look for who waits.
    peer: i32,
}

impl Entry {
    const EMPTY: Entry = Entry {
        nodes: List::new(),
        generation: 0,
        registered: false,
        kind: None,
        own: false,
        kept: false,
        socket_type: 0,
        private: 0,
        plain: false,
        drains: false,
        empty: false,
        synchronous: None,
        pollable_ring: false,
        room: 0,
        exclusive: None,
        peer: -1,
    };

    /// An event: `ends` if it tells of more than bytes that have come, which is for good.
    #[inline]
    pub fn happen(&mut self, directions: u8, ends: bool) {
        if directions & READ != 0 {
            self.empty = false;
        }
        if ends {
            self.drains = false;
        }
    }

    pub fn has_waiters(&self) -> bool {
        !self.nodes.is_empty()
    }

    fn push(&mut self, node: &Node) {
        // SAFETY: a waiter enters once, and leaves before it ends.
        unsafe { self.nodes.push(node) };
        node.queued.set(true);
    }

    fn unlink(&mut self, node: &Node) {
        // SAFETY: the node's `fd` says that it is here.
        unsafe { self.nodes.unlink(node) };
        node.queued.set(false);
    }

    fn nodes(&self) -> Iter<Node> {
        self.nodes.iter()
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
    /// Those from `split` on, so that descriptors of ours beyond all numbers of the program's make no long table.
    high: Vec<Entry>,
    split: usize,
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
        FdTable { entries: Vec::new(), high: Vec::new(), split: usize::MAX, epoch: 1 }
    }

    /// The entry of `fd`, made if need be. `fd` must not be negative.
    #[inline]
    pub fn entry(&mut self, fd: i32) -> &mut Entry {
        let index = fd as usize;
        if index < self.entries.len() {
            return &mut self.entries[index];
        }
        self.make(index)
    }

    #[cold]
    fn make(&mut self, index: usize) -> &mut Entry {
        let (entries, index, most) = match index.checked_sub(self.split) {
            Some(index) => (&mut self.high, index, usize::MAX),
            None => (&mut self.entries, index, self.split),
        };
        if index >= entries.len() {
            entries.resize_with((index + 1).next_power_of_two().max(64).min(most), || Entry::EMPTY);
        }
        &mut entries[index]
    }

    /// The entry of `fd`, if anything was ever known of it.
    #[inline]
    pub fn known(&mut self, fd: i32) -> Option<&mut Entry> {
        let index = fd as u32 as usize;
        if index < self.entries.len() {
            return Some(&mut self.entries[index]);
        }
        self.high.get_mut(index.checked_sub(self.split)?)
    }

    /// Asks for what is known of `fd`.
    #[inline(always)]
    pub fn prefetch(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            prefetch::line(entry as *const Entry as usize);
        }
    }

    /// The first who waits for `fd`.
    #[inline(always)]
    pub fn first_waiter(&mut self, fd: i32) -> Option<&'static Node> {
        self.known(fd)?.nodes.first()
    }

    /// All numbers of which something may be known, in rising order.
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        let high = self.split..self.split.saturating_add(self.high.len());
        (0..self.entries.len()).chain(high).map(|index| index as i32)
    }

    /// One past the highest number that may be known.
    pub fn len(&self) -> usize {
        match self.high.len() {
            0 => self.entries.len(),
            high => self.split + high,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `fd` is a descriptor of the runtime's from now on: see `Entry::own`.
    pub fn take(&mut self, fd: i32) -> &mut Entry {
        let index = fd as usize;
        if self.split == usize::MAX && index >= self.entries.len() {
            self.split = index;
        }
        self.forget(fd);
        let entry = self.entry(fd);
        entry.own = true;
        entry
    }

    /// Whether `fd` is the runtime's.
    #[inline]
    pub fn owns(&mut self, fd: i32) -> bool {
        self.known(fd).is_some_and(|entry| entry.own)
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

    /// Notes that `fd` is blocking and has no timeout.
    pub fn set_plain(&mut self, fd: i32, plain: bool) {
        self.entry(fd).plain = plain;
    }

    /// This process has just made the io_uring `fd`.
    pub fn made_ring(&mut self, fd: i32, pollable: bool) {
        // The number may have been closed where we could not see it.
        if self.known(fd).is_some_and(|entry| !entry.has_waiters()) {
            self.forget(fd);
        }
        self.entry(fd).pollable_ring = pollable;
    }

    pub fn is_pollable_ring(&mut self, fd: i32) -> bool {
        self.known(fd).is_some_and(|entry| entry.pollable_ring)
    }

    /// This process has just made the eventfd `fd`. The kernel's counters add to some, one at a time: half is left to them.
    pub fn made_counter(&mut self, fd: i32) {
        // The number may have been closed where we could not see it.
        if self.known(fd).is_some_and(|entry| !entry.has_waiters()) {
            self.forget(fd);
        }
        self.mark_private(fd);
        let entry = self.entry(fd);
        entry.kind = Some(Kind::Anonymous);
        entry.room = u64::MAX / 2;
    }

    /// Whether `value` can be added to the eventfd `fd` without a wait, as far as we know; it is then counted as added.
    pub fn take_room(&mut self, fd: i32, value: u64) -> bool {
        if !self.is_private(fd) {
            return false;
        }
        let room = &mut self.entry(fd).room;
        let left = room.checked_sub(value);
        *room = left.unwrap_or(0);
        left.is_some()
    }

    /// The program is about to change flags or timeouts of `fd`.
    pub fn flags_change(&mut self, fd: i32) {
        never_waits::forget(fd);
        if let Some(entry) = self.known(fd) {
            entry.plain = false;
            entry.synchronous = None;
        }
    }

    /// Whether a call that reads `fd` and may wait need not look whether there is anything.
    #[inline]
    pub fn is_drained(&mut self, fd: i32) -> bool {
        let epoch = self.epoch;
        self.known(fd).is_some_and(|entry| entry.empty && entry.plain && entry.private == epoch)
    }

    /// A read of `fd` has got some bytes, but fewer than it asked for.
    #[inline]
    pub fn note_short(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            entry.empty |= entry.drains;
        }
    }

    /// A read of `fd` has found nothing.
    #[inline]
    pub fn note_empty(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            entry.empty = true;
        }
    }

    /// A read of `fd` may end early for other reasons than that there is no more.
    pub fn no_stream(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            entry.drains = false;
        }
    }

    /// Another number is about to refer to the description of `fd`: flags may change, and unusual things be written, by
    /// way of that one.
    pub fn note_duplicate(&mut self, fd: i32) {
        if let Some(entry) = self.known(fd) {
            entry.private = 0;
            self.writes_unusual(fd);
        }
    }

    /// Something is about to be written to `fd` that may end a read at the other end early.
    pub fn writes_unusual(&mut self, fd: i32) {
        if let Some(peer) = self.known(fd).map(|entry| entry.peer) {
            self.no_stream(peer);
        }
    }

    /// This process has made both ends: `a` and `b`.
    pub fn pair(&mut self, a: i32, b: i32) {
        self.entry(a).peer = b;
        self.entry(b).peer = a;
    }

    /// Something has been put in at `fd`, or taken out: whoever waits for that at the other end need not wait for the
    /// kernel's word.
    #[inline]
    pub fn fire_peer(&mut self, fd: i32, directions: u8, wake: impl FnMut(*const ())) {
        let Some(peer) = self.known(fd).map(|entry| entry.peer) else { return };
        if let Some(entry) = self.known(peer) {
            entry.happen(directions, false);
            if entry.has_waiters() {
                entry.fire(directions, wake);
            }
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

    /// Queues a node at its number, and does not move from then on until `leave`. False, and nothing done, if the number
    /// is not registered.
    pub fn enter(&mut self, node: &Node) -> bool {
        let Some(entry) = self.known(node.fd.get()).filter(|entry| entry.registered) else { return false };
        entry.push(node);
        true
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

    /// Nothing is registered any more, and nobody waits.
    pub fn forget_registrations(&mut self) {
        for fd in self.numbers() {
            let entry = self.entry(fd);
            entry.registered = false;
            entry.empty = false;
            entry.generation = entry.generation.wrapping_add(1);
        }
    }

    /// Moves all waiters of `from` to `to`, another number of the same file.
    pub fn move_waiters_only(&mut self, from: i32, to: i32) {
        while let Some(node) = self.entry(from).nodes.first() {
            self.entry(from).unlink(node);
            node.fd.set(to);
            self.entry(to).push(node);
        }
    }

    /// As `move_waiters_only`, to a duplicate that lives until they have left.
    pub fn move_waiters(&mut self, from: i32, to: i32) {
        self.move_waiters_only(from, to);
        let entry = self.entry(to);
        (entry.own, entry.kept) = (true, true);
    }

    /// The number no longer means what it meant: forget kind and registration. Waiters must have been moved.
    pub fn forget(&mut self, fd: i32) {
        never_waits::forget(fd);
        let Some(entry) = self.known(fd) else { return };
        debug_assert!(!entry.has_waiters());
        let peer = entry.peer;
        *entry = Entry { generation: entry.generation.wrapping_add(1), ..Entry::EMPTY };
        if let Some(other) = self.known(peer).filter(|other| other.peer == fd) {
            other.peer = -1;
        }
    }

    /// In a forked child: nobody waits, nothing is registered; kinds still hold. Returns what was the runtime's, for the
    /// child to close; unless it has the `same` descriptors, not copies: then the parent's are still not the program's.
    pub fn rebuild_in_child(&mut self, same: bool) -> Vec<i32> {
        self.forget_private();
        let mut ours = Vec::new();
        for fd in self.numbers() {
            never_waits::forget(fd);
            let entry = self.entry(fd);
            let kind = if entry.own { None } else { entry.kind };
            let own = entry.own && same;
            if entry.own && !same {
                ours.push(fd);
            }
            *entry = Entry { kind, own, generation: entry.generation.wrapping_add(1), ..Entry::EMPTY };
        }
        ours
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
mod tests;
