//! What the entry assembly hands to the runtime: the registers of a program that stands at a system call instruction.

/// One redirected `syscall` instruction. Read by assembly; never freed or moved.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CallSite {
    /// Jump here and the kernel itself performs the call, registers as at the instruction; then the program goes on.
    pub pass: usize,
    /// Jump here after we performed the call (`rax` = result): the program goes on behind the instruction.
    pub resume: usize,
    /// Jump here to come into the entry again with the registers as they were at the instruction.
    pub redo: usize,
    /// Address of the original `syscall` instruction, as an unpatched program's context would show it.
    pub syscall: usize,
    /// `CallSite::WIDE_STATE` or nothing.
    pub flags: usize,
}

impl CallSite {
    /// Not one of libc's own sites: the whole XSAVE state may be live across the call.
    pub const WIDE_STATE: usize = 1;
}

/// Registers of the program at a site, on the program's stack below the red zone. The assembly knows the offsets.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub rdi: usize,
    pub rsi: usize,
    pub rdx: usize,
    pub r10: usize,
    pub r8: usize,
    pub r9: usize,
    /// The call's number on the way in, its result on the way out.
    pub rax: usize,
    pub rbx: usize,
    pub rbp: usize,
    pub r12: usize,
    pub r13: usize,
    pub r14: usize,
    pub r15: usize,
    pub rsp: usize,
    pub site: *const CallSite,
    /// Where the exit jumps to.
    pub rip: usize,
    /// The `xmm0..15` area (256 bytes), or the XSAVE area where the site has `WIDE_STATE`.
    pub vector: *mut u8,
    /// The carrier block, whose `inside` and `attention` the exit reads.
    pub carrier: *const crate::carrier::Carrier,
    /// The call's number, kept for a restart.
    pub number: usize,
    /// The flags at a site outside libc, where code behind the instruction may look at them.
    pub flags: usize,
}

impl Frame {
    /// The call's arguments in the kernel's order.
    #[inline]
    pub fn args(&self) -> [usize; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}
