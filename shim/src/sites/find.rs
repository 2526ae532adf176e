//! The `syscall` instructions of an object, and around each the window of instructions that can
//! give way to a jump.

use std::collections::HashSet;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::bytes;
use super::eh_frame::landing_pads;
use super::objects::Object;
use super::targets::{self, Sensitive};

const SYSCALL_LEN: usize = 2;
/// Length of `jmp rel32`.
pub const JUMP: usize = 5;
/// More preceding or following instructions than this are never needed: each has a byte at least.
const NEIGHBOURS: usize = JUMP;
/// How far behind the last site a function is decoded: the reach of a short branch back to it.
const TAIL: usize = 160;
/// How far a site may lie behind the code that unwind data covers, as in `clone`, which ends its
/// unwind data just before the instruction.
const UNCOVERED: usize = 256;
/// How much of a segment without unwind data is decoded from its start.
const LINEAR: usize = 65536;
/// How far back the number of a call is looked for, in instructions.
const LOOK_BACK: usize = 24;

const RT_SIGRETURN: i64 = libc::SYS_rt_sigreturn;
const VFORK: i64 = libc::SYS_vfork;
const NEVER: &str = "never redirected: rt_sigreturn or vfork";
/// `mov $rt_sigreturn,%rax; syscall`, by which unwinders know a signal frame. Its unwind data begins
/// one byte early, so decoding from there goes wrong.
const RESTORER: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

/// A site and what is to be replaced.
#[derive(Debug, Clone)]
pub struct Window {
    pub range: Range<usize>,
    pub syscall: usize,
    /// Copied to the stub, in front of the entry.
    pub before: Vec<Instruction>,
    /// Copied to the stub, behind the call (variant B only).
    pub after: Vec<Instruction>,
    /// The call's number, where the code right before it tells.
    pub number: Option<i64>,
    /// The bytes of `range` as they are.
    pub code: Vec<u8>,
}

impl Window {
    /// Variant A: the original instruction stays.
    pub fn keeps_syscall(&self) -> bool {
        self.syscall >= self.range.end
    }
}

#[derive(Debug, Default)]
pub struct Found {
    pub windows: Vec<Window>,
    pub skipped: Vec<(usize, &'static str)>,
}

/// A `syscall` instruction with its neighbours.
struct Neighbourhood {
    before: Vec<Instruction>,
    syscall: Instruction,
    after: Vec<Instruction>,
    number: Option<i64>,
}

impl Neighbourhood {
    /// All addresses that might be inside a window, whichever variant it becomes.
    fn interior(&self) -> impl Iterator<Item = usize> + '_ {
        let syscall = self.syscall.ip() as usize;
        let before = self.before.iter().map(|i| i.ip() as usize).rev();
        let after = self.after.iter().map(|i| i.ip() as usize);
        std::iter::once(syscall)
            .chain(before.take_while(move |address| syscall - address < JUMP))
            .chain(after.take_while(move |address| address - syscall < JUMP))
    }
}

