//! Stepping stones: where the jump to a stub lies when the instructions around a `syscall` cannot give way to it.
//!
//! Code that asks in a signal handler whether it was interrupted before its call or behind it has a branch right before the
//! instruction and a label right behind, whose address it takes. Two bytes are all that may change there, and a jump of
//! two bytes reaches the padding behind the function.

use super::find::{JUMP, SYSCALL_LEN};
use super::insn::{self, Flow};
use super::objects::Object;
use super::stub::INT3;

/// Where in the padding behind the function of `syscall` a jump has room that a short one from there reaches; not before `free`.
pub fn behind(object: &Object, syscall: usize, free: usize) -> Option<usize> {
    let function = object.fdes()?.function(object, syscall)?;
    let (start, end) = (function.range.start, function.range.end);
    let stone = end.max(free);
    if syscall >= end || stone + JUMP > function.next || short_jump(syscall, stone).is_none() {
        return None;
    }
    // Functions of assembly may go on in the next one, through the padding.
    let code = object.bytes(start, end - start)?;
    let mut last = insn::decode(code, start);
    while last.end() < end {
        last = insn::decode(&code[last.end() - start..], last.end());
    }
    let leaves = last.end() == end && matches!(last.flow, Flow::Jump(_) | Flow::Return);
    (leaves && is_padding(object.bytes(end, function.next - end)?)).then_some(stone)
}

/// `jmp rel8` at `from`.
pub fn short_jump(from: usize, to: usize) -> Option<[u8; SYSCALL_LEN]> {
    let displacement = i8::try_from(to as i64 - (from + SYSCALL_LEN) as i64).ok()?;
    Some([0xeb, displacement as u8])
}

/// Whether all of it only fills room: else it may be a function without unwind data.
fn is_padding(mut code: &[u8]) -> bool {
    while !code.is_empty() {
        let len = usize::from(insn::decode(code, 0).len);
        let Some((insn, rest)) = code.split_at_checked(len) else { return false };
        if insn != [INT3] && !insn::is_nop(insn) {
            return false;
        }
        code = rest;
    }
    true
}
