//! FUTEX_WAKE_OP's operation on the second word, as its third value encodes it.

use super::error;
use crate::user;

const ENOSYS: isize = error(libc::ENOSYS);

/// FUTEX_WAKE_OP's third value, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WakeOp {
    operation: u32,
    argument: i32,
    comparison: u32,
    against: i32,
}

impl WakeOp {
    pub(super) fn of(encoded: u32) -> Self {
        let signed12 = |bits: u32| (bits << 20) as i32 >> 20;
        let argument = signed12((encoded >> 12) & 0xfff);
        let is_shift = (encoded >> 28) as i32 & libc::FUTEX_OP_OPARG_SHIFT != 0;
        WakeOp {
            operation: (encoded >> 28) & 7,
            // The kernel takes a shift out of range modulo 32.
            argument: if is_shift { 1i32 << (argument & 31) } else { argument },
            comparison: (encoded >> 24) & 0xf,
            against: signed12(encoded & 0xfff),
        }
    }

    /// What the word becomes. ENOSYS for an unknown operation.
    fn apply(self, old: u32) -> Result<u32, isize> {
        let argument = self.argument as u32;
        match self.operation as i32 {
            libc::FUTEX_OP_SET => Ok(argument),
            libc::FUTEX_OP_ADD => Ok(old.wrapping_add(argument)),
            libc::FUTEX_OP_OR => Ok(old | argument),
            libc::FUTEX_OP_ANDN => Ok(old & !argument),
            libc::FUTEX_OP_XOR => Ok(old ^ argument),
            _ => Err(ENOSYS),
        }
    }

    /// Whether to wake on the second word too. ENOSYS for an unknown comparison: the word has changed by then.
    fn compare(self, old: u32) -> Result<bool, isize> {
        let (old, against) = (old as i32, self.against);
        match self.comparison as i32 {
            libc::FUTEX_OP_CMP_EQ => Ok(old == against),
            libc::FUTEX_OP_CMP_NE => Ok(old != against),
            libc::FUTEX_OP_CMP_LT => Ok(old < against),
            libc::FUTEX_OP_CMP_LE => Ok(old <= against),
            libc::FUTEX_OP_CMP_GT => Ok(old > against),
            libc::FUTEX_OP_CMP_GE => Ok(old >= against),
            _ => Err(ENOSYS),
        }
    }

    /// Changes the word in one step and says whether to wake on the second one too.
    pub(super) fn perform(self, word: usize) -> Result<bool, isize> {
        self.apply(0)?;
        let mut old = user::load(word)?;
        loop {
            let seen = user::compare_exchange(word, old, self.apply(old)?)?;
            if seen == old {
                return self.compare(old);
            }
            old = seen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(operation: i32, comparison: i32, argument: i32, against: i32) -> WakeOp {
        WakeOp::of(
            ((operation as u32 & 0xf) << 28)
                | ((comparison as u32 & 0xf) << 24)
                | ((argument as u32 & 0xfff) << 12)
                | (against as u32 & 0xfff),
        )
    }

    #[test]
    fn arguments_of_wake_op_are_signed_twelve_bits() {
        let op = encode(libc::FUTEX_OP_ADD, libc::FUTEX_OP_CMP_LT, -1, -2048);
        assert_eq!((op.argument, op.against), (-1, -2048));
        assert_eq!(op.apply(5), Ok(4));
        assert_eq!(op.compare(-2049i32 as u32), Ok(true));
        assert_eq!(op.compare(-2048i32 as u32), Ok(false));
        assert_eq!(encode(0, 0, 2047, 2047).argument, 2047);
    }

    #[test]
    fn wake_op_operations() {
        let old = 0b1100;
        for (operation, new) in [
            (libc::FUTEX_OP_SET, 0b1010),
            (libc::FUTEX_OP_ADD, 0b10110),
            (libc::FUTEX_OP_OR, 0b1110),
            (libc::FUTEX_OP_ANDN, 0b0100),
            (libc::FUTEX_OP_XOR, 0b0110),
            (5, -1),
            (7, -1),
        ] {
            let expected = u32::try_from(new).map_err(|_| ENOSYS);
            assert_eq!(encode(operation, 0, 0b1010, 0).apply(old), expected, "{operation}");
        }
        assert_eq!(encode(libc::FUTEX_OP_ADD, 0, 1, 0).apply(u32::MAX), Ok(0));
    }

    #[test]
    fn wake_op_shifts() {
        let shift = |argument| encode(libc::FUTEX_OP_OR | libc::FUTEX_OP_OPARG_SHIFT, 0, argument, 0).argument;
        assert_eq!(shift(0), 1);
        assert_eq!(shift(31), i32::MIN);
        assert_eq!(shift(33), 2);
        assert_eq!(shift(-1), i32::MIN);
    }

    #[test]
    fn wake_op_comparisons() {
        let results = |old: i32| {
            [0, 1, 2, 3, 4, 5].map(|comparison| encode(0, comparison, 0, 7).compare(old as u32).unwrap_or(false))
        };
        assert_eq!(results(7), [true, false, false, true, false, true]);
        assert_eq!(results(-7), [false, true, true, true, false, false]);
        assert_eq!(results(8), [false, true, false, false, true, true]);
        assert_eq!(encode(0, 6, 0, 0).compare(0), Err(ENOSYS));
    }

    #[test]
    fn an_unknown_comparison_has_changed_the_word() {
        let word = 3u32;
        let op = encode(libc::FUTEX_OP_ADD, 9, 2, 0);
        assert_eq!(op.perform(&word as *const u32 as usize), Err(ENOSYS));
        // SAFETY: our own word, written through its address.
        assert_eq!(unsafe { core::ptr::read_volatile(&word) }, 5);
    }
}
