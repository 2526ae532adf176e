//! Which addresses near the sites are jumped to, from anywhere in an object.
//!
//! The text is not decoded as a whole. A pass over its bytes looks for everything that could be
//! a direct branch (or a reference to a jump table) whose target is one of the few addresses that
//! matter, and only such a suspect's function is decoded, to see whether it is an instruction.

use std::ops::Range;

use super::bytes;
use super::insn::{self, Flow, Insn};
use super::objects::Object;

/// A jump table with more entries than this is not followed to its end.
const TABLE_LIMIT: usize = 4096;

/// The addresses that matter, those inside of what may become a window, and which of them something leads to.
pub struct Sensitive {
    /// Sorted.
    addresses: Vec<usize>,
    /// Of each, whether it is led to.
    targets: Vec<bool>,
    /// One bit for each piece of text that has one of the addresses, or for several pieces of a very large text. Nearly all
    /// questions end here, in the first-level cache.
    pieces: Box<[u64; WORDS]>,
}

/// Bytes of a piece.
const PIECE: usize = 16;
const WORDS: usize = 2048;

impl Sensitive {
    /// `addresses` are sorted.
    pub fn new(mut addresses: Vec<usize>) -> Self {
        addresses.dedup();
        let mut pieces = Box::new([0; WORDS]);
        for address in &addresses {
            let piece = address / PIECE;
            pieces[piece / 64 % WORDS] |= 1u64 << (piece % 64);
        }
        let targets = vec![false; addresses.len()];
        Self { addresses, targets, pieces }
    }

    /// 1 if an address may be one of them, else 0.
    #[inline(always)]
    fn may_contain(&self, address: usize) -> u64 {
        let piece = address / PIECE;
        self.pieces[piece / 64 % WORDS] >> (piece % 64) & 1
    }

    fn index(&self, address: usize) -> Option<usize> {
        if self.may_contain(address) == 0 {
            return None;
        }
        self.addresses.binary_search(&address).ok()
    }

    pub fn contains(&self, address: usize) -> bool {
        self.index(address).is_some()
    }

    /// Something leads to `address`, which may be any.
    pub fn lead_to(&mut self, address: usize) {
        if let Some(index) = self.index(address) {
            self.targets[index] = true;
        }
    }

    /// Whether something leads to this one of the addresses.
    pub fn is_target(&self, address: usize) -> bool {
        self.index(address).is_some_and(|index| self.targets[index])
    }
}

/// The reach of a branch with an 8-bit displacement.
const SHORT: usize = 130;

/// Notes every sensitive address that some branch or jump table of the object leads to. Branches from one of the (sorted) `decoded` ranges to itself are known already.
pub fn collect(object: &Object, sensitive: &mut Sensitive, decoded: &[Range<usize>]) {
    let mut suspects: Vec<(usize, usize)> = Vec::new();
    let mut tables: Vec<(usize, Entries)> = Vec::new();
    let span = object.text_span();
    for segment in object.text() {
        let start = segment.range.start;
        if let Some(text) = object.bytes(start, segment.range.len()) {
            scan_wide(object, text, start, sensitive, &mut suspects, |some| {
                keep_tables(object, &span, some);
                tables.append(some);
            });
            scan_short(text, start, sensitive, decoded, &mut suspects);
        }
    }
    tables.sort_unstable();
    tables.dedup();
    for (table, entries) in tables {
        follow(object, table, entries, sensitive);
    }
    suspects.retain(|(branch, target)| {
        let home = decoded.partition_point(|range| range.end <= *branch);
        let known = decoded.get(home).is_some_and(|range| range.contains(branch) && range.contains(target));
        !known && !sensitive.is_target(*target)
    });
    suspects.sort_unstable();
    confirm(object, &suspects, sensitive);
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entries {
    /// Whatever a lea may mean.
    Any,
    Absolute,
}

/// Calls, branches and label addresses with a 32-bit displacement; and what may be jump tables: the
/// operands of `lea table(%rip),reg`, and of `jmp *table(,reg,8)` in a program that is not
/// position-independent. `take_tables` gets some at a time, and empties the vector.
pub(super) fn scan_wide(
    object: &Object,
    text: &[u8],
    start: usize,
    sensitive: &Sensitive,
    suspects: &mut Vec<(usize, usize)>,
    mut take_tables: impl FnMut(&mut Vec<(usize, Entries)>),
) {
    let span = object.text_span();
    let mut tables = Vec::with_capacity(bytes::PIECE / 8);
    // No processor can tell beforehand which are meant. So each is written down, and counts only if it may be.
    let mut meant = vec![0; bytes::PIECE];
    let mut last = [0; bytes::PIECE + BEYOND];
    bytes::references(text, |found| {
        let rest = &text[found.base..];
        let piece = match rest.first_chunk() {
            Some(piece) => piece,
            None => {
                last[..rest.len()].copy_from_slice(rest);
                &last
            }
        };
        // In range whatever the position: they are less than the bytes of a piece.
        let field = |at: usize| {
            let at = at % bytes::PIECE;
            i32::from_le_bytes([piece[at + 1], piece[at + 2], piece[at + 3], piece[at + 4]])
        };
        let next = start + found.base + 5;
        let target = |at: usize| (next + at).wrapping_add_signed(field(at) as isize);
        let mut count = 0;
        for &position in found.all {
            meant[count % bytes::PIECE] = position;
            count += sensitive.may_contain(target(position.into())) as usize;
        }
        for at in meant[..count].iter().map(|position| usize::from(*position)) {
            if sensitive.contains(target(at)) {
                suspects.push((start + found.base + at, target(at)));
            }
        }
        let operands = found.operands.iter().map(|position| target((*position).into()));
        let outside = |operand: &usize| operand.wrapping_sub(span.start) >= span.len();
        tables.extend(operands.filter(outside).map(|operand| (operand, Entries::Any)));
        for at in found.tables.iter().map(|position| usize::from(*position)) {
            if piece[at % bytes::PIECE + 2] & 0xc7 == 0xc5 {
                tables.push((field(at + 2) as usize, Entries::Absolute));
            }
        }
        take_tables(&mut tables);
    });
}

/// So much of what follows a piece belongs to what is found in it.
const BEYOND: usize = 8;

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
    let mut targets = sensitive.addresses.iter().copied().peekable();
    while let Some(first) = targets.next() {
        let home = decoded.get(decoded.partition_point(|range| range.end <= first));
        let home = home.filter(|home| home.contains(&first)).cloned().unwrap_or(first..first);
        let last = core::iter::from_fn(|| targets.next_if(|next| home.contains(next))).last().unwrap_or(first);
        scan(first.saturating_sub(SHORT), home.start);
        scan(home.end, last + SHORT);
    }
}

