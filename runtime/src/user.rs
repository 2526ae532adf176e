//! The program's memory, read and written so that a bad pointer is `EFAULT` and never a crash in our code.
//!
//! Every access is one instruction inside `[gp_user_begin, gp_user_end)`, in a leaf function that has not moved the
//! stack. A fault there makes the signal handler continue at `gp_user_fault`, which returns -EFAULT to the caller.
//!
//! Where handlers are the program's own business (`guest`), the kernel is asked to copy instead: a system call more.

use crate::sys;
use core::arch::global_asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

global_asm!(
    r#"
.pushsection .text.gp_user,"ax",@progbits
.hidden gp_user_begin
.hidden gp_user_end
.hidden gp_user_fault
.hidden gp_user_copy
.hidden gp_user_load4
.hidden gp_user_cas4
.globl gp_user_begin
.globl gp_user_end
.globl gp_user_fault
.globl gp_user_copy
.globl gp_user_load4
.globl gp_user_cas4
gp_user_begin:
.type gp_user_copy,@function
gp_user_copy:
    .cfi_startproc
    # `rep movsb` takes some thirty cycles to begin; most copies are a word or a small structure.
    cmp rdx, 4
    je 4f
    test dl, 7
    jnz 3f
    cmp rdx, 128
    ja 3f
    xor ecx, ecx
    jmp 2f
1:
    mov rax, [rsi + rcx]
    mov [rdi + rcx], rax
    add rcx, 8
2:
    cmp rcx, rdx
    jne 1b
    xor eax, eax
    ret
3:
    mov rcx, rdx
    rep movsb
    xor eax, eax
    ret
4:
    mov eax, [rsi]
    mov [rdi], eax
    xor eax, eax
    ret
    .cfi_endproc
.size gp_user_copy,.-gp_user_copy
.type gp_user_load4,@function
gp_user_load4:
    .cfi_startproc
    mov eax, [rdi]
    ret
    .cfi_endproc
.size gp_user_load4,.-gp_user_load4
.type gp_user_cas4,@function
gp_user_cas4:
    .cfi_startproc
    mov eax, esi
    lock cmpxchg [rdi], edx
    mov eax, eax
    ret
    .cfi_endproc
.size gp_user_cas4,.-gp_user_cas4
gp_user_end:
.type gp_user_fault,@function
gp_user_fault:
    .cfi_startproc
    mov rax, -14
    ret
    .cfi_endproc
.size gp_user_fault,.-gp_user_fault
.popsection
"#
);

extern "C" {
    fn gp_user_begin();
    fn gp_user_end();
    fn gp_user_fault();
    fn gp_user_copy(to: *mut u8, from: *const u8, bytes: usize) -> isize;
    fn gp_user_load4(address: *const u32) -> i64;
    fn gp_user_cas4(address: *mut u32, expected: u32, new: u32) -> i64;
}

/// The program gave an address that can't be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault;

/// `-EFAULT`, as calls return it.
pub const EFAULT: isize = -(libc::EFAULT as isize);

impl From<Fault> for isize {
    fn from(_: Fault) -> isize {
        EFAULT
    }
}

/// Where a fault at `rip` is to continue, if `rip` is one of our accesses to program memory.
pub fn fixup(rip: usize) -> Option<usize> {
    let range = gp_user_begin as *const () as usize..gp_user_end as *const () as usize;
    range.contains(&rip).then_some(gp_user_fault as *const () as usize)
}

/// Nobody catches our faults in this process.
static BY_KERNEL: AtomicBool = AtomicBool::new(false);

/// From now on the kernel copies.
pub(crate) fn copy_by_kernel() {
    BY_KERNEL.store(true, Relaxed);
}

/// Copies between the program's memory and ours. Negative for a fault.
///
/// # Safety
/// Our side is valid for `bytes`.
#[inline]
unsafe fn copy(to: *mut u8, from: *const u8, bytes: usize, program: *const u8) -> isize {
    if BY_KERNEL.load(Relaxed) {
        // SAFETY: the caller's promise.
        return unsafe { copy_slowly(to, from, bytes, program) };
    }
    // SAFETY: a bad address is caught by `fixup`.
    unsafe { gp_user_copy(to, from, bytes) }
}

#[cold]
unsafe fn copy_slowly(to: *mut u8, from: *const u8, bytes: usize, program: *const u8) -> isize {
    let reads = core::ptr::eq(program, from);
    let number = if reads { libc::SYS_process_vm_readv } else { libc::SYS_process_vm_writev };
    let ours = if reads { to.cast_const() } else { from };
    let part = |base: *const u8| libc::iovec { iov_base: base as *mut _, iov_len: bytes };
    let (local, remote) = (part(ours), part(program));
    let (local, remote) = (&local as *const libc::iovec, &remote as *const libc::iovec);
    // SAFETY: the vectors are ours, the kernel checks the program's side.
    match unsafe { sys!(number, sys::getpid(), local, 1, remote, 1, 0) } {
        copied if copied == bytes as isize => 0,
        // A sandbox that forbids the call.
        refused if refused == -(libc::ENOSYS as isize) || refused == -(libc::EPERM as isize) => {
            // SAFETY: the caller's promise.
            unsafe { copy_through_pipe(to, from, bytes) }
        }
        _ => EFAULT,
    }
}

