//! The standard library's backtraces need an unwinder, libgcc_s.so.1, which the dynamic linker would have to load and
//! relocate for each program, C programs among them that have no other use for it. Nothing of ours unwinds (a panic aborts,
//! and tells where it came from without a backtrace), so these stand in its place. They are seen by nobody but us: a
//! program that unwinds brings the unwinder itself, and libc loads it for cancellation as ever.

use core::arch::global_asm;

global_asm!(
    r#"
.macro GP_NO_UNWINDER name:vararg
    .irp symbol, \name
    .globl \symbol
    .hidden \symbol
    .type \symbol,@function
    \symbol:
    .endr
.endm
.pushsection .text.gp_no_unwinder,"ax",@progbits
    # Walks the stack and finds no frame: _URC_END_OF_STACK.
    GP_NO_UNWINDER _Unwind_Backtrace
    mov eax, 5
    ret
    # Asked only about frames.
    GP_NO_UNWINDER _Unwind_GetIP, _Unwind_GetIPInfo, _Unwind_GetCFA, _Unwind_FindEnclosingFunction
    GP_NO_UNWINDER _Unwind_GetDataRelBase, _Unwind_GetTextRelBase, _Unwind_GetLanguageSpecificData
    GP_NO_UNWINDER _Unwind_GetRegionStart, _Unwind_SetGR, _Unwind_SetIP
    GP_NO_UNWINDER _Unwind_Resume, _Unwind_RaiseException, _Unwind_DeleteException
    ud2
.popsection
"#
);
