//! Which addresses near the sites are jumped to, from anywhere in an object.
//!
//! The text is not decoded as a whole. A pass over its bytes looks for everything that could be
//! a direct branch (or a reference to a jump table) whose target is one of the few addresses that
//! matter, and only such a suspect's function is decoded, to see whether it is an instruction.

use std::collections::HashSet;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind};

use super::bytes;
use super::objects::Object;

/// A jump table with more entries than this is not followed to its end.
const TABLE_LIMIT: usize = 4096;

/// Instruction boundaries that may come to lie inside a window: one bit per byte of text.
pub struct Sensitive {
    span: Range<usize>,
    bits: Vec<u64>,
    /// One bit for each word of `bits` that is not 0. Nearly all questions end here, in the first-level cache.
    words: Vec<u64>,
}

impl Sensitive {
    pub fn new(span: Range<usize>) -> Self {
        let words = span.len() / 64 + 1;
        Self { span, bits: vec![0; words], words: vec![0; words / 64 + 1] }
    }

    pub fn insert(&mut self, address: usize) {
        if self.span.contains(&address) {
            let at = address - self.span.start;
            self.bits[at / 64] |= 1 << (at % 64);
            self.words[at / 4096] |= 1 << (at / 64 % 64);
        }
    }

    pub fn contains(&self, address: usize) -> bool {
        let at = address.wrapping_sub(self.span.start);
        self.words.get(at / 4096).is_some_and(|word| word >> (at / 64 % 64) & 1 != 0)
            && self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.bits.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(move |(index, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| self.span.start + index * 64 + bit)
        })
    }
}

/// `jmp *table(…)`, the first two bytes.
const JMP_TABLE: u16 = 0x24ff;
/// The reach of a branch with an 8-bit displacement.
const SHORT: usize = 130;

/// The direct branch target of an instruction.
pub fn branch_target(instruction: &Instruction) -> Option<usize> {
    match instruction.op0_kind() {
        OpKind::NearBranch64 => Some(instruction.near_branch64() as usize),
        _ => None,
    }
}

