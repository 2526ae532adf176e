//! What takes the place of a `syscall` instruction.
//!
//! `syscall` has two bytes and a jump that reaches a stub has five, so instructions around it must
//! make room. Together they are the *window*. Its first five bytes become the jump, the rest `nop`.
//!
//! # Variant A: five bytes or more of movable instructions lie before the `syscall`
//!
//! ```text
//!   as compiled                    patched                         stub
//!   mov  $0xca,%eax   ┐ window     jmp  stub ───────────────────▶  mov  $0xca,%eax   copied
//!                     ┘                                     redo:  movabs $site,%rcx
//!                                                                  jmp  *entry ─────▶ the call
//!   syscall            pass:       syscall     ◀── "kernel, do it" ──────────────────┤
//!   cmp  $-4096,%rax   resume:     cmp  …      ◀── "done, rax is the result" ────────┘
//! ```
//!
//! The instruction itself stays where it was, and the kernel's own calls are made there: whoever
//! looks at the program counter of a thread in the kernel sees what an unpatched program shows.
//! glibc 2.41 decides about cancellation by just that.
//!
//! # Variant B: fewer than five bytes lie before it
//!
//! ```text
//!   as compiled                    patched                         stub
//!   xor  %eax,%eax    ┐            jmp  stub ───────────────────▶  xor  %eax,%eax    copied
//!   syscall           │ window     nop …                    redo:  movabs $site,%rcx
//!   cmp  $-4096,%rax  ┘                                            jmp  *entry ─────▶ the call
//!                                                           pass:  syscall     ◀─────┤
//!                                                         resume:  cmp  …      ◀─────┘ copied
//!   ja   error                     ja   error   ◀────────────────  jmp  back
//! ```
//!
//! With three or four bytes before it nothing behind it is copied, and the native return address
//! stays an instruction.
//!
//! # Variant C: branches lead right before and right behind it
//!
//! ```text
//!   as compiled                    patched                         stub
//!   jnz  interrupted               jnz  interrupted
//!   syscall           window       jmp  stone  ──▶ jmp stub ────▶  redo, pass and resume as in variant B
//!   end: cmp …                     end: cmp …     ◀──────────────  jmp  back
//! ```
//!
//! The window is the instruction alone. The jump to the stub lies in the padding behind the function, the *stone* (`stone.rs`).
//!
//! # What the entry may rely on
//!
//! At `redo`, and so at the entry, all registers but `rcx` are as they were at the instruction,
//! `rsp` too; `rcx` is the address of the [`Site`]. A program cannot miss `rcx` and `r11`: the
//! instruction overwrites both. Nothing below `rsp` is touched here (the red zone may be live). In
//! variant A, `pass` is free to leave `rcx` and `r11` as they please; at `resume` the entry may
//! leave anything in them.
//!
//! # Assumptions
//!
//! 1. Code is entered only at function starts, by direct branches, by exception landing pads,
//!    through jump tables whose address or entries are visible in the text, at `endbr64`, and
//!    behind calls. No such place lies inside a window behind its start. The search for branches
//!    errs to the safe side: a false suspect costs at most the site.
//! 2. No instruction is entered behind its first byte, except behind a `lock` prefix (glibc did
//!    so); those are never moved. Indirect jumps to addresses computed otherwise (a table that is
//!    reached only by an offset from another symbol) are not seen. Compilers don't emit them at
//!    system calls.
//! 3. The compiler's unwind data begins functions at their first instruction, so decoding from
//!    there meets real instruction boundaries.
//! 4. What the unwinder and a debugger know about a window they know about its original addresses.
//!    Stubs have no unwind data: a context with a `rip` in a stub is to be shown with the address
//!    that [`super::in_stub`] gives, and continued where it really was.
//! 5. rt_sigreturn and vfork are left alone: unwinders recognise the first by its bytes, and the
//!    second returns twice on one stack.

use std::ops::Range;

use super::find::{Window, JUMP};
use super::insn::{Flow, Insn};
use super::objects::Kind;
use super::Site;

/// More than any stub can need: at most eight copied instructions (a branch among them may grow),
/// the way to the entry, the call, the way back.
pub const STUB_LIMIT: usize = 192;
/// Stubs begin at multiples of this.
pub const STUB_ALIGN: usize = 16;
pub const INT3: u8 = 0xcc;
pub const NOP: u8 = 0x90;
const JMP_REL32: u8 = 0xe9;
const JMP_RIP: [u8; 2] = [0xff, 0x25];
const MOVABS_RCX: [u8; 2] = [0x48, 0xb9];
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Start of one piece of a stub, and the instruction of the original text that it stands for, both
/// as offsets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Piece {
    stub: u8,
    original: u8,
}

const PIECES: usize = 12;

/// A site, and how its stub and the original text correspond.
#[derive(Debug, Clone)]
pub struct Record {
    pub site: Site,
    pub window: Range<usize>,
    pub stub: Range<usize>,
    /// Where the jump to the stub lies: at the window's start, or the stone.
    pub jump: usize,
    pieces: [Piece; PIECES],
    count: usize,
}

impl Record {
    /// A record to be filled by [`build`] before anybody sees it.
    pub const EMPTY: Self = Self {
        site: Site { pass: 0, resume: 0, redo: 0, syscall: 0, flags: 0 },
        window: 0..0,
        stub: 0..0,
        jump: 0,
        pieces: [Piece { stub: 0, original: 0 }; PIECES],
        count: 0,
    };

