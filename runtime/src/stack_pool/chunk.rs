//! A mapping that holds stacks of one size, and what is known of each stack.

use super::kernel::{self, GUARD_INSTALL, GUARD_REMOVE, PAGE};
use core::ops::Range;

/// Stacks in the first chunk of a size; each later one doubles their number.
const FEWEST: usize = 16;
const MOST: usize = 8192;
/// The most that a chunk reserves.
const CHUNK_BYTES: usize = 64 << 30;
/// Stacks that are made accessible at a time, and their bytes.
const OPENED: usize = 16;
const OPENED_BYTES: usize = 128 << 20;
/// If libc has written to more than this, the memory goes back instead of being zeroed.
const MOST_ZEROED: usize = 256 << 10;
const ACCESSIBLE: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// See the table in `stack_pool`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Raw,
    Clean,
    Warm,
    Asked,
    Used,
    Gone,
}

/// One stack.
#[derive(Clone, Copy)]
pub struct Slot {
    bytes: usize,
    pub state: State,
    /// The kernel lets the program use the stack, but for its guard.
    open: bool,
    /// The guard is protected rather than marked.
    protected: bool,
    /// A madvise of libc's was put off, for the thread that uses the stack or one before it.
    pub put_off: bool,
    guard: u32,
    /// Pages from the stack's low end that the madvise was for; 0 while a thread uses the stack.
    advised: u32,
    /// libc has written to so many bytes at the stack's end (and threads below them); 0: not known.
    pub written: u32,
}

impl Slot {
    /// Bytes of the whole stack.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the guard at its low end.
    pub fn guard(&self) -> usize {
        self.guard as usize
    }

    /// A thread begins, with its stack pointer `below_end` bytes below the stack's end.
    pub fn begin(&mut self, below_end: usize) {
        self.advised = 0;
        self.written = self.written.max(below_end as u32);
    }

    /// The thread ends and does not need the lowest `bytes` any more.
    pub fn put_off(&mut self, bytes: usize) {
        self.put_off = true;
        self.advised = (bytes / PAGE) as u32;
    }

    /// Does what was put off. False if the stack is in use again.
    pub fn discard_put_off(&mut self, base: usize) -> bool {
        if self.advised == 0 {
            return false;
        }
        kernel::discard(base, self.advised as usize * PAGE);
        self.advised = 0;
        self.put_off = false;
        true
    }

    /// libc asks for the stack: what it takes for fresh memory becomes zero.
    pub fn ask(&mut self, base: usize) {
        if self.state == State::Warm {
            let written = self.written as usize;
            // SAFETY: the end of a free stack.
            unsafe { core::ptr::write_bytes((base + self.bytes - written) as *mut u8, 0, written) };
        }
        self.written = 0;
        self.state = State::Asked;
    }

    /// Nobody uses the stack any more: it is clean or warm from now on. False if it can't be used again.
    pub fn rest(&mut self, base: usize) -> bool {
        if self.state == State::Used && self.written != 0 && self.written as usize <= MOST_ZEROED {
            self.state = State::Warm;
            // A thread that ended in some other way than libc's has not said what it needs no more.
            self.advised = ((self.bytes - self.written as usize) / PAGE) as u32;
            return true;
        }
        self.state = State::Clean;
        // What is not open was never written to.
        !self.open || kernel::discard(base, self.bytes)
    }

    /// Makes the guard `guard` bytes large; the kernel's errno if that can't be. The stack is used from now on.
    pub fn set_guard(&mut self, base: usize, guard: usize) -> Result<(), i32> {
        let old = self.guard();
        if !self.open {
            kernel::protect(base + guard, self.bytes - guard, ACCESSIBLE)?;
            self.open = true;
            self.protected = true;
        } else if guard > old {
            let marked = !self.protected && kernel::mark(base, guard, GUARD_INSTALL).is_ok();
            if !marked {
                self.unmark(base)?;
                kernel::protect(base, guard, libc::PROT_NONE)?;
                self.protected = true;
            }
        } else if self.protected {
            kernel::protect(base + guard, old - guard, ACCESSIBLE)?;
        } else {
            kernel::mark(base + guard, old - guard, GUARD_REMOVE)?;
        }
        self.guard = guard as u32;
        self.state = State::Used;
        Ok(())
    }

    fn unmark(&self, base: usize) -> Result<(), i32> {
        if self.open && !self.protected {
            kernel::mark(base, self.guard(), GUARD_REMOVE)
        } else {
            Ok(())
        }
    }

