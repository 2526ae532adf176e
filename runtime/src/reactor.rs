//! Waiting for descriptors: one edge-triggered registration per descriptor with a `polling::Poller`, kept until the
//! number is closed.
//!
//! `Poller::wait` makes five system calls, so the hub waits on the poller's epoll descriptor directly. Where there is no
//! epoll descriptor to be had (the process has as many descriptors as it may have), the hub waits on a futex, and calls
//! that wait for descriptors are helper threads' until there is one.
//!
//! **When a read need not be tried.** An edge-triggered registration reports whatever comes after the last report. So a
//! descriptor that was found empty stays empty until the next event: a read that finds it so (`is_drained`) parks at
//! once. It was found empty if a read said EAGAIN; and if a read got some bytes, but fewer than it asked for, from a
//! stream that ends reads for no other reason (`Entry::drains`). What could end one early makes an event that says so
//! first, or at the same time as the bytes that it follows: urgent data (EPOLLPRI), the end (EPOLLRDHUP, EPOLLHUP), an
//! error. Such an event ends the rule for that number, for good. Sockets that break records into reads, or may be given
//! descriptors to carry, never get it; nor does a description that another process may have, whose flags and timeouts
//! are not ours to know (`Entry::plain`).

mod numbers;
mod waiter;

pub use numbers::high_number;
pub use waiter::FdWaiter;

use crate::calls::error;
use crate::fd_table::{FdTable, Kind, Node, READ, WRITE};
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::lock::{Guard, Lock};
use crate::sys;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::*};
use polling::{AsRawSource, Event, PollMode, Poller};
use std::os::fd::{AsRawFd, RawFd};

/// Events taken at once.
const EVENTS: usize = 512;
/// `polling`'s own eventfd and timerfd report with this key; nobody uses them.
const NOTIFY_KEY: u64 = u64::MAX;
const WAKE_KEY: usize = usize::MAX - 1;
const EEXIST: isize = error(libc::EEXIST);

/// Without epoll_pwait2 (Linux < 5.11, or the test setting).
pub static NO_EPOLL_PWAIT2: AtomicBool = AtomicBool::new(false);

struct Source(RawFd);
impl AsRawSource for &Source {
    fn raw(&self) -> RawFd {
        self.0
    }
}

/// See the module.
pub struct Reactor {
    /// Descriptors belong to the process, so the hubs of guests share one table.
    pub(crate) table: &'static Lock<FdTable>,
    poller: UnsafeCell<Option<Poller>>,
    epoll: AtomicI32,
    wake: AtomicI32,
    /// What the hub sleeps on where there is no epoll descriptor: 1 once somebody has something for it.
    told: AtomicU32,
    /// Where events are taken to.
    events: UnsafeCell<[libc::epoll_event; EVENTS]>,
    /// How often events have been taken, and the descriptor that was found empty at that count: see `note_empty`.
    polls: Cell<u64>,
    empty: Cell<(i32, u64)>,
}

/// Why a descriptor can't be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CannotWait {
    /// Always ready (a regular file), or unknown to epoll: the kernel must do the call.
    NotPollable,
    /// No such descriptor.
    Bad,
    /// The kernel has no room for another registration, or for an epoll set at all. A helper can wait.
    NoRoom,
}

impl Reactor {
    pub(crate) fn new(table: &'static Lock<FdTable>) -> Self {
        Reactor {
            table,
            poller: UnsafeCell::new(None),
            epoll: AtomicI32::new(-1),
            wake: AtomicI32::new(-1),
            events: UnsafeCell::new([libc::epoll_event { events: 0, u64: 0 }; EVENTS]),
            told: AtomicU32::new(0),
            polls: Cell::new(0),
            empty: Cell::new((-1, 0)),
        }
    }