/// Any kernel copies from memory into a pipe, and out of it.
#[cold]
unsafe fn copy_through_pipe(to: *mut u8, from: *const u8, bytes: usize) -> isize {
    const PIECE: usize = 4096;
    let mut ends = [0i32; 2];
    // SAFETY: the array is ours.
    if unsafe { sys!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } < 0 {
        // No descriptor is left either: a bad pointer is a crash.
        // SAFETY: the program's own promise.
        return unsafe { gp_user_copy(to, from, bytes) };
    }
    let moves = |done: usize| {
        let (from, to, count) = (from as usize + done, to as usize + done, PIECE.min(bytes - done));
        // SAFETY: the caller's promise for our side; the kernel checks the program's.
        let moved = |number, fd, at| unsafe { sys!(number, fd, at, count) } == count as isize;
        moved(libc::SYS_write, ends[1], from) && moved(libc::SYS_read, ends[0], to)
    };
    let all = (0..bytes).step_by(PIECE).all(moves);
    // SAFETY: our own descriptors.
    ends.into_iter().for_each(|end| unsafe { _ = sys!(libc::SYS_close, end) });
    if all {
        0
    } else {
        EFAULT
    }
}

/// Copies a `T` out of the program's memory; `address` need not be aligned.
pub fn read<T: Copy>(address: usize) -> Result<T, Fault> {
    let mut value = MaybeUninit::<T>::uninit();
    let from = address as *const u8;
    // SAFETY: the destination is ours; a bad source is caught.
    let result = unsafe { copy(value.as_mut_ptr().cast(), from, size_of::<T>(), from) };
    if result < 0 {
        return Err(Fault);
    }
    // SAFETY: all bytes were written; `T` is one of the kernel's plain structures.
    Ok(unsafe { value.assume_init() })
}

/// Copies `value` into the program's memory.
pub fn write<T: Copy>(address: usize, value: &T) -> Result<(), Fault> {
    let to = address as *mut u8;
    // SAFETY: the source is ours; a bad destination is caught.
    let result = unsafe { copy(to, (value as *const T).cast(), size_of::<T>(), to) };
    if result < 0 {
        Err(Fault)
    } else {
        Ok(())
    }
}

/// Copies `count` values of `T` out of the program's memory.
pub fn read_slice<T: Copy>(address: usize, count: usize) -> Result<Vec<T>, Fault> {
    let mut values = Vec::<T>::with_capacity(count);
    let bytes = count * size_of::<T>();
    let from = address as *const u8;
    // SAFETY: the vector has room for `count`; a bad source is caught.
    if unsafe { copy(values.as_mut_ptr().cast(), from, bytes, from) } < 0 {
        return Err(Fault);
    }
    // SAFETY: `count` plain values were copied.
    unsafe { values.set_len(count) };
    Ok(values)
}

/// Copies bytes into the program's memory.
pub fn write_slice<T: Copy>(address: usize, values: &[T]) -> Result<(), Fault> {
    let to = address as *mut u8;
    // SAFETY: the source is ours; a bad destination is caught.
    if unsafe { copy(to, values.as_ptr().cast(), size_of_val(values), to) } < 0 {
        Err(Fault)
    } else {
        Ok(())
    }
}

/// No address of the program is as high as this.
pub(crate) const LIMIT: usize = 0x7fff_ffff_f000;

/// Whether `bytes` at `address` can be the program's at all, mapped or not: the kernel looks at that before all else.
#[inline]
pub(crate) fn is_range(address: usize, bytes: usize) -> bool {
    address.checked_add(bytes).is_some_and(|end| end <= LIMIT)
}

/// Loads an aligned futex word.
#[inline]
pub fn load(address: usize) -> Result<u32, Fault> {
    if BY_KERNEL.load(Relaxed) {
        return read(address);
    }
    // SAFETY: a bad address is caught by `fixup`.
    let value = unsafe { gp_user_load4(address as *const u32) };
    u32::try_from(value).map_err(|_| Fault)
}

/// Compares and swaps an aligned futex word; returns what was there.
#[inline]
pub fn compare_exchange(address: usize, expected: u32, new: u32) -> Result<u32, Fault> {
    // SAFETY: a bad address is caught by `fixup`.
    let value = unsafe { gp_user_cas4(address as *mut u32, expected, new) };
    u32::try_from(value).map_err(|_| Fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_copies_and_finds_bad_addresses() {
        let from: Vec<u8> = (0..10_000).map(|i| i as u8).collect();
        let mut to = vec![0u8; from.len()];
        // SAFETY: both sides are valid, or one is an address that nothing is mapped at.
        unsafe {
            assert_eq!(copy_through_pipe(to.as_mut_ptr(), from.as_ptr(), from.len()), 0);
            assert_eq!(to, from);
            assert_eq!(copy_through_pipe(to.as_mut_ptr(), 8 as *const u8, 5000), EFAULT);
            assert_eq!(copy_through_pipe(8 as *mut u8, from.as_ptr(), 5000), EFAULT);
        }
    }
}
