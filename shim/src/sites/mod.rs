//! `syscall` instructions of loaded objects, redirected to one entry.
//!
//! [`install_clone_site`] runs at load and touches only the instruction that makes threads,
//! [`install_all`] runs when the shim arms, [`install_new`] after a `dlopen`. What a patched site
//! and its stub look like, and what is assumed of libc and the compiler, is in `stub.rs`.
//!
//! The look-ups ([`site_at`], [`in_stub`], [`stub_address`]) may be called from a signal handler:
//! they read tables that are published once, never change and are never freed.

mod boundaries;
mod bytes;
mod eh_frame;
pub mod entry;
mod find;
mod insn;
mod install;
mod memory;
mod objects;
mod stone;
mod stub;
mod targets;
#[cfg(test)]
mod tests;

pub use install::{install_all, install_clone_site, install_new};

use std::fmt;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use stub::Record;

pub use greenpatch_runtime::frame::CallSite as Site;

/// Where stubs jump to: code that follows the protocol of [`Site`], for ever.
#[derive(Debug, Clone, Copy)]
pub struct Entries {
    /// For libc's own sites.
    pub libc: usize,
    /// For sites with [`Site::WIDE_STATE`].
    pub wide: usize,
}

/// What an installation did.
#[derive(Debug, Default)]
pub struct Report {
    /// Objects examined.
    pub objects: usize,
    /// `syscall` instructions found in them that were not redirected before.
    pub sites: usize,
    /// Those redirected now.
    pub redirected: usize,
    /// Those left alone (or `0f 05` bytes that could not be told from one), and why.
    pub skipped: Vec<(usize, &'static str)>,
    /// Time the installation took, in microseconds.
    pub micros: u64,
}

/// Why nothing was redirected. Whatever is returned, no text has been changed by the failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SitesError {
    /// The system refuses text that is writable and executable (SELinux, MDWE); the errno.
    TextNotWritable(String, i32),
    /// The system refuses to make memory of ours executable; the errno.
    StubsNotExecutable(i32),
    /// libc is there, but no instruction of it that makes threads.
    NoCloneSite,
    /// No object that is glibc is loaded.
    NoLibc,
    /// No free memory within reach of a jump from this object.
    NoRoom(String),
}

impl fmt::Display for SitesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextNotWritable(name, errno) => write!(
                f,
                "the system refuses to make the code of {name} writable (errno {errno}); allow execmod in \
                 SELinux or lift the memory-deny-write-execute restriction, or run without the preload"
            ),
            Self::StubsNotExecutable(errno) => write!(
                f,
                "the system refuses new executable memory (errno {errno}); allow execmem in SELinux or lift \
                 the memory-deny-write-execute restriction, or run without the preload"
            ),
            Self::NoCloneSite => {
                write!(f, "no system call that makes threads found in this libc; use glibc 2.31 or later on x86-64")
            }
            Self::NoLibc => write!(f, "no glibc is loaded; use a dynamically linked program on glibc 2.31 or later"),
            Self::NoRoom(name) => write!(
                f,
                "no free memory within 2 GiB of {name} for its call stubs; raise the address space limit \
                 (ulimit -v) or run without the preload"
            ),
        }
    }
}

impl std::error::Error for SitesError {}

/// The redirected sites of one object, one link of a list that only grows.
struct Table {
    next: Option<&'static Table>,
    text: Range<usize>,
    stubs: Range<usize>,
    /// Sorted by `site.syscall`, and (the same order) by stub.
    records: &'static [Record],
    /// Those whose jump is not in their window; hardly any.
    stones: &'static [&'static Record],
    /// Cleared when the object has been unloaded: its addresses may come back as another object.
    live: AtomicBool,
}

static TABLES: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

fn newest() -> Option<&'static Table> {
    // SAFETY: null, or a table that `publish` has leaked.
    unsafe { TABLES.load(Ordering::Acquire).as_ref() }
}

fn tables() -> impl Iterator<Item = &'static Table> {
    std::iter::successors(newest(), |table| table.next)
}

/// Makes a table visible to the look-ups. Callers hold the installation lock.
fn publish(text: Range<usize>, stubs: Range<usize>, records: &'static [Record]) -> &'static Table {
    let stones: Vec<_> = records.iter().filter(|record| record.has_stone()).collect();
    let table: &'static mut Table = Box::leak(Box::new(Table {
        next: newest(),
        text,
        stubs,
        records,
        stones: stones.leak(),
        live: AtomicBool::new(true),
    }));
    TABLES.store(table, Ordering::Release);
    table
}

fn record_before(address: usize) -> Option<&'static Record> {
    tables().filter(|t| t.live.load(Ordering::Relaxed) && t.text.contains(&address)).find_map(|t| {
        let after = t.records.partition_point(|r| r.window.start <= address);
        let record = t.records.get(after.checked_sub(1)?)?;
        // Variant A keeps its `syscall` just behind the window.
        (address < record.window.end || address == record.site.syscall).then_some(record)
    })
}

/// The site whose original `syscall` instruction is at exactly this address.
/// Async-signal-safe.
pub fn site_at(syscall_address: usize) -> Option<&'static Site> {
    record_before(syscall_address).map(|record| &record.site).filter(|site| site.syscall == syscall_address)
}

/// If `rip` lies in a stub (or is the jump to one): its site, and the address in the original text that `rip` stands for.
/// The original address is for eyes (a ucontext, an unwinder): inside a window the bytes there are
/// no longer what they were, so go on at `rip` or at [`stub_address`] of it. Async-signal-safe.
pub fn in_stub(rip: usize) -> Option<(&'static Site, usize)> {
    let Some(table) = tables().find(|t| t.stubs.contains(&rip)) else {
        let mut stones = tables().filter(|t| t.live.load(Ordering::Relaxed)).flat_map(|t| t.stones);
        let record = stones.find(|record| record.jump == rip)?;
        return Some((&record.site, record.site.syscall));
    };
    let after = table.records.partition_point(|r| r.stub.start <= rip);
    let record = table.records.get(after.checked_sub(1)?)?;
    if !record.stub.contains(&rip) {
        return None;
    }
    Some((&record.site, record.original_of(rip)))
}

/// The reverse of [`in_stub`]: where the program's code at `original` is to be continued, if its
/// bytes have been replaced. For the `syscall` itself this is [`Site::redo`].
/// Async-signal-safe.
pub fn stub_address(original: usize) -> Option<usize> {
    record_before(original)?.stub_of(original)
}

/// What a program should see of a context that is at `rip`: the original address, if `rip` lies in a stub.
pub fn shown(rip: usize) -> usize {
    in_stub(rip).map_or(rip, |(_, original)| original)
}

/// Where a context that a program set to `rip` must go on: in the stub, if the original instruction was moved there.
pub fn resumed(rip: usize) -> usize {
    stub_address(rip).unwrap_or(rip)
}
