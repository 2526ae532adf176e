//! Thread stacks, pooled one level below libc: what libc maps for a thread comes from here, and what it unmaps goes back.
//!
//! libc keeps 40 MiB of stacks of its own; any further thread costs it mmap, mprotect for the guard, page faults, madvise
//! and munmap, and two mappings of the 65,530 that a process may have. Here stacks lie side by side in a few large
//! mappings (*chunks*), and most of these calls need no kernel:
//!
//! | libc's call | here |
//! |---|---|
//! | `mmap(MAP_STACK)` in `pthread_create` | a stack of that size; the part that libc takes for fresh memory is zeroed |
//! | `mprotect` of all but the guard | nothing, if the guard of the last user was as large |
//! | `madvise(MADV_DONTNEED)` when a thread ends | put off until the process has nothing to do, for a few stacks |
//! | `munmap` | the stack is free; beyond a few, its memory goes back |
//!
//! What libc assumes of fresh memory: zeros in its thread descriptor and in the static thread-local storage below that,
//! which end where the thread's stack begins. The stack itself is no more than used before, as with libc's own cache.
//!
//! The program must not notice. To the kernel a chunk is one writable mapping with guard markers in it
//! (`MADV_GUARD_INSTALL`, Linux 6.13), or one whose guards are protected (`mprotect`). Whatever else than the calls above
//! the program does to a stack or a part of it (`mprotect`, `munmap`, `mremap`, `mlock`, a mapping over it), the stack first
//! becomes what the kernel would have made of it, and is the program's for good (`Pool::let_go`).
//!
//! Where memory is limited (RLIMIT_AS, strict overcommit, mlockall), nothing is reserved beforehand: libc's calls go
//! to the kernel.
//!
//! | state | in the kernel | free list | who has it |
//! |---|---|---|---|
//! | Raw | inaccessible, never used | (behind `carved`) | nobody |
//! | Clean | zeros | `clean` | nobody |
//! | Warm | as its last thread left it | `warm` | nobody |
//! | Asked | as Raw or Clean | no | libc has mapped it and has yet to set the guard |
//! | Used | with its guard | no | a thread, or libc's cache |
//! | Gone | the program's | no | the program |

mod chunk;
mod kernel;
mod surplus;
#[cfg(test)]
mod tests;

pub use surplus::{alone, idle};

use crate::alloc::HEAP;
use crate::lock::Lock;
use chunk::{Chunk, Refused, Slot, State};
use core::sync::atomic::{AtomicUsize, Ordering::*};
use kernel::PAGE;

/// Larger stacks are the kernel's business.
const LARGEST: usize = 256 << 20;
/// Different sizes of stacks that are pooled.
const CLASSES: usize = 8;
/// Stacks whose end-of-thread madvise is put off.
const PUT_OFF: usize = 32;
/// How far below the stack pointer libc keeps memory at a thread's end (PTHREAD_STACK_MIN).
const KEPT_AT_END: usize = 16384;
/// Stacks of one size.
struct Class {
    bytes: usize,
    /// The last guard asked for: most likely the next one too.
    guard: usize,
    clean: Vec<usize>,
    warm: Vec<usize>,
    /// Stacks in all chunks.
    slots: usize,
    /// Handed out and not returned.
    used: usize,
}

struct Pool {
    /// Sorted by address.
    chunks: Vec<Chunk>,
    classes: Vec<Class>,
    /// Stacks with an madvise put off, those in use again among them.
    put_off: Vec<usize>,
    /// Guards are markers in the page tables.
    markers: bool,
    /// Counts stacks that came back; what the count was when the hub last had nothing to do, and since when.
    changes: u64,
    seen: u64,
    quiet_since: u64,
    /// The process locks its memory, or reserving failed: no more chunks.
    frozen: bool,
    /// `vm.overcommit_memory` has been looked at.
    looked: bool,
}

