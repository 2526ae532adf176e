//! The tables against iced-x86.

use super::*;
use crate::sites::objects::{self, Kind};

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn assert_same_at_once(code: &[u8], at: usize) {
    if let Some(insn) = at_once(code, at) {
        assert_eq!(Some(insn), by_tables(code, at), "{:x?}", &code[..16]);
    }
}

#[test]
fn tables_agree_with_iced_on_libc() {
    let (mut all, mut known) = (0, 0);
    for object in objects::loaded() {
        // Of the program and of ours there is much, and nothing new.
        if !matches!(object.kind, Kind::Libc | Kind::Glibc) {
            continue;
        }
        for segment in object.text() {
            let code = object.bytes(segment.range.start, segment.range.len()).expect("text");
            let mut at = 0;
            while at < code.len() {
                let expected = by_iced(&code[at..], segment.range.start + at);
                assert_same_at_once(&code[at..], segment.range.start + at);
                if let Some(insn) = by_tables(&code[at..], segment.range.start + at) {
                    if expected.flow != Flow::Invalid {
                        assert_eq!(insn, expected, "{:x?}", &code[at..code.len().min(at + 15)]);
                        known += 1;
                    }
                }
                at += usize::from(expected.len);
                all += 1;
            }
        }
    }
    // The rest is AVX, of which libc has many copies of a few functions.
    assert!(all > 100_000 && known > all / 2, "{known} of {all}");
}

#[test]
fn tables_agree_with_iced_on_random_bytes() {
    let mut state = 1;
    let (mut same, mut strange) = (0, 0);
    for _ in 0..400_000 {
        let mut code: [u8; 16] = std::array::from_fn(|_| random(&mut state) as u8);
        // Prefixes and two-byte opcodes are rarer in random bytes than in code.
        match random(&mut state) % 4 {
            0 => code[0] = 0x0f,
            1 => (code[0], code[1]) = (0x40 | code[0] & 0x0f, 0x0f),
            2 => code[0] = [0x66, 0xf2, 0xf3, 0xf0, 0x2e, 0x67][random(&mut state) as usize % 6],
            _ => {}
        }
        assert_same_at_once(&code, 0x1000);
        let Some(insn) = by_tables(&code, 0x1000) else { continue };
        let expected = by_iced(&code, 0x1000);
        if expected.flow == Flow::Invalid {
            strange += 1;
        } else {
            assert_eq!(insn, expected, "{code:x?}");
            same += 1;
        }
    }
    assert!(same > 10 * strange, "{same} {strange}");
}

#[test]
fn what_is_cut_off_is_no_instruction() {
    let code: [u8; 12] = [0x66, 0x2e, 0x48, 0xc7, 0x84, 0x25, 1, 2, 3, 4, 5, 6];
    for len in 0..code.len() {
        assert_eq!(decode(&code[..len], 0).flow, Flow::Invalid, "{len}");
    }
}

#[test]
fn constants_come_from_the_last_who_sets_them() {
    let constant = |before: &[&[u8]]| constant_in_rax(before.iter().rev().copied());
    let (mov, by_r9): (&[u8], &[u8]) = (&[0xb8, 39, 0, 0, 0], &[0x44, 0x89, 0xc8]);
    let set_r9: &[u8] = &[0x41, 0xb9, 15, 0, 0, 0];
    assert_eq!(constant(&[mov]), Some(39));
    assert_eq!(constant(&[&[0x48, 0xc7, 0xc0, 15, 0, 0, 0]]), Some(15));
    assert_eq!(constant(&[mov, &[0x31, 0xc0]]), Some(0));
    assert_eq!(constant(&[set_r9, mov, by_r9]), Some(15));
    // cmp %ebx,%eax; mov %eax,8(%rsp)
    assert_eq!(constant(&[mov, &[0x39, 0xd8], &[0x89, 0x44, 0x24, 8]]), Some(39));
    // mov (%rbx),%eax; or $1,%eax; xor %ebx,%eax
    for sets in [&[0x8b, 0x03][..], &[0x83, 0xc8, 1], &[0x31, 0xd8]] {
        assert_eq!(constant(&[mov, sets]), None);
    }
    assert_eq!(constant(&[set_r9]), None);
}
