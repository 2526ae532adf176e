//! Whether children may be traced by this process.
//!
//! A traced child stops even where nobody asked for it (`WUNTRACED` is implied), and the only word of that is the return of
//! a kernel thread that waits for it: `SIGCHLD` does not come where it is ignored, which is the default. The child itself
//! may ask to be traced (`PTRACE_TRACEME`) while its parent waits already. So a program counts as one that traces if it has
//! `ptrace` among the names that it wants of libraries, or has called it.

use crate::calls::{error, Outcome, Reason};
use crate::frame::Frame;
use crate::hub::Hub;
use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering::*};

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;
static TRACES: AtomicU8 = AtomicU8::new(UNKNOWN);

/// ptrace: the kernel's, which answers the thread only that traces. All green threads are one to it.
pub fn ptrace(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let attaches = matches!(frame.rdi as u32, libc::PTRACE_ATTACH | libc::PTRACE_SEIZE);
    if attaches && hub.by_tid(frame.rsi as i32).is_some() {
        // Nobody traces threads of the own process.
        return Outcome::Done(error(libc::EPERM));
    }
    ptrace_foreign(hub, frame)
}

pub fn ptrace_foreign(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    if TRACES.swap(YES, Relaxed) != YES {
        hub.reactor.wake_all();
    }
    Outcome::Pass(Reason::NonBlocking)
}

/// See the module.
pub(super) fn possible() -> bool {
    if TRACES.load(Relaxed) == UNKNOWN {
        let traces = if program_wants(b"ptrace") { YES } else { NO };
        // A call may have come in between.
        let _ = TRACES.compare_exchange(UNKNOWN, traces, Relaxed, Relaxed);
    }
    TRACES.load(Relaxed) == YES
}

/// Whether the program's own file names this symbol. It is never unloaded, so that no lock of the dynamic linker is needed,
/// which a parked green thread may hold.
fn program_wants(symbol: &[u8]) -> bool {
    let Some(names) = names() else { return false };
    // SAFETY: the table of names is mapped as long as the program.
    let names = unsafe { core::slice::from_raw_parts(names.start as *const u8, names.len()) };
    names.split(|&byte| byte == 0).any(|name| name == symbol)
}

/// The program's table of names for the dynamic linker.
fn names() -> Option<Range<usize>> {
    // SAFETY: reads the auxiliary vector.
    let (headers, count) =
        unsafe { (libc::getauxval(libc::AT_PHDR) as usize, libc::getauxval(libc::AT_PHNUM) as usize) };
    if headers == 0 {
        return None;
    }
    // SAFETY: where the kernel has put the program's headers.
    let segments = unsafe { core::slice::from_raw_parts(headers as *const libc::Elf64_Phdr, count) };
    let of_type = |wanted| segments.iter().find(|segment| segment.p_type == wanted);
    // Without a header for the headers the program lies where its file says.
    let base = of_type(libc::PT_PHDR).map_or(0, |own| headers - own.p_vaddr as usize);
    let mut entry = (base + of_type(libc::PT_DYNAMIC)?.p_vaddr as usize) as *const [usize; 2];
    let (mut start, mut bytes) = (0, 0);
    loop {
        const DT_NULL: usize = 0;
        const DT_STRTAB: usize = 5;
        const DT_STRSZ: usize = 10;
        // SAFETY: the list ends with DT_NULL.
        match unsafe { entry.read() } {
            [DT_NULL, _] => break,
            [DT_STRTAB, value] => start = value,
            [DT_STRSZ, value] => bytes = value,
            _ => {}
        }
        // SAFETY: not at the end of the list.
        entry = unsafe { entry.add(1) };
    }
    // The dynamic linker has made an address of it, unless the list cannot be written.
    let start = if start < base { base + start } else { start };
    (start != 0 && bytes != 0).then(|| start..start + bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_program_wants() {
        assert!(program_wants(b"libc.so.6"));
        assert!(program_wants(b"__libc_start_main"));
        assert!(!program_wants(b"libc_start_main"));
        assert!(!program_wants(b"ptrace"));
    }
}
