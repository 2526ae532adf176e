//! Signal frames: the stack of a green thread made to look as if the kernel had called the program's handler there.
//!
//! ```text
//!   high   interrupted stack, red zone (or the top of the alternate stack)
//!          XSAVE area, 64-byte aligned          ◀─ uc_mcontext.fpregs
//!          Note (ours)
//!          siginfo                              ◀─ second argument
//!          ucontext                             ◀─ third argument; rsp when the handler has returned
//!   low    return address: gp_restorer          ◀─ rsp when the handler begins
//! ```
//!
//! The layout is the kernel's `rt_sigframe`, so that the kernel's rt_sigreturn can restore it.

use super::addresses::{resume_address, shown_address};
use super::context::{clear_vectors, vector_bytes, xsave_layout, Registers, UContext, MAGIC1};
use super::{action, action::Action, bit, AltStack, Info, UNBLOCKABLE};
use crate::calls::{ERESTARTNOINTR, ERESTARTSYS};
use crate::carrier::Entering;
use crate::exit;
use crate::frame::{CallSite, Frame};
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::{sys, user};
use core::arch::asm;

/// What we remember about a frame of ours.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Note {
    /// Where to go on if the handler leaves `rip` as it was shown.
    pub shown_rip: usize,
    pub real_rip: usize,
    /// The mask and the alternate stack have been given back; what remains is to go.
    pub returned: usize,
    pub reserved: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SignalFrame {
    pub restorer: usize,
    pub context: UContext,
    pub info: Info,
    pub note: Note,
}

pub(super) const FRAME: usize = size_of::<SignalFrame>();
const UC_FLAGS: usize = 1 | 2 | 4; // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
/// Code and stack segment of 64-bit code.
const USER_SEGMENTS: usize = CODE | (0x2b << 48);
const CODE: usize = 0x33;
const INTERRUPTS_ON: usize = 0x202;
const MAGIC2: u32 = 0x4650_5845;
/// Room for the largest XSAVE area we save, with the frame and alignment.
pub(super) const SCRATCH: usize = 16 * 1024;
const SS_AUTODISARM: i32 = 1 << 31;
const SS_ONSTACK: i32 = 1;
const SI_KERNEL: i32 = 0x80;

/// Buffers of the hub: the vector state as XSAVE writes it, and the image of the frame.
#[repr(C, align(64))]
pub struct Scratch {
    vectors: [u8; SCRATCH],
    image: [u8; SCRATCH],
}

impl Scratch {
    pub(super) fn new() -> Box<Self> {
        // SAFETY: all-zero bytes are a valid value. Boxed without a copy on the stack.
        unsafe { Box::<Scratch>::new_zeroed().assume_init() }
    }

    /// The end of a buffer that is free whenever no frame is being made.
    pub(super) fn spare_stack(&self) -> usize {
        self.vectors.as_ptr_range().end as usize
    }
}

/// Where the vector state of an interrupted context is.
enum Vectors {
    /// In the kernel's format, at this address, so long.
    Kernel(usize, usize),
    /// None: the frame of a handler that is about to be entered.
    None,
}

/// The program's context that a handler interrupts.
struct Interrupted {
    registers: Registers,
    /// `uc_flags`, which say whether the segments are those of 64-bit code.
    flags: usize,
    vectors: Vectors,
    /// Where the context really goes on, if that is not what a program should see.
    real_rip: usize,
    /// In the kernel-level handler, where a fault of ours would be one too many: all signals are blocked.
    in_handler: bool,
}

/// Whether the memory of a frame can be written. The lowest and the highest bytes stand for the pages between them; a
/// stack has no holes.
fn is_writable(frame_at: usize, bytes: usize, in_handler: bool) -> bool {
    [frame_at, frame_at + bytes - 8].into_iter().all(|at| match in_handler {
        // SAFETY: the kernel writes the present mask there, where a frame is about to be written, or says EFAULT.
        true => unsafe { sys!(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, at, 8) == 0 },
        false => user::read::<u64>(at).and_then(|word| user::write(at, &word)).is_ok(),
    })
}

