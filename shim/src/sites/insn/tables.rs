//! What follows each opcode, and instructions decoded by it.

use super::{Flow, Insn, LONGEST, OPERAND_SIZE};

/// What follows an opcode.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum After {
    /// Not in these tables.
    Unknown,
    Nothing,
    /// An immediate of so many bytes.
    Byte,
    Word,
    /// Four bytes, or two with an operand size prefix.
    Whole,
    /// `mov $…,reg`: eight bytes with REX.W.
    Full,
    /// `mov` from or to an absolute address.
    Address,
    /// `enter`.
    ThreeBytes,
    /// A distance of one byte or four.
    Near,
    Far,
    /// ModRM and what belongs to it, and then …
    Operand,
    OperandByte,
    OperandWhole,
    /// … an immediate if the ModRM byte's register field is 0 or 1 (`test`).
    TestByte,
    TestWhole,
    /// ModRM whose register field must be 0 (`mov $…`, `pop`), or the two forms of `c6`, `c7` that belong to transactions.
    MoveByte,
    MoveWhole,
    Pop,
    /// `inc` and `dec` of a byte, and what `ff` does.
    IncByte,
    Group5,
}

use After::*;

const fn fill(table: &mut [After; 256], from: usize, to: usize, after: After) {
    let mut at = from;
    while at <= to {
        table[at] = after;
        at += 1;
    }
}

pub(super) const ONE_BYTE: [After; 256] = {
    let mut table = [Nothing; 256];
    let mut row = 0;
    while row < 0x40 {
        fill(&mut table, row, row + 3, Operand);
        table[row + 4] = Byte;
        table[row + 5] = Whole;
        fill(&mut table, row + 6, row + 7, Unknown);
        row += 8;
    }
    fill(&mut table, 0x40, 0x4f, Unknown);
    fill(&mut table, 0x60, 0x67, Unknown);
    table[0x63] = Operand;
    table[0x68] = Whole;
    table[0x69] = OperandWhole;
    table[0x6a] = Byte;
    table[0x6b] = OperandByte;
    fill(&mut table, 0x70, 0x7f, Near);
    fill(&mut table, 0x80, 0x8e, Operand);
    table[0x80] = OperandByte;
    table[0x81] = OperandWhole;
    table[0x82] = Unknown;
    table[0x83] = OperandByte;
    table[0x8f] = Pop;
    table[0x9a] = Unknown;
    fill(&mut table, 0xa0, 0xa3, Address);
    table[0xa8] = Byte;
    table[0xa9] = Whole;
    fill(&mut table, 0xb0, 0xb7, Byte);
    fill(&mut table, 0xb8, 0xbf, Full);
    fill(&mut table, 0xc0, 0xc1, OperandByte);
    table[0xc2] = Word;
    fill(&mut table, 0xc4, 0xc5, Unknown);
    table[0xc6] = MoveByte;
    table[0xc7] = MoveWhole;
    table[0xc8] = ThreeBytes;
    table[0xca] = Word;
    table[0xcd] = Byte;
    table[0xce] = Unknown;
    fill(&mut table, 0xd0, 0xd3, Operand);
    fill(&mut table, 0xd4, 0xd6, Unknown);
    // x87: not every register form exists, but all have the same length.
    fill(&mut table, 0xd8, 0xdf, Operand);
    fill(&mut table, 0xe0, 0xe3, Near);
    fill(&mut table, 0xe4, 0xe7, Byte);
    fill(&mut table, 0xe8, 0xe9, Far);
    table[0xea] = Unknown;
    table[0xeb] = Near;
    fill(&mut table, 0xf0, 0xf3, Unknown);
    table[0xf6] = TestByte;
    table[0xf7] = TestWhole;
    table[0xfe] = IncByte;
    table[0xff] = Group5;
    table
};

/// Behind `0f`.
pub(super) const TWO_BYTES: [After; 256] = {
    let mut table = [Unknown; 256];
    table[0x05] = Nothing;
    table[0x0b] = Nothing;
    table[0x0d] = Operand;
    fill(&mut table, 0x10, 0x1f, Operand);
    fill(&mut table, 0x28, 0x2f, Operand);
    table[0x31] = Nothing;
    fill(&mut table, 0x40, 0x6f, Operand);
    fill(&mut table, 0x70, 0x73, OperandByte);
    fill(&mut table, 0x74, 0x76, Operand);
    table[0x77] = Nothing;
    fill(&mut table, 0x7c, 0x7f, Operand);
    fill(&mut table, 0x80, 0x8f, Far);
    fill(&mut table, 0x90, 0x9f, Operand);
    table[0xa2] = Nothing;
    table[0xa3] = Operand;
    table[0xa4] = OperandByte;
    table[0xa5] = Operand;
    table[0xab] = Operand;
    table[0xac] = OperandByte;
    fill(&mut table, 0xad, 0xaf, Operand);
    fill(&mut table, 0xb0, 0xb1, Operand);
    table[0xb3] = Operand;
    fill(&mut table, 0xb6, 0xb8, Operand);
    table[0xba] = OperandByte;
    fill(&mut table, 0xbb, 0xc1, Operand);
    table[0xc2] = OperandByte;
    table[0xc3] = Operand;
    fill(&mut table, 0xc4, 0xc6, OperandByte);
    table[0xc7] = Operand;
    fill(&mut table, 0xc8, 0xcf, Nothing);
    fill(&mut table, 0xd0, 0xfe, Operand);
    table
};

