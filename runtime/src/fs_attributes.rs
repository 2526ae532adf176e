//! unshare(CLONE_FS): a thread that asks for it has a working directory and a file mode mask of its own from then on, and
//! so have the threads that it makes. The kernel keeps them for the carrier, which changes them when the turn goes from
//! one group of threads to another. Nothing of this costs anything until a thread asks.
//!
//! | a group | its directory | its mask |
//! |---|---|---|
//! | in force | the carrier's; `directory` is the same, or -1 | the carrier's |
//! | not in force | `directory`, a descriptor of ours | `mask` |
//!
//! The root directory is not followed: all threads share it.

use crate::calls::Outcome::{self, Done, Pass};
use crate::calls::{error, Reason};
use crate::frame::Frame;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::{offload, reactor, sys};
use core::cell::{Cell, RefCell};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a thread has attributes of its own.
static IN_USE: AtomicBool = AtomicBool::new(false);

#[inline]
pub(crate) fn in_use() -> bool {
    IN_USE.load(Relaxed)
}

/// What the threads of one group share. Records are never freed, only used again.
pub(crate) struct Attributes {
    /// Live threads; not counted for the process's own group.
    threads: Cell<usize>,
    directory: Cell<i32>,
    mask: Cell<usize>,
}

impl Attributes {
    const fn new() -> Attributes {
        Attributes { threads: Cell::new(0), directory: Cell::new(-1), mask: Cell::new(0) }
    }

    fn close(&self, hub: &Hub) {
        let directory = self.directory.replace(-1);
        if directory >= 0 {
            hub.reactor.discard(directory);
        }
    }
}

/// The groups of a hub's threads.
pub(crate) struct Groups {
    /// Of all threads that have asked for nothing: they have null for a group.
    process: Attributes,
    /// Null for the process's.
    in_force: Cell<*const Attributes>,
    own: RefCell<Vec<&'static Attributes>>,
}

impl Groups {
    pub(crate) const fn new() -> Groups {
        Groups { process: Attributes::new(), in_force: Cell::new(ptr::null()), own: RefCell::new(Vec::new()) }
    }

    fn record(&self, group: *const Attributes) -> &Attributes {
        // SAFETY: null or a record, which is never freed.
        unsafe { group.as_ref() }.unwrap_or(&self.process)
    }

    /// A descriptor of ours has got another number.
    pub(crate) fn moved(&self, from: i32, to: i32) {
        let own = self.own.borrow();
        for group in own.iter().copied().chain([&self.process]) {
            if group.directory.get() == from {
                group.directory.set(to);
            }
        }
    }

    /// The forked child's only thread has what is in force; the descriptors have been closed.
    pub(crate) fn rebuild_in_child(&self, green: &Green) {
        IN_USE.store(false, Relaxed);
        self.in_force.set(ptr::null());
        green.attributes.set(ptr::null());
        self.process.directory.set(-1);
        for group in self.own.borrow().iter() {
            group.threads.set(0);
            group.directory.set(-1);
        }
    }
}

fn umask(mask: usize) -> usize {
    // SAFETY: no pointers.
    unsafe { sys!(libc::SYS_umask, mask) as usize }
}

/// A descriptor of the carrier's working directory.
fn open_directory(hub: &Hub) -> Option<i32> {
    let open = |path: &core::ffi::CStr| {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: a path of ours.
        reactor::move_up(unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) } as i32)
    };
    // The second is for a directory that the process may no longer search.
    let directory = open(c".").or_else(|| open(c"/proc/thread-self/cwd"))?;
    hub.reactor.keep(directory);
    Some(directory)
}

/// Makes a call whose paths are to begin at the current green thread's directory whenever it is made.
pub(crate) fn with_directory<R>(hub: &Hub, call: impl FnOnce(i32) -> R) -> R {
    let Some(directory) = open_directory(hub) else { return call(libc::AT_FDCWD) };
    let result = call(directory);
    // The program may have taken the number meanwhile.
    if hub.reactor.owns(directory) {
        hub.reactor.discard(directory);
    }
    result
}