static POOL: Lock<Pool> = Lock::new(Pool {
    chunks: Vec::new(),
    classes: Vec::new(),
    put_off: Vec::new(),
    markers: true,
    changes: 0,
    seen: 0,
    quiet_since: 0,
    frozen: false,
    looked: false,
});
/// All chunks lie between these, so that most calls need not take the lock.
static LOWEST: AtomicUsize = AtomicUsize::new(usize::MAX);
static HIGHEST: AtomicUsize = AtomicUsize::new(0);
/// For tests, and for kernels that have no guard markers.
pub fn do_without_markers() {
    POOL.lock().markers = false;
}

/// Whether `[address, address + bytes)` may touch a pooled stack.
#[inline]
fn may_touch(address: usize, bytes: usize) -> bool {
    address < HIGHEST.load(Relaxed) && address.saturating_add(bytes) > LOWEST.load(Relaxed)
}

/// libc's `pthread_create` maps a stack of `bytes`: `accessible`, or not yet. `None`: the kernel is to do it.
pub fn take(bytes: usize, accessible: bool) -> Option<usize> {
    if !bytes.is_multiple_of(PAGE) || !(4 * PAGE..=LARGEST).contains(&bytes) {
        return None;
    }
    POOL.lock().take(bytes, accessible)
}

/// `munmap`. True if that was all; false if the kernel is to do it.
pub fn unmap(address: usize, bytes: usize) -> bool {
    may_touch(address, bytes) && POOL.lock().unmap(address, bytes)
}

/// `mprotect`. `None`: the kernel is to do it.
pub fn protect(address: usize, bytes: usize, protection: i32) -> Option<isize> {
    if may_touch(address, bytes) {
        POOL.lock().protect(address, bytes, protection)
    } else {
        None
    }
}

/// `madvise` by a thread with this stack pointer. `None`: the kernel is to do it.
pub fn advise(address: usize, bytes: usize, advice: i32, rsp: usize) -> Option<isize> {
    if may_touch(address, bytes) {
        POOL.lock().advise(address, bytes, advice, rsp)
    } else {
        None
    }
}

/// The program does something to these addresses that a pooled stack knows nothing of.
pub fn touched(address: usize, bytes: usize) {
    if may_touch(address, bytes) {
        POOL.lock().let_go_all(address, bytes);
    }
}

/// All memory gets locked: what is free could not be given back.
pub fn freeze() {
    POOL.lock().frozen = true;
}

/// A thread begins, with its stack pointer at `top`.
#[inline]
pub fn begun(top: usize) {
    if may_touch(top - 1, 1) {
        POOL.lock().begun(top);
    }
}

/// Whether `address` is in the guard of a stack, where the program expects a protected page.
pub fn is_guard(address: usize) -> bool {
    may_touch(address, 1) && POOL.lock().find(address).is_some_and(|(slot, base)| address - base < slot.guard())
}

/// Runs `fork` with the pool locked, so that the child finds it whole.
pub fn quiet_during<R>(fork: impl FnOnce() -> R) -> R {
    let _guard = POOL.lock();
    HEAP.quiet_during(fork)
}

impl Pool {
    /// The stack at `address`, whatever its state, and where it begins.
    fn find(&mut self, address: usize) -> Option<(&mut Slot, usize)> {
        let after = self.chunks.partition_point(|chunk| chunk.base <= address);
        self.chunks[..after].last_mut()?.slot_at(address)
    }

    fn class(&mut self, bytes: usize) -> Option<usize> {
        if let Some(at) = self.classes.iter().position(|class| class.bytes == bytes) {
            return Some(at);
        }
        if self.classes.len() == CLASSES {
            return None;
        }
        let (clean, warm) = (Vec::new(), Vec::new());
        self.classes.push(Class { bytes, guard: PAGE, clean, warm, slots: 0, used: 0 });
        Some(self.classes.len() - 1)
    }