const ADDRESS_SIZE: u8 = 0x67;
const LOCK: u8 = 0xf0;
pub(super) const REX: u8 = 0x40;
pub(super) const REX_W: u8 = 8;

/// Reads an instruction from its first byte to its last.
struct Reader<'a> {
    code: &'a [u8],
    next: usize,
}

impl Reader<'_> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.code.get(self.next)?;
        self.next += 1;
        Some(byte)
    }

    /// Steps over what a ModRM byte calls for; where in the instruction a relative displacement lies, or 0.
    #[inline]
    fn operand(&mut self, modrm: u8) -> Option<u8> {
        let (mode, mut base) = (modrm >> 6, modrm & 7);
        if mode == 3 {
            return Some(0);
        }
        let indexed = base == 4;
        if indexed {
            base = self.byte()? & 7;
        }
        let at = self.next;
        self.next += match mode {
            0 if base == 5 => 4,
            0 => 0,
            1 => 1,
            _ => 4,
        };
        Some(if mode == 0 && base == 5 && !indexed { at as u8 } else { 0 })
    }

    fn distance(&self, at: usize, bytes: usize) -> Option<usize> {
        let field = self.code.get(self.next - bytes..self.next)?;
        let distance = match *field {
            [byte] => isize::from(byte as i8),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as isize,
            _ => return None,
        };
        Some((at + self.next).wrapping_add_signed(distance))
    }
}

/// `None`: not in these tables, or cut off.
#[inline]
pub(super) fn by_tables(code: &[u8], at: usize) -> Option<Insn> {
    let mut reader = Reader { code, next: 0 };
    let (mut small, mut address, mut locked, mut repeated) = (false, false, false, false);
    let mut opcode = reader.byte()?;
    loop {
        match opcode {
            OPERAND_SIZE => small = true,
            ADDRESS_SIZE => address = true,
            LOCK => locked = true,
            0xf2 | 0xf3 => repeated = true,
            0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 => {}
            _ => break,
        }
        opcode = reader.byte()?;
    }
    let mut wide = false;
    if opcode & 0xf0 == REX {
        wide = opcode & REX_W != 0;
        opcode = reader.byte()?;
    }
    let two_bytes = opcode == 0x0f;
    let mut after = ONE_BYTE[usize::from(opcode)];
    if two_bytes {
        opcode = reader.byte()?;
        after = match opcode {
            0x38 | 0x3a => {
                let third = reader.byte()?;
                // SSSE3 to SSE4.2; what is newer has other prefixes, or none in code that is still to be met.
                match (opcode, third) {
                    (
                        0x38,
                        0x00..=0x0b | 0x10 | 0x14 | 0x15 | 0x17 | 0x1c..=0x1e | 0x20..=0x25 | 0x28..=0x2b | 0x30..=0x41,
                    ) => Operand,
                    (0x38, 0xf0 | 0xf1) => Operand,
                    (0x3a, 0x08..=0x0f | 0x14..=0x17 | 0x20..=0x22 | 0x40..=0x42 | 0x44 | 0x60..=0x63) => OperandByte,
                    _ => return None,
                }
            }
            // Without a prefix this one is another.
            0xb8 if !repeated => return None,
            _ => TWO_BYTES[usize::from(opcode)],
        };
    }
    let whole = if small && !wide { 2 } else { 4 };
    let mut modrm = 0;
    let mut relative = 0;
    if after as u8 >= Operand as u8 {
        modrm = reader.byte()?;
        relative = reader.operand(modrm)?;
    }
    let register = modrm >> 3 & 7;
    let plain = |holds: bool| if holds { Some(()) } else { None };
    let mut distance = 0;
    reader.next += match after {
        Unknown => return None,
        Nothing | Operand => 0,
        Byte | OperandByte => 1,
        Word => 2,
        ThreeBytes => 3,
        Whole | OperandWhole => whole,
        Full if wide => 8,
        Full => whole,
        Address if address => return None,
        Address => 8,
        Near => {
            distance = 1;
            1
        }
        Far => {
            plain(!small)?;
            distance = 4;
            4
        }
        TestByte => usize::from(register < 2),
        TestWhole => whole * usize::from(register < 2),
        MoveByte => {
            plain(register == 0)?;
            1
        }
        MoveWhole => {
            plain(register == 0)?;
            whole
        }
        Pop => {
            plain(register == 0)?;
            0
        }
        IncByte => {
            plain(register < 2)?;
            0
        }
        Group5 => {
            plain(register < 7)?;
            0
        }
    };
    if reader.next > code.len().min(LONGEST) || relative != 0 && address {
        return None;
    }
    let flow = match (two_bytes, opcode) {
        _ if locked => Flow::Stays,
        _ if distance != 0 => {
            let target = reader.distance(at, distance)?;
            match (two_bytes, opcode) {
                (false, 0xe9 | 0xeb) => Flow::Jump(target),
                (false, 0x70..=0x7f) | (true, _) => Flow::Branch(target),
                _ => Flow::Leads(target),
            }
        }
        (true, 0x05) => Flow::Syscall,
        (true, 0x0b) => Flow::Stays,
        (true, 0x1e) if repeated && modrm == 0xfa => Flow::Stays,
        (false, 0xc2 | 0xc3) => Flow::Return,
        (false, 0xca..=0xcf | 0xf1) => Flow::Stays,
        (false, 0xff) if (2..=5).contains(&register) => Flow::Stays,
        _ => Flow::Next,
    };
    Some(Insn { at, len: reader.next as u8, relative, flow })
}