/// Why no frame could be made: the stack can't be written.
struct BadStack;

/// Takes the next signal that a handler of the program is to see; carries out what has no handler.
fn take(hub: &Hub, green: &Green) -> Option<(Info, Action)> {
    loop {
        let info = green.pending.borrow_mut().take(!green.mask.get())?;
        let signal = info.si_signo;
        let action = action::get(signal);
        if action.is_handler() {
            return Some((info, action));
        }
        if !action.is_ignored(signal) {
            if action::default_is_stop(signal) {
                super::send(hub, green, &info);
            } else {
                super::end_by(hub, signal);
            }
        }
    }
}

/// Builds the frame for one signal in the hub's scratch buffer and changes the green thread's state as the kernel
/// would: mask, saved mask, alternate stack, one-shot action.
fn build(hub: &Hub, green: &Green, info: &Info, action: &Action, from: &Interrupted) -> Result<Entering, BadStack> {
    let alt = green.alt_stack.get();
    let on_alt = alt.holds(from.registers.rsp);
    let to_alt = action.has(libc::SA_ONSTACK) && alt.flags & libc::SS_DISABLE == 0 && !on_alt;
    let top = if to_alt { alt.address + alt.bytes } else { from.registers.rsp - 128 };
    let (vectors, vector_bytes) = match from.vectors {
        Vectors::Kernel(address, bytes) => (address, bytes),
        Vectors::None => (0, 0),
    };
    let vectors_at = (top - vector_bytes) & !63;
    let frame_at = ((vectors_at - FRAME) & !15) - 8;
    let bytes = vectors_at + vector_bytes - frame_at;
    if bytes > SCRATCH {
        return Err(BadStack);
    }
    let mut registers = from.registers;
    registers.vectors = if vector_bytes == 0 { 0 } else { vectors_at };
    let old_mask = green.saved_mask.get().unwrap_or(green.mask.get());
    registers.old_mask = old_mask as usize;
    let mut shown_stack = alt;
    if on_alt {
        shown_stack.flags |= SS_ONSTACK;
    }
    let image = SignalFrame {
        restorer: if to_alt || on_alt { exit::alt_restorer() } else { exit::restorer() },
        context: UContext { flags: from.flags, link: 0, stack: shown_stack, registers, mask: old_mask },
        info: *info,
        note: Note { shown_rip: registers.rip, real_rip: from.real_rip, returned: 0, reserved: 0 },
    };
    // SAFETY: inside, we are the only user of the scratch buffer; the sizes were checked.
    let start = unsafe {
        let scratch = &mut *hub.signals.scratch.get();
        let start = scratch.image.as_mut_ptr();
        start.cast::<SignalFrame>().write_unaligned(image);
        if vector_bytes != 0 {
            core::ptr::copy_nonoverlapping(vectors as *const u8, start.add(vectors_at - frame_at), vector_bytes);
        }
        start
    };
    if !is_writable(frame_at, bytes, from.in_handler) {
        return Err(BadStack);
    }
    green.saved_mask.set(None);
    let mut mask = green.mask.get() | action.mask;
    if !action.has(libc::SA_NODEFER) {
        mask |= bit(info.si_signo);
    }
    super::set_mask(hub, green, mask & !UNBLOCKABLE);
    if action.has(libc::SA_RESETHAND) {
        action::set(info.si_signo, Action { handler: libc::SIG_DFL, ..*action });
    }
    if alt.flags & SS_AUTODISARM != 0 {
        green.alt_stack.set(AltStack::DISABLED);
    }
    let context_at = frame_at + core::mem::offset_of!(SignalFrame, context);
    Ok(Entering {
        to: frame_at,
        from: start,
        bytes,
        rip: action.handler,
        rdi: info.si_signo as usize,
        rsi: frame_at + core::mem::offset_of!(SignalFrame, info),
        rdx: context_at,
    })
}