    fn take(&mut self, bytes: usize, accessible: bool) -> Option<usize> {
        let at = self.class(bytes)?;
        let class = &mut self.classes[at];
        let base = match class.warm.pop().or_else(|| class.clean.pop()) {
            Some(base) => base,
            None => self.carve(at)?,
        };
        let (slot, _) = self.find(base)?;
        slot.ask(base);
        self.classes[at].used += 1;
        if accessible && self.set_guard(base, 0).is_err() {
            self.give_back(at, base);
            return None;
        }
        Some(base)
    }

    /// A stack that was never used.
    fn carve(&mut self, at: usize) -> Option<usize> {
        let (bytes, guard) = (self.classes[at].bytes, self.classes[at].guard);
        let has_raw = |chunk: &Chunk| chunk.bytes == bytes && chunk.has_raw();
        let chunk = match self.chunks.iter().position(has_raw) {
            Some(chunk) => chunk,
            None => self.reserve(at)?,
        };
        let chunk = &mut self.chunks[chunk];
        if !self.markers {
            // libc's own mprotect opens it.
            return Some(chunk.next_raw());
        }
        match chunk.open(guard) {
            Ok(mut opened) => {
                let first = opened.next();
                self.classes[at].clean.extend(opened.rev());
                first
            }
            Err(Refused::NoMarkers) => {
                self.markers = false;
                Some(chunk.next_raw())
            }
            Err(Refused::NoMemory) => None,
        }
    }

    /// A new chunk; its place in the list.
    #[cold]
    fn reserve(&mut self, at: usize) -> Option<usize> {
        if !self.looked {
            self.looked = true;
            self.frozen |= kernel::counts_every_page();
        }
        if self.frozen || kernel::address_space_is_limited() {
            return None;
        }
        self.chunks.retain(|chunk| !chunk.is_gone());
        let class = &mut self.classes[at];
        let chunk = Chunk::new(class.bytes, class.slots)?;
        class.slots += chunk.count();
        LOWEST.fetch_min(chunk.base, Relaxed);
        HIGHEST.fetch_max(chunk.end(), Relaxed);
        let place = self.chunks.partition_point(|other| other.base < chunk.base);
        self.chunks.insert(place, chunk);
        Some(place)
    }

    /// Gives the stack at `base` a guard of `guard` bytes; the errno if the kernel refuses.
    fn set_guard(&mut self, base: usize, guard: usize) -> Result<(), i32> {
        let (slot, _) = self.find(base).ok_or(libc::ENOMEM)?;
        slot.set_guard(base, guard)?;
        let bytes = slot.bytes();
        if let Some(class) = self.classes.iter_mut().find(|class| class.bytes == bytes) {
            class.guard = guard;
        }
        Ok(())
    }

    fn protect(&mut self, address: usize, bytes: usize, protection: i32) -> Option<isize> {
        const ACCESSIBLE: i32 = libc::PROT_READ | libc::PROT_WRITE;
        let Some((slot, base)) = self.find(address) else {
            self.let_go_all(address, bytes);
            return None;
        };
        let (state, old, size) = (slot.state, slot.guard(), slot.bytes());
        let end = address.saturating_add(bytes);
        let guard = match (state, protection) {
            // All but the guard.
            (State::Asked, ACCESSIBLE) if end == base + size => address - base,
            // A larger guard for another thread on a stack of libc's cache, or a smaller one.
            (State::Used, libc::PROT_NONE) if address == base && bytes > old && bytes < size => bytes,
            (State::Used, ACCESSIBLE) if end == base + old => address - base,
            _ => {
                self.let_go_all(address, bytes);
                return None;
            }
        };
        if !guard.is_multiple_of(PAGE) {
            self.let_go_all(address, bytes);
            return None;
        }
        Some(self.set_guard(base, guard).map_or_else(|errno| -(errno as isize), |()| 0))
    }

    fn unmap(&mut self, address: usize, bytes: usize) -> bool {
        let whole = self.find(address).filter(|(slot, base)| *base == address && slot.bytes() == bytes);
        if !whole.is_some_and(|(slot, _)| matches!(slot.state, State::Asked | State::Used)) {
            self.let_go_all(address, bytes);
            return false;
        }
        match self.classes.iter().position(|class| class.bytes == bytes) {
            Some(at) => self.give_back(at, address),
            None => false,
        }
    }

