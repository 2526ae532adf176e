//! Name look-ups of guests. The resolver keeps its state per kernel thread and works on locks and descriptors of its own for
//! a long time, so it does not run in a greenlet: a thread of libc's looks up while the callback waits.
//!
//! The thread works with copies in the heap. If the wait is given up, it throws its answer away itself.

#![allow(static_mut_refs, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

use crate::found_early;
use crate::guest;
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering::*};
use greenpatch_runtime::guest::{Look, Pause};
use greenpatch_runtime::modules::Module;
use libc::{addrinfo, sockaddr, socklen_t};
use redhook::{hook, real};

/// The thread looks up.
const RUNNING: u8 = 0;
/// It has finished: the caller frees.
const DONE: u8 = 1;
/// Nobody waits any more: the thread frees.
const ABANDONED: u8 = 2;

enum Question {
    Address { name: Option<Box<CStr>>, service: Option<Box<CStr>>, hints: Option<addrinfo>, answer: *mut addrinfo },
    Name { address: Box<[u8]>, name: Box<[u8]>, service: Box<[u8]>, flags: c_int },
}

struct LookUp {
    state: AtomicU8,
    question: Question,
    result: c_int,
    errno: c_int,
    wait: Look,
}

fn errno() -> *mut c_int {
    unsafe { libc::__errno_location() }
}

impl LookUp {
    fn perform(&mut self) {
        unsafe { *errno() = 0 };
        self.result = match &mut self.question {
            Question::Address { name, service, hints, answer } => unsafe {
                let text = |text: &Option<Box<CStr>>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
                let hints = hints.as_ref().map_or(ptr::null(), |hints| hints as *const addrinfo);
                real!(getaddrinfo)(text(name), text(service), hints, answer)
            },
            Question::Name { address, name, service, flags } => unsafe {
                let place = |text: &mut [u8]| if text.is_empty() { ptr::null_mut() } else { text.as_mut_ptr().cast() };
                let (name_at, service_at) = (place(name), place(service));
                let (name_size, service_size) = (name.len() as socklen_t, service.len() as socklen_t);
                let from = address.as_ptr().cast();
                real!(getnameinfo)(
                    from,
                    address.len() as socklen_t,
                    name_at,
                    name_size,
                    service_at,
                    service_size,
                    *flags,
                )
            },
        };
        self.errno = unsafe { *errno() };
    }

    fn discard(&self) {
        if let (Question::Address { answer, .. }, 0) = (&self.question, self.result) {
            unsafe { libc::freeaddrinfo(*answer) };
        }
    }
}

extern "C" fn look_up(request: *mut c_void) -> *mut c_void {
    let request = request.cast::<LookUp>();
    unsafe { (*request).perform() };
    // Known before the state is set: afterwards the caller may free everything.
    let event = unsafe { (*request).wait.event() };
    match unsafe { (*request).state.swap(DONE, AcqRel) } {
        ABANDONED => {
            let request = unsafe { Box::from_raw(request) };
            request.wait.end();
            request.discard();
        }
        _ => Look::tell(event),
    }
    ptr::null_mut()
}

/// Has a thread perform `request`. Where the system has none left, others run for a while before it is tried again, for
/// half a second in all. `None`: there is none to be had; an error: the callback has given up.
fn start(request: *mut LookUp) -> Option<Result<(), ()>> {
    const FIRST_PAUSE_NS: u64 = 1_000_000;
    const LAST_PAUSE_NS: u64 = 256_000_000;
    /// Nothing came of trying again the last time.
    static IN_VAIN: AtomicBool = AtomicBool::new(false);
    let mut pause = FIRST_PAUSE_NS;
    while !guest::start_detached(look_up, request.cast()) {
        if IN_VAIN.load(Relaxed) || pause > LAST_PAUSE_NS {
            IN_VAIN.store(true, Relaxed);
            return None;
        }
        match Look::pause(pause) {
            Pause::Over => pause *= 2,
            Pause::Passed => return None,
            Pause::GivenUp => return Some(Err(())),
        }
    }
    IN_VAIN.store(false, Relaxed);
    Some(Ok(()))
}

/// Has a thread answer while others run. `None`: it is to be asked here.
fn ask(question: Question) -> Option<Result<Box<LookUp>, ()>> {
    let wait = Look::begin()?;
    let request = LookUp { state: AtomicU8::new(RUNNING), question, result: 0, errno: 0, wait };
    let request = Box::into_raw(Box::new(request));
    let started = start(request);
    if !matches!(started, Some(Ok(()))) {
        unsafe { Box::from_raw(request) }.wait.end();
        return started.map(|_| Err(()));
    }
    let finished = || unsafe { (*request).state.load(Acquire) } == DONE;
    let waited = unsafe { (*request).wait.until(finished) };
    if !waited && unsafe { (*request).state.swap(ABANDONED, AcqRel) } == RUNNING {
        return Some(Err(()));
    }
    let request = unsafe { Box::from_raw(request) };
    request.wait.end();
    Some(Ok(request))
}

