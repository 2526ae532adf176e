//! The `syscall` instructions of an object, and around each the window of instructions that can
//! give way to a jump.

use std::ops::Range;

use super::boundaries;
use super::bytes;
use super::eh_frame::landing_pads;
use super::insn::{self, Flow, Insn};
use super::objects::Object;
use super::stone;
use super::targets::{self, Sensitive};

pub const SYSCALL_LEN: usize = 2;
/// Length of `jmp rel32`.
pub const JUMP: usize = 5;
/// More preceding or following instructions than this are never needed: each has a byte at least.
const NEIGHBOURS: usize = JUMP;
/// How far behind the last site a function is decoded: the reach of a short branch back to it.
const TAIL: usize = 160;
/// How far a site may lie behind the code that unwind data covers, as in `clone`, which ends its
/// unwind data just before the instruction.
const UNCOVERED: usize = 256;
/// Of some programs whole stretches have no unwind data, and seem to be one function.
const LONGEST_FUNCTION: usize = 1 << 20;
/// So many instructions behind bytes that are none, such as constants, what is decoded is right again.
const TRUSTED: usize = 10;
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
    pub before: Vec<Insn>,
    /// Copied to the stub, behind the call (variant B only).
    pub after: Vec<Insn>,
    /// The call's number, where the code right before it tells.
    pub number: Option<i64>,
    /// The bytes of `range` as they are.
    pub code: Vec<u8>,
    /// Where the jump lies, if not in `range` (variant C).
    pub stone: Option<usize>,
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
    syscall: usize,
    before: Vec<Insn>,
    after: Vec<Insn>,
    number: Option<i64>,
    /// Whether the code before it, as far as that leads here, sets the number of a call.
    sets_number: bool,
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
    let mut sites = Vec::with_capacity(found_bytes.len());
    // Whatever may come to lie inside a window, be it the start of an instruction or not.
    let near = |address: &usize| address + 1 - JUMP..address + JUMP;
    let span = object.text_span();
    let mut interiors: Vec<usize> =
        found_bytes.iter().flat_map(near).filter(|address| span.contains(address)).collect();
    interiors.sort_unstable();
    let mut sensitive = Sensitive::new(interiors);
    let mut decoded = Vec::new();
    let mut instructions = Vec::new();
    let mut rest = found_bytes.as_slice();
    while let [first, ..] = rest {
        let Some((extent, told)) = extent(object, rest) else {
            if looks_like_call(object, *first) {
                found.skipped.push((*first, "nothing tells where the instructions around it begin"));
            }
            rest = &rest[1..];
            continue;
        };
        let inside = rest.partition_point(|address| *address < extent.end);
        let (mine, others) = rest.split_at(inside);
        rest = others;
        let until = (mine[inside - 1] + TAIL).min(extent.end);
        // What begins before `until` is decoded whole.
        let code = object.bytes(extent.start, until - extent.start + insn::LONGEST).unwrap_or_default();
        decode(code, extent.start..until, &mut instructions);
        decoded.push(extent.start..until);
        for &address in mine {
            if is_restorer(object, address) {
                found.skipped.push((address, NEVER));
                continue;
            }
            match neighbours(&instructions, code, address) {
                Ok(None) => {}
                Ok(Some(site)) if told == Told::Nothing && !is_call(&site, code, extent.start) => {
                    found.skipped.push((address, "these bytes may be constants"));
                }
                Ok(Some(site)) => sites.push(site),
                Err(reason) => found.skipped.push((address, reason)),
            }
        }
        instructions.iter().filter_map(Insn::target).for_each(|target| sensitive.lead_to(target));
        if told == Told::Nothing {
            // What is behind padding may be a function, whose address is anywhere.
            let padded = instructions.windows(2).filter(|pair| insn::is_nop(pair[0].bytes(code, extent.start)));
            padded.for_each(|pair| sensitive.lead_to(pair[1].at));
        } else if let Some(function) = object.fdes().and_then(|fdes| fdes.function(object, extent.start)) {
            landing_pads(object, &function).into_iter().for_each(|pad| sensitive.lead_to(pad));
            // Others call it.
            sensitive.lead_to(extent.start);
        }
    }
    if !sites.is_empty() {
        targets::collect(object, &mut sensitive, &decoded);
    }
    found.windows.reserve_exact(sites.len());
    let mut free = 0;
    for site in sites {
        match window(object, &site, &sensitive).or_else(|reason| by_stone(object, &site, &mut free).ok_or(reason)) {
            Ok(window) => found.windows.push(window),
            Err(reason) => found.skipped.push((site.syscall, reason)),
        }
    }
    found
}