    /// For the carrier; see `Lock::lock_unless`.
    #[inline(always)]
    pub(crate) fn table(&self, hub: &Hub) -> Guard<'_, FdTable> {
        // SAFETY: kernel threads that use the table are announced by the carrier before it makes them, and no call holds
        // the guard while it makes one or locks again.
        unsafe { self.table.lock_unless(!hub.has_foreign_threads()) }
    }

    /// The poller, made if need be. `None`: there are no descriptors to be had.
    fn open(&self) -> Option<&Poller> {
        // SAFETY: only the carrier opens the poller, and it is dropped only in a forked child.
        let slot = unsafe { &mut *self.poller.get() };
        if slot.is_none() {
            *slot = numbers::with_room(|| numbers::at_high_numbers(|| self.make()));
        }
        slot.as_ref()
    }

    #[cold]
    fn make(&self) -> Option<Poller> {
        let poller = Poller::new().ok()?;
        // SAFETY: makes a descriptor of our own.
        let wake = unsafe { sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } as i32;
        if wake < 0 {
            return None;
        }
        // SAFETY: the eventfd lives as long as the poller.
        let added = unsafe { poller.add_with_mode(&Source(wake), Event::readable(WAKE_KEY), PollMode::Edge) };
        if added.is_err() {
            sys::close(wake);
            return None;
        }
        self.epoll.store(poller.as_raw_fd(), SeqCst);
        self.wake.store(wake, SeqCst);
        Some(poller)
    }

    /// Gets ready for a wait that `wake` can end.
    pub(crate) fn prepare(&self) {
        if self.epoll.load(Relaxed) < 0 && self.open().is_none() {
            self.told.store(0, SeqCst);
        }
    }

    /// Ends the hub's wait. From any kernel thread.
    pub fn wake(&self) {
        let (one, fd) = (1u64, self.wake.load(SeqCst));
        if fd >= 0 {
            // SAFETY: writes eight bytes of ours to our eventfd.
            unsafe { sys!(libc::SYS_write, fd, &one as *const u64, 8) };
        } else {
            self.told.store(1, SeqCst);
            let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: wakes on our own word.
            unsafe { sys!(libc::SYS_futex, self.told.as_ptr(), op, 1) };
        }
    }

    /// Whether `fd` is one of the reactor's own.
    pub fn owns(&self, fd: i32) -> bool {
        let epoll = self.epoll.load(Relaxed);
        // The poller's eventfd and timerfd were made between its epoll descriptor and our eventfd.
        epoll >= 0 && (epoll..=self.wake.load(Relaxed)).contains(&fd)
    }

    /// Numbers that a program must neither see nor close, in rising order.
    pub fn owned(&self) -> Option<core::ops::RangeInclusive<i32>> {
        let epoll = self.epoll.load(Relaxed);
        (epoll >= 0).then(|| epoll..=self.wake.load(Relaxed))
    }

    /// Somebody waits for a descriptor.
    pub fn has_waiters(&self) -> bool {
        let mut table = self.table.lock();
        (0..table.len() as i32).any(|fd| table.known(fd).is_some_and(|entry| entry.has_waiters()))
    }

    /// The kind of `fd`; `None` if there is no such descriptor.
    pub fn kind(&self, hub: &Hub, fd: i32) -> Option<Kind> {
        if fd < 0 {
            return None;
        }
        if let Some(kind) = self.table(hub).known(fd).and_then(|entry| entry.kind) {
            return Some(kind);
        }
        // SAFETY: all-zero is a valid `stat`.
        let mut stat: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: `stat` is ours.
        if unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut _) } < 0 {
            return None;
        }
        let kind = match stat.st_mode & libc::S_IFMT {
            libc::S_IFSOCK => Kind::Socket,
            libc::S_IFIFO => Kind::Pipe,
            libc::S_IFREG | libc::S_IFBLK => Kind::File,
            libc::S_IFCHR => Kind::Character,
            libc::S_IFDIR => Kind::Directory,
            _ => Kind::Anonymous,
        };
        self.table(hub).entry(fd).kind = Some(kind);
        Some(kind)
    }

    /// A hook by name has found nothing to read in `fd`. The call that follows need not look again as long as no event
    /// has been taken since: what comes now will be an event.
    #[inline]
    pub fn note_empty(&self, hub: &Hub, fd: i32) {
        self.table(hub).note_empty(fd);
        self.note_unready(fd);
    }

    /// As `note_empty`, for what the table knows already.
    #[inline]
    pub fn note_unready(&self, fd: i32) {
        self.empty.set((fd, self.polls.get()));
    }

    /// Whether a hook has just found nothing in `fd` (asked once), or there can be nothing.
    #[inline]
    pub fn is_empty(&self, hub: &Hub, fd: i32) -> bool {
        self.empty.replace((-1, 0)) == (fd, self.polls.get()) || self.is_drained(hub, fd)
    }

    /// Whether a call that reads `fd` and may wait need not look whether there is anything: see the module.
    #[inline]
    pub fn is_drained(&self, hub: &Hub, fd: i32) -> bool {
        // Nobody takes events for a guest.
        hub.guest.is_none() && self.table(hub).is_drained(fd)
    }

    /// A read of `fd` that asked for `asked` bytes came to `result`. Not to be told of reads that leave what they read.
    #[inline]
    pub fn note_read(&self, hub: &Hub, fd: i32, result: isize, asked: usize) {
        if result > 0 && (result as usize) < asked {
            self.table(hub).note_short(fd);
        }
    }

    /// `fd` has been written to (READ), or read from (WRITE): wakes who waits at its other end, if we know it.
    #[inline]
    pub fn tell_peer(&self, hub: &Hub, fd: i32, directions: u8) {
        // SAFETY: `who` of every node is a record, and records are never freed.
        self.table(hub).fire_peer(fd, directions, |who| hub.unpark(unsafe { &*who.cast::<Green>() }));
    }

    /// Another process is about to share every description: none is private any more.
    pub fn forget_private(&self) {
        self.table.lock().forget_private();
    }

    /// Puts `fd` into the epoll set. Not through the poller, which has no way to ask for EPOLLRDHUP.
    fn add(&self, fd: i32, generation: u32) -> isize {
        const ALL: i32 = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLOUT | libc::EPOLLET;
        let mut event = libc::epoll_event { events: ALL as u32, u64: fd as u64 | u64::from(generation) << 32 };
        let (epoll, event) = (self.epoll.load(Relaxed), &mut event as *mut libc::epoll_event);
        // SAFETY: `event` is ours. The registration ends before the number is closed (`before_close`).
        unsafe {
            match sys!(libc::SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, fd, event) {
                // A registration that we don't know of: the number was closed behind our back and reused with the same
                // file. Its key may be an old one.
                EEXIST => sys!(libc::SYS_epoll_ctl, epoll, libc::EPOLL_CTL_MOD, fd, event),
                result => result,
            }
        }
    }

    #[cold]
    fn register(&self, hub: &Hub, fd: i32) -> Result<(), CannotWait> {
        if self.open().is_none() {
            return Err(CannotWait::NoRoom);
        }
        let mut table = self.table(hub);
        let entry = table.entry(fd);
        let added = self.add(fd, entry.generation);
        entry.registered = added == 0;
        match -added as i32 {
            0 => Ok(()),
            libc::EBADF => Err(CannotWait::Bad),
            libc::ENOMEM | libc::ENOSPC => Err(CannotWait::NoRoom),
            _ => Err(CannotWait::NotPollable),
        }
    }

    /// Takes what is there and wakes who waits for it; waits up to `timeout` ns (`None`: for ever). Returns how many
    /// events there were.
    pub(crate) fn poll(&self, hub: &Hub, timeout: Option<u64>) -> usize {
        let epoll = self.epoll.load(Relaxed);
        if epoll < 0 {
            if timeout != Some(0) {
                self.sleep(hub, timeout);
            }
            return 0;
        }
        self.polls.set(self.polls.get() + 1);
        // SAFETY: only the carrier polls, and nothing that an event leads to polls again.
        let events = unsafe { &mut *self.events.get() };
        let count = Self::epoll_wait(hub, epoll as usize, events, timeout).max(0) as usize;
        let mut table = self.table(hub);
        for event in &events[..count] {
            let (key, flags) = (event.u64, event.events as i32);
            if key >= WAKE_KEY as u64 {
                if key != NOTIFY_KEY {
                    let mut sink = 0u64;
                    // SAFETY: reads eight bytes from our eventfd.
                    unsafe { sys!(libc::SYS_read, self.wake.load(Relaxed), &mut sink as *mut u64, 8) };
                }
                continue;
            }
            let (fd, generation) = (key as u32 as i32, (key >> 32) as u32);
            let Some(entry) = table.known(fd).filter(|entry| entry.generation == generation) else { continue };
            let both = libc::EPOLLHUP | libc::EPOLLERR;
            let ends = libc::EPOLLPRI | libc::EPOLLRDHUP | both;
            let reads = if flags & (libc::EPOLLIN | ends) != 0 { READ } else { 0 };
            let writes = if flags & (libc::EPOLLOUT | both) != 0 { WRITE } else { 0 };
            entry.happen(reads | writes, flags & ends != 0);
            if entry.has_waiters() {
                // SAFETY: `who` of every node is a record, and records are never freed.
                entry.fire(reads | writes, |who| hub.unpark(unsafe { &*who.cast::<Green>() }));
            }
        }
        count
    }

    fn epoll_wait(hub: &Hub, epoll: usize, events: &mut [libc::epoll_event; EVENTS], timeout: Option<u64>) -> isize {
        let buffer = events.as_mut_ptr() as usize;
        if timeout == Some(0) {
            // SAFETY: the buffer has room for EVENTS.
            return unsafe { sys!(libc::SYS_epoll_wait, epoll, buffer, EVENTS, 0) };
        }
        let timespec = timeout.map(timespec);
        let timespec = timespec.as_ref().map_or(0, |timespec| timespec as *const _ as usize);
        if !NO_EPOLL_PWAIT2.load(Relaxed) {
            // SAFETY: the buffer has room for EVENTS, and the timeout outlives the call.
            let count = unsafe { hub.carrier.wait(libc::SYS_epoll_pwait2, epoll, buffer, EVENTS, timespec) };
            if count != error(libc::ENOSYS) {
                return count;
            }
            NO_EPOLL_PWAIT2.store(true, Relaxed);
        }
        // ppoll has the nanoseconds that epoll_wait lacks.
        let mut poll = libc::pollfd { fd: epoll as i32, events: libc::POLLIN, revents: 0 };
        // SAFETY: `poll` and the timeout outlive the call.
        let ready = unsafe { hub.carrier.wait(libc::SYS_ppoll, &mut poll as *mut _ as usize, 1, timespec, 0) };
        if ready <= 0 {
            return ready;
        }
        // SAFETY: as above.
        unsafe { sys!(libc::SYS_epoll_wait, epoll, buffer, EVENTS, 0) }
    }

    /// Waits where there is no epoll descriptor.
    #[cold]
    fn sleep(&self, hub: &Hub, timeout: Option<u64>) {
        let timespec = timeout.map(timespec);
        let timespec = timespec.as_ref().map_or(0, |timespec| timespec as *const _ as usize);
        let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
        // SAFETY: waits on our own word, and the timeout outlives the call.
        unsafe { hub.carrier.wait(libc::SYS_futex, self.told.as_ptr() as usize, op, 0, timespec) };
    }

    /// The program is about to close `fd`, or to put another file there: waiters keep the old file through a
    /// duplicate, and the registration ends. False if the number is ours and must not be touched.
    pub fn before_close(&self, hub: &Hub, fd: i32) -> bool {
        if self.owns(fd) {
            return false;
        }
        if crate::hub::current_hub().is_some() {
            self.empty.set((-1, 0));
        }
        let mut table = self.table(hub);
        let Some(entry) = table.known(fd) else { return true };
        if entry.kept {
            return false;
        }
        let (registered, waited) = (entry.registered, entry.has_waiters());
        if waited {
            // SAFETY: makes a descriptor of our own.
            let keep = unsafe { sys!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, high_number()) };
            if keep >= 0 {
                let keep = keep as i32;
                table.move_waiters(fd, keep);
                let generation = table.entry(keep).generation;
                table.entry(keep).registered = self.add(keep, generation) == 0;
            } else {
                // No number left: wake them; they find the number closed, which is the best that can be said.
                table.entry(fd).fire(READ | WRITE, |who| {
                    // SAFETY: records are never freed.
                    let green = unsafe { &*who.cast::<Green>() };
                    match crate::hub::current_hub() {
                        Some(mine) if core::ptr::eq(mine, hub) => hub.unpark(green),
                        _ => hub.unpark_remote(green),
                    }
                });
                return true;
            }
        }
        if registered {
            self.deregister(fd);
        }
        table.forget(fd);
        true
    }

    fn deregister(&self, fd: i32) {
        // SAFETY: no pointers; our own epoll set.
        unsafe { sys!(libc::SYS_epoll_ctl, self.epoll.load(Relaxed), libc::EPOLL_CTL_DEL, fd, 0) };
    }

    fn leave(&self, hub: &Hub, node: &Node) {
        // SAFETY: records are never freed.
        let unused = self.table(hub).leave(node, |who| hub.unpark(unsafe { &*who.cast::<Green>() }));
        if let Some(fd) = unused {
            self.deregister(fd);
            sys::close(fd);
        }
    }

    /// In a forked child: the descriptors are shared with the parent, so new ones are made when needed.
    ///
    /// # Safety
    /// No other kernel thread exists.
    pub(crate) unsafe fn rebuild_in_child(&self) {
        // SAFETY: as for this function.
        unsafe { self.table.reset_in_child() };
        for fd in self.table.lock().rebuild_in_child() {
            sys::close(fd);
        }
        // Dropping a `Poller` would take its descriptors out of the epoll set, which the parent still uses.
        // SAFETY: no other kernel thread exists.
        core::mem::forget(unsafe { (*self.poller.get()).take() });
        if let Some(owned) = self.owned() {
            for fd in owned {
                sys::close(fd);
            }
        }
        self.epoll.store(-1, Relaxed);
        self.wake.store(-1, Relaxed);
    }
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}
