//! prctl: thread names and what else it tells of a thread; and the file that libc's pthread_setname_np and pthread_getname_np of another thread open.
//!
//! The carrier's name in the kernel is that of the green thread that the kernel knows by id, and of all that have
//! inherited it and were not named since.
//!
//! For `/proc/self/task/<green id>/comm` the program gets a descriptor of a file in memory. What is written to it, by
//! `write` or, where that call is not ours, until it is closed, becomes the name.

use super::Outcome::{self, Done, Pass};
use super::{io, proc_state, Reason};
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::lock::Lock;
use crate::modules::Module;
use crate::{filters, sys, user};
use core::sync::atomic::{AtomicUsize, Ordering::*};

/// prctl(2); the `libc` crate lacks it.
pub(crate) const PR_GET_TID_ADDRESS: i32 = 40;

/// With the terminating zero.
const NAME: usize = 16;
/// The longest path that can name a thread's `comm`.
const LONGEST_PATH: usize = 64;

fn as_name(bytes: &[u8]) -> [u8; NAME] {
    let mut name = [0; NAME];
    let bytes = bytes.iter().take(NAME - 1).take_while(|&&byte| byte != 0);
    name.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
    name
}

pub(super) fn kernel_name() -> [u8; NAME] {
    let mut name = [0u8; NAME];
    // SAFETY: `name` is ours and as long as the kernel wants.
    unsafe { sys!(libc::SYS_prctl, libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Whether the kernel has this green thread's name.
fn is_kernels(hub: &Hub, green: &Green) -> bool {
    green.tid.get() == hub.tid.load(Relaxed)
}

fn set(green: &Green, name: [u8; NAME]) {
    green.name.set(name);
    green.has_own_name.set(true);
}

/// The carrier is about to be named anew: who has inherited the old name keeps it.
fn settle_inherited(hub: &Hub) {
    let name = kernel_name();
    for green in hub.all() {
        if !green.has_own_name.get() && !is_kernels(hub, green) {
            set(green, name);
        }
    }
}

pub fn prctl(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    let green = hub.current();
    match frame.rdi as i32 {
        libc::PR_SET_NAME if is_kernels(hub, green) => {
            settle_inherited(hub);
            Pass(Reason::NotOurs)
        }
        libc::PR_SET_NAME => match read_string(frame.rsi, NAME - 1) {
            Ok(name) => {
                set(green, as_name(&name));
                Done(0)
            }
            Err(fault) => fault.into(),
        },
        libc::PR_GET_NAME if green.has_own_name.get() => match user::write(frame.rsi, &green.name.get()) {
            Ok(()) => Done(0),
            Err(fault) => fault.into(),
        },
        libc::PR_SET_SECCOMP => filters::install(hub, frame),
        PR_GET_TID_ADDRESS => match user::write(frame.rsi, &green.clear_child_tid.get()) {
            Ok(()) => Done(0),
            Err(fault) => fault.into(),
        },
        _ => Pass(Reason::NotOurs),
    }
}

/// Up to `limit` bytes of a string of the program's, without its end.
fn read_string(address: usize, limit: usize) -> Result<Vec<u8>, user::Fault> {
    let mut bytes = Vec::with_capacity(limit);
    while bytes.len() < limit {
        match user::read::<u8>(address + bytes.len())? {
            0 => break,
            byte => bytes.push(byte),
        }
    }
    Ok(bytes)
}

/// The forked child's only thread is `green`: the kernel gets its name.
pub(crate) fn rebuild_in_child(green: &Green) {
    // SAFETY: no other kernel thread exists.
    unsafe { OPEN.reset_in_child() };
    OPEN.lock().clear();
    OPEN_COUNT.store(0, Relaxed);
    if green.has_own_name.replace(false) {
        // SAFETY: the name is ours and ends with a zero.
        unsafe { sys!(libc::SYS_prctl, libc::PR_SET_NAME, green.name.get().as_ptr()) };
    }
}

// ---- /proc ---------------------------------------------------------------------------------------------------------

/// The thread whose file with this name (`/comm`) a path names: by id, or 0 for the caller's. `process` is our id.
pub(super) fn thread_of_path(path: &[u8], file: &str, process: i32) -> Option<i32> {
    let number = |digits: &str| {
        // As the kernel reads them: no sign, no leading zero.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        digits.parse::<i32>().ok().filter(|_| plain)
    };
    let rest = core::str::from_utf8(path).ok()?.strip_prefix("/proc/")?.strip_suffix(file)?;
    match rest.split_once("/task/") {
        Some((of, tid)) => {
            let tid = number(tid)?;
            (of == "self" || number(of) == Some(process)).then_some(tid)
        }
        None if rest == "thread-self" => Some(0),
        None if rest == "self" => Some(process),
        None => number(rest),
    }
}

/// A descriptor whose writes name a thread.
struct Open {
    fd: i32,
    /// Tells the file from another one at the same number.
    file: (u64, u64),
    tid: i32,
}

static OPEN: Lock<Vec<Open>> = Lock::new(Vec::new());
static OPEN_COUNT: AtomicUsize = AtomicUsize::new(0);

/// open and openat come here first, in case they name a thread's file.
fn open_comm(hub: &'static Hub, path: usize, flags: i32, mode: usize) -> Option<Outcome> {
    if user::read::<[u8; 6]>(path).ok()? != *b"/proc/" {
        return None;
    }
    let path = read_string(path, LONGEST_PATH).ok()?;
    let process = hub.tid.load(Relaxed);
    if let Some(outcome) = proc_state::open(hub, &path, flags) {
        return Some(outcome);
    }
    let Some(tid) = thread_of_path(&path, "/comm", process) else {
        return (path.len() < LONGEST_PATH).then(|| proc_state::open_carriers(hub, &path, flags, mode)).flatten();
    };
    let green = match tid {
        0 => hub.current(),
        tid => hub.by_tid(tid)?,
    };
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    if is_kernels(hub, green) {
        if writes {
            settle_inherited(hub);
        }
        return None;
    }
    // The carrier's own file first: its descriptor has the number that the program expects, or the right error.
    let carriers = format!("/proc/self/task/{process}/comm\0");
    // SAFETY: a path of ours.
    let fd = unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, carriers.as_ptr(), flags, mode) } as i32;
    if fd >= 0 {
        if let Err(errno) = replace_by_memory(hub, green, fd, flags, writes) {
            sys::close(fd);
            return Some(Done(errno));
        }
    }
    Some(Done(fd as isize))
}

/// Whether `write` comes to us at all.
fn sees_writes(hub: &Hub) -> bool {
    hub.module_on(Module::Os) || hub.module_on(Module::Socket)
}

fn replace_by_memory(hub: &Hub, green: &Green, fd: i32, flags: i32, writes: bool) -> Result<(), isize> {
    // SAFETY: paths and buffers are ours, and so are the descriptors but `fd`, which is fresh.
    unsafe {
        let memory = sys!(libc::SYS_memfd_create, c"comm".as_ptr(), libc::MFD_CLOEXEC);
        if memory < 0 {
            return Err(memory);
        }
        if !writes || sees_writes(hub) {
            show(memory as i32, green);
        }
        let link = format!("/proc/self/fd/{memory}\0");
        let access = flags & libc::O_ACCMODE | libc::O_CLOEXEC;
        let again = sys!(libc::SYS_openat, libc::AT_FDCWD, link.as_ptr(), access);
        sys::close(memory as i32);
        if again < 0 {
            return Err(again);
        }
        let result = sys!(libc::SYS_dup3, again, fd, flags & libc::O_CLOEXEC);
        sys::close(again as i32);
        if result < 0 {
            return Err(result);
        }
    }
    if let Some(file) = identity(fd).filter(|_| writes) {
        let mut open = OPEN.lock();
        open.retain(|open| open.fd != fd);
        open.push(Open { fd, file, tid: green.tid.get() });
        OPEN_COUNT.store(open.len(), Relaxed);
    }
    Ok(())
}

/// Makes a file in memory tell the name of `green`.
fn show(fd: i32, green: &Green) {
    let name = if green.has_own_name.get() { green.name.get() } else { kernel_name() };
    let mut text: Vec<u8> = name.into_iter().take_while(|&byte| byte != 0).collect();
    text.push(b'\n');
    // SAFETY: our own buffer.
    unsafe {
        sys!(libc::SYS_ftruncate, fd, 0);
        sys!(libc::SYS_pwrite64, fd, text.as_ptr(), text.len(), 0);
    }
}

fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours.
    let result = unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut libc::stat) };
    (result >= 0).then_some((stat.st_dev, stat.st_ino))
}

