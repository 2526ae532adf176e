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

mod events;
mod numbers;
mod set;
mod waiter;

pub(crate) use numbers::with_room;
pub use numbers::{maybe_own, move_up, some_own};
pub use waiter::FdWaiter;

use crate::calls::error;
use crate::fd_table::{FdTable, Kind, Node, READ, WRITE};
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::lock::{Guard, Lock};
use crate::{offload, sys};
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::*};

/// Events taken at once.
const EVENTS: usize = 512;
/// `polling`'s own eventfd and timerfd report with this key; nobody uses them.
const NOTIFY_KEY: u64 = u64::MAX;
const WAKE_KEY: usize = usize::MAX - 1;
const EEXIST: isize = error(libc::EEXIST);

/// Without epoll_pwait2 (Linux < 5.11, or the test setting).
pub static NO_EPOLL_PWAIT2: AtomicBool = AtomicBool::new(false);

/// See the module.
pub struct Reactor {
    /// Descriptors belong to the process, so the hubs of guests share one table.
    pub(crate) table: &'static Lock<FdTable>,
    epoll: AtomicI32,
    wake: AtomicI32,
    /// Held while `wake` is used by who may be another kernel thread, and while it changes.
    waking: Lock<()>,
    /// Another process has our descriptor table (CLONE_FILES), and may close what it doesn't know to be ours.
    pub(crate) table_shared: AtomicBool,
    /// What the hub sleeps on where there is no epoll descriptor: 1 once somebody has something for it.
    told: AtomicU32,
    /// Where events are taken to.
    events: UnsafeCell<[libc::epoll_event; EVENTS]>,
    /// How often events have been taken, and the descriptor that was found empty at that count: see `note_empty`.
    polls: Cell<u64>,
    empty: Cell<(i32, u64)>,
}

/// The process in which the layer above was loaded, or 0.
static LOADED_IN: AtomicI32 = AtomicI32::new(0);

/// To be called before the program runs: it may fork before there are green threads.
pub fn note_load() {
    LOADED_IN.store(sys::getpid(), Relaxed);
}

