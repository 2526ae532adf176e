//! A list whose nodes are elsewhere: on the stacks of parked calls, mostly. Entering and leaving allocate nothing.

use core::cell::Cell;
use core::ptr;

/// A node's place in a list of `T`.
pub struct Links<T> {
    next: Cell<*const T>,
    previous: Cell<*const T>,
}

impl<T> Links<T> {
    pub const fn new() -> Self {
        Links { next: Cell::new(ptr::null()), previous: Cell::new(ptr::null()) }
    }
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be a node.
pub trait Linked: Sized {
    fn links(&self) -> &Links<Self>;
}

/// See the module. Whoever has the list has its nodes: their links change only through it, and a reference to one
/// that it gives is good for as long as the node is linked.
pub struct List<T> {
    first: *const T,
    last: *const T,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> List<T> {
    pub const fn new() -> Self {
        List { first: ptr::null(), last: ptr::null() }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }
}

impl<T: Linked + 'static> List<T> {
    pub fn first(&self) -> Option<&'static T> {
        // SAFETY: null or a linked node, which is alive.
        unsafe { self.first.as_ref() }
    }

    /// # Safety
    /// As for `insert`.
    pub unsafe fn push(&mut self, node: &T) {
        // SAFETY: the caller's promise.
        unsafe { self.insert(self.last, node) }
    }

    /// Puts a node behind all that are not to stand behind it.
    ///
    /// # Safety
    /// As for `insert`.
    pub unsafe fn push_before(&mut self, node: &T, stands_behind: impl Fn(&T) -> bool) {
        let mut before = self.last;
        // SAFETY: linked nodes are alive.
        while let Some(other) = unsafe { before.as_ref() }.filter(|other| stands_behind(other)) {
            before = other.links().previous.get();
        }
        // SAFETY: the caller's promise.
        unsafe { self.insert(before, node) }
    }

    /// Links a node behind `before`, or first of all.
    ///
    /// # Safety
    /// The node is in no list, and neither moves nor ends before it has been taken out; `before` is null or in this list.
    unsafe fn insert(&mut self, before: *const T, node: &T) {
        // SAFETY: linked nodes are alive.
        unsafe {
            let next = match before.as_ref() {
                Some(before) => before.links().next.replace(node),
                None => core::mem::replace(&mut self.first, node),
            };
            node.links().previous.set(before);
            node.links().next.set(next);
            match next.as_ref() {
                Some(next) => next.links().previous.set(node),
                None => self.last = node,
            }
        }
    }

    /// Takes a node out.
    ///
    /// # Safety
    /// The node is in this list.
    pub unsafe fn unlink(&mut self, node: &T) {
        let (previous, next) = (node.links().previous.get(), node.links().next.get());
        // SAFETY: linked nodes are alive.
        unsafe {
            match previous.as_ref() {
                Some(previous) => previous.links().next.set(next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.links().previous.set(previous),
                None => self.last = previous,
            }
        }
    }

    /// From the first to the last. A node may be taken out once the iterator has given it.
    pub fn iter(&self) -> Iter<T> {
        Iter { at: self.first }
    }
}

/// See `List::iter`.
pub struct Iter<T> {
    at: *const T,
}

impl<T: Linked + 'static> Iterator for Iter<T> {
    type Item = &'static T;

    #[inline]
    fn next(&mut self) -> Option<&'static T> {
        // SAFETY: null or a linked node, which is alive.
        let node = unsafe { self.at.as_ref() }?;
        self.at = node.links().next.get();
        Some(node)
    }
}
