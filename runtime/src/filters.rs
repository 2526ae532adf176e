//! Filters that the program has put on its own system calls (seccomp).
//!
//! A filter allows what the program needs; what the runtime needs besides may be refused: by an error number, by a signal, or
//! by the end of the process. So the runtime knows the filters and asks them before each call of its own: what they
//! refuse is not made, and is as if the kernel did not have it (ENOSYS). A call of the program's own that they refuse is then
//! made where the program made it, so that it gets what it would have got without us.
//!
//! Filters that were there before the program was executed cannot be read. Under one, the runtime does without calls that
//! lists of what is allowed commonly lack (`UNUSUAL`).

use crate::calls::Outcome::{self, Done, Pass};
use crate::calls::{error, Reason};
use crate::frame::Frame;
use crate::hub::{current_hub, Hub};
use crate::{sys, user};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};

const ENOSYS: isize = error(libc::ENOSYS);
const NUMBERS: usize = 512;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const SECCOMP_RET_ACTION: u32 = 0xffff_0000;
const SECCOMP_RET_LOG: u32 = 0x7ffc_0000;
const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;
const SECCOMP_RET_KILL_PROCESS: u32 = 0x8000_0000;
const SECCOMP_MODE_FILTER: usize = 2;
const SECCOMP_SET_MODE_FILTER: usize = 1;
const SECCOMP_FILTER_FLAG_NEW_LISTENER: usize = 8;
/// What the runtime does not need, and what lists of allowed calls are often older than.
const UNUSUAL: [i64; 3] = [libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_process_madvise];

/// The kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u16,
    yes: u8,
    no: u8,
    k: u32,
}

/// The kernel's `struct sock_fprog`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Program {
    length: u16,
    instructions: usize,
}

/// A system call as a filter sees it: the kernel's `struct seccomp_data`, in words.
struct Call {
    words: [u32; 16],
}

impl Call {
    fn new(number: usize, args: &[usize; 6]) -> Self {
        let mut words = [0; 16];
        words[0] = number as u32;
        words[1] = AUDIT_ARCH_X86_64;
        for (at, &arg) in args.iter().enumerate() {
            words[4 + 2 * at] = arg as u32;
            words[5 + 2 * at] = (arg as u64 >> 32) as u32;
        }
        Call { words }
    }
}

/// What a filter says of a call.
struct Verdict {
    action: u32,
    /// Whether it has looked at more than the call's number.
    looked: bool,
}

/// A filter is never taken off, so records are never freed.
struct Filter {
    next: *const Filter,
    instructions: Vec<Instruction>,
    /// Calls that are allowed whatever their arguments.
    allowed: [u64; NUMBERS / 64],
}

static FIRST: AtomicPtr<Filter> = AtomicPtr::new(ptr::null_mut());
/// There is a filter, known or not.
static ANY: AtomicBool = AtomicBool::new(false);
/// There was one already when the program was executed.
static INHERITED: AtomicBool = AtomicBool::new(false);

/// Runs a filter, which the kernel has checked. What cannot be is a refusal.
fn run(instructions: &[Instruction], call: &Call) -> Verdict {
    const FROM_X: u16 = 0x08;
    let (mut a, mut x, mut memory, mut looked) = (0u32, 0u32, [0u32; 16], false);
    let refusal = |looked| Verdict { action: SECCOMP_RET_KILL_PROCESS, looked };
    let mut at = 0;
    while let Some(&Instruction { code, yes, no, k }) = instructions.get(at) {
        at += 1;
        let operand = if code & FROM_X != 0 { x } else { k };
        match (code & 7, code & 0xf0) {
            // LD and LDX: an immediate, a word of the call, a word of memory, the call's length
            (class @ (0 | 1), mode) => {
                let value = match mode & 0xe0 {
                    0x00 => k,
                    0x20 => {
                        looked |= k > 4;
                        call.words.get(k as usize / 4).copied().unwrap_or(0)
                    }
                    0x60 => memory[k as usize % 16],
                    _ => size_of::<Call>() as u32,
                };
                *(if class == 0 { &mut a } else { &mut x }) = value;
            }
            (2, _) => memory[k as usize % 16] = a,
            (3, _) => memory[k as usize % 16] = x,
            (4, operation) => {
                a = match operation {
                    0x00 => a.wrapping_add(operand),
                    0x10 => a.wrapping_sub(operand),
                    0x20 => a.wrapping_mul(operand),
                    0x30 => a.checked_div(operand).unwrap_or(0),
                    0x40 => a | operand,
                    0x50 => a & operand,
                    0x60 => a.checked_shl(operand).unwrap_or(0),
                    0x70 => a.checked_shr(operand).unwrap_or(0),
                    0x80 => a.wrapping_neg(),
                    0x90 => a.checked_rem(operand).unwrap_or(0),
                    0xa0 => a ^ operand,
                    _ => return refusal(looked),
                }
            }
            (5, 0x00) => at += k as usize,
            (5, test) => {
                let holds = match test {
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return refusal(looked),
                };
                at += usize::from(if holds { yes } else { no });
            }
            (6, _) => return Verdict { action: if code & 0x18 == 0x10 { a } else { k }, looked },
            (_, 0x80) => a = x,
            (_, _) => x = a,
        }
    }
    refusal(looked)
}

fn is_allowed(verdict: &Verdict) -> bool {
    matches!(verdict.action & SECCOMP_RET_ACTION, SECCOMP_RET_ALLOW | SECCOMP_RET_LOG)
}