    /// The program does something of its own to the stack: to the kernel it becomes what libc thinks it is.
    pub fn let_go(&mut self, base: usize) {
        let inaccessible = match self.state {
            State::Used if !self.protected => self.guard(),
            State::Asked if self.open => self.bytes,
            _ => 0,
        };
        if inaccessible != 0 {
            let _ = self.unmark(base);
            let _ = kernel::protect(base, inaccessible, libc::PROT_NONE);
        }
        self.state = State::Gone;
    }
}

/// Why no stack can be had.
pub enum Refused {
    NoMemory,
    NoMarkers,
}

/// See the module.
pub struct Chunk {
    pub base: usize,
    /// Of each stack.
    pub bytes: usize,
    slots: Box<[Slot]>,
    /// Stacks from here on are raw.
    carved: usize,
}

impl Chunk {
    /// Reserves room for stacks of `bytes`, of which there are `already` elsewhere.
    pub fn new(bytes: usize, already: usize) -> Option<Chunk> {
        let count = already.clamp(FEWEST, MOST).min(CHUNK_BYTES / bytes);
        let base = kernel::reserve(count * bytes)?;
        let raw = Slot {
            bytes,
            state: State::Raw,
            open: false,
            protected: false,
            put_off: false,
            guard: 0,
            advised: 0,
            written: 0,
        };
        Some(Chunk { base, bytes, slots: vec![raw; count].into_boxed_slice(), carved: 0 })
    }

    pub fn end(&self) -> usize {
        self.base + self.slots.len() * self.bytes
    }

    pub fn count(&self) -> usize {
        self.slots.len()
    }

    pub fn has_raw(&self) -> bool {
        self.carved < self.slots.len()
    }

    /// The stack that holds `address`, and where it begins. None for one that is raw or gone.
    pub fn slot_at(&mut self, address: usize) -> Option<(&mut Slot, usize)> {
        let index = (address - self.base) / self.bytes;
        let slot = self.slots[..self.carved].get_mut(index).filter(|slot| slot.state != State::Gone)?;
        Some((slot, self.base + index * self.bytes))
    }

    /// Where those stacks begin that `[start, end)` touches. Raw ones there are never handed out.
    pub fn stacks_in(&mut self, start: usize, end: usize) -> impl Iterator<Item = usize> + '_ {
        let (base, bytes) = (self.base, self.bytes);
        let first = start.saturating_sub(base) / bytes;
        let last = (end - base).div_ceil(bytes).min(self.slots.len());
        if last > self.carved {
            self.slots[self.carved..].iter_mut().for_each(|slot| slot.state = State::Gone);
            self.carved = self.slots.len();
        }
        (first..last).filter(|&index| self.slots[index].state != State::Gone).map(move |index| base + index * bytes)
    }

    /// The next raw stack, as it is.
    pub fn next_raw(&mut self) -> usize {
        self.carved += 1;
        self.slots[self.carved - 1].state = State::Clean;
        self.base + (self.carved - 1) * self.bytes
    }

    /// Makes some raw stacks accessible, each with a guard of `guard` bytes, and tells where they begin.
    pub fn open(&mut self, guard: usize) -> Result<impl DoubleEndedIterator<Item = usize>, Refused> {
        let most = OPENED.min(OPENED_BYTES / self.bytes).clamp(1, self.slots.len() - self.carved);
        let start = self.base + self.carved * self.bytes;
        let open = |count: usize| kernel::protect(start, count * self.bytes, ACCESSIBLE).is_ok();
        let count = [most, 1].into_iter().find(|&count| open(count)).ok_or(Refused::NoMemory)?;
        if kernel::mark_each(start, self.bytes, count, guard).is_err() {
            let _ = kernel::protect(start, count * self.bytes, libc::PROT_NONE);
            return Err(Refused::NoMarkers);
        }
        let opened: Range<usize> = self.carved..self.carved + count;
        for slot in &mut self.slots[opened.clone()] {
            (slot.state, slot.open, slot.guard) = (State::Clean, true, guard as u32);
        }
        self.carved = opened.end;
        let (base, bytes) = (self.base, self.bytes);
        Ok(opened.map(move |index| base + index * bytes))
    }

    /// Whether all of it is the program's: nothing is left to be known.
    pub fn is_gone(&self) -> bool {
        self.slots.iter().all(|slot| slot.state == State::Gone)
    }

    /// Whether no stack is anybody's.
    pub fn is_unused(&self) -> bool {
        self.slots[..self.carved].iter().all(|slot| matches!(slot.state, State::Clean | State::Warm))
    }
}