/// Keeps those of what may be jump tables whose first entry leads to text; most are other data.
fn keep_tables(object: &Object, text: &Range<usize>, tables: &mut Vec<(usize, Entries)>) {
    // Most lie in the same segment.
    let mut segment: (usize, &[u8]) = (0, &[]);
    tables.retain(|&(table, entries)| {
        if table.wrapping_sub(segment.0) >= segment.1.len() {
            let Some(bytes) = object.segment_at(table) else { return false };
            segment = bytes;
        }
        let Some(first) = segment.1[table - segment.0..].first_chunk() else { return false };
        let first = u64::from_le_bytes(*first);
        let relative = table.wrapping_add_signed(first as i32 as isize);
        text.contains(&(first as usize)) || entries == Entries::Any && text.contains(&relative)
    });
}

/// Reads a jump table: entries relative to the table (or absolute) as long as they lead to text.
/// Reading on into the next table only finds targets that do not exist.
fn follow(object: &Object, table: usize, entries: Entries, sensitive: &mut Sensitive) {
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
    absolute.for_each(|target| sensitive.lead_to(target));
    if entries == Entries::Absolute {
        return;
    }
    let relative = bytes
        .chunks_exact(4)
        .take(TABLE_LIMIT)
        .map(|entry| i32::from_le_bytes(entry.try_into().unwrap_or_default()))
        .map(|offset| table.wrapping_add_signed(offset as isize))
        .take_while(|target| text.contains(target));
    relative.for_each(|target| sensitive.lead_to(target));
}

/// Adds the targets of those (sorted) suspects whose bytes belong to an instruction that leads
/// there. When in doubt, they do.
fn confirm(object: &Object, suspects: &[(usize, usize)], sensitive: &mut Sensitive) {
    let function_of = |branch: usize| {
        let function = object.fdes().and_then(|fdes| fdes.function(object, branch))?;
        function.range.contains(&branch).then_some(function.range)
    };
    let mut rest = suspects;
    while let [(first, target), others @ ..] = rest {
        let code = function_of(*first).and_then(|f| Some((object.bytes(f.start, f.len())?, f)));
        let Some((code, function)) = code else {
            sensitive.lead_to(*target);
            rest = others;
            continue;
        };
        let inside = rest.partition_point(|(branch, _)| *branch < function.end);
        let mut at = function.start;
        for (branch, target) in &rest[..inside] {
            let insn = loop {
                let insn = insn::decode(&code[at - function.start..], at);
                if insn.flow == Flow::Invalid || insn.end() > *branch {
                    break insn;
                }
                at = insn.end();
            };
            if insn.flow == Flow::Invalid
                || insn.target() == Some(*target)
                || operand(&insn, code, function.start) == Some(*target)
            {
                sensitive.lead_to(*target);
            }
        }
        rest = &rest[inside..];
    }
}

/// What an operand of `code`, relative to the instruction, is the address of.
fn operand(insn: &Insn, code: &[u8], start: usize) -> Option<usize> {
    let field = insn.bytes(code, start).get(usize::from(insn.relative)..)?.first_chunk()?;
    (insn.relative != 0).then(|| insn.end().wrapping_add_signed(i32::from_le_bytes(*field) as isize))
}