/// As the kernel: where a handler's stack can't be written the signal is lost, and a SIGSEGV comes instead, whose
/// handler may have another stack.
fn build_or_die(hub: &Hub, green: &Green, info: &Info, action: &Action, from: &Interrupted) -> Entering {
    if let Ok(entering) = build(hub, green, info, action, from) {
        return entering;
    }
    let segv = action::get(libc::SIGSEGV);
    if info.si_signo != libc::SIGSEGV && segv.is_handler() && green.mask.get() & bit(libc::SIGSEGV) == 0 {
        // SAFETY: all-zero is a valid siginfo.
        let mut info: Info = unsafe { core::mem::zeroed() };
        info.si_signo = libc::SIGSEGV;
        info.si_code = SI_KERNEL;
        if let Ok(entering) = build(hub, green, &info, &segv, from) {
            return entering;
        }
    }
    super::die(hub, libc::SIGSEGV)
}

fn enter(hub: &Hub, entering: Entering) {
    // SAFETY: inside, we are the only user.
    unsafe { *hub.carrier.entering.get() = entering };
}

/// Saves the vector registers of a site's frame in the kernel's format; returns where and how long.
fn vectors_of_frame(hub: &Hub, frame: &Frame) -> Vectors {
    let (size, features) = xsave_layout();
    // SAFETY: inside, we are the only user; the buffer is aligned and large enough.
    let area = unsafe { (*hub.signals.scratch.get()).vectors.as_mut_ptr() };
    // SAFETY: `frame.site` and `frame.vector` come from the entry.
    unsafe {
        if (*frame.site).flags & CallSite::WIDE_STATE != 0 {
            core::ptr::copy_nonoverlapping(frame.vector, area, size);
        } else {
            core::ptr::write_bytes(area, 0, size);
            asm!(
                "movaps xmm0, [{from}]", "movaps xmm1, [{from} + 16]",
                "movaps xmm2, [{from} + 32]", "movaps xmm3, [{from} + 48]",
                "movaps xmm4, [{from} + 64]", "movaps xmm5, [{from} + 80]",
                "movaps xmm6, [{from} + 96]", "movaps xmm7, [{from} + 112]",
                "movaps xmm8, [{from} + 128]", "movaps xmm9, [{from} + 144]",
                "movaps xmm10, [{from} + 160]", "movaps xmm11, [{from} + 176]",
                "movaps xmm12, [{from} + 192]", "movaps xmm13, [{from} + 208]",
                "movaps xmm14, [{from} + 224]", "movaps xmm15, [{from} + 240]",
                "xsave64 [{to}]",
                from = in(reg) frame.vector, to = in(reg) area,
                in("eax") features as u32, in("edx") (features >> 32) as u32,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nostack),
            );
        }
        // The software-reserved bytes of the legacy area tell the kernel what follows.
        let reserved = area.add(464);
        reserved.cast::<u32>().write(MAGIC1);
        reserved.add(4).cast::<u32>().write(size as u32 + 4);
        reserved.add(8).cast::<u64>().write(features);
        reserved.add(16).cast::<u32>().write(size as u32);
        area.add(size).cast::<u32>().write_unaligned(MAGIC2);
    }
    Vectors::Kernel(area as usize, size + 4)
}