/// Adds to `targets` every sensitive address that some branch or jump table of the object leads
/// to. Branches from one of the (sorted) `decoded` ranges to itself are known already.
pub fn collect(object: &Object, sensitive: &Sensitive, decoded: &[Range<usize>], targets: &mut HashSet<usize>) {
    let mut suspects: Vec<(usize, usize)> = Vec::new();
    let mut tables: Vec<(usize, Entries)> = Vec::new();
    for segment in object.text() {
        let start = segment.range.start;
        if let Some(text) = object.bytes(start, segment.range.len()) {
            scan_wide(object, text, start, sensitive, &mut suspects, &mut tables);
            scan_short(text, start, sensitive, decoded, &mut suspects);
        }
    }
    let span = object.text_span();
    tables.retain(|(table, entries)| leads_to_text(object, &span, *table, *entries));
    tables.sort_unstable();
    tables.dedup();
    for (table, entries) in tables {
        follow(object, table, entries, sensitive, targets);
    }
    suspects.retain(|(branch, target)| {
        let home = decoded.partition_point(|range| range.end <= *branch);
        let known = decoded.get(home).is_some_and(|range| range.contains(branch) && range.contains(target));
        !known && !targets.contains(target)
    });
    suspects.sort_unstable();
    confirm(object, &suspects, targets);
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entries {
    /// Whatever a lea may mean.
    Any,
    Absolute,
}

/// Calls, branches and label addresses with a 32-bit displacement; and what may be jump tables: the
/// operands of `lea table(%rip),reg`, and of `jmp *table(,reg,8)` in a program that is not
/// position-independent.
pub(super) fn scan_wide(
    object: &Object,
    text: &[u8],
    start: usize,
    sensitive: &Sensitive,
    suspects: &mut Vec<(usize, usize)>,
    tables: &mut Vec<(usize, Entries)>,
) {
    let span = object.text_span();
    bytes::wide_references(text, |base, hits| {
        for at in hits.iter().map(|hit| base + usize::from(*hit)) {
            let Some(code) = text.get(at..at + 8).and_then(|code| code.first_chunk()) else {
                scan_last(text, start, at, sensitive, suspects, tables);
                continue;
            };
            let code = u64::from_le_bytes(*code);
            if code & 0xffff == JMP_TABLE.into() {
                if code >> 16 & 0xc7 == 0xc5 {
                    tables.push(((code >> 24) as i32 as usize, Entries::Absolute));
                }
                continue;
            }
            // One byte of opcode, or two.
            let one = usize::from(code & 0xfe == 0xe8);
            let offset = (code >> (16 - 8 * one)) as i32;
            let target = (start + at + 6 - one).wrapping_add_signed(offset as isize);
            if span.contains(&target) {
                if sensitive.contains(target) {
                    suspects.push((start + at, target));
                }
            } else if code & 0xff == 0x8d {
                tables.push((target, Entries::Any));
            }
        }
    });
}

/// One of the last few bytes of a text.
#[cold]
fn scan_last(
    text: &[u8],
    start: usize,
    at: usize,
    sensitive: &Sensitive,
    suspects: &mut Vec<(usize, usize)>,
    tables: &mut Vec<(usize, Entries)>,
) {
    let code = &text[at..];
    let displacement = |from: usize| {
        let field = code.get(from..).and_then(|rest| rest.first_chunk());
        field.map(|bytes| i32::from_le_bytes(*bytes) as isize)
    };
    if let [0xff, 0x24, sib, ..] = *code {
        let operand = displacement(3).filter(|_| sib & 0xc7 == 0xc5);
        tables.extend(operand.map(|table| (table as usize, Entries::Absolute)));
        return;
    }
    let opcode = if matches!(code[0], 0xe8 | 0xe9) { 1 } else { 2 };
    let Some(offset) = displacement(opcode) else {
        return;
    };
    let target = (start + at + opcode + 4).wrapping_add_signed(offset);
    if sensitive.contains(target) {
        suspects.push((start + at, target));
    }
    if code[0] == 0x8d {
        tables.push((target, Entries::Any));
    }
}

/// Branches with an 8-bit displacement: jcc, jmp, loop, jrcxz. Those from one of the (sorted) `decoded` ranges to itself
/// are known.
fn scan_short(
    text: &[u8],
    start: usize,
    sensitive: &Sensitive,
    decoded: &[Range<usize>],
    suspects: &mut Vec<(usize, usize)>,
) {
    let mut scan = |from: usize, to: usize| {
        let clip = |address: usize| address.saturating_sub(start).min(text.len().saturating_sub(1));
        for at in clip(from)..clip(to) {
            if !matches!(text[at], 0x70..=0x7f | 0xe0..=0xe3 | 0xeb) {
                continue;
            }
            let target = (start + at + 2).wrapping_add_signed((text[at + 1] as i8).into());
            if sensitive.contains(target) {
                suspects.push((start + at, target));
            }
        }
    };
    let mut targets = sensitive.iter().peekable();
    while let Some(first) = targets.next() {
        let home = decoded.get(decoded.partition_point(|range| range.end <= first));
        let home = home.filter(|home| home.contains(&first)).cloned().unwrap_or(first..first);
        let last = core::iter::from_fn(|| targets.next_if(|next| home.contains(next))).last().unwrap_or(first);
        scan(first.saturating_sub(SHORT), home.start);
        scan(home.end, last + SHORT);
    }
}

/// Whether the first entry of what may be a jump table leads to text; most are other data.
fn leads_to_text(object: &Object, text: &Range<usize>, table: usize, entries: Entries) -> bool {
    let Some(first) = object.bytes(table, 8) else { return false };
    let absolute = first.first_chunk().is_some_and(|entry| text.contains(&(u64::from_le_bytes(*entry) as usize)));
    let relative = |entry: &[u8; 4]| text.contains(&table.wrapping_add_signed(i32::from_le_bytes(*entry) as isize));
    absolute || entries == Entries::Any && first.first_chunk().is_some_and(relative)
}

/// Reads a jump table: entries relative to the table (or absolute) as long as they lead to text.
/// Reading on into the next table only finds targets that do not exist.
fn follow(object: &Object, table: usize, entries: Entries, sensitive: &Sensitive, targets: &mut HashSet<usize>) {
    let Some(bytes) = object.bytes(table, TABLE_LIMIT * 8) else {
        return;
    };
    let text = object.text_span();
    if text.contains(&table) {
        return;
    }
    let absolute = bytes
        .chunks_exact(8)
        .map(|entry| u64::from_le_bytes(entry.try_into().unwrap_or_default()) as usize)
        .take_while(|target| text.contains(target));
    targets.extend(absolute.filter(|target| sensitive.contains(*target)));
    if entries == Entries::Absolute {
        return;
    }
    let relative = bytes
        .chunks_exact(4)
        .take(TABLE_LIMIT)
        .map(|entry| i32::from_le_bytes(entry.try_into().unwrap_or_default()))
        .map(|offset| table.wrapping_add_signed(offset as isize))
        .take_while(|target| text.contains(target));
    targets.extend(relative.filter(|target| sensitive.contains(*target)));
}

/// Adds the targets of those (sorted) suspects whose bytes belong to an instruction that leads
/// there. When in doubt, they do.
fn confirm(object: &Object, suspects: &[(usize, usize)], targets: &mut HashSet<usize>) {
    let function_of = |branch: usize| {
        let function = object.fdes.and_then(|fdes| fdes.function(object, branch))?;
        function.range.contains(&branch).then_some(function.range)
    };
    let mut rest = suspects;
    while let [(first, target), others @ ..] = rest {
        let code = function_of(*first).and_then(|f| Some((object.bytes(f.start, f.len())?, f)));
        let Some((code, function)) = code else {
            targets.insert(*target);
            rest = others;
            continue;
        };
        let inside = rest.partition_point(|(branch, _)| *branch < function.end);
        let mut decoder = Decoder::with_ip(64, code, function.start as u64, DecoderOptions::NONE);
        let mut instruction = decoder.decode();
        for (branch, target) in &rest[..inside] {
            while !instruction.is_invalid() && instruction.next_ip() as usize <= *branch {
                decoder.decode_out(&mut instruction);
            }
            if instruction.is_invalid() || leads_to(&instruction, *target) {
                targets.insert(*target);
            }
        }
        rest = &rest[inside..];
    }
}

fn leads_to(instruction: &Instruction, target: usize) -> bool {
    branch_target(instruction) == Some(target)
        || instruction.is_ip_rel_memory_operand() && instruction.ip_rel_memory_address() == target as u64
}