/// Variant C. What is before `free` is in use.
fn by_stone(object: &Object, site: &Neighbourhood, free: &mut usize) -> Option<Window> {
    let stone = stone::behind(object, site.syscall, *free)?;
    *free = stone + JUMP;
    Some(Window {
        range: site.syscall..site.syscall + SYSCALL_LEN,
        syscall: site.syscall,
        before: Vec::new(),
        after: Vec::new(),
        number: site.number,
        code: object.bytes(site.syscall, SYSCALL_LEN)?.to_vec(),
        stone: Some(stone),
    })
}

/// What says that bytes are code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    ByUnwindData,
    Nothing,
}

/// The code around the first of `sites` that decoding may begin and end with.
fn extent(object: &Object, sites: &[usize]) -> Option<(Range<usize>, Told)> {
    let address = *sites.first()?;
    let segment = object.text_segment(address)?;
    let around = |within| Some((boundaries::around(object, sites, within, TAIL)?, Told::Nothing));
    let Some(fdes) = object.fdes() else {
        return around(segment.range.clone());
    };
    let function = fdes.function(object, address)?;
    let start = function.range.start;
    let end = function.next.min(function.range.end + UNCOVERED);
    if address < end && end - start <= LONGEST_FUNCTION {
        return Some((start..end, Told::ByUnwindData));
    }
    // Between functions there are mostly constants.
    (address < end || looks_like_call(object, address)).then(|| around(start..function.next))?
}

/// Fills `instructions`, used again and again since fresh memory is slow, with those of `code` that begin in `range`.
fn decode(code: &[u8], range: Range<usize>, instructions: &mut Vec<Insn>) {
    instructions.clear();
    let mut at = range.start;
    while at < range.end {
        let insn = insn::decode(code.get(at - range.start..).unwrap_or_default(), at);
        at = insn.end();
        instructions.push(insn);
    }
}

/// The `syscall` at `address` with its neighbours; none if these bytes are the inside of another
/// instruction, or if the call is one that must stay as it is. The instructions are those of `code`.
fn neighbours(instructions: &[Insn], code: &[u8], address: usize) -> Result<Option<Neighbourhood>, &'static str> {
    let index = instructions.partition_point(|insn| insn.end() <= address);
    let Some(syscall) = instructions.get(index) else {
        return Err("its function ends before it");
    };
    if syscall.at != address || syscall.flow != Flow::Syscall {
        return Ok(None);
    }
    let mut from = index.saturating_sub(LOOK_BACK);
    if let Some(last) = instructions[from..index].iter().rposition(|insn| insn.flow == Flow::Invalid) {
        from += last + 1;
        if index - from < TRUSTED {
            return Err("bytes before it are no instructions");
        }
    }
    let start = instructions[0].at;
    let number = insn::constant_in_rax(instructions[from..index].iter().rev().map(|insn| insn.bytes(code, start)));
    if matches!(number, Some(RT_SIGRETURN | VFORK)) {
        return Err(NEVER);
    }
    let first = index.saturating_sub(NEIGHBOURS);
    let last = (index + 1 + NEIGHBOURS).min(instructions.len());
    Ok(Some(Neighbourhood {
        syscall: address,
        before: instructions[first..index].to_vec(),
        after: instructions[index + 1..last].to_vec(),
        number,
        sets_number: sets_number(&instructions[from..index], code, start),
    }))
}