/// Whether the filters refuse a call.
pub fn refuse(number: usize, args: &[usize; 6]) -> bool {
    if !ANY.load(Acquire) {
        return false;
    }
    if INHERITED.load(Relaxed) && UNUSUAL.contains(&(number as i64)) {
        return true;
    }
    let mut next: *const Filter = FIRST.load(Acquire);
    // SAFETY: records are never freed.
    while let Some(filter) = unsafe { next.as_ref() } {
        let always = number < NUMBERS && filter.allowed[number / 64] >> (number % 64) & 1 != 0;
        if !always && !is_allowed(&run(&filter.instructions, &Call::new(number, args))) {
            return true;
        }
        next = filter.next;
    }
    false
}

/// Whether there are filters to be asked. Asked before each call of the runtime's own.
#[inline(always)]
pub(crate) fn any() -> bool {
    ANY.load(Relaxed)
}

/// The answer to a call of the runtime's own that the filters refuse.
#[cold]
pub(crate) fn answer(number: usize, args: &[usize; 6]) -> Option<isize> {
    if !refuse(number, args) {
        return None;
    }
    if let Some(hub) = current_hub() {
        hub.signals.trapped.set(true);
    }
    Some(ENOSYS)
}

/// At arming: there may be a filter from before the program was executed.
pub fn look() {
    // SAFETY: no pointers. A filter that is known is asked first.
    let mode = unsafe { sys!(libc::SYS_prctl, libc::PR_GET_SECCOMP) };
    if mode == SECCOMP_MODE_FILTER as isize && FIRST.load(Relaxed).is_null() {
        INHERITED.store(true, Relaxed);
        ANY.store(true, Release);
    }
}

/// A filter that the program is about to put on itself.
pub struct Pending {
    instructions: Vec<Instruction>,
    /// The answer is a descriptor then, or 0.
    listens: bool,
}

impl Pending {
    /// `program` is the program's `struct sock_fprog`. `None` if it cannot be read, as the kernel will find as well.
    fn read(program: usize, flags: usize) -> Option<Pending> {
        let Program { length, instructions } = user::read(program).ok()?;
        let read = |at| user::read::<Instruction>(instructions + at * size_of::<Instruction>()).ok();
        let instructions = (0..usize::from(length)).map(read).collect::<Option<_>>()?;
        Some(Pending { instructions, listens: flags & SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 })
    }

    /// What a call asks for, if it is one that puts a filter on.
    pub fn of_call(number: i64, args: &[usize; 6]) -> Option<Pending> {
        match (number, args[0] as u32 as usize, args[1]) {
            (libc::SYS_prctl, option, SECCOMP_MODE_FILTER) if option == libc::PR_SET_SECCOMP as usize => {
                Pending::read(args[2], 0)
            }
            (libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags) => Pending::read(args[2], flags),
            _ => None,
        }
    }

    /// The kernel has answered.
    pub fn answered(self, result: isize) {
        if result != 0 && !(self.listens && result > 0) {
            return;
        }
        let mut allowed = [0; NUMBERS / 64];
        for number in 0..NUMBERS {
            let verdict = run(&self.instructions, &Call::new(number, &[0; 6]));
            if is_allowed(&verdict) && !verdict.looked {
                allowed[number / 64] |= 1 << (number % 64);
            }
        }
        let next = FIRST.load(Acquire);
        let filter = Box::leak(Box::new(Filter { next, instructions: self.instructions, allowed }));
        // One at a time: the calling thread is the carrier, or the only one.
        FIRST.store(filter, Release);
        ANY.store(true, Release);
    }
}

/// Makes a call that may put a filter on.
pub(crate) fn install(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let args = frame.args();
    let Some(pending) = Pending::of_call(frame.number as i64, &args) else { return Pass(Reason::NotOurs) };
    // What the filter may refuse later, while it can be had.
    hub.reactor.open();
    let [a, b, c, d, e, f] = args;
    // SAFETY: the program's own call.
    let result = unsafe { sys::syscall6(frame.number, a, b, c, d, e, f) };
    pending.answered(result);
    Done(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn instruction(code: u16, yes: u8, no: u8, k: u32) -> Instruction {
        Instruction { code, yes, no, k }
    }

    fn allowed(filter: &[Instruction], number: i64, first: usize) -> (bool, bool) {
        let verdict = run(filter, &Call::new(number as usize, &[first, 0, 0, 0, 0, 0]));
        (is_allowed(&verdict), verdict.looked)
    }

    #[test]
    fn a_list_of_calls() {
        let filter = [
            instruction(0x20, 0, 0, 0),
            instruction(0x15, 1, 0, libc::SYS_read as u32),
            instruction(0x06, 0, 0, SECCOMP_RET_KILL_PROCESS),
            instruction(0x06, 0, 0, SECCOMP_RET_ALLOW),
        ];
        assert_eq!(allowed(&filter, libc::SYS_read, 0), (true, false));
        assert_eq!(allowed(&filter, libc::SYS_write, 0), (false, false));
    }

    #[test]
    fn arguments_memory_and_arithmetic() {
        let filter = [
            instruction(0x20, 0, 0, 16), // the first argument
            instruction(0x02, 0, 0, 3),
            instruction(0x00, 0, 0, 40),
            instruction(0x61, 0, 0, 3),
            instruction(0x0c, 0, 0, 0), // 40 + the argument
            instruction(0x54, 0, 0, 0xfe),
            instruction(0x35, 0, 1, 50),
            instruction(0x06, 0, 0, SECCOMP_RET_ALLOW),
            instruction(0x06, 0, 0, 0x0005_0001), // SECCOMP_RET_ERRNO
        ];
        assert_eq!(allowed(&filter, libc::SYS_read, 11), (true, true));
        assert_eq!(allowed(&filter, libc::SYS_read, 9), (false, true));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(allowed(&[], libc::SYS_read, 0), (false, false));
        assert_eq!(allowed(&[instruction(0x05, 0, 0, u32::MAX)], libc::SYS_read, 0), (false, false));
    }
}
