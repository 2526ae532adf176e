//! Pools of their own, on real memory.

use super::surplus::KEPT_WARM;
use super::*;
use crate::{sys, user};

const BYTES: usize = 64 << 10;
const ACCESSIBLE: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn pool(markers: bool) -> Pool {
    // The global bounds count for all pools; tests call the pool itself.
    Pool {
        chunks: Vec::new(),
        classes: Vec::new(),
        put_off: Vec::new(),
        markers: markers && kernel_has_markers(),
        changes: 0,
        seen: 0,
        quiet_since: 0,
        frozen: false,
        looked: true,
    }
}

fn kernel_has_markers() -> bool {
    let page = kernel::reserve(PAGE).expect("a page");
    let _ = kernel::protect(page, PAGE, ACCESSIBLE);
    let has = kernel::mark(page, PAGE, kernel::GUARD_INSTALL).is_ok();
    kernel::unmap(page, PAGE);
    has
}

/// Whether the kernel may read there, without a fault of ours.
fn is_readable(address: usize) -> bool {
    let mut pipe = [0i32; 2];
    // SAFETY: our own array; a bad address is the kernel's to refuse.
    unsafe {
        sys!(libc::SYS_pipe2, pipe.as_mut_ptr(), libc::O_CLOEXEC);
        let written = sys!(libc::SYS_write, pipe[1], address, 1);
        pipe.iter().for_each(|&fd| sys::close(fd));
        written == 1
    }
}

fn put(address: usize, value: u8) {
    user::write(address, &value).expect("writable");
}

fn get(address: usize) -> u8 {
    user::read(address).expect("readable")
}

/// As libc makes a stack with a guard.
fn make(pool: &mut Pool, guard: usize) -> usize {
    let base = pool.take(BYTES, false).expect("a stack");
    assert_eq!(pool.protect(base + guard, BYTES - guard, ACCESSIBLE), Some(0));
    assert!(is_readable(base + guard) && is_readable(base + BYTES - 1));
    assert!(guard == 0 || !is_readable(base) && !is_readable(base + guard - 1));
    base
}

#[test]
fn a_stack_comes_back_with_zeros_where_libc_wants_them() {
    for markers in [true, false] {
        let mut pool = pool(markers);
        let base = make(&mut pool, PAGE);
        let top = base + BYTES - 5000;
        pool.begun(top);
        put(top, 1);
        put(base + BYTES - 1, 2);
        put(top - 100, 3);
        assert!(pool.unmap(base, BYTES));
        assert_eq!(make(&mut pool, PAGE), base);
        assert_eq!((get(top), get(base + BYTES - 1)), (0, 0));
        // Never begun: nobody knows what was written.
        put(base + BYTES - 9000, 4);
        assert!(pool.unmap(base, BYTES));
        assert_eq!(make(&mut pool, PAGE), base);
        assert_eq!(get(base + BYTES - 9000), 0);
    }
}

#[test]
fn guards_grow_and_shrink() {
    for markers in [true, false] {
        let mut pool = pool(markers);
        for guard in [PAGE, 4 * PAGE, 2 * PAGE, 0, PAGE] {
            let base = make(&mut pool, guard);
            pool.begun(base + BYTES - 100);
            // As libc does it with a stack of its own cache.
            assert_eq!(pool.protect(base, guard + PAGE, libc::PROT_NONE), Some(0));
            assert!(!is_readable(base + guard) && is_readable(base + guard + PAGE));
            assert_eq!(pool.protect(base + guard, PAGE, ACCESSIBLE), Some(0));
            assert!(is_readable(base + guard));
            assert!(pool.unmap(base, BYTES));
        }
        let base = pool.take(BYTES, true).expect("a stack");
        assert!(is_readable(base), "no guard at all");
    }
}

