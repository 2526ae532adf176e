//! Where instructions begin in code that no unwind data tells of: some linkers leave it out (programs made by Zig, bun, deno),
//! and Go writes none.
//!
//! x86 code read from the wrong byte is soon read right: one instruction that ends where a true one does is enough. So a
//! stretch before the site is read from as many neighbouring bytes as an instruction can have, one of which begins one, and
//! where all of these readings have come together is a true beginning.

use std::ops::Range;

use super::insn::{self, Flow};
use super::objects::Object;

/// How far before a site the readings begin. They come together within some 50 bytes; the rest is for constants among the
/// code, behind which they have to do so again.
const BACK: usize = 512;

/// What to decode to see the first of the (sorted) `sites` in, from a true beginning in `within` on, and others as far as they
/// lie close together: so parts never overlap. `tail` more is behind the last.
pub fn around(object: &Object, sites: &[usize], within: Range<usize>, tail: usize) -> Option<Range<usize>> {
    let first = *sites.first()?;
    let close = sites.windows(2).take_while(|pair| pair[1] - pair[0] <= BACK + tail && pair[1] < within.end);
    let end = close.last().map_or(first, |pair| pair[1]) + tail;
    let start = if first - within.start <= BACK {
        within.start
    } else {
        let start = first - BACK;
        start + meeting(object.bytes(start, BACK)?)?
    };
    Some(start..end.min(within.end))
}

/// The first place in `code` where all readings of it are at the beginning of an instruction.
fn meeting(code: &[u8]) -> Option<usize> {
    // Bit n: a reading is at `base + n`.
    let mut readings = (1u32 << insn::LONGEST) - 1;
    let mut base = 0;
    while readings != 1 {
        let insn = insn::decode(code.get(base..)?, base);
        // What comes to something that is no instruction was never right.
        if insn.flow != Flow::Invalid {
            readings |= 1 << insn.len;
        }
        readings >>= 1;
        if readings == 0 {
            return None;
        }
        base += 1 + readings.trailing_zeros() as usize;
        readings >>= readings.trailing_zeros();
    }
    let code = code.get(base..)?;
    (code.len() >= insn::LONGEST && insn::decode(code, base).flow != Flow::Invalid).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// push %rbp; mov %rsp,%rbp; movabs $…,%rax; call; test %eax,%eax; je; mov %rbx,(%rdi)
    const CODE: &[u8] =
        b"\x55\x48\x89\xe5\x48\xb8\x0f\x05\x90\xc3\xe8\x0f\x05\x90\xe8\x01\x02\x03\x04\x85\xc0\x74\x08\x48\x89\x1f";

    #[test]
    fn readings_meet_where_an_instruction_begins() {
        let code = CODE.repeat(8);
        let mut begins = Vec::new();
        let mut at = 0;
        while at < code.len() {
            begins.push(at);
            at = insn::decode(&code[at..], at).end();
        }
        for skipped in 0..CODE.len() {
            let met = meeting(&code[skipped..]).expect("a meeting") + skipped;
            assert!(begins.contains(&met), "{skipped}: {met}");
        }
    }

    #[test]
    fn what_is_too_short_has_no_meeting() {
        assert_eq!(meeting(&CODE[..10]), None);
        assert_eq!(meeting(&[0x06; 100]), None);
    }
}