/// The thread that writes to `fd` name, if `fd` is one of ours.
fn named_by(fd: i32) -> Option<i32> {
    let (file, tid) = OPEN.lock().iter().find(|open| open.fd == fd).map(|open| (open.file, open.tid))?;
    if identity(fd) == Some(file) {
        return Some(tid);
    }
    forget(fd);
    None
}

fn forget(fd: i32) {
    let mut open = OPEN.lock();
    open.retain(|open| open.fd != fd);
    OPEN_COUNT.store(open.len(), Relaxed);
}

pub fn open(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    open_file(hub, libc::AT_FDCWD, frame.rdi, frame.rsi, frame.rdx)
}

pub fn openat(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    open_file(hub, frame.rdi as i32, frame.rsi, frame.rdx, frame.r10)
}

pub fn creat(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    open_file(hub, libc::AT_FDCWD, frame.rdi, io::CREAT as usize, frame.rsi)
}

fn open_file(hub: &'static Hub, directory: i32, path: usize, flags: usize, mode: usize) -> Outcome {
    match open_comm(hub, path, flags as i32, mode) {
        Some(outcome) => outcome,
        None if hub.module_on(Module::Os) => io::openat(hub, directory, path, flags, mode),
        None => Pass(Reason::ModuleOff),
    }
}