#[test]
fn what_the_program_changes_is_its_own() {
    for markers in [true, false] {
        let mut pool = pool(markers);
        let (one, two, three) = (make(&mut pool, PAGE), make(&mut pool, PAGE), make(&mut pool, PAGE));
        put(two + PAGE, 5);
        assert_eq!(pool.protect(two, 2 * PAGE, ACCESSIBLE), None);
        assert!(!is_readable(two), "a plain guard, until the kernel has done it");
        kernel::protect(two, 2 * PAGE, ACCESSIBLE).expect("done");
        assert!(is_readable(two) && get(two + PAGE) == 5);
        assert!(!pool.unmap(two, BYTES), "the kernel's");
        assert!(pool.find(two).is_none() && pool.find(one).is_some() && pool.find(three).is_some());
        // A part of a stack.
        assert!(!pool.unmap(three + BYTES / 2, BYTES / 2));
        assert!(!is_readable(three) && is_readable(three + PAGE));
        assert!(!pool.unmap(three, BYTES));
        assert!(pool.unmap(one, BYTES));
        assert_eq!(pool.classes[0].used, 0);
        let again = make(&mut pool, PAGE);
        assert!(again != two && again != three);
        // A mapping over used, free and raw ones.
        let (start, end) = (pool.chunks[0].base, pool.chunks[0].end());
        pool.let_go_all(start, end - start);
        assert!(pool.chunks[0].is_gone());
        assert!(pool.classes[0].clean.is_empty() && pool.classes[0].warm.is_empty());
        assert!(!(start..end).contains(&make(&mut pool, PAGE)));
        assert_eq!(pool.chunks.len(), 1, "what is gone is forgotten");
    }
}

#[test]
fn the_end_of_a_thread_is_recognised() {
    let mut pool = pool(true);
    let base = make(&mut pool, PAGE);
    let rsp = base + BYTES - 300;
    let bytes = ((rsp - base) & !(PAGE - 1)) - KEPT_AT_END;
    pool.begun(base + BYTES - 100);
    put(base + PAGE, 7);
    let advise = |pool: &mut Pool, bytes| pool.advise(base, bytes, libc::MADV_DONTNEED, rsp);
    for other in [bytes - 3 * PAGE, bytes + PAGE, PAGE] {
        assert_eq!(advise(&mut pool, other), None);
    }
    assert_eq!(pool.advise(base, bytes, libc::MADV_DONTNEED, base + BYTES + 300), None, "another thread's");
    assert_eq!(advise(&mut pool, bytes), Some(0));
    assert_eq!(get(base + PAGE), 7, "put off");
    // Another thread has begun there.
    pool.begun(base + BYTES - 100);
    pool.trim();
    assert_eq!(get(base + PAGE), 7);
    assert_eq!(advise(&mut pool, bytes), Some(0));
    pool.trim();
    assert_eq!(get(base + PAGE), 0);
    assert!(pool.put_off.is_empty());
}

#[test]
fn only_so_many_are_put_off() {
    let mut pool = pool(true);
    let mut stacks = Vec::new();
    for n in 0..PUT_OFF + 1 {
        let base = make(&mut pool, PAGE);
        let (rsp, end) = (base + BYTES - 300, base + BYTES - PAGE - KEPT_AT_END);
        let done = pool.advise(base, end - base, libc::MADV_DONTNEED, rsp);
        assert_eq!(done.is_some(), n < PUT_OFF);
        stacks.push(base);
    }
    for base in stacks {
        pool.begun(base + BYTES - 100);
        assert!(pool.unmap(base, BYTES));
    }
    pool.trim();
    assert!(pool.put_off.is_empty());
}

#[test]
fn after_a_peak_memory_and_address_space_go_back() {
    let mut pool = pool(true);
    let stacks: Vec<usize> = (0..3000).map(|_| make(&mut pool, PAGE)).collect();
    let chunks = pool.chunks.len();
    assert!(chunks > 2);
    for &base in &stacks {
        pool.begun(base + BYTES - 100);
        put(base + BYTES - 1, 1);
    }
    for &base in &stacks {
        assert!(pool.unmap(base, BYTES));
    }
    assert!((KEPT_WARM..KEPT_WARM + 3).contains(&pool.classes[0].warm.len()));
    pool.trim();
    assert_eq!(pool.chunks.len(), 1);
    assert_eq!(pool.classes[0].slots, pool.chunks[0].count());
    let free = pool.classes[0].clean.len() + pool.classes[0].warm.len();
    assert!(free <= pool.chunks[0].count());
    let again: Vec<usize> = (0..100).map(|_| make(&mut pool, PAGE)).collect();
    assert!(again.iter().all(|base| get(base + BYTES - 1) == 0));
}

#[test]
fn nothing_is_reserved_where_memory_is_locked() {
    let mut pool = pool(true);
    let base = make(&mut pool, PAGE);
    pool.frozen = true;
    assert!(!pool.unmap(base, BYTES), "the kernel is to do it");
    assert!(pool.take(2 * BYTES, false).is_none());
}
