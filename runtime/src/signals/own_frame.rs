//! Signal frames on a buffer of ours, one for each green thread that needs it: of a context whose time slice is over, and
//! of a handler that returns from an alternate stack, which the program need not be able to write any more.

use super::context::{clear_vectors, vector_bytes, UContext};
use super::deliver::{handler_segments, Note, SignalFrame, FRAME, SCRATCH};
use crate::exit;
use crate::green_thread::Green;
use crate::hub::Hub;

/// Bytes for a context with its vector state, and for the switch to the hub below it.
const BUFFER: usize = 3 * SCRATCH / 2;

/// The end of the green thread's buffer.
fn buffer(green: &Green) -> usize {
    // SAFETY: the buffer is used while its green thread is preempted or returns from a handler, which it does not.
    let buffer = unsafe { &mut *green.preempt_stack.get() };
    if buffer.is_empty() {
        buffer.resize(BUFFER / 64, [0; 8]);
    }
    buffer.as_ptr_range().end as usize
}

/// The green thread has ended: its record, which may be used again, keeps no buffer.
pub(crate) fn give_buffer_back(green: &Green) {
    // SAFETY: nobody is on the buffer of a thread that has left its stack for good.
    unsafe { *green.preempt_stack.get() = Vec::new() };
}

/// The program was interrupted because its time slice is over: its whole state goes to a buffer of its own, where the
/// hub is called, so that nothing of ours comes on the program's stack.
pub(super) fn preempt(hub: &'static Hub, context: &mut UContext) {
    let green = hub.current();
    let vectors = context.registers.vectors;
    let bytes = vector_bytes(vectors);
    let top = buffer(green);
    let vectors_at = (top - bytes) & !63;
    let frame_at = ((vectors_at - FRAME) & !15) - 8;
    let mut registers = context.registers;
    registers.vectors = if bytes == 0 { 0 } else { vectors_at };
    let alt = green.alt_stack.get();
    let frame = SignalFrame {
        restorer: exit::restorer(),
        context: UContext { flags: context.flags, link: 0, stack: alt, registers, mask: green.mask.get() },
        // SAFETY: all-zero is a valid siginfo.
        info: unsafe { core::mem::zeroed() },
        note: Note { shown_rip: registers.rip, real_rip: registers.rip, returned: 0, reserved: 0 },
    };
    // SAFETY: the buffer has room for both, and the vector state lies on the carrier's alternate stack.
    unsafe {
        core::ptr::copy_nonoverlapping(vectors as *const u8, vectors_at as *mut u8, bytes);
        (frame_at as *mut SignalFrame).write_unaligned(frame);
    }
    clear_vectors(vectors);
    context.registers.rip = exit::preempted();
    context.registers.rsp = frame_at;
    context.registers.segments = handler_segments(context.registers.segments);
    context.registers.eflags &= !0x500;
    context.mask = hub.signals.kernel_mask();
}

/// On the buffer of a preempted green thread: everybody else has a turn.
#[no_mangle]
extern "C" fn gp_preempted(hub: &'static Hub) {
    let green = hub.current();
    green.where_from.set(0);
    hub.give_turn();
}

/// A handler has returned; `context` is what it may have changed. Returns where a copy of it lies. The vector state stays
/// where it is, for the kernel to read.
#[no_mangle]
unsafe extern "C" fn gp_move_frame(hub: &'static Hub, context: *const UContext) -> usize {
    let context_offset = core::mem::offset_of!(SignalFrame, context);
    let frame_at = ((buffer(hub.current()) - FRAME) & !15) - 8;
    // SAFETY: the frame is one that `build` made, and the buffer has room for it.
    unsafe {
        let frame = context.byte_sub(context_offset).cast::<SignalFrame>();
        (frame_at as *mut SignalFrame).write_unaligned(frame.read_unaligned());
    }
    frame_at + context_offset
}
