//! Memory mappings: those that are thread stacks come from the pool (`stack_pool`), all others are the kernel's.

use super::Outcome::{self, Done, Pass};
use super::{error, Reason};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::stack_pool;

const STACK: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;

/// A mapping somewhere over others, or a stack for the thread that the caller makes.
pub fn mmap(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let (address, bytes, protection, flags) = (frame.rdi, frame.rsi, frame.rdx as i32, frame.r10 as i32);
    // Only libc's own code in pthread_create gets a pooled stack: it knows that its contents are no zeros.
    if address == 0 && flags & !libc::MAP_NORESERVE == STACK && hub.current().makes_thread.get() {
        let accessible = protection == libc::PROT_READ | libc::PROT_WRITE;
        if accessible || protection == libc::PROT_NONE {
            if let Some(stack) = stack_pool::take(bytes, accessible) {
                return Done(stack as isize);
            }
        }
    }
    mmap_foreign(hub, frame)
}

pub fn mmap_foreign(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.r10 as i32 & libc::MAP_ANONYMOUS == 0 && hub.reactor.owns(frame.r8 as i32) {
        return Done(error(libc::EBADF));
    }
    if frame.r10 as i32 & libc::MAP_FIXED != 0 {
        stack_pool::touched(frame.rdi, frame.rsi);
    }
    Pass(Reason::NonBlocking)
}

pub fn munmap(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if stack_pool::unmap(frame.rdi, frame.rsi) {
        Done(0)
    } else {
        Pass(Reason::NonBlocking)
    }
}

pub fn mprotect(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    stack_pool::protect(frame.rdi, frame.rsi, frame.rdx as i32).map_or(Pass(Reason::NonBlocking), Done)
}

pub fn madvise(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    stack_pool::advise(frame.rdi, frame.rsi, frame.rdx as i32, frame.rsp).map_or(Pass(Reason::NonBlocking), Done)
}

/// mlock and its kin, pkey_mprotect, mbind, remap_file_pages: what they do stays with the memory.
pub fn changes(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    stack_pool::touched(frame.rdi, frame.rsi);
    Pass(Reason::NonBlocking)
}

pub fn mremap(_hub: &'static Hub, frame: &mut Frame) -> Outcome {
    stack_pool::touched(frame.rdi, frame.rsi);
    if frame.r10 as i32 & libc::MREMAP_FIXED != 0 {
        stack_pool::touched(frame.r8, frame.rdx);
    }
    Pass(Reason::NonBlocking)
}

pub fn mlockall(_hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    stack_pool::freeze();
    Pass(Reason::NonBlocking)
}