fn is_for_guest() -> bool {
    guest::modules().is_some_and(|modules| modules.contains(Module::Dns))
}

unsafe fn copied(text: *const c_char) -> Option<Box<CStr>> {
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.into())
}

/// Whether the name is a number or none at all: then nobody has to be asked.
unsafe fn needs_nobody(name: *const c_char) -> bool {
    if name.is_null() {
        return true;
    }
    let mut hints: addrinfo = unsafe { core::mem::zeroed() };
    hints.ai_flags = libc::AI_NUMERICHOST;
    let mut answer = ptr::null_mut();
    let numeric = unsafe { real!(getaddrinfo)(name, ptr::null(), &hints, &mut answer) } == 0;
    if numeric {
        unsafe { libc::freeaddrinfo(answer) };
    }
    numeric
}

/// What a look-up fails with when the callback gives up.
fn given_up() -> c_int {
    unsafe { *errno() = libc::ECANCELED };
    libc::EAI_SYSTEM
}

const _: unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int =
    libc::getaddrinfo;
found_early!(getaddrinfo);
hook! {
    unsafe fn getaddrinfo(
        name: *const c_char, service: *const c_char, hints: *const addrinfo, answer: *mut *mut addrinfo
    ) -> c_int => look_address_up {
        if !is_for_guest() || unsafe { needs_nobody(name) } {
            return unsafe { real!(getaddrinfo)(name, service, hints, answer) };
        }
        let hints_copied = (!hints.is_null()).then(|| unsafe { *hints });
        let (name_copied, service_copied) = unsafe { (copied(name), copied(service)) };
        let answer_at = ptr::null_mut();
        match ask(Question::Address { name: name_copied, service: service_copied, hints: hints_copied, answer: answer_at }) {
            None => unsafe { real!(getaddrinfo)(name, service, hints, answer) },
            Some(Err(())) => given_up(),
            Some(Ok(look_up)) => {
                if look_up.result == libc::EAI_SYSTEM {
                    unsafe { *errno() = look_up.errno };
                }
                if let (Question::Address { answer: found, .. }, 0) = (&look_up.question, look_up.result) {
                    unsafe { *answer = *found };
                }
                look_up.result
            }
        }
    }
}

const _: unsafe extern "C" fn(
    *const sockaddr,
    socklen_t,
    *mut c_char,
    socklen_t,
    *mut c_char,
    socklen_t,
    c_int,
) -> c_int = libc::getnameinfo;
found_early!(getnameinfo);
hook! {
    unsafe fn getnameinfo(
        address: *const sockaddr, size: socklen_t, name: *mut c_char, name_size: socklen_t, service: *mut c_char,
        service_size: socklen_t, flags: c_int
    ) -> c_int => look_name_up {
        let asks_nobody = name.is_null() || name_size == 0 || flags & libc::NI_NUMERICHOST != 0;
        if asks_nobody || address.is_null() || size > 128 || !is_for_guest() {
            return unsafe { real!(getnameinfo)(address, size, name, name_size, service, service_size, flags) };
        }
        let room = |place: *mut c_char, size: socklen_t| {
            vec![0u8; if place.is_null() { 0 } else { (size as usize).min(4096) }].into_boxed_slice()
        };
        let question = Question::Name {
            address: unsafe { core::slice::from_raw_parts(address.cast::<u8>(), size as usize) }.into(),
            name: room(name, name_size),
            service: room(service, service_size),
            flags,
        };
        match ask(question) {
            None => unsafe { real!(getnameinfo)(address, size, name, name_size, service, service_size, flags) },
            Some(Err(())) => given_up(),
            Some(Ok(look_up)) => {
                if look_up.result == libc::EAI_SYSTEM {
                    unsafe { *errno() = look_up.errno };
                }
                if let (Question::Name { name: found, service: found_service, .. }, 0) =
                    (&look_up.question, look_up.result)
                {
                    for (text, place) in [(found, name), (found_service, service)] {
                        let length = text.iter().position(|&byte| byte == 0).map_or(0, |end| end + 1);
                        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), place.cast(), length) };
                    }
                }
                look_up.result
            }
        }
    }
}
