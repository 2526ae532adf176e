//! sched_getcpu and getcpu: libc asks the kernel's `rseq` area or the vDSO, which know the carrier's processor only.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use greenpatch_runtime::calls::sched;
use greenpatch_runtime::guard::Inside;
use libc::{c_int, c_uint};
use redhook::{hook, real};

const _: unsafe extern "C" fn() -> c_int = libc::sched_getcpu;

fn shown(processor: u32) -> u32 {
    Inside::enter().map_or(processor, |inside| sched::shown_processor(inside.hub(), processor))
}

found_early!(sched_getcpu);
hook! {
    unsafe fn sched_getcpu() -> c_int => own_processor {
        match unsafe { real!(sched_getcpu)() } {
            processor if processor >= 0 => shown(processor as u32) as c_int,
            error => error,
        }
    }
}

found_early!(getcpu);
hook! {
    unsafe fn getcpu(processor: *mut c_uint, node: *mut c_uint) -> c_int => own_processor_and_node {
        let result = unsafe { real!(getcpu)(processor, node) };
        if result == 0 && !processor.is_null() {
            // SAFETY: libc has just written there.
            unsafe { *processor = shown(*processor) };
        }
        result
    }
}