/// Keeps the carrier's directory for the group in force. False if there is no descriptor to be had.
fn save(hub: &Hub, group: &Attributes) -> bool {
    if group.directory.get() < 0 {
        let Some(directory) = open_directory(hub) else { return false };
        group.directory.set(directory);
    }
    true
}

/// It is this green thread's turn. Only while `in_use`.
#[cold]
#[inline(never)]
pub(crate) fn begin_turn(hub: &Hub, green: &Green) {
    let groups = &hub.fs;
    let (old, new) = (groups.in_force.get(), green.attributes.get());
    if ptr::eq(old, new) {
        return;
    }
    let (before, after) = (groups.record(old), groups.record(new));
    let over = !old.is_null() && before.threads.get() == 0;
    // What can't be kept must not be lost.
    if !over && !save(hub, before) {
        return;
    }
    // SAFETY: no pointers. It may fail only where the process may no longer search the directory.
    unsafe { sys!(libc::SYS_fchdir, after.directory.get()) };
    before.mask.set(umask(after.mask.get()));
    groups.in_force.set(new);
    if over {
        before.close(hub);
    }
}

/// `green` is made by `maker`.
pub(crate) fn inherit(maker: &Green, green: &Green) {
    let group = maker.attributes.get();
    green.attributes.set(group);
    // SAFETY: null or a record, which is never freed.
    if let Some(group) = unsafe { group.as_ref() } {
        group.threads.set(group.threads.get() + 1);
    }
}

/// `green` has ended, or leaves its group.
pub(crate) fn leave(hub: &Hub, green: &Green) {
    let group = green.attributes.replace(ptr::null());
    // SAFETY: null or a record, which is never freed.
    let Some(record) = (unsafe { group.as_ref() }) else { return };
    record.threads.set(record.threads.get() - 1);
    if record.threads.get() == 0 && !ptr::eq(hub.fs.in_force.get(), group) {
        record.close(hub);
    }
}

/// The current green thread gets a group of its own.
fn take_own(hub: &Hub) -> isize {
    let green = hub.current();
    let (groups, old) = (&hub.fs, green.attributes.get());
    if !old.is_null() && groups.record(old).threads.get() == 1 {
        return 0;
    }
    if !save(hub, groups.record(old)) {
        return error(libc::ENOMEM);
    }
    let mask = umask(0);
    umask(mask);
    groups.record(old).mask.set(mask);
    let mut own = groups.own.borrow_mut();
    let free = |group: &&&'static Attributes| group.threads.get() == 0 && !ptr::eq(groups.in_force.get(), **group);
    let group = own.iter().find(free).copied().unwrap_or_else(|| {
        let group = Box::leak(Box::new(Attributes::new()));
        own.push(group);
        group
    });
    drop(own);
    group.threads.set(1);
    groups.in_force.set(group);
    leave(hub, green);
    green.attributes.set(group);
    IN_USE.store(true, Relaxed);
    0
}

/// unshare. What else it may take apart is the carrier's, so all green threads leave what they shared with others
/// together; helper threads made before would be left behind.
pub fn unshare(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    offload::leave_helpers();
    let rest = frame.rdi & !(libc::CLONE_FS as usize);
    if rest == frame.rdi || hub.live() == 1 {
        return Pass(Reason::NotOurs);
    }
    if rest != 0 {
        // SAFETY: no pointers.
        let result = unsafe { sys!(libc::SYS_unshare, rest) };
        if result < 0 {
            return Done(result);
        }
    }
    Done(take_own(hub))
}

/// setns: as with `unshare`, helper threads would be left behind.
pub fn setns(_hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    offload::leave_helpers();
    Pass(Reason::NotOurs)
}

/// chdir and fchdir.
pub fn change_directory(hub: &'static Hub, _frame: &mut Frame) -> Outcome {
    if in_use() {
        hub.fs.record(hub.fs.in_force.get()).close(hub);
    }
    Pass(Reason::NonBlocking)
}
