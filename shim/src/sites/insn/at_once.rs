//! Most instructions, decoded without a branch that depends on what they are.

use super::tables::After::*;
use super::tables::{ONE_BYTE, REX, REX_W, TWO_BYTES};
use super::{Flow, Insn};

/// Nearly all instructions: no prefix but REX, nothing unusual, and enough bytes behind it. Everything is computed and nothing
/// branched on, since no processor foresees what the next instruction is.
#[inline(always)]
pub(super) fn at_once(code: &[u8], at: usize) -> Option<Insn> {
    let window: &[u8; 16] = code.first_chunk()?;
    let rex = usize::from(window[0] & 0xf0 == REX);
    let two_bytes = usize::from(window[rex] == 0x0f);
    let place = rex + two_bytes;
    let shape = SHAPES[two_bytes << 8 | usize::from(window[place % 16])];
    let modrm = window[(place + 1) % 16];
    // The manual's table of addressing forms: an index byte, and a displacement of one byte or four.
    let (memory, indexed) = (modrm < 0xc0, modrm & 7 == 4);
    let base = if indexed { window[(place + 2) % 16] } else { modrm } & 7;
    let absolute = modrm < 0x40 && base == 5;
    let long = absolute || modrm & 0xc0 == 0x80;
    let short = modrm & 0xc0 == 0x40;
    let operand = 1 + usize::from(memory) * (usize::from(indexed) + usize::from(long) * 4 + usize::from(short));
    let has_operand = usize::from(shape & WITH_OPERAND != 0);
    let wide = shape & FULL != 0 && window[0] & (0xf0 | REX_W) == REX | REX_W;
    let len = place + 1 + has_operand * operand + usize::from(shape & IMMEDIATE) + 4 * usize::from(wide);
    if shape & UNUSUAL != 0 || shape & ONLY_0 != 0 && modrm & 0x38 != 0 {
        return None;
    }
    let relative = has_operand * usize::from(absolute && !indexed) * (place + 2);
    let flow = if shape & BRANCHES == 0 { Flow::Next } else { branch(window, place, len, at)? };
    Some(Insn { at, len: len as u8, relative: relative as u8, flow })
}

/// Where a call or jump leads whose opcode is at `place`.
#[inline]
fn branch(window: &[u8; 16], place: usize, len: usize, at: usize) -> Option<Flow> {
    let distance = match len - place {
        2 => isize::from(window[place + 1] as i8),
        _ => i32::from_le_bytes(*window[place + 1..].first_chunk()?) as isize,
    };
    let target = (at + len).wrapping_add_signed(distance);
    Some(match window[place] {
        0xe9 | 0xeb => Flow::Jump(target),
        0x70..=0x8f => Flow::Branch(target),
        _ => Flow::Leads(target),
    })
}

/// What of an opcode `at_once` knows: the bytes of its immediate, and these.
const IMMEDIATE: u8 = 7;
const WITH_OPERAND: u8 = 8;
const BRANCHES: u8 = 16;
const UNUSUAL: u8 = 32;
/// Four bytes more with REX.W.
const FULL: u8 = 64;
/// With any other register field it is something else.
const ONLY_0: u8 = 128;

const SHAPES: [u8; 512] = {
    let mut shapes = [UNUSUAL; 512];
    let mut at = 0;
    while at < 512 {
        let (two_bytes, opcode) = (at >= 256, (at & 255) as u8);
        shapes[at] = match if two_bytes { TWO_BYTES[at & 255] } else { ONE_BYTE[at] } {
            Nothing => 0,
            Byte => 1,
            Whole => 4,
            Operand => WITH_OPERAND,
            OperandByte => WITH_OPERAND | 1,
            OperandWhole => WITH_OPERAND | 4,
            Full => FULL | 4,
            MoveByte | TestByte => WITH_OPERAND | ONLY_0 | 1,
            MoveWhole | TestWhole => WITH_OPERAND | ONLY_0 | 4,
            Near => BRANCHES | 1,
            Far => BRANCHES | 4,
            _ => UNUSUAL,
        };
        // Those that lead elsewhere, and those that have a prefix in their opcode.
        let special = if two_bytes {
            matches!(opcode, 0x05 | 0x0b | 0x1e | 0x38 | 0x3a | 0xb8)
        } else {
            matches!(opcode, 0x0f | 0xc2 | 0xc3 | 0xca..=0xcf | 0xf1)
        };
        if special {
            shapes[at] = UNUSUAL;
        }
        at += 1;
    }
    shapes
};