/// Of what the kernel refuses nothing is known here.
pub fn openat2(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    /// `struct open_how`: flags, mode, how to resolve.
    const HOW: usize = 24;
    let (how, size) = (frame.rdx, frame.r10);
    if size < HOW {
        return Pass(Reason::NotOurs);
    }
    let [flags, mode, resolve] = match user::read::<[u64; 3]>(how) {
        Ok(how) => how,
        Err(_) => return Pass(Reason::NotOurs),
    };
    if flags >> 32 != 0 {
        return Pass(Reason::NotOurs);
    }
    let comm = if resolve == 0 { open_comm(hub, frame.rsi, flags as i32, mode as usize) } else { None };
    match comm {
        Some(outcome) => outcome,
        None if hub.module_on(Module::Os) => io::openat2(hub, frame.rdi as i32, frame.rsi, flags as i32, how, size),
        None => Pass(Reason::ModuleOff),
    }
}

/// A write to a thread's file: the kernel takes its first 15 bytes for the name, wherever in the file it is, and says
/// that it has taken all.
#[inline]
pub(crate) fn write(hub: &Hub, frame: &Frame) -> Option<Outcome> {
    if OPEN_COUNT.load(Relaxed) == 0 {
        return None;
    }
    let fd = frame.rdi as i32;
    let tid = named_by(fd)?;
    let Some(green) = hub.by_tid(tid) else { return Some(Done(super::error(libc::ESRCH))) };
    Some(match user::read_slice::<u8>(frame.rsi, frame.rdx.min(NAME - 1)) {
        Ok(bytes) => {
            set(green, as_name(&bytes));
            show(fd, green);
            Done(frame.rdx as isize)
        }
        Err(fault) => fault.into(),
    })
}

/// Whether some descriptor may be a thread's file.
#[inline]
pub(crate) fn any_open() -> bool {
    OPEN_COUNT.load(Relaxed) != 0
}

/// `fd` is about to be closed.
#[inline]
pub(crate) fn before_close(hub: &Hub, fd: i32) {
    if OPEN_COUNT.load(Relaxed) != 0 {
        take_over(hub, fd);
    }
}

#[cold]
fn take_over(hub: &Hub, fd: i32) {
    let Some(green) = named_by(fd).and_then(|tid| hub.by_tid(tid)) else { return };
    forget(fd);
    if sees_writes(hub) {
        return;
    }
    // The descriptor may be for writing only, but the kernel lets us open the file anew.
    let link = format!("/proc/self/fd/{fd}\0");
    let mut written = [0u8; NAME - 1];
    // SAFETY: a path and a buffer of ours.
    let bytes = unsafe {
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, link.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) as i32;
        let bytes = sys!(libc::SYS_pread64, fd, written.as_mut_ptr(), written.len(), 0);
        sys::close(fd);
        bytes
    };
    if bytes > 0 {
        set(green, as_name(&written[..bytes as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_name_a_thread() {
        let thread = |path: &str| thread_of_path(path.as_bytes(), "/comm", 77);
        assert_eq!(thread("/proc/self/task/8388700/comm"), Some(8388700));
        assert_eq!(thread("/proc/77/task/77/comm"), Some(77));
        assert_eq!(thread("/proc/8388700/comm"), Some(8388700));
        assert_eq!(thread("/proc/thread-self/comm"), Some(0));
        assert_eq!(thread("/proc/self/comm"), Some(77));
        for path in [
            "/proc/78/task/77/comm",
            "/proc/self/task/077/comm",
            "/proc/self/task/+77/comm",
            "/proc/self/task//comm",
            "/proc/self/task/77/status",
            "/proc/comm",
            "/proc/sys/comm",
            "/etc/passwd",
        ] {
            assert_eq!(thread(path), None, "{path}");
        }
    }

    #[test]
    fn names_are_cut() {
        assert_eq!(&as_name(b"short\0rest"), b"short\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&as_name(b"a name that is far too long"), b"a name that is \0");
    }
}