/// Whether descriptors that were open before there were green threads may be another process's too.
pub fn is_forked() -> bool {
    let loaded_in = LOADED_IN.load(Relaxed);
    loaded_in != 0 && loaded_in != sys::getpid()
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
            epoll: AtomicI32::new(-1),
            wake: AtomicI32::new(-1),
            waking: Lock::new(()),
            table_shared: AtomicBool::new(false),
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

    /// Whether there is an epoll set.
    pub(crate) fn is_open(&self) -> bool {
        self.epoll.load(Relaxed) >= 0
    }

    /// The same, made if need be. If not, there are no descriptors to be had.
    pub(crate) fn open(&self) -> bool {
        self.is_open() || numbers::with_room(|| self.make())
    }

    #[cold]
    fn make(&self) -> bool {
        // SAFETY: makes a descriptor of our own.
        let low = unsafe { sys!(libc::SYS_eventfd2, 0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } as i32;
        let Some(wake) = numbers::move_up(low) else { return false };
        let Some(epoll) = set::make(wake) else {
            sys::close(wake);
            return false;
        };
        self.take(wake);
        self.take(epoll);
        self.set_wake(wake);
        self.epoll.store(epoll, SeqCst);
        true
    }

    /// `fd` is a descriptor of the runtime's, which to the program is not open.
    pub(crate) fn take(&self, fd: i32) {
        self.table.lock().take(fd);
        numbers::note_own(fd);
    }

    /// As `take`, for one that is closed when its last waiter leaves.
    pub(crate) fn keep(&self, fd: i32) {
        self.table.lock().take(fd).kept = true;
        numbers::note_own(fd);
    }

    /// Closes a descriptor of the runtime's that nobody waits for.
    pub(crate) fn discard(&self, fd: i32) {
        self.table.lock().forget(fd);
        sys::close(fd);
    }

    /// The program has no number left. If nobody waits for a descriptor it gets ours, which are made again when they are
    /// needed and there are numbers. False if that gives it none.
    #[cold]
    pub(crate) fn give_up(&self) -> bool {
        let (epoll, wake) = (self.epoll.load(Relaxed), self.wake.load(Relaxed));
        let limit = numbers::limit().rlim_cur;
        let within = |fd: i32| fd >= 0 && (fd as u64) < limit;
        if !within(epoll) && !within(wake) || self.has_waiters() {
            return false;
        }
        let mut table = self.table.lock();
        self.epoll.store(-1, Relaxed);
        self.set_wake(-1);
        for fd in [epoll, wake] {
            table.forget(fd);
            sys::close(fd);
        }
        table.forget_registrations();
        true
    }

    /// Once this has returned nobody writes to the old one.
    fn set_wake(&self, fd: i32) {
        let _no_wake = self.waking.lock();
        self.wake.store(fd, SeqCst);
    }

    /// Gets ready for a wait that `wake` can end.
    pub(crate) fn prepare(&self) {
        if !self.open() {
            self.told.store(0, SeqCst);
        }
    }

    /// Ends the hub's wait. From any kernel thread.
    pub fn wake(&self) {
        let _no_move = self.waking.lock();
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

    /// Whether `fd` is the runtime's, and to the program not open.
    #[inline]
    pub fn owns(&self, fd: i32) -> bool {
        maybe_own(fd) && self.table.lock().owns(fd)
    }

    /// Somebody waits for a descriptor.
    pub fn has_waiters(&self) -> bool {
        let mut table = self.table.lock();
        table.numbers().any(|fd| table.known(fd).is_some_and(|entry| entry.has_waiters()))
    }

    /// Wakes everybody who waits for a descriptor, from any kernel thread. All of them look again.
    pub fn wake_all(&self) {
        let mut table = self.table.lock();
        for fd in table.numbers() {
            if let Some(entry) = table.known(fd) {
                // SAFETY: `who` of every node is a record, and records are never freed.
                entry.fire(READ | WRITE, |who| unsafe {
                    let green = who.cast::<Green>();
                    (*(*green).hub).unpark_remote(green);
                });
            }
        }
    }

    /// The kind of `fd`; `None` if there is no such descriptor.
    pub fn kind(&self, hub: &Hub, fd: i32) -> Option<Kind> {
        if fd < 0 {
            return None;
        }
        if let Some(kind) = self.table(hub).known(fd).and_then(|entry| entry.kind) {
            return Some(kind);
        }
        if self.owns(fd) {
            return None;
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
        if !self.open() {
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
        for (at, event) in events[..count].iter().enumerate() {
            events::prefetch_ahead(&mut table, &events[at..count]);
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

    /// The program is about to close `fd`, or to put another file there: waiters keep the old file through a
    /// duplicate, and the registration ends. False if the number is ours and must not be touched.
    pub fn before_close(&self, hub: &Hub, fd: i32) -> bool {
        offload::await_lookups(fd as u32..=fd as u32);
        if crate::hub::current_hub().is_some() {
            self.empty.set((-1, 0));
        }
        let mut table = self.table(hub);
        let Some(entry) = table.known(fd) else { return true };
        if entry.own || entry.kept {
            return false;
        }
        let (registered, waited) = (entry.registered, entry.has_waiters());
        if waited {
            if let Some(keep) = numbers::duplicate(fd) {
                table.take(keep);
                numbers::note_own(keep);
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

    /// Moves a descriptor of ours to another number, because the program puts a file of its own at `fd`. False if there
    /// is no other number.
    pub(crate) fn make_way(&self, hub: &Hub, fd: i32) -> bool {
        let Some(to) = numbers::duplicate(fd) else { return false };
        numbers::note_own(to);
        let mut table = self.table.lock();
        let (kept, registered) = table.known(fd).map_or((false, false), |entry| (entry.kept, entry.registered));
        table.take(to).kept = kept;
        table.move_waiters_only(fd, to);
        if registered {
            self.deregister(fd);
            let generation = table.entry(to).generation;
            table.entry(to).registered = self.add(to, generation) == 0;
        }
        table.forget(fd);
        if self.epoll.load(Relaxed) == fd {
            self.epoll.store(to, SeqCst);
        }
        if self.wake.load(Relaxed) == fd {
            self.set_wake(to);
        }
        if hub.clock_watch.get() == fd {
            hub.clock_watch.set(to);
        }
        hub.fs.moved(fd, to);
        true
    }

    /// In a forked child: the descriptors are shared with the parent, so new ones are made when needed. With the `same`
    /// table they are the parent's own, which goes on using them.
    ///
    /// # Safety
    /// No other kernel thread exists.
    pub(crate) unsafe fn rebuild_in_child(&self, same: bool) {
        // SAFETY: as for this function.
        unsafe {
            self.table.reset_in_child();
            self.waking.reset_in_child();
        }
        for fd in self.table.lock().rebuild_in_child(same) {
            sys::close(fd);
        }
        self.table_shared.store(same, Relaxed);
        self.epoll.store(-1, Relaxed);
        self.wake.store(-1, Relaxed);
    }
}
