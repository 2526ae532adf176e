//! Instructions as far as redirecting needs them: how long each is, where it leads, and what in it depends on where it lies.
//!
//! A program's first thread waits until functions that make system calls have been decoded, so this is done by a few
//! tables: those of Intel's manual (volume 2, appendix A), with no more said of an opcode than what follows it. What they don't
//! have, rare and new instructions, iced-x86 decodes; its own tables take most of a millisecond to set up, and are not needed
//! for libc. The tests compare the two on all of libc and on random bytes.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

mod at_once;
mod tables;
#[cfg(test)]
mod tests;

use at_once::at_once;
use tables::by_tables;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next instruction follows.
    Next,
    /// `jmp` to an address.
    Jump(usize),
    /// A conditional jump, but for those of the next line.
    Branch(usize),
    /// Calls an address, or may lead there in a way that cannot be encoded for a longer distance (`loop`, `jrcxz`, `xbegin`).
    Leads(usize),
    Return,
    Syscall,
    /// All others that lead elsewhere; what has a `lock` prefix, which may be jumped over; `endbr64`, which indirect branches
    /// lead to.
    Stays,
    /// No instruction.
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    pub at: usize,
    pub len: u8,
    /// Where in it the displacement of an operand in memory lies that counts from the instruction's end; 0 if there is none.
    pub relative: u8,
    pub flow: Flow,
}

impl Insn {
    pub fn end(&self) -> usize {
        self.at + usize::from(self.len)
    }

    /// Where it leads by itself.
    pub fn target(&self) -> Option<usize> {
        match self.flow {
            Flow::Jump(target) | Flow::Branch(target) | Flow::Leads(target) => Some(target),
            _ => None,
        }
    }

    /// Whether it does the same elsewhere.
    pub fn is_movable(&self) -> bool {
        self.flow == Flow::Next
    }

    /// Its bytes, of `code` that begins at address `start`.
    pub fn bytes<'a>(&self, code: &'a [u8], start: usize) -> &'a [u8] {
        code.get(self.at.wrapping_sub(start)..).and_then(|code| code.get(..self.len.into())).unwrap_or_default()
    }
}

/// The instruction that `code` begins with, which lies at address `at`. If it is none: one byte that is invalid.
#[inline]
pub fn decode(code: &[u8], at: usize) -> Insn {
    match at_once(code, at) {
        Some(insn) => insn,
        None => by_tables(code, at).unwrap_or_else(|| by_iced(code, at)),
    }
}

/// No instruction has more bytes.
pub const LONGEST: usize = 15;

const OPERAND_SIZE: u8 = 0x66;

#[cold]
fn by_iced(code: &[u8], at: usize) -> Insn {
    let mut decoder = Decoder::with_ip(64, code, at as u64, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return Insn { at, len: 1, relative: 0, flow: Flow::Invalid };
    }
    if instruction.memory_base() == Register::EIP {
        return Insn { at, len: instruction.len() as u8, relative: 0, flow: Flow::Stays };
    }
    let relative = if instruction.is_ip_rel_memory_operand() {
        decoder.get_constant_offsets(&instruction).displacement_offset() as u8
    } else {
        0
    };
    Insn { at, len: instruction.len() as u8, relative, flow: flow(&instruction) }
}

fn flow(instruction: &Instruction) -> Flow {
    let leads = (instruction.op0_kind() == OpKind::NearBranch64).then(|| instruction.near_branch64() as usize);
    match (instruction.flow_control(), leads) {
        _ if instruction.has_lock_prefix() => Flow::Stays,
        (FlowControl::Next, _) if instruction.code() != Code::Endbr64 => Flow::Next,
        (FlowControl::UnconditionalBranch, Some(target)) => Flow::Jump(target),
        (FlowControl::ConditionalBranch, Some(target)) if instruction.is_jcc_short_or_near() => Flow::Branch(target),
        (_, Some(target)) => Flow::Leads(target),
        (FlowControl::Return, None) if instruction.mnemonic() == Mnemonic::Ret => Flow::Return,
        _ if instruction.code() == Code::Syscall => Flow::Syscall,
        _ => Flow::Stays,
    }
}

/// Whether it is one of the instructions that only fill room.
pub fn is_nop(code: &[u8]) -> bool {
    let prefixes =
        code.iter().take_while(|byte| matches!(**byte, OPERAND_SIZE | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65)).count();
    matches!(code[prefixes..], [0x90] | [0x0f, 0x1f, ..])
}

/// What `rax` holds behind instructions, which come the last first, as far as that is a constant set by one of them, perhaps
/// by way of another register.
pub fn constant_in_rax<'a>(before: impl Iterator<Item = &'a [u8]>) -> Option<i64> {
    let mut wanted = 0;
    for code in before {
        let (rex, code) = match code {
            [rex @ 0x40..=0x4f, rest @ ..] => (*rex, rest),
            _ => (0, code),
        };
        let extended = |register: u8, bit: u8| register & 7 | if rex & bit != 0 { 8 } else { 0 };
        let register = |modrm: u8| extended(modrm >> 3, 4);
        let operand = |modrm: u8| extended(modrm, 1);
        match *code {
            [opcode @ 0xb8..=0xbf, a, b, c, d] if extended(opcode, 1) == wanted => {
                return Some(i64::from(u32::from_le_bytes([a, b, c, d])));
            }
            [opcode @ 0xb8..=0xbf, ..] if extended(opcode, 1) == wanted => return None,
            [0xc7, modrm @ 0xc0..=0xc7, a, b, c, d] if operand(modrm) == wanted => {
                return Some(i32::from_le_bytes([a, b, c, d]).into());
            }
            [0x31 | 0x33, modrm @ 0xc0..=0xff] if register(modrm) == wanted && operand(modrm) == wanted => {
                return Some(0)
            }
            [0x89, modrm @ 0xc0..=0xff] if operand(modrm) == wanted => wanted = register(modrm),
            [0x8b, modrm @ 0xc0..=0xff] if register(modrm) == wanted => wanted = operand(modrm),
            // Comparisons, and stores: they change no register.
            [0x38..=0x3d | 0x84 | 0x85 | 0xa8 | 0xa9 | 0x50..=0x57, ..] => {}
            [0x80..=0x83, modrm, ..] if modrm >> 3 & 7 == 7 => {}
            [0x88 | 0x89 | 0xc6 | 0xc7, modrm, ..] if modrm < 0xc0 => {}
            // The low bits of an opcode tell nothing, but in nearly all that has a ModRM byte one of both is what is set.
            [0x0f, _, modrm, ..]
            | [0x00..=0x3f | 0x63 | 0x69 | 0x6b | 0x80..=0x8f | 0xc0..=0xc1 | 0xd0..=0xd3 | 0xf6..=0xff, modrm, ..]
                if register(modrm) == wanted || modrm >= 0xc0 && operand(modrm) == wanted =>
            {
                return None
            }
            _ => {}
        }
    }
    None
}
