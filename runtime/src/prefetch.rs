//! Asking the processor for memory that will be needed soon.
//!
//! A server's thousands of green threads don't fit into the caches, nor do their pages into the processor's table of
//! translations: stacks lie far apart, so each thread has pages, and page tables, of its own. Whoever's turn comes finds its
//! stack, libc's thread descriptor, its record and what is known of its descriptor cold, and would wait for one after the
//! other, since each leads to the next. But it is known early whose turns are coming, and what they begin with:
//!
//! | when | of whom | asked for |
//! |---|---|---|
//! | events are taken | descriptors some events ahead | what is known of them, then the waiter, then its record |
//! | a turn begins | the next but one | translations of its stack's end and of libc's descriptor |
//! | somebody is woken while nobody else is ready | that one | as in the last row, where there are many threads |
//! | a turn begins | the next | what lies between its stack pointer and the program's; libc's descriptor; the call's buffer |
//!
//! By the time it is needed it is there: in between, others made their system calls. With 1,000 connections this is a
//! tenth of the CPU time of an echo server, with some thousands more, and a post that goes round through 1,000 threads
//! takes three quarters of the time. Where few threads run there is nobody ahead, and nothing is asked for.

use core::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};

const LINE: usize = 64;

/// The cache line of `address`, which may be any: nothing is read.
#[inline(always)]
pub(crate) fn line(address: usize) {
    // SAFETY: a prefetch never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
}

/// `bytes` from `address` on.
#[inline(always)]
pub(crate) fn lines(address: usize, bytes: usize) {
    for at in (0..bytes).step_by(LINE) {
        line(address + at);
    }
}
