//! Waiting for descriptors: one edge-triggered registration per descriptor with a `polling::Poller`, kept until the
//! number is closed.
//!
//! `Poller::wait` makes five system calls, so the hub waits on the poller's epoll descriptor directly. Its three
//! descriptors and our eventfd are made while all low numbers are taken, because a program may rely on getting the
//! lowest free one.

use crate::fd_table::{FdTable, Kind, Node, READ, WRITE};
use crate::green_thread::{Green, Waiting, Wake};
use crate::hub::Hub;
use crate::lock::Lock;
use crate::sys;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering::*};
use polling::{AsRawSource, Event, PollMode, Poller};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Our descriptors are made at or above this number, if the limit allows.
const HIGH: i32 = 960;
const EVENTS: usize = 256;
/// `polling`'s own eventfd and timerfd report with this key; nobody uses them.
const NOTIFY_KEY: u64 = u64::MAX;
const WAKE_KEY: usize = usize::MAX - 1;

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
    pub(crate) table: Lock<FdTable>,
    poller: UnsafeCell<Option<Poller>>,
    epoll: AtomicI32,
    wake: AtomicI32,
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
}

impl Reactor {
    pub(crate) fn new() -> Self {
        Reactor {
            table: Lock::new(FdTable::new()),
            poller: UnsafeCell::new(None),
            epoll: AtomicI32::new(-1),
            wake: AtomicI32::new(-1),
            polls: Cell::new(0),
            empty: Cell::new((-1, 0)),
        }
    }

    fn open(&self) -> &Poller {
        // SAFETY: only the carrier opens the poller, and it is dropped only in a forked child.
        let slot = unsafe { &mut *self.poller.get() };
        slot.get_or_insert_with(|| {
            let (poller, wake) = with_room(|| {
                at_high_numbers(|| {
                    let poller = Poller::new().expect("epoll is not to be had");
                    // SAFETY: makes a descriptor of our own.
                    let wake = unsafe { sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } as i32;
                    (poller, wake)
                })
            });
            // SAFETY: the eventfd lives as long as the poller.
            let added = unsafe { poller.add_with_mode(&Source(wake), Event::readable(WAKE_KEY), PollMode::Edge) };
            added.expect("an eventfd can be polled");
            self.epoll.store(poller.as_raw_fd(), SeqCst);
            self.wake.store(wake, SeqCst);
            poller
        })
    }

    /// Makes the descriptors, without which `wake` wakes nobody.
    pub(crate) fn prepare(&self) {
        self.open();
    }

