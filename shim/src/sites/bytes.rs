//! Searching text for pairs of bytes, sixteen at a time (SSE2, which every x86-64 has).

use std::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};
use std::ops::{BitAnd, BitOr};

const BLOCK: usize = 16;

/// The positions of `0f 05`, be they instructions or not.
pub fn syscalls(text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let test = |a: Lanes, b: Lanes| a.equal(0x0f) & b.equal(0x05);
    pairs(text, test, |at| found.push(at));
    found
}

/// Calls `hit` with the position of everything that may be the last opcode bytes of a call, jmp,
/// jcc, xbegin or lea with a 32-bit displacement, or of a `jmp *table(…)`.
pub fn wide_references(text: &[u8], hit: impl FnMut(usize)) {
    let test = |a: Lanes, b: Lanes| {
        let near = a.masked(0xfe).equal(0xe8);
        let jcc = a.equal(0x0f) & b.masked(0xf0).equal(0x80);
        let xbegin = a.equal(0xc7) & b.equal(0xf8);
        let lea = a.equal(0x8d) & b.masked(0xc7).equal(0x05);
        let indirect = a.equal(0xff) & b.equal(0x24);
        near | jcc | xbegin | lea | indirect
    };
    pairs(text, test, hit);
}

/// Calls `hit` with each position whose byte and next byte pass `test`.
#[inline]
fn pairs(text: &[u8], test: impl Fn(Lanes, Lanes) -> Lanes, mut hit: impl FnMut(usize)) {
    let mut check = |start: usize, block: &[u8; BLOCK + 1]| {
        let (Some(here), Some(next)) = (block.first_chunk(), block.last_chunk()) else { return };
        let mut mask = test(Lanes::new(here), Lanes::new(next)).bits();
        while mask != 0 {
            hit(start + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
    };
    let mut start = 0;
    while let Some(block) = text[start..].first_chunk() {
        check(start, block);
        start += BLOCK;
    }
    // Zeros pass no test.
    let mut last = [0; BLOCK + 1];
    let rest = &text[start..];
    last[..rest.len()].copy_from_slice(rest);
    check(start, &last);
}

/// Sixteen bytes.
#[derive(Clone, Copy)]
struct Lanes(__m128i);

impl Lanes {
    #[inline(always)]
    fn new(block: &[u8; BLOCK]) -> Self {
        // SAFETY: SSE2 is part of x86-64, and the block has the bytes.
        Self(unsafe { _mm_loadu_si128(block.as_ptr().cast()) })
    }

    #[inline(always)]
    fn equal(self, value: u8) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm_cmpeq_epi8(self.0, _mm_set1_epi8(value as i8)) })
    }

    #[inline(always)]
    fn masked(self, mask: u8) -> Self {
        // SAFETY: as above.
        self & Self(unsafe { _mm_set1_epi8(mask as i8) })
    }

    /// One bit per lane that is all ones.
    #[inline(always)]
    fn bits(self) -> i32 {
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(self.0) }
    }
}

impl BitAnd for Lanes {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_and_si128(self.0, other.0) })
    }
}

impl BitOr for Lanes {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_or_si128(self.0, other.0) })
    }
}
