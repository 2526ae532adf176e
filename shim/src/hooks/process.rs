//! vfork: the child runs on its parent's stack and returns first, so the call must not have a frame.
//!
//! The return address waits in a register, which the kernel keeps for both. Around it the runtime lends the child the
//! caller's signal mask and remembers that entries must look who is calling.

use core::arch::naked_asm;
use greenpatch_runtime::calls::process::{after_vfork, before_vfork};
use greenpatch_runtime::guest;
use greenpatch_runtime::hub::current_hub;

/// vfork(2).
///
/// # Safety
/// As for libc's.
#[unsafe(naked)]
#[no_mangle]
pub unsafe extern "C" fn vfork() -> i32 {
    naked_asm!(
        ".cfi_startproc",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {before}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_register rip, rdi",
        "mov eax, 58",
        "syscall",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rip, 0",
        "test eax, eax",
        "jz 2f",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "movsxd rdi, eax",
        "call {after}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "2:",
        "ret",
        ".cfi_endproc",
        before = sym before,
        after = sym after,
    )
}

extern "C" fn before() {
    if let Some(hub) = current_hub() {
        if !hub.is_stranger() {
            before_vfork(hub);
        }
    }
    guest::before_vfork();
}

/// In the parent, or where there is no child: returns what vfork returns.
extern "C" fn after(result: isize) -> i32 {
    if let Some(hub) = current_hub() {
        if !hub.is_stranger() {
            after_vfork(hub);
        }
    }
    crate::hook::answer(result) as i32
}