/// Finds the windows of an object. `known` tells sites that are redirected already.
pub fn windows(object: &Object, known: impl Fn(usize) -> bool) -> Found {
    let mut found = Found::default();
    let mut found_bytes = Vec::new();
    for segment in object.text() {
        if let Some(text) = object.bytes(segment.range.start, segment.range.len()) {
            found_bytes.extend(bytes::syscalls(text).into_iter().map(|at| segment.range.start + at));
        }
    }
    found_bytes.retain(|address| !known(*address));
    if found_bytes.is_empty() {
        return found;
    }
    let mut sites = Vec::new();
    let mut sensitive = Sensitive::new(object.text_span());
    let mut targets = HashSet::new();
    let mut decoded = Vec::new();
    let mut instructions = Vec::new();
    let mut rest = found_bytes.as_slice();
    while let [first, ..] = rest {
        let Some(extent) = extent(object, *first) else {
            if looks_like_call(object, *first) {
                found.skipped.push((*first, "no unwind data tells where its function begins"));
            }
            rest = &rest[1..];
            continue;
        };
        let inside = rest.partition_point(|address| *address < extent.end);
        let (mine, others) = rest.split_at(inside);
        rest = others;
        let until = (mine[inside - 1] + TAIL).min(extent.end);
        decode(object, extent.start..until, &mut instructions);
        decoded.push(extent.start..until);
        for &address in mine {
            if is_restorer(object, address) {
                found.skipped.push((address, NEVER));
                continue;
            }
            match neighbours(&instructions, address) {
                Ok(None) => {}
                Ok(Some(site)) => {
                    site.interior().for_each(|address| sensitive.insert(address));
                    sites.push(site);
                }
                Err(reason) => found.skipped.push((address, reason)),
            }
        }
        let branches = instructions.iter().filter_map(targets::branch_target);
        targets.extend(branches.filter(|target| sensitive.contains(*target)));
        if let Some(function) = object.fdes.and_then(|fdes| fdes.function(object, extent.start)) {
            targets.extend(landing_pads(object, &function));
        }
    }
    let starts = sites.iter().flat_map(Neighbourhood::interior);
    targets.extend(starts.filter(|a| object.fdes.is_some_and(|fdes| fdes.starts_at(object, *a))));
    if !sites.is_empty() {
        targets::collect(object, &sensitive, &decoded, &mut targets);
    }
    for site in sites {
        match window(object, &site, &targets) {
            Ok(window) => found.windows.push(window),
            Err(reason) => found.skipped.push((site.syscall.ip() as usize, reason)),
        }
    }
    found
}

/// The code around `address` that decoding may begin and end with.
fn extent(object: &Object, address: usize) -> Option<Range<usize>> {
    let segment = object.text_segment(address)?;
    let Some(fdes) = object.fdes else {
        let end = segment.range.end.min(segment.range.start + LINEAR);
        return (address < end).then_some(segment.range.start..end);
    };
    let function = fdes.function(object, address)?;
    let near = address < function.range.end + UNCOVERED;
    near.then_some(function.range.start..function.next)
}

/// Fills `instructions`, used again and again since fresh memory is slow.
fn decode(object: &Object, range: Range<usize>, instructions: &mut Vec<Instruction>) {
    instructions.clear();
    if let Some(code) = object.bytes(range.start, range.len()) {
        instructions.extend(&mut Decoder::with_ip(64, code, range.start as u64, DecoderOptions::NONE));
    }
}

/// The `syscall` at `address` with its neighbours; none if these bytes are the inside of another
/// instruction, or if the call is one that must stay as it is.
fn neighbours(instructions: &[Instruction], address: usize) -> Result<Option<Neighbourhood>, &'static str> {
    let index = instructions.partition_point(|i| (i.next_ip() as usize) <= address);
    let Some(syscall) = instructions.get(index).copied() else {
        return Err("its function ends before it");
    };
    if syscall.ip() as usize != address || syscall.code() != Code::Syscall {
        return Ok(None);
    }
    let from = index.saturating_sub(LOOK_BACK);
    if instructions[from..index].iter().any(Instruction::is_invalid) {
        return Err("bytes before it are no instructions");
    }
    let number = number(&instructions[from..index]);
    if matches!(number, Some(RT_SIGRETURN | VFORK)) {
        return Err(NEVER);
    }
    let first = index.saturating_sub(NEIGHBOURS);
    let last = (index + 1 + NEIGHBOURS).min(instructions.len());
    Ok(Some(Neighbourhood {
        before: instructions[first..index].to_vec(),
        syscall,
        after: instructions[index + 1..last].to_vec(),
        number,
    }))
}

/// The call's number, as far as it is a constant set right before (perhaps by way of another
/// register).
fn number(before: &[Instruction]) -> Option<i64> {
    let mut wanted = Register::RAX;
    for instruction in before.iter().rev() {
        if instruction.op_count() == 0
            || instruction.op0_kind() != OpKind::Register
            || instruction.op0_register().full_register() != wanted
            || matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push)
        {
            continue;
        }
        match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Mov, OpKind::Register) => {
                wanted = instruction.op1_register().full_register();
            }
            (Mnemonic::Mov, OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64) => {
                return Some(instruction.immediate(1) as i64);
            }
            (Mnemonic::Xor, OpKind::Register) if instruction.op1_register().full_register() == wanted => {
                return Some(0);
            }
            _ => return None,
        }
    }
    None
}