/// Looks for something to do before a frame's program goes on: a handler to enter (1) or nothing (0).
#[no_mangle]
extern "C" fn gp_exit_work(frame: &mut Frame) -> u32 {
    // SAFETY: the carrier block is the first field of its hub.
    let hub: &'static Hub = unsafe { &*frame.carrier.cast::<Hub>() };
    super::distribute(hub);
    if hub.slice.turn_ends(hub) {
        hub.give_turn();
        super::distribute(hub);
    }
    if hub.outranked() {
        hub.give_way_to_higher();
        super::distribute(hub);
    }
    let green = hub.current();
    // SAFETY: sites are never freed.
    let site = unsafe { &*frame.site };
    let result = frame.rax as isize;
    let done = frame.rip == site.resume;
    let interrupted = done && (-516..=-512).contains(&result);
    let Some((info, action)) = take(hub, green) else {
        if interrupted {
            // The signal went to somebody else: the call goes on as if nothing had been.
            super::restore_saved_mask(hub, green);
            frame.rax = frame.number;
            frame.rip = site.redo;
        }
        // No handler is there to return.
        super::drain(hub);
        return 0;
    };
    let restart = !done || result == ERESTARTNOINTR || (result == ERESTARTSYS && action.has(libc::SA_RESTART));
    let (rax, shown_rip, real_rip) = if restart {
        (frame.number, site.syscall, site.redo)
    } else if interrupted {
        (-(libc::EINTR as isize) as usize, site.syscall + 2, site.resume)
    } else {
        (frame.rax, site.syscall + 2, site.resume)
    };
    let registers = Registers {
        r8: frame.r8,
        r9: frame.r9,
        r10: frame.r10,
        r11: frame.flags,
        r12: frame.r12,
        r13: frame.r13,
        r14: frame.r14,
        r15: frame.r15,
        rdi: frame.rdi,
        rsi: frame.rsi,
        rbp: frame.rbp,
        rbx: frame.rbx,
        rdx: frame.rdx,
        rax,
        rcx: shown_rip,
        rsp: frame.rsp,
        rip: shown_rip,
        eflags: frame.flags,
        segments: USER_SEGMENTS,
        ..Registers::default()
    };
    let from =
        Interrupted { registers, flags: UC_FLAGS, vectors: vectors_of_frame(hub, frame), real_rip, in_handler: false };
    let entering = build_or_die(hub, green, &info, &action, &from);
    enter(hub, entering);
    more_pending(hub, green);
    1
}

fn more_pending(hub: &Hub, green: &Green) {
    if super::deliverable(hub, green) {
        hub.carrier.call_attention();
    }
}

/// A handler is about to be entered with its frame at `rsp`, and attention is wanted: another signal may go on top.
#[no_mangle]
extern "C" fn gp_more_signals(hub: &'static Hub, rsp: usize) {
    super::distribute(hub);
    let green = hub.current();
    // SAFETY: inside, we are the only user.
    let waiting = unsafe { *hub.carrier.entering.get() };
    let Some((info, action)) = take(hub, green) else {
        enter(hub, Entering { to: rsp, bytes: 0, ..waiting });
        return;
    };
    let registers = Registers {
        rdi: waiting.rdi,
        rsi: waiting.rsi,
        rdx: waiting.rdx,
        rsp,
        rip: waiting.rip,
        eflags: INTERRUPTS_ON,
        segments: USER_SEGMENTS,
        ..Registers::default()
    };
    let from =
        Interrupted { registers, flags: UC_FLAGS, vectors: Vectors::None, real_rip: waiting.rip, in_handler: false };
    let entering = build_or_die(hub, green, &info, &action, &from);
    enter(hub, entering);
    more_pending(hub, green);
}