/// Whether bytes outside all functions (constants between them, mostly) set the number of a call
/// right before: `mov $nr,%eax` or `mov $nr,%rax`.
fn looks_like_call(object: &Object, syscall: usize) -> bool {
    matches!(object.array(syscall - 7), Some([0x48, 0xc7, 0xc0, _, 0..=3, 0, 0] | [_, _, 0xb8, _, 0..=3, 0, 0]))
}

/// Whether the number of a call is set before it, or its result is checked behind it: bytes that are constants look so by no chance.
fn is_call(site: &Neighbourhood, code: &[u8], start: usize) -> bool {
    let checks = |next: &Insn| matches!(next.bytes(code, start), [0x48, 0x3d, 0x00 | 0x01, 0xf0, 0xff, 0xff]);
    site.sets_number || site.after.first().is_some_and(checks)
}

/// Whether `before`, instructions of `code` whose start is `start`, sets the number of a call on the way to what follows it.
fn sets_number(before: &[Insn], code: &[u8], start: usize) -> bool {
    let site = before.last().map_or(0, Insn::end);
    let leaves = |insn: &&Insn| match insn.flow {
        Flow::Jump(target) => !(insn.end()..=site).contains(&target),
        flow => matches!(flow, Flow::Return | Flow::Syscall),
    };
    let straight = || before.iter().rev().take_while(|insn| !leaves(insn)).map(|insn| insn.bytes(code, start));
    // A `mov` of 64 bits to %rax.
    let moves = |code: &[u8]| match *code {
        [0x48 | 0x4c, 0x89, modrm, ..] => modrm & 0xc7 == 0xc0,
        [0x48 | 0x49, 0x8b, modrm, ..] => modrm & 0x38 == 0,
        _ => false,
    };
    insn::constant_in_rax(straight()).is_some_and(|number| (0..1024).contains(&number)) || straight().any(moves)
}

fn is_restorer(object: &Object, syscall: usize) -> bool {
    let start = syscall + SYSCALL_LEN - RESTORER.len();
    object.array(start) == Some(RESTORER)
}

/// Whether an instruction behind the call can be moved: branches can be encoded anew.
fn is_movable_after(insn: &Insn) -> bool {
    matches!(insn.flow, Flow::Next | Flow::Return | Flow::Jump(_) | Flow::Branch(_))
}

fn window(object: &Object, site: &Neighbourhood, sensitive: &Sensitive) -> Result<Window, &'static str> {
    let syscall = site.syscall;
    let mut start = syscall;
    let mut first = site.before.len();
    while syscall - start < JUMP && first > 0 && !sensitive.is_target(start) {
        let previous = &site.before[first - 1];
        if !previous.is_movable() || previous.end() != start {
            break;
        }
        start = previous.at;
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
            if sensitive.is_target(end) {
                return Err("branches lead into the instructions around it");
            }
            let padding = || object.bytes(next.at, next.len.into()).is_some_and(insn::is_nop);
            if !is_movable_after(next) || ended && !padding() {
                return Err("the instructions around it cannot be moved");
            }
            ended |= matches!(next.flow, Flow::Jump(_) | Flow::Return);
            end = next.end();
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
        stone: None,
    })
}

/// The window of a call whose number is set by a `mov $nr,%eax` right before it, as its bytes have
/// shown.
pub fn plain_window(object: &Object, syscall: usize) -> Option<Window> {
    let start = syscall - JUMP;
    let code = object.bytes(start, JUMP)?.to_vec();
    let [0xb8, number @ ..] = code.as_slice() else {
        return None;
    };
    Some(Window {
        range: start..syscall,
        syscall,
        before: vec![Insn { at: start, len: JUMP as u8, relative: 0, flow: Flow::Next }],
        after: Vec::new(),
        number: number.try_into().ok().map(|bytes| i32::from_le_bytes(bytes).into()),
        code,
        stone: None,
    })
}
