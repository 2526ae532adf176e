//! dlopen: objects loaded later may have system call instructions of their own.
//!
//! libc's dlopen looks at its return address to find whose search path counts, so the hook jumps there and leaves no
//! frame; the new object is scanned when the next thread is made.

use crate::init;
use core::arch::naked_asm;
use core::ffi::{c_char, c_int, c_void};

/// dlopen(3).
///
/// # Safety
/// As for libc's.
#[unsafe(naked)]
#[no_mangle]
pub unsafe extern "C" fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {real}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp rax",
        ".cfi_endproc",
        real = sym real_dlopen,
    )
}

extern "C" fn real_dlopen() -> *const u8 {
    init::something_loaded();
    // SAFETY: looks a symbol up.
    unsafe { redhook::ld_preload::dlsym_next("dlopen\0") }
}
