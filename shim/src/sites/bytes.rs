//! Searching text for pairs of bytes, many at a time: with AVX2 where there is such a processor, else with SSE2, which every
//! x86-64 has. What is generic is compiled once for each, into the functions that name the processor's features.

use std::arch::x86_64::*;
use std::ops::{BitAnd, BitOr};

/// So many positions are tested at once.
const BLOCK: usize = 64;
/// Hits are told after so many bytes at the latest.
pub const PIECE: usize = 4096;
/// So many hits of a block are noted without a look at how many there are: branches that no processor foresees cost
/// more than all else here.
const USUAL: usize = 3;

/// To ask the processor what it can do costs more than a search of a short text, the more so in a virtual machine.
const SHORT: usize = 64 << 10;

fn wants_avx2(text: &[u8]) -> bool {
    text.len() > SHORT
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

/// The positions of `0f 05`, be they instructions or not.
pub fn syscalls(text: &[u8]) -> Vec<usize> {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn with_avx2(text: &[u8]) -> Vec<usize> {
        find_syscalls::<Avx2>(text)
    }
    if wants_avx2(text) {
        // SAFETY: the processor has the features.
        unsafe { with_avx2(text) }
    } else {
        find_syscalls::<Sse2>(text)
    }
}

#[inline(always)]
fn find_syscalls<L: Lanes>(text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let test = |a: L, b: L| [a.equal(0x0f) & b.equal(0x05)];
    blocks(text, test, |start, [mut mask]| {
        while mask != 0 {
            found.push(start + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
    });
    found
}

/// What `references` has found in a piece of text. Positions are those of the last byte of an opcode, counted from `base`;
/// a displacement of four bytes follows.
pub struct References<'a> {
    pub base: usize,
    /// Calls, jumps, conditional jumps, `xbegin`, `lea`.
    pub all: &'a [u16],
    /// Of those, the `lea`s.
    pub operands: &'a [u16],
    /// `jmp *table(…)`: of the byte before the one that says how the table is indexed.
    pub tables: &'a [u16],
}

/// Calls `found` with the positions of everything that may refer to an address by a 32-bit displacement, many at once.
pub fn references(text: &[u8], found: impl FnMut(References)) {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn with_avx2(text: &[u8], found: impl FnMut(References)) {
        find_references::<Avx2>(text, found)
    }
    if wants_avx2(text) {
        // SAFETY: the processor has the features.
        unsafe { with_avx2(text, found) }
    } else {
        find_references::<Sse2>(text, found)
    }
}

#[inline(always)]
fn find_references<L: Lanes>(text: &[u8], mut found: impl FnMut(References)) {
    let test = |a: L, b: L| {
        let near = a.masked(0xfe).equal(0xe8);
        let far = a.equal(0x0f) & b.masked(0xf0).equal(0x80) | a.equal(0xc7) & b.equal(0xf8);
        let lea = a.equal(0x8d) & b.masked(0xc7).equal(0x05);
        [near, far, lea, a.equal(0xff) & b.equal(0x24)]
    };
    let (mut all, mut operands, mut tables) = (Positions::new(), Positions::new(), Positions::new());
    let mut base = 0;
    // Where the opcode has two bytes, its last is the next one: the first of the next block, perhaps.
    let mut carried = [0; 2];
    blocks(text, test, |start, [near, far, lea, table]| {
        if start - base >= PIECE - BLOCK {
            found(References { base, all: all.take(), operands: operands.take(), tables: tables.take() });
            base = start;
        }
        let offset = (start - base) as u16;
        let (two, leas) = (far | lea, lea << 1 | carried[1]);
        all.note(offset, near | two << 1 | carried[0]);
        operands.note(offset, leas);
        if table != 0 {
            tables.note(offset, table);
        }
        carried = [two >> 63, lea >> 63];
    });
    found(References { base, all: all.take(), operands: operands.take(), tables: tables.take() });
}

/// Positions in a piece of text.
struct Positions {
    found: Vec<u16>,
    count: usize,
}

impl Positions {
    fn new() -> Self {
        Positions { found: vec![0; PIECE], count: 0 }
    }

    #[inline(always)]
    fn note(&mut self, offset: u16, mut mask: u64) {
        let Some(free) = self.found[self.count..].first_chunk_mut::<BLOCK>() else { return };
        let all = mask.count_ones() as usize;
        let mut next = || {
            let position = offset + mask.trailing_zeros() as u16;
            mask &= mask.wrapping_sub(1);
            position
        };
        free[..USUAL].fill_with(&mut next);
        if all > USUAL {
            free[USUAL..all].fill_with(next);
        }
        self.count += all;
    }

    fn take(&mut self) -> &[u16] {
        &self.found[..std::mem::take(&mut self.count)]
    }
}

/// Calls `hit` with the start of each block and, for each test, a bit for each of its positions whose byte and next byte
/// pass it. Zeros must pass no test.
#[inline(always)]
fn blocks<L: Lanes, const N: usize>(text: &[u8], test: impl Fn(L, L) -> [L; N], mut hit: impl FnMut(usize, [u64; N])) {
    let whole = text.len().saturating_sub(1) / BLOCK;
    let mut last = [0; BLOCK + 1];
    let rest = &text[whole * BLOCK..];
    last[..rest.len()].copy_from_slice(rest);
    for index in 0..=whole {
        let block = if index < whole { text[index * BLOCK..].first_chunk().unwrap_or(&last) } else { &last };
        let mut masks = [0; N];
        for at in (0..BLOCK).step_by(L::COUNT) {
            let passed = test(L::load(block, at), L::load(block, at + 1));
            for (mask, passed) in masks.iter_mut().zip(passed) {
                *mask |= passed.bits() << at;
            }
        }
        hit(index * BLOCK, masks);
    }
}

/// A vector of bytes.
trait Lanes: Copy + BitAnd<Output = Self> + BitOr<Output = Self> {
    const COUNT: usize;
    /// From byte `at` of a block on, which has `COUNT` bytes from there.
    fn load(block: &[u8; BLOCK + 1], at: usize) -> Self;
    fn equal(self, value: u8) -> Self;
    fn masked(self, mask: u8) -> Self;
    /// One bit per lane that is all ones.
    fn bits(self) -> u64;
}

macro_rules! lanes {
    ($name:ident, $vector:ty, $load:ident, $set:ident, $equal:ident, $and:ident, $or:ident, $bits:ident, $unsigned:ty) => {
        #[derive(Clone, Copy)]
        struct $name($vector);

        // SAFETY (of all that follows): this type is used only where the processor has the features.
        impl Lanes for $name {
            const COUNT: usize = size_of::<$vector>();

            #[inline(always)]
            fn load(block: &[u8; BLOCK + 1], at: usize) -> Self {
                let lanes = &block[at..at + Self::COUNT];
                // SAFETY: as above; the slice has the bytes.
                Self(unsafe { $load(lanes.as_ptr().cast()) })
            }

            #[inline(always)]
            fn equal(self, value: u8) -> Self {
                // SAFETY: as above.
                Self(unsafe { $equal(self.0, $set(value as i8)) })
            }

            #[inline(always)]
            fn masked(self, mask: u8) -> Self {
                // SAFETY: as above.
                self & Self(unsafe { $set(mask as i8) })
            }

            #[inline(always)]
            fn bits(self) -> u64 {
                // SAFETY: as above.
                u64::from(unsafe { $bits(self.0) } as $unsigned)
            }
        }

        impl BitAnd for $name {
            type Output = Self;

            #[inline(always)]
            fn bitand(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $and(self.0, other.0) })
            }
        }

        impl BitOr for $name {
            type Output = Self;

            #[inline(always)]
            fn bitor(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $or(self.0, other.0) })
            }
        }
    };
}

