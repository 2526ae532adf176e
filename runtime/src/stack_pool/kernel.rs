//! The kernel's part in pooled stacks.

use crate::scheduling::soft_limit;
use crate::{place, sys};

pub const PAGE: usize = 4096;
pub const GUARD_INSTALL: i32 = 102;
pub const GUARD_REMOVE: i32 = 103;

fn check(result: isize) -> Result<(), i32> {
    if result < 0 {
        Err(-result as i32)
    } else {
        Ok(())
    }
}

/// Address space that nobody can touch and that counts as nobody's memory.
pub fn reserve(bytes: usize) -> Option<usize> {
    let address = place::map(bytes, libc::PROT_NONE, libc::MAP_STACK);
    if (-4095..0).contains(&address) {
        return None;
    }
    // Stacks that lie side by side would get huge pages where single ones do not. Linux 6.7 does this by itself.
    // SAFETY: our own mapping. Kernels without huge pages answer EINVAL.
    unsafe { sys!(libc::SYS_madvise, address, bytes, libc::MADV_NOHUGEPAGE) };
    Some(address as usize)
}

pub fn unmap(address: usize, bytes: usize) -> bool {
    // SAFETY: a chunk in which no stack is used.
    unsafe { sys!(libc::SYS_munmap, address, bytes) == 0 }
}

pub fn protect(address: usize, bytes: usize, protection: i32) -> Result<(), i32> {
    if bytes == 0 {
        return Ok(());
    }
    // SAFETY: part of a pooled stack, whose owner asks for it or nobody owns.
    check(unsafe { sys!(libc::SYS_mprotect, address, bytes, protection) })
}

/// Puts a guard marker into every page, or takes it out.
pub fn mark(address: usize, bytes: usize, advice: i32) -> Result<(), i32> {
    if bytes == 0 {
        return Ok(());
    }
    // SAFETY: as for `protect`.
    check(unsafe { sys!(libc::SYS_madvise, address, bytes, advice) })
}

/// Marks the lowest `guard` bytes of each of `count` stacks.
pub fn mark_each(base: usize, bytes: usize, count: usize, guard: usize) -> Result<(), i32> {
    const THIS_PROCESS: isize = -10000;
    if count > 1 && guard != 0 {
        let parts: Vec<libc::iovec> =
            (0..count).map(|i| libc::iovec { iov_base: (base + i * bytes) as *mut _, iov_len: guard }).collect();
        // SAFETY: pages of free stacks. A kernel that does not know the descriptor refuses.
        let done =
            unsafe { sys!(libc::SYS_process_madvise, THIS_PROCESS, parts.as_ptr(), parts.len(), GUARD_INSTALL, 0) };
        if done == (count * guard) as isize {
            return Ok(());
        }
    }
    (0..count).try_for_each(|i| mark(base + i * bytes, guard, GUARD_INSTALL))
}

/// Gives the memory back; it reads as zeros then. False if the kernel refuses, as for locked memory.
pub fn discard(address: usize, bytes: usize) -> bool {
    // SAFETY: memory whose contents nobody needs.
    unsafe { sys!(libc::SYS_madvise, address, bytes, libc::MADV_DONTNEED) == 0 }
}

/// Whether a reserve of address space could make a later call of the program's fail.
pub fn address_space_is_limited() -> bool {
    soft_limit(libc::RLIMIT_AS) != libc::RLIM_INFINITY
}

/// Whether memory counts when it is mapped rather than when it is used (vm.overcommit_memory = 2).
pub fn counts_every_page() -> bool {
    let mut mode = 0u8;
    // SAFETY: a path and a buffer of ours.
    unsafe {
        let path = c"/proc/sys/vm/overcommit_memory".as_ptr();
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC) as i32;
        if fd >= 0 {
            sys!(libc::SYS_read, fd, &mut mode as *mut u8, 1);
            sys::close(fd);
        }
    }
    mode == b'2'
}
