//! Memory operations by system calls of our own (`mprotect` and the like in libc are sites
//! themselves), and the writing of jumps into text.

use std::arch::asm;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::find::JUMP;
use super::stub::NOP;

pub const PAGE: usize = 4096;
/// A jump reaches 2 GiB; this much less leaves room for the object's own operands.
const REACH: usize = 0x7f00_0000;
/// Below this, the kernel maps nothing for anybody (vm.mmap_min_addr is 65536 usually).
const LOWEST: usize = 0x1_0000;
const HIGHEST: usize = 0x7fff_ffff_0000;
/// The wanted distance from an object, or a little more, so that holes that the program leaves beside its own stay free for it.
const AWAY: usize = 0x4000_0000;
/// Otherwise the first distance that is tried, doubled as long as the place is taken.
const FIRST_STEP: usize = 0x1_0000;
/// Step of the patient search after that.
const STEP: usize = 0x10_0000;

/// A system call; the result is the kernel's (a negative errno for an error).
///
/// # Safety
/// As the system call demands.
unsafe fn syscall6(nr: i64, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the caller answers for the call; the instruction itself changes rax, rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

fn check(result: isize) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| -result as i32)
}

/// Pages of ours near an object.
#[derive(Debug)]
pub struct Area {
    pub start: usize,
    pub len: usize,
}

impl Area {
    /// Readable and writable pages within reach of all of `span`: below it first, and not close, since
    /// a heap may want to grow behind a program, and a stack in front of a library.
    pub fn near(span: &Range<usize>, len: usize) -> Option<Self> {
        let len = len.next_multiple_of(PAGE);
        let start = span.start & !(PAGE - 1);
        let end = span.end.next_multiple_of(PAGE);
        let lowest = end.saturating_sub(REACH).max(LOWEST);
        let highest = (start + REACH).min(HIGHEST) - len;
        let doubling = || std::iter::successors(Some(FIRST_STEP), |step| Some(step * 2)).take(15);
        let even = || (1..REACH / STEP).map(|n| n * STEP);
        let below = |step: usize| start.checked_sub(len + step);
        let above = |step: usize| end.checked_add(step);
        let closest = start.checked_sub(len);
        let away = (0..64).map(|n| AWAY + n * STEP);
        away.filter_map(below)
            .chain(closest)
            .chain(doubling().filter_map(below))
            .chain(doubling().filter_map(above))
            .chain(even().filter_map(below))
            .chain(even().filter_map(above))
            .filter(|hint| (lowest..=highest).contains(hint))
            .find_map(|hint| Self::at(hint & !(PAGE - 1), len))
    }

    fn at(hint: usize, len: usize) -> Option<Self> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as usize;
        // SAFETY: a new anonymous mapping that replaces nothing.
        let result = unsafe { syscall6(libc::SYS_mmap, [hint, len, protection, flags, usize::MAX, 0]) };
        let area = Self { start: check(result).ok()?, len };
        // Before Linux 4.17 the address is only a wish.
        if area.start != hint {
            area.release();
            return None;
        }
        Some(area)
    }

    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// Gives the pages behind the first `used` bytes back.
    pub fn truncate(&mut self, used: usize) {
        let keep = used.next_multiple_of(PAGE);
        if keep < self.len {
            unmap(self.start + keep, self.len - keep);
            self.len = keep;
        }
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.len);
        let to = (self.start + offset) as *mut u8;
        // SAFETY: inside our own writable mapping, as just checked.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    pub fn seal(&self) -> Result<(), i32> {
        let protection = (libc::PROT_READ | libc::PROT_EXEC) as usize;
        // SAFETY: our own pages, which nothing writes to any more.
        unsafe { protect(&self.range(), protection) }
    }

    pub fn release(self) {
        unmap(self.start, self.len);
    }
}

fn unmap(start: usize, len: usize) {
    // SAFETY: the callers pass pages of an `Area`, which nobody uses.
    unsafe { syscall6(libc::SYS_munmap, [start, len, 0, 0, 0, 0]) };
}

/// # Safety
/// The pages of `range` must be in a state that `protection` suits.
pub unsafe fn protect(range: &Range<usize>, protection: usize) -> Result<(), i32> {
    let start = range.start & !(PAGE - 1);
    let len = range.end.next_multiple_of(PAGE) - start;
    // SAFETY: the caller's promise.
    check(unsafe { syscall6(libc::SYS_mprotect, [start, len, protection, 0, 0, 0]) }).map(|_| ())
}

/// Replaces a window while no other thread can run in it.
///
/// # Safety
/// `window` is writable text that no thread executes during the call.
pub unsafe fn replace(window: &Range<usize>, jump: [u8; JUMP]) {
    // SAFETY: the caller's promise; a window has room for a jump.
    unsafe {
        (window.start as *mut [u8; JUMP]).write_unaligned(jump);
        let rest = window.start + JUMP;
        std::ptr::write_bytes(rest as *mut u8, NOP, window.end - rest);
    }
}

/// Writes the jump such that a thread that arrives at the window meanwhile sees the old or the
/// new instruction whole. The rest of the window stays: a thread that is there already goes on with
/// the old instructions. (One that is inside the first five bytes of several instructions is
/// beyond help; see `install_new`.)
///
/// # Safety
/// `window` is writable text.
pub unsafe fn replace_while_running(window: &Range<usize>, jump: [u8; JUMP]) {
    /// `jmp .`: who arrives waits there.
    const WAIT: u16 = u16::from_le_bytes([0xeb, 0xfe]);
    const LINE: usize = 64;
    let word = window.start & !7;
    let shift = window.start - word;
    if shift + JUMP <= 8 {
        // SAFETY: an aligned word of the (writable) text; windows of five bytes lie inside it.
        let atomic = unsafe { AtomicU64::from_ptr(word as *mut u64) };
        let mut bytes = atomic.load(Ordering::Relaxed).to_le_bytes();
        bytes[shift..shift + JUMP].copy_from_slice(&jump);
        atomic.store(u64::from_le_bytes(bytes), Ordering::SeqCst);
        return;
    }
    // A locked store across cache lines traps on some systems: there, store plainly.
    let locked = window.start % LINE != LINE - 1;
    let head = u16::from_le_bytes([jump[0], jump[1]]);
    let tail = [jump[2], jump[3], jump[4]];
    // SAFETY: the window is writable and has room for the jump. The first two bytes change in one
    // locked store, and while the others change nobody gets past them.
    unsafe {
        if locked {
            exchange(window.start, WAIT);
        }
        ((window.start + 2) as *mut [u8; 3]).write_volatile(tail);
        if locked {
            exchange(window.start, head);
        } else {
            (window.start as *mut u16).write_unaligned(head);
        }
    }
}

/// Writes a jump of two bytes, as [`replace_while_running`] does.
///
/// # Safety
/// The two bytes at `at` are writable text, and one instruction.
pub unsafe fn replace_short(at: usize, jump: [u8; 2]) {
    // SAFETY: the caller's promise. A store of two bytes within a line is seen whole.
    unsafe { (at as *mut u16).write_unaligned(u16::from_le_bytes(jump)) };
}

/// # Safety
/// `address` is writable.
unsafe fn exchange(address: usize, value: u16) {
    // SAFETY: xchg with memory is a locked operation, at any alignment.
    unsafe {
        asm!("xchg word ptr [{address}], {value:x}", address = in(reg) address,
             value = inout(reg) value => _, options(nostack));
    }
}