lanes!(
    Sse2,
    __m128i,
    _mm_loadu_si128,
    _mm_set1_epi8,
    _mm_cmpeq_epi8,
    _mm_and_si128,
    _mm_or_si128,
    _mm_movemask_epi8,
    u16
);
lanes!(
    Avx2,
    __m256i,
    _mm256_loadu_si256,
    _mm256_set1_epi8,
    _mm256_cmpeq_epi8,
    _mm256_and_si256,
    _mm256_or_si256,
    _mm256_movemask_epi8,
    u32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_processors_find_the_same() {
        let mut random = 1u64;
        let text: Vec<u8> = (0..100_000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                [0x0f, 0x05, 0xe8, 0xff, 0x24, 0x8d, 0x84, (random >> 40) as u8][(random >> 33) as usize % 8]
            })
            .collect();
        for len in [0, 1, 2, 63, 64, 65, 66, 128, 129, 4096, 4160, 99_999] {
            let text = &text[..len];
            let expected: Vec<usize> =
                (1..len).filter(|at| text[at - 1..=*at] == [0x0f, 0x05]).map(|at| at - 1).collect();
            assert_eq!(find_syscalls::<Sse2>(text), expected);
            assert_eq!(syscalls(text), expected);
            let (mut old, mut new) = (Vec::new(), Vec::new());
            let listed = |into: &mut Vec<(usize, usize)>, found: References| {
                for (kind, positions) in [found.all, found.operands, found.tables].into_iter().enumerate() {
                    into.extend(positions.iter().map(|position| (kind, found.base + *position as usize)));
                }
            };
            find_references::<Sse2>(text, |found| listed(&mut old, found));
            references(text, |found| listed(&mut new, found));
            old.sort_unstable();
            new.sort_unstable();
            assert_eq!(old, new);
            assert!(len < 1000 || old.len() > len / 10);
        }
    }
}