    /// Ends the hub's wait. From any kernel thread.
    pub fn wake(&self) {
        let one = 1u64;
        // SAFETY: writes eight bytes of ours to our eventfd.
        unsafe { sys!(libc::SYS_write, self.wake.load(SeqCst), &one as *const u64, 8) };
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
    pub fn kind(&self, fd: i32) -> Option<Kind> {
        if fd < 0 {
            return None;
        }
        if let Some(kind) = self.table.lock().known(fd).and_then(|entry| entry.kind) {
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
        self.table.lock().entry(fd).kind = Some(kind);
        Some(kind)
    }

    /// A hook by name has found nothing to read in `fd`. The call that follows need not look again as long as no event
    /// has been taken since: what comes now will be an event.
    #[inline]
    pub fn note_empty(&self, fd: i32) {
        self.empty.set((fd, self.polls.get()));
    }

    /// Whether `note_empty` has just spoken of `fd`. Asked once.
    #[inline]
    pub fn was_just_empty(&self, fd: i32) -> bool {
        self.empty.replace((-1, 0)) == (fd, self.polls.get())
    }

    /// Another process is about to share every description: none is private any more.
    pub fn forget_private(&self) {
        self.table.lock().forget_private();
    }

    fn register(&self, fd: i32) -> Result<(), CannotWait> {
        let poller = self.open();
        let mut table = self.table.lock();
        let entry = table.entry(fd);
        if entry.registered {
            return Ok(());
        }
        let event = Event::all(fd as usize | ((entry.generation as usize) << 32));
        // SAFETY: the registration ends before the number is closed (`before_close`).
        match unsafe { poller.add_with_mode(&Source(fd), event, PollMode::Edge) } {
            Ok(()) => entry.registered = true,
            Err(error) => match error.raw_os_error() {
                Some(libc::EBADF) => return Err(CannotWait::Bad),
                // A registration that we don't know of: the number was closed behind our back and reused with the
                // same file. Its key may be an old one.
                Some(libc::EEXIST) => {
                    // SAFETY: the descriptor is open for as long as this call takes.
                    let source = unsafe { BorrowedFd::borrow_raw(fd) };
                    match poller.modify_with_mode(source, event, PollMode::Edge) {
                        Ok(()) => entry.registered = true,
                        Err(_) => return Err(CannotWait::NotPollable),
                    }
                }
                _ => return Err(CannotWait::NotPollable),
            },
        }
        Ok(())
    }

    /// Takes what is there and wakes who waits for it; waits up to `timeout` ns (`None`: for ever).
    pub(crate) fn poll(&self, hub: &Hub, timeout: Option<u64>) {
        if timeout == Some(0) && self.epoll.load(Relaxed) < 0 {
            return;
        }
        self.open();
        self.polls.set(self.polls.get() + 1);
        let epoll = self.epoll.load(Relaxed) as usize;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let count = self.epoll_wait(hub, epoll, &mut events, timeout);
        for event in events.iter().take(count.max(0) as usize) {
            let (key, flags) = (event.u64, event.events as i32);
            if key == NOTIFY_KEY {
                continue;
            }
            if key == WAKE_KEY as u64 {
                let mut sink = 0u64;
                // SAFETY: reads eight bytes from our eventfd.
                unsafe { sys!(libc::SYS_read, self.wake.load(Relaxed), &mut sink as *mut u64, 8) };
                continue;
            }
            let (fd, generation) = (key as u32 as i32, (key >> 32) as u32);
            let both = libc::EPOLLHUP | libc::EPOLLERR;
            let mut directions = 0;
            if flags & (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | both) != 0 {
                directions |= READ;
            }
            if flags & (libc::EPOLLOUT | both) != 0 {
                directions |= WRITE;
            }
            let mut table = self.table.lock();
            if let Some(entry) = table.known(fd).filter(|entry| entry.generation == generation) {
                // SAFETY: `who` of every node is a record, and records are never freed.
                entry.fire(directions, |who| hub.unpark(unsafe { &*who.cast::<Green>() }));
            }
        }
    }

    fn epoll_wait(
        &self,
        hub: &Hub,
        epoll: usize,
        events: &mut [libc::epoll_event; EVENTS],
        timeout: Option<u64>,
    ) -> isize {
        let buffer = events.as_mut_ptr() as usize;
        if timeout == Some(0) {
            // SAFETY: the buffer has room for EVENTS.
            return unsafe { sys!(libc::SYS_epoll_wait, epoll, buffer, EVENTS, 0) };
        }
        let timespec = timeout
            .map(|ns| libc::timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 });
        let timespec = timespec.as_ref().map_or(0, |timespec| timespec as *const _ as usize);
        if !NO_EPOLL_PWAIT2.load(Relaxed) {
            // SAFETY: the buffer has room for EVENTS, and the timeout outlives the call.
            let count = unsafe { hub.carrier.wait(libc::SYS_epoll_pwait2, epoll, buffer, EVENTS, timespec) };
            if count != -(libc::ENOSYS as isize) {
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

    /// The program is about to close `fd`, or to put another file there: waiters keep the old file through a
    /// duplicate, and the registration ends. False if the number is ours and must not be touched.
    pub fn before_close(&self, hub: &Hub, fd: i32) -> bool {
        if self.owns(fd) {
            return false;
        }
        let mut table = self.table.lock();
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
                // SAFETY: only the carrier opens the poller; a foreign thread finds it open because somebody waits.
                if let Some(poller) = unsafe { &*self.poller.get() } {
                    let event = Event::all(keep as usize | ((generation as usize) << 32));
                    // SAFETY: the duplicate is closed only after its registration has ended (`release`).
                    let added = unsafe { poller.add_with_mode(&Source(keep), event, PollMode::Edge) };
                    table.entry(keep).registered = added.is_ok();
                }
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
        // SAFETY: only the carrier opens the poller, and a registered descriptor shows that it is open.
        if let Some(poller) = unsafe { &*self.poller.get() } {
            // SAFETY: the descriptor is still open.
            let _ = poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }

    fn leave(&self, hub: &Hub, node: &Node) {
        // SAFETY: records are never freed.
        let unused = self.table.lock().leave(node, |who| hub.unpark(unsafe { &*who.cast::<Green>() }));
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

/// A parked call's place in the queue of one descriptor. It enters at the first wait and leaves when dropped, and
/// keeps the file in between, whatever happens to the number.
pub struct FdWaiter<'a> {
    hub: &'a Hub,
    node: Node,
}

impl<'a> FdWaiter<'a> {
    /// For a call that takes something from `fd` in direction `interest`: woken one at a time.
    pub fn new(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        FdWaiter { hub, node: Node::new(fd, interest, false, hub.current() as *const Green as *const ()) }
    }

    /// For a call that only looks: woken at every event.
    pub fn looking(hub: &'a Hub, fd: i32, interest: u8) -> Self {
        FdWaiter { hub, node: Node::new(fd, interest, true, hub.current() as *const Green as *const ()) }
    }

    #[inline]
    pub fn hub(&self) -> &'a Hub {
        self.hub
    }

    /// The number to use now: the program's, or a duplicate after the program has closed it.
    #[inline]
    pub fn fd(&self) -> i32 {
        self.node.fd.get()
    }

    /// Enters the queue, if not there yet. The waiter must not move from now on.
    pub fn enter(&self) -> Result<(), CannotWait> {
        if self.node.fd.get() < 0 {
            return Err(CannotWait::Bad);
        }
        self.node.fired.set(false);
        if !self.node.queued.get() {
            self.hub.reactor.register(self.fd())?;
            self.hub.reactor.table.lock().enter(&self.node);
        }
        Ok(())
    }

    /// Parks until an event, the deadline or a signal. The waiter must not move from now on.
    pub fn wait(&self, deadline: Option<u64>) -> Result<Wake, CannotWait> {
        self.enter()?;
        Ok(self.hub.park(Waiting::Descriptor(self.fd()), deadline, true))
    }
}

impl Drop for FdWaiter<'_> {
    fn drop(&mut self) {
        if self.node.queued.get() {
            self.hub.reactor.leave(self.hub, &self.node);
        }
    }
}

/// The number at or above which our descriptors are made.
pub fn high_number() -> i32 {
    let mut limit = libc::rlimit { rlim_cur: 1024, rlim_max: 1024 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    (HIGH as u64).min(limit.rlim_cur.saturating_sub(16)) as i32
}

/// Runs `make` under a higher limit on descriptors, as far as the process may have one: the program may have used up, or
/// lowered, its own, and what is open stays open under any limit.
fn with_room<R>(make: impl FnOnce() -> R) -> R {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut limit as *mut _) };
    let wanted = limit.rlim_cur.max(HIGH as u64).saturating_add(64).min(limit.rlim_max);
    if wanted <= limit.rlim_cur {
        return make();
    }
    let set = |limit: &libc::rlimit| {
        // SAFETY: reads a limit of ours.
        unsafe { sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, limit as *const _, 0) }
    };
    set(&libc::rlimit { rlim_cur: wanted, ..limit });
    let made = make();
    set(&limit);
    made
}

/// Runs `make` while every descriptor number below `high_number` is taken.
fn at_high_numbers<R>(make: impl FnOnce() -> R) -> R {
    let high = high_number();
    let mut taken: Vec<i32> = Vec::new();
    // SAFETY: makes and closes descriptors of our own.
    unsafe {
        let seed = sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC) as i32;
        if seed >= 0 {
            taken.push(seed);
            while taken.last().is_some_and(|&fd| fd < high) {
                let fd = sys!(libc::SYS_fcntl, seed, libc::F_DUPFD_CLOEXEC, 0) as i32;
                if fd < 0 {
                    break;
                }
                taken.push(fd);
            }
        }
    }
    let highest = taken.pop();
    if let Some(fd) = highest {
        sys::close(fd);
    }
    let made = make();
    for fd in taken {
        sys::close(fd);
    }
    made
}