    /// A stack is free again. False if it is not: the kernel is to unmap it.
    fn give_back(&mut self, at: usize, base: usize) -> bool {
        let frozen = self.frozen;
        let Some((slot, _)) = self.find(base) else { return false };
        let rests = !frozen && slot.rest(base);
        let state = slot.state;
        self.classes[at].used -= 1;
        if !rests {
            self.forget_put_off(base);
            if let Some((slot, _)) = self.find(base) {
                slot.state = State::Gone;
            }
            return false;
        }
        if state == State::Clean {
            self.classes[at].clean.push(base);
            self.forget_put_off(base);
        } else {
            self.classes[at].warm.push(base);
            self.keep_few_warm(at);
            self.surplus();
        }
        true
    }

    fn advise(&mut self, address: usize, bytes: usize, advice: i32, rsp: usize) -> Option<isize> {
        let full = self.put_off.len() >= PUT_OFF;
        let Some((slot, base)) = self.find(address) else {
            self.let_go_all(address, bytes);
            return None;
        };
        match advice {
            libc::MADV_DONTNEED => {
                // What libc calls at a thread's end, and nobody else: from the stack's low end to a fixed distance from
                // the stack pointer.
                let end = address.saturating_add(bytes);
                let ending = slot.state == State::Used
                    && (address == base || address == base + slot.guard())
                    && rsp < base + slot.bytes()
                    && rsp.checked_sub(end.saturating_add(KEPT_AT_END)).is_some_and(|distance| distance < 2 * PAGE);
                let new = !slot.put_off;
                if !ending || full && new {
                    return None;
                }
                slot.put_off(end - base);
                if new {
                    self.put_off.push(base);
                }
                self.surplus();
                Some(0)
            }
            kernel::GUARD_INSTALL if slot.state == State::Used && address == base && bytes < slot.bytes() => {
                Some(self.set_guard(base, bytes).map_or_else(|errno| -(errno as isize), |()| 0))
            }
            libc::MADV_NORMAL
            | libc::MADV_RANDOM
            | libc::MADV_SEQUENTIAL
            | libc::MADV_WILLNEED
            | libc::MADV_FREE
            | libc::MADV_COLD
            | libc::MADV_PAGEOUT
            | libc::MADV_POPULATE_READ
            | libc::MADV_POPULATE_WRITE => None,
            _ => {
                self.let_go_all(address, bytes);
                None
            }
        }
    }

    fn begun(&mut self, top: usize) {
        if let Some((slot, base)) = self.find(top - 1) {
            let end = base + slot.bytes();
            slot.begin(end - top);
        }
    }

    fn forget_put_off(&mut self, base: usize) {
        if let Some((slot, _)) = self.find(base) {
            if core::mem::take(&mut slot.put_off) {
                self.put_off.retain(|&other| other != base);
            }
        }
    }

    /// Every stack that `[address, address + bytes)` touches becomes the program's own.
    #[cold]
    fn let_go_all(&mut self, address: usize, bytes: usize) {
        let end = address.saturating_add(bytes);
        let from = self.chunks.partition_point(|chunk| chunk.end() <= address);
        let mut touched = Vec::new();
        for chunk in self.chunks[from..].iter_mut().take_while(|chunk| chunk.base < end) {
            touched.extend(chunk.stacks_in(address, end));
        }
        for base in touched {
            self.forget_put_off(base);
            let Some((slot, _)) = self.find(base) else { continue };
            let (was, bytes) = (slot.state, slot.bytes());
            slot.let_go(base);
            let Some(class) = self.classes.iter_mut().find(|class| class.bytes == bytes) else { continue };
            match was {
                State::Asked | State::Used => class.used -= 1,
                State::Clean => class.clean.retain(|&other| other != base),
                State::Warm => class.warm.retain(|&other| other != base),
                State::Raw | State::Gone => {}
            }
        }
    }
}