    pub fn has_stone(&self) -> bool {
        self.jump != self.window.start
    }

    /// The address in the original text of what runs at `rip`, an address in this stub.
    pub fn original_of(&self, rip: usize) -> usize {
        let offset = rip - self.stub.start;
        let pieces = &self.pieces[..self.count];
        let after = pieces.partition_point(|piece| usize::from(piece.stub) <= offset);
        let piece = pieces[after.saturating_sub(1)];
        self.window.start + usize::from(piece.original)
    }

    /// Where the instruction that was at `original` is run now, if its bytes have been replaced
    /// (or, for a kept `syscall`, are not to be run any more).
    pub fn stub_of(&self, original: usize) -> Option<usize> {
        let offset = original.checked_sub(self.window.start)?;
        let pieces = &self.pieces[..self.count];
        let piece = pieces.iter().find(|piece| usize::from(piece.original) == offset)?;
        Some(self.stub.start + usize::from(piece.stub))
    }

    fn piece(&mut self, stub: usize, original: usize) -> Result<(), &'static str> {
        let too_long = "its stub gets too long";
        let slot = self.pieces.get_mut(self.count).ok_or(too_long)?;
        *slot = Piece {
            stub: u8::try_from(stub).map_err(|_| too_long)?,
            original: u8::try_from(original).map_err(|_| too_long)?,
        };
        self.count += 1;
        Ok(())
    }
}

/// Builds the stub that runs at `address`: its bytes, and everything about it in `record`, whose
/// address the stub holds. `entry_slot` holds the address of the entry.
pub fn build(
    window: &Window,
    kind: Kind,
    address: usize,
    entry_slot: usize,
    record: &mut Record,
) -> Result<Vec<u8>, &'static str> {
    *record = Record::EMPTY;
    record.window = window.range.clone();
    record.jump = window.stone.unwrap_or(window.range.start);
    let start = window.range.start;
    let (before, after) = window.code.split_at(window.code.len().min(window.syscall - start));
    let after = after.get(SYSCALL.len()..).unwrap_or_default();

    let mut code = Vec::with_capacity(STUB_LIMIT);
    copy(&mut code, &window.before, before, address, record)?;
    let redo = address + code.len();
    record.piece(code.len(), window.syscall - start)?;
    code.extend_from_slice(&MOVABS_RCX);
    code.extend_from_slice(&(&raw const record.site as usize).to_le_bytes());
    code.extend_from_slice(&JMP_RIP);
    let displacement = displacement(address + code.len() + 4, entry_slot)?;
    code.extend_from_slice(&displacement.to_le_bytes());

    let mut pass = window.syscall;
    if !window.keeps_syscall() {
        pass = address + code.len();
        record.piece(code.len(), window.syscall - start)?;
        code.extend_from_slice(&SYSCALL);
        copy(&mut code, &window.after, after, address, record)?;
        record.piece(code.len(), window.range.len())?;
        code.extend_from_slice(&jump(address + code.len(), window.range.end)?);
    }
    if code.len() > STUB_LIMIT {
        return Err("its stub gets too long");
    }
    record.stub = address..address + code.len();
    record.site = Site {
        pass,
        resume: pass + SYSCALL.len(),
        redo,
        syscall: window.syscall,
        flags: match kind {
            Kind::Libc | Kind::Glibc => 0,
            Kind::Own | Kind::Vdso | Kind::Other => Site::WIDE_STATE,
        },
    };
    Ok(code)
}

/// Appends instructions to a stub; what depends on their address is encoded anew. `bytes` are theirs.
fn copy(
    code: &mut Vec<u8>,
    instructions: &[Insn],
    mut bytes: &[u8],
    stub: usize,
    record: &mut Record,
) -> Result<(), &'static str> {
    for insn in instructions {
        let (mine, rest) = bytes.split_at_checked(insn.len.into()).ok_or("its instructions are cut off")?;
        bytes = rest;
        record.piece(code.len(), insn.at - record.window.start)?;
        let start = code.len();
        match insn.flow {
            Flow::Jump(target) => code.extend(jump(stub + start, target)?),
            Flow::Branch(target) => {
                // The condition is in the last byte of the opcode, which a short one has only that of.
                let condition =
                    mine.iter().find(|byte| matches!(byte, 0x70..=0x8f)).ok_or("a branch without a condition")?;
                code.extend([0x0f, 0x80 | condition & 0x0f]);
                code.extend(displacement(stub + start + 6, target)?.to_le_bytes());
            }
            _ => code.extend(mine),
        }
        if insn.relative != 0 {
            let field = start + usize::from(insn.relative);
            let bytes: &mut [u8; 4] =
                code.get_mut(field..).and_then(|code| code.first_chunk_mut()).ok_or("an operand is cut off")?;
            let operand = insn.end().wrapping_add_signed(i32::from_le_bytes(*bytes) as isize);
            *bytes = displacement(stub + start + usize::from(insn.len), operand)?.to_le_bytes();
        }
    }
    Ok(())
}

fn displacement(next: usize, target: usize) -> Result<i32, &'static str> {
    i32::try_from(target as i64 - next as i64).map_err(|_| "its stub is too far away")
}

/// `jmp rel32` at `from`.
pub fn jump(from: usize, to: usize) -> Result<[u8; JUMP], &'static str> {
    let mut code = [JMP_REL32, 0, 0, 0, 0];
    code[1..].copy_from_slice(&displacement(from + JUMP, to)?.to_le_bytes());
    Ok(code)
}