/// Whether bytes outside all functions (constants between them, mostly) set the number of a call
/// right before: `mov $nr,%eax` or `mov $nr,%rax`.
fn looks_like_call(object: &Object, syscall: usize) -> bool {
    matches!(object.array(syscall - 7), Some([0x48, 0xc7, 0xc0, _, 0..=3, 0, 0] | [_, _, 0xb8, _, 0..=3, 0, 0]))
}

fn is_restorer(object: &Object, syscall: usize) -> bool {
    let start = syscall + SYSCALL_LEN - RESTORER.len();
    object.array(start) == Some(RESTORER)
}

/// Whether an instruction does the same in a stub. A `lock` prefix may be jumped over, `endbr64`
/// is what an indirect branch leads to.
fn copyable(instruction: &Instruction) -> bool {
    instruction.flow_control() == FlowControl::Next
        && !instruction.is_invalid()
        && !instruction.has_lock_prefix()
        && !matches!(instruction.code(), Code::Syscall | Code::Endbr64)
}

/// Whether an instruction behind the call does: branches can be encoded anew.
fn copyable_after(instruction: &Instruction) -> bool {
    copyable(instruction)
        || instruction.flow_control() == FlowControl::Return
        || matches!(instruction.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch)
            && targets::branch_target(instruction).is_some()
            && !instruction.is_loop()
            && !instruction.is_loopcc()
            && !instruction.is_jcx_short()
}

fn window(object: &Object, site: &Neighbourhood, targets: &HashSet<usize>) -> Result<Window, &'static str> {
    let syscall = site.syscall.ip() as usize;
    let mut start = syscall;
    let mut first = site.before.len();
    while syscall - start < JUMP && first > 0 && !targets.contains(&start) {
        let previous = &site.before[first - 1];
        if !copyable(previous) || previous.next_ip() as usize != start {
            break;
        }
        start = previous.ip() as usize;
        first -= 1;
    }
    let mut end = syscall;
    let mut count = 0;
    if syscall - start < JUMP {
        // Variant B. The jump ends at the return address or before it, if it can.
        end += SYSCALL_LEN;
        let mut ended = false;
        while end - start < JUMP {
            let next = site.after.get(count).ok_or("no whole instructions around it")?;
            if targets.contains(&end) {
                return Err("branches lead into the instructions around it");
            }
            if !copyable_after(next) || ended && next.mnemonic() != Mnemonic::Nop {
                return Err("the instructions around it cannot be moved");
            }
            ended |= matches!(next.flow_control(), FlowControl::UnconditionalBranch | FlowControl::Return);
            end = next.next_ip() as usize;
            count += 1;
        }
    }
    let code = object.bytes(start, end - start).ok_or("its segment ends too early")?;
    Ok(Window {
        range: start..end,
        syscall,
        before: site.before[first..].to_vec(),
        after: site.after[..count].to_vec(),
        number: site.number,
        code: code.to_vec(),
    })
}

/// The window of a call whose number is set by a `mov $nr,%eax` right before it, as its bytes have
/// shown. Nothing is decoded: the decoder takes most of a millisecond to build its tables, which a
/// program without threads need not pay.
pub fn plain_window(object: &Object, syscall: usize) -> Option<Window> {
    let start = syscall - JUMP;
    let code = object.bytes(start, JUMP)?.to_vec();
    let [0xb8, number @ ..] = code.as_slice() else {
        return None;
    };
    let mut mov = Instruction::default();
    mov.set_code(Code::Mov_r32_imm32);
    mov.set_len(JUMP);
    mov.set_ip(start as u64);
    Some(Window {
        range: start..syscall,
        syscall,
        before: vec![mov],
        after: Vec::new(),
        number: number.try_into().ok().map(|bytes| i32::from_le_bytes(bytes).into()),
        code,
    })
}