/// A handler has returned; `context` is what it may have changed. 0: the kernel's rt_sigreturn is to restore it.
/// 1: another handler is to be entered first.
#[no_mangle]
extern "C" fn gp_sigreturn(hub: &'static Hub, context: &mut UContext) -> u32 {
    let green = hub.current();
    let note_at = context as *mut UContext as usize + size_of::<UContext>() + size_of::<Info>();
    // SAFETY: the frame is one that `build` made.
    let note = unsafe { &mut *(note_at as *mut Note) };
    if note.returned == 0 {
        note.returned = 1;
        super::set_mask(hub, green, context.mask);
        let mut stack = context.stack;
        stack.flags &= !SS_ONSTACK;
        green.alt_stack.set(stack);
        if context.registers.rip == note.shown_rip {
            context.registers.rip = note.real_rip;
        } else {
            context.registers.rip = resume_address(context.registers.rip);
        }
    }
    if hub.slice.turn_ends(hub) {
        hub.give_turn();
    }
    super::distribute(hub);
    if let Some((info, action)) = take(hub, green) {
        let vectors = match vector_bytes(context.registers.vectors) {
            0 => Vectors::None,
            bytes => Vectors::Kernel(context.registers.vectors, bytes),
        };
        let real_rip = context.registers.rip;
        let from =
            Interrupted { registers: context.registers, flags: context.flags, vectors, real_rip, in_handler: false };
        let entering = build_or_die(hub, green, &info, &action, &from);
        enter(hub, entering);
        more_pending(hub, green);
        return 1;
    }
    // With this mask comes what was held back: the program's next instruction is out of our sight. It still counts as held
    // back, since another handler may yet be entered before this mask is the kernel's.
    context.mask = hub.signals.kernel_mask();
    context.stack = hub.signals.carrier_stack();
    0
}

/// The program was interrupted with the registers that the kernel saved in `context` (and is not in the runtime):
/// lets it run its handlers. Called by the kernel-level handler, on the carrier's alternate stack, inside.
pub(super) fn redirect(hub: &'static Hub, context: &mut UContext) {
    let green = hub.current();
    while let Some((info, action)) = take(hub, green) {
        deliver_now(hub, green, context, &info, &action);
    }
    context.mask = hub.signals.kernel_mask();
}

/// The segments in which the kernel would have called a handler: 64-bit code, and the interrupted stack segment if that is
/// one that can be written. Each system call since then has loaded another.
pub(super) fn handler_segments(interrupted: usize) -> usize {
    // Of a descriptor: present, of a program's, for data, with what says so; readable and writable, whatever its direction.
    const LOOKED_AT: u32 = 0xfa00;
    const WRITABLE: u32 = 0xf200;
    let stack = interrupted >> 48;
    let rights: u32;
    // SAFETY: looks a descriptor up, and leaves the zero if there is none.
    unsafe {
        asm!("lar {0:e}, {1:e}", inout(reg) 0 => rights, in(reg) stack as u32, options(nomem, nostack));
    }
    if rights & LOOKED_AT == WRITABLE {
        CODE | stack << 48
    } else {
        USER_SEGMENTS
    }
}

/// As `redirect`, for one signal that must be taken now: a fault.
pub(super) fn deliver_now(hub: &'static Hub, green: &Green, context: &mut UContext, info: &Info, action: &Action) {
    let vectors = match vector_bytes(context.registers.vectors) {
        0 => Vectors::None,
        bytes => Vectors::Kernel(context.registers.vectors, bytes),
    };
    let real_rip = context.registers.rip;
    let mut registers = context.registers;
    registers.rip = shown_address(real_rip);
    let from = Interrupted { registers, flags: context.flags, vectors, real_rip, in_handler: true };
    let entering = build_or_die(hub, green, info, action, &from);
    // SAFETY: `build` has checked that the stack can be written; the program is not running on it now.
    unsafe { core::ptr::copy_nonoverlapping(entering.from, entering.to as *mut u8, entering.bytes) };
    clear_vectors(context.registers.vectors);
    context.registers.rip = entering.rip;
    context.registers.rsp = entering.to;
    context.registers.rdi = entering.rdi;
    context.registers.rsi = entering.rsi;
    context.registers.rdx = entering.rdx;
    context.registers.rax = 0;
    context.registers.segments = handler_segments(context.registers.segments);
    context.registers.eflags &= !0x500; // direction and trap flag, as the kernel clears them
    context.mask = hub.signals.kernel_mask();
}
