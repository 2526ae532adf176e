//! Where functions begin and end, from the unwind tables that every object carries for exceptions
//! and backtraces: the sorted table of `.eh_frame_hdr` leads from an address to its FDE.
//!
//! Sources: Linux Standard Base, "Exception Frames"; Itanium C++ ABI, "Exception Handling Tables".
//! Only the encodings that the usual linkers and compilers emit are read. Whatever is different is
//! treated as absent, and the look-up gets coarser, never wrong.

use std::ops::Range;

use super::objects::Object;

/// Version, encoding of the pointer to `.eh_frame` (four bytes, sdata4 pc-relative), of the count
/// (udata4), of the table (pairs of sdata4 relative to the header).
const HEADER: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
const COUNT: usize = 8;
const TABLE: usize = 12;
const ENTRY: usize = 8;

#[derive(Debug, Clone, Copy)]
pub struct FdeTable {
    header: usize,
    count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// What the FDE covers.
    pub range: Range<usize>,
    /// Start of the next function, or end of the segment.
    pub next: usize,
    fde: usize,
}

impl FdeTable {
    pub fn new(object: &Object, header: usize) -> Option<Self> {
        if object.array(header)? != HEADER {
            return None;
        }
        let count = object.read_u32(header + COUNT)? as usize;
        let whole = object.bytes(header + TABLE, count * ENTRY)?.len() == count * ENTRY;
        (count > 0 && whole).then_some(Self { header, count })
    }

    /// The table's entries, sorted: where a function starts, and where its FDE is.
    fn entries<'a>(&self, object: &'a Object) -> &'a [[u8; ENTRY]] {
        object.bytes(self.header + TABLE, self.count * ENTRY).unwrap_or_default().as_chunks().0
    }

    fn field(&self, entry: &[u8; ENTRY], at: usize) -> usize {
        let offset = i32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        self.header.wrapping_add_signed(offset as isize)
    }

    fn start(&self, entry: &[u8; ENTRY]) -> usize {
        self.field(entry, 0)
    }

    /// The last function that starts at or before `address`; it need not reach so far.
    pub fn function(&self, object: &Object, address: usize) -> Option<Function> {
        let entries = self.entries(object);
        let index = entries.partition_point(|entry| self.start(entry) <= address).checked_sub(1)?;
        let (start, fde) = (self.start(&entries[index]), self.field(&entries[index], 4));
        let segment = object.text_segment(start)?;
        let next = entries.get(index + 1).map(|entry| self.start(entry));
        let next = next.filter(|next| segment.range.contains(next)).unwrap_or(segment.range.end);
        if !segment.range.contains(&address) {
            return None;
        }
        let end = plain_fde(object, fde, start).map_or(next, |len| start + len);
        Some(Function { range: start..end.min(next), next, fde })
    }
}

/// The length of the code that an FDE covers, if its pointers are pc-relative and four bytes.
fn plain_fde(object: &Object, fde: usize, start: usize) -> Option<usize> {
    let begin = (fde + 8).wrapping_add_signed(object.read_i32(fde + 8)? as isize);
    if begin != start {
        return None;
    }
    object.read_u32(fde + 12).map(|len| len as usize)
}

/// Where exceptions land in this function: the unwinder jumps there, no instruction does.
pub fn landing_pads(object: &Object, function: &Function) -> Vec<usize> {
    pads(object, function).unwrap_or_default()
}

fn pads(object: &Object, function: &Function) -> Option<Vec<usize>> {
    plain_fde(object, function.fde, function.range.start)?;
    let mut at = function.fde + 16;
    // Augmentation data: only an LSDA pointer, pc-relative and four bytes.
    if uleb(object, &mut at)? != 4 {
        return None;
    }
    let offset = object.read_i32(at)?;
    if offset == 0 {
        return None;
    }
    let mut at = at.wrapping_add_signed(offset as isize);
    if byte(object, &mut at)? != 0xff {
        return None;
    }
    if byte(object, &mut at)? != 0xff {
        uleb(object, &mut at)?;
    }
    let encoding = byte(object, &mut at)?;
    let len = uleb(object, &mut at)?;
    let end = at.checked_add(len)?;
    let mut pads = Vec::new();
    while at < end {
        let field = |at: &mut usize| match encoding & 0x0f {
            0x01 => uleb(object, at),
            0x03 => {
                let value = object.read_u32(*at)? as usize;
                *at += 4;
                Some(value)
            }
            _ => None,
        };
        field(&mut at)?;
        field(&mut at)?;
        let pad = field(&mut at)?;
        uleb(object, &mut at)?;
        if pad != 0 {
            pads.push(function.range.start + pad);
        }
    }
    Some(pads)
}

fn byte(object: &Object, at: &mut usize) -> Option<u8> {
    let [value] = object.array(*at)?;
    *at += 1;
    Some(value)
}

fn uleb(object: &Object, at: &mut usize) -> Option<usize> {
    let mut value = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let next = byte(object, at)?;
        value |= usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
