//! Which signal masks the green threads have, so that the kernel's can be what all of them block.
//!
//! libc blocks everything, its own signals included, for the moments around the making and the ending of a thread. Such
//! a mask counts for nothing: its thread goes on counting with the one that it had, and the kernel is not told. What
//! comes meanwhile is held back here.

use super::UNBLOCKABLE;
use crate::green_thread::Green;
use core::cell::RefCell;

/// How many live green threads count with which mask. Distinct masks are few.
pub(super) struct Masks(RefCell<Vec<(u64, usize)>>);

/// Whether `mask` is one of libc's own, for a moment.
#[inline]
fn is_for_a_moment(mask: u64) -> bool {
    mask == !UNBLOCKABLE
}

impl Masks {
    pub const fn new() -> Self {
        Masks(RefCell::new(Vec::new()))
    }

    /// What all block: everything where nobody counts.
    pub fn common(&self) -> u64 {
        self.0.borrow().iter().fold(!0, |all, (mask, _)| all & mask)
    }

    /// What one or another blocks.
    pub fn any(&self) -> u64 {
        self.0.borrow().iter().fold(0, |any, (mask, _)| any | mask)
    }

    /// `green` has this mask now. False if it is one for a moment.
    #[inline]
    pub fn note(&self, green: &Green, mask: u64) -> bool {
        if is_for_a_moment(mask) {
            return false;
        }
        if green.counted_mask.get() != Some(mask) {
            self.forget(green);
            green.counted_mask.set(Some(mask));
            self.count(mask, 1);
        }
        true
    }

    /// `green` has ended.
    pub fn forget(&self, green: &Green) {
        if let Some(mask) = green.counted_mask.take() {
            self.count(mask, -1);
        }
    }

    /// `green` alone is left.
    pub fn keep_only(&self, green: &Green) {
        let mask = green.counted_mask.get();
        *self.0.borrow_mut() = mask.map(|mask| (mask, 1)).into_iter().collect();
    }

    fn count(&self, mask: u64, by: isize) {
        let mut masks = self.0.borrow_mut();
        match masks.iter_mut().position(|entry| entry.0 == mask) {
            Some(at) => {
                masks[at].1 = masks[at].1.wrapping_add_signed(by);
                if masks[at].1 == 0 {
                    masks.swap_remove(at);
                }
            }
            None => masks.push((mask, by as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_block_but_not_what_is_blocked_for_a_moment() {
        let masks = Masks::new();
        let [first, second] = [(); 2].map(|()| Green::new(core::ptr::null()));
        assert_eq!(masks.common(), !0);
        assert!(masks.note(&first, 0b0110) && masks.note(&second, 0b0011));
        assert_eq!(masks.common(), 0b0010);
        assert_eq!(masks.any(), 0b0111);
        assert!(!masks.note(&first, !UNBLOCKABLE));
        assert_eq!(masks.common(), 0b0010);
        masks.forget(&second);
        assert_eq!(masks.common(), 0b0110);
        assert!(masks.note(&first, 0) && masks.note(&first, 0));
        assert!(!masks.note(&second, !UNBLOCKABLE), "a new thread's");
        assert_eq!(masks.common(), 0);
        assert!(masks.note(&second, 1));
        masks.keep_only(&second);
        assert_eq!(masks.common(), 1);
        masks.forget(&second);
        masks.forget(&second);
        assert_eq!(masks.common(), !0);
    }
}
