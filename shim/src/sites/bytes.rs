//! Searching text for pairs of bytes, many at a time: with AVX2 where there is such a processor, else with SSE2, which every
//! x86-64 has. What is generic is compiled once for each, into the functions that name the processor's features.

use std::arch::x86_64::*;
use std::ops::{BitAnd, BitOr};

/// So many positions are tested at once.
const BLOCK: usize = 64;
/// Hits are told after so many bytes at the latest.
const PIECE: usize = 4096;
/// So many hits of a block are noted without a look at how many there are: branches that no processor foresees cost
/// more than all else here.
const USUAL: usize = 8;

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
    let test = |a: L, b: L| a.equal(0x0f) & b.equal(0x05);
    blocks(text, test, |start, mut mask| {
        while mask != 0 {
            found.push(start + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
    });
    found
}

/// Calls `hits` with the positions of everything that may be the last opcode bytes of a call, jmp, jcc, xbegin or lea with
/// a 32-bit displacement, or of a `jmp *table(…)`: where they are counted from, and many at once.
pub fn wide_references(text: &[u8], hits: impl FnMut(usize, &[u16])) {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn with_avx2(text: &[u8], hits: impl FnMut(usize, &[u16])) {
        find_wide_references::<Avx2>(text, hits)
    }
    if wants_avx2(text) {
        // SAFETY: the processor has the features.
        unsafe { with_avx2(text, hits) }
    } else {
        find_wide_references::<Sse2>(text, hits)
    }
}

#[inline(always)]
fn find_wide_references<L: Lanes>(text: &[u8], mut hits: impl FnMut(usize, &[u16])) {
    let test = |a: L, b: L| {
        let near = a.masked(0xfe).equal(0xe8);
        let jcc = a.equal(0x0f) & b.masked(0xf0).equal(0x80);
        let xbegin = a.equal(0xc7) & b.equal(0xf8);
        let lea = a.equal(0x8d) & b.masked(0xc7).equal(0x05);
        let indirect = a.equal(0xff) & b.equal(0x24);
        near | jcc | xbegin | lea | indirect
    };
    let mut found = vec![0u16; PIECE];
    let (mut count, mut base) = (0, 0);
    blocks(text, test, |start, mut mask| {
        if start - base >= PIECE - BLOCK {
            hits(base, &found[..count]);
            (count, base) = (0, start);
        }
        let offset = (start - base) as u16;
        let Some(free) = found[count..].first_chunk_mut::<BLOCK>() else { return };
        let all = mask.count_ones() as usize;
        for slot in &mut free[..USUAL] {
            *slot = offset + mask.trailing_zeros() as u16;
            mask &= mask.wrapping_sub(1);
        }
        for slot in &mut free[USUAL..all.max(USUAL)] {
            *slot = offset + mask.trailing_zeros() as u16;
            mask &= mask.wrapping_sub(1);
        }
        count += all;
    });
    hits(base, &found[..count]);
}

/// Calls `hit` with the start of each block and a bit for each of its positions whose byte and next byte pass `test`.
/// Zeros must pass no test.
#[inline(always)]
fn blocks<L: Lanes>(text: &[u8], test: impl Fn(L, L) -> L, mut hit: impl FnMut(usize, u64)) {
    let whole = text.len().saturating_sub(1) / BLOCK;
    let mut last = [0; BLOCK + 1];
    let rest = &text[whole * BLOCK..];
    last[..rest.len()].copy_from_slice(rest);
    for index in 0..=whole {
        let block = if index < whole { text[index * BLOCK..].first_chunk().unwrap_or(&last) } else { &last };
        let mut mask = 0;
        for at in (0..BLOCK).step_by(L::COUNT) {
            mask |= test(L::load(block, at), L::load(block, at + 1)).bits() << at;
        }
        if mask != 0 {
            hit(index * BLOCK, mask);
        }
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
            find_wide_references::<Sse2>(text, |base, hits| old.extend(hits.iter().map(|hit| base + *hit as usize)));
            wide_references(text, |base, hits| new.extend(hits.iter().map(|hit| base + *hit as usize)));
            assert_eq!(old, new);
            assert!(len < 1000 || old.len() > len / 10);
        }
    }
}
