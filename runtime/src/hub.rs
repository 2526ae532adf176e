//! The hub: the scheduler of one kernel thread, on a stack of its own.
//!
//! Everything here runs on the carrier with `Carrier::inside` set, so there is one user at a time and plain cells do.
//! What other kernel threads may touch is `remote`, the reactor's table and the futex queues, each behind a lock.

mod park;
mod spin;
mod turns;

use crate::carrier::{self, Carrier};
use crate::config::Config;
use crate::cpu_clock::CpuClock;
use crate::fd_table::FdTable;
use crate::green_thread::{Green, Pace, State, Waiting, Wake};
use crate::guest::Guest;
use crate::lock::{self, Lock};
use crate::modules::Module;
use crate::reactor::Reactor;
use crate::ready_queue::ReadyQueue;
use crate::slice::Slice;
use crate::switch::{self, Context, FloatControl, Mapping};
use crate::thread_limit::ThreadLimit;
use crate::timers::Timers;
use crate::{fs_attributes, futex_queue, gs_base, protection_keys, report, signals, stack_pool, sys};
use core::cell::{Cell, RefCell};
use core::hash::{BuildHasherDefault, Hasher};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::*};
use std::collections::HashMap;

/// After so many turns a busy hub looks at its timers and descriptors.
const TURNS_PER_LOOK: u32 = 61;
const HUB_STACK: usize = 256 * 1024;

/// Thread ids are well spread already.
#[derive(Default)]
pub struct TidHasher(u64);
impl Hasher for TidHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 << 8) | u64::from(byte);
        }
    }
    fn write_i32(&mut self, tid: i32) {
        self.0 = (tid as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
type Tids = HashMap<i32, *const Green, BuildHasherDefault<TidHasher>>;

/// What another kernel thread has for the hub.
enum Remote {
    Unpark(*const Green),
    Signal(i32, Box<signals::Info>),
}

/// A park of a green thread, as another kernel thread or a timer names it.
#[derive(Clone, Copy)]
pub struct Ticket {
    green: *const Green,
    generation: u64,
}

impl Ticket {
    fn is_valid(self) -> bool {
        // SAFETY: records are never freed.
        let green = unsafe { &*self.green };
        green.state.get() == State::Parked && green.generation.get() == self.generation
    }
}

/// See the module.
#[repr(C)]
pub struct Hub {
    /// First, so that a pointer to the hub is a pointer to its carrier block.
    pub carrier: Carrier,
    /// The program's main thread.
    pub main: *const Green,
    pub(crate) current: Cell<*const Green>,
    pub(crate) ready: ReadyQueue,
    /// Green threads that have not ended, the main one and phantoms among them.
    live: Cell<usize>,
    /// Parked for ever, with no stack: GREENPATCH_ARM=start counts one so that no call takes a short cut.
    phantoms: Cell<usize>,
    pub(crate) timers: RefCell<Timers<Ticket>>,
    pub reactor: Reactor,
    pub(crate) tids: RefCell<Tids>,
    next_tid: Cell<i32>,
    next_number: Cell<u64>,
    spare: RefCell<Vec<*const Green>>,
    /// Kernel thread id of the carrier.
    pub tid: AtomicI32,
    pub pid: AtomicI32,
    native_thread_pointer: usize,
    /// What the carrier's words were when the last turn ended.
    float: Cell<FloatControl>,
    /// The carrier's base of `gs` when the last turn ended, or as the program has told the kernel since.
    pub(crate) gs_base: Cell<usize>,
    /// Where `run` goes on.
    context: Context,
    _stack: Mapping,
    turns: Cell<u32>,
    /// In which of them the descriptors were last looked at.
    looked_in: Cell<u32>,
    /// How many turns have ended because they had lasted for a time slice.
    slices_used: Cell<u64>,
    /// Unparks by other kernel threads.
    remote: Lock<Vec<Remote>>,
    remote_waiting: AtomicBool,
    /// The hub waits in the kernel, or is about to: whoever has something for it must wake the reactor.
    sleeping: AtomicBool,
    /// What the last thread gave to `exit`: the status of the process if its threads end one by one.
    pub(crate) exit_status: Cell<i32>,
    /// Kernel threads that are no carrier may exist in the process.
    pub foreign_threads: AtomicBool,
    pub signals: signals::HubSignals,
    pub slice: Slice,
    pub cpu: CpuClock,
    pub(crate) thread_limit: ThreadLimit,
    /// A vfork child has yet to get the scheduling of the green thread that made it.
    pub(crate) child_unscheduled: Cell<bool>,
    /// Calls that helper threads make for parked green threads now.
    pub(crate) helpers_busy: Cell<usize>,
    deadlock_reported: Cell<bool>,
    spin: spin::Spin,
    config: Config,
    pub(crate) fs: fs_attributes::Groups,
    /// A change of credentials that libc has every thread make.
    pub(crate) setxid: crate::calls::credentials::Current,
    /// A green thread that last waited for something from outside: where `report` looks first.
    pub(crate) hopeful: Cell<*const Green>,
    /// The timer descriptor that tells when the clock is set (`calls::time::ClockWatch`), or -1.
    pub(crate) clock_watch: Cell<i32>,
    /// Parking is done by somebody else's hub. Such a hub of ours runs nothing: it is what calls get as `hub`.
    pub(crate) guest: Option<Guest>,
}

// SAFETY: fields that other kernel threads use are atomics or behind locks; the others belong to the carrier.
unsafe impl Sync for Hub {}

/// What the guests of the process know of its descriptors.
static GUEST_TABLE: Lock<FdTable> = Lock::new(FdTable::new());

static FIRST: AtomicPtr<Hub> = AtomicPtr::new(ptr::null_mut());

/// The first hub of the process, for kernel threads that have none.
pub fn first() -> Option<&'static Hub> {
    // SAFETY: null or a hub, which is never freed.
    unsafe { FIRST.load(Acquire).as_ref() }
}

/// The hub of the calling kernel thread, if it is a carrier.
#[inline(always)]
pub fn current_hub() -> Option<&'static Hub> {
    // SAFETY: the word is null or points to a hub, which is never freed.
    unsafe { carrier::hub_pointer().as_ref() }
}

/// Where ids of green threads begin: elsewhere in each process, since locks that processes share compare ids.
fn first_tid() -> i32 {
    let mut random = [0u8; 4];
    // SAFETY: fills our own buffer; AT_RANDOM-like quality is not needed, only that processes differ.
    unsafe { sys!(libc::SYS_getrandom, random.as_mut_ptr(), 4, libc::GRND_NONBLOCK) };
    // Above 2^22 (the kernel's largest id) and, with room to count, below the 28 bits of an id in a clock's.
    (1 << 23) + (u32::from_le_bytes(random) % (1 << 27)) as i32
}

impl Hub {
    /// Makes the calling kernel thread a carrier and what it runs the main green thread. The hub is left "inside".
    pub fn start(config: Config) -> &'static Hub {
        if first().is_some() {
            lock::thread_added();
        }
        let hub = Hub::new(config, HUB_STACK, None);
        // SAFETY: records are never freed.
        let main: &'static Green = unsafe { &*hub.main };
        let (limit, base) = hub._stack.bounds();
        // SAFETY: the stack belongs to the hub, which is never freed; `run` does not return.
        unsafe { switch::begin(limit, base, &hub.context, move || hub.begin()) };
        // SAFETY: the calling thread's own thread pointer.
        unsafe { carrier::set_words(hub.native_thread_pointer, hub, main) };
        hub.become_first();
        hub
    }

    /// A hub for calls of a guest in the calling kernel thread.
    pub(crate) fn for_guest(config: Config, guest: Guest) -> &'static Hub {
        let hub = Hub::new(config, 4096, Some(guest));
        // Somebody else can always run, as far as calls ask.
        hub.add_phantom();
        // Other kernel threads take part in everything.
        hub.foreign_thread_added();
        if first().is_none() {
            hub.become_first();
        }
        hub
    }

    fn become_first(&self) {
        FIRST.store(self as *const Hub as *mut Hub, Release);
    }

    fn new(config: Config, stack: usize, guest: Option<Guest>) -> &'static Hub {
        let stack = Mapping::new(stack).expect("no memory for the hub's stack");
        let main: *mut Green = Box::into_raw(Green::new(ptr::null()));
        let thread_pointer = switch::thread_pointer();
        let hub: &'static Hub = Box::leak(Box::new(Hub {
            carrier: Carrier::new(),
            main,
            current: Cell::new(main),
            ready: ReadyQueue::new(config.slice.map_or(0, |slice| slice.as_nanos() as u64)),
            live: Cell::new(1),
            phantoms: Cell::new(0),
            timers: RefCell::new(Timers::new()),
            reactor: Reactor::new(if guest.is_some() {
                &GUEST_TABLE
            } else {
                Box::leak(Box::new(Lock::new(FdTable::new())))
            }),
            tids: RefCell::new(Tids::default()),
            next_tid: Cell::new(first_tid()),
            next_number: Cell::new(1),
            spare: RefCell::new(Vec::new()),
            tid: AtomicI32::new(sys::gettid()),
            pid: AtomicI32::new(sys::getpid()),
            native_thread_pointer: thread_pointer,
            float: Cell::new(FloatControl::current()),
            gs_base: Cell::new(gs_base::at_start()),
            context: Context::new(),
            _stack: stack,
            turns: Cell::new(0),
            looked_in: Cell::new(0),
            slices_used: Cell::new(0),
            remote: Lock::new(Vec::new()),
            remote_waiting: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            exit_status: Cell::new(0),
            foreign_threads: AtomicBool::new(false),
            signals: signals::HubSignals::new(),
            slice: Slice::new(config.slice),
            cpu: CpuClock::new(),
            thread_limit: ThreadLimit::new(),
            child_unscheduled: Cell::new(false),
            helpers_busy: Cell::new(0),
            deadlock_reported: Cell::new(false),
            spin: spin::Spin::new(config.spin),
            config,
            fs: fs_attributes::Groups::new(),
            setxid: Cell::new(None),
            hopeful: Cell::new(main),
            clock_watch: Cell::new(-1),
            guest,
        }));
        // SAFETY: nobody else knows `main` yet.
        unsafe { (*main).hub = hub };
        // SAFETY: records are never freed.
        let main: &'static Green = unsafe { &*main };
        main.number.set(1);
        main.tid.set(hub.tid.load(Relaxed));
        main.thread_pointer.set(thread_pointer);
        // libc named the word at the process's start; who joins the main thread waits on it.
        let mut clear_child_tid = 0usize;
        // SAFETY: `clear_child_tid` is ours.
        unsafe { sys!(libc::SYS_prctl, crate::calls::names::PR_GET_TID_ADDRESS, &mut clear_child_tid as *mut usize) };
        main.clear_child_tid.set(clear_child_tid);
        main.state.set(State::Running);
        hub.tids.borrow_mut().insert(main.tid.get(), main);
        hub
    }

    /// The settings that the process was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the user has left this module on.
    #[inline]
    pub fn module_on(&self, module: Module) -> bool {
        self.config.modules.contains(module)
    }

    /// The green thread that runs, or that ran when the hub took over.
    #[inline]
    pub fn current(&self) -> &'static Green {
        // SAFETY: records are never freed.
        unsafe { &*self.current.get() }
    }

    /// Whether a green thread besides the calling one has not ended: if not, the kernel may block the carrier.
    #[inline]
    pub fn others_alive(&self) -> bool {
        self.live.get() > 1
    }

    /// Whether kernel threads of the program's that are no carriers may exist.
    #[inline]
    pub fn has_foreign_threads(&self) -> bool {
        self.foreign_threads.load(Relaxed)
    }

    /// The program is about to make a kernel thread that is no carrier.
    pub fn foreign_thread_added(&self) {
        lock::thread_added();
        self.foreign_threads.store(true, SeqCst);
    }

    /// Counts a green thread that is parked for ever.
    pub fn add_phantom(&self) {
        self.phantoms.set(self.phantoms.get() + 1);
        self.live.set(self.live.get() + 1);
    }

    /// Green threads that have not ended, phantoms left out.
    pub fn live(&self) -> usize {
        self.live.get() - self.phantoms.get()
    }

    /// The live green thread with this id.
    pub fn by_tid(&self, tid: i32) -> Option<&'static Green> {
        // SAFETY: records are never freed.
        self.tids.borrow().get(&tid).map(|&green| unsafe { &*green })
    }

    /// All live green threads, phantoms left out.
    pub fn all(&self) -> Vec<&'static Green> {
        // SAFETY: records are never freed.
        let mut all: Vec<_> = self.tids.borrow().values().map(|&green| unsafe { &*green }).collect();
        all.sort_by_key(|green: &&Green| green.number.get());
        all
    }

    /// A new green thread's record with id and number: parked until `unpark`.
    pub fn new_green(&self) -> &'static Green {
        let recycled = self.spare.borrow_mut().pop();
        let green: &'static Green = match recycled {
            // SAFETY: records are never freed.
            Some(green) => unsafe { &*green },
            None => Box::leak(Green::new(self)),
        };
        green.reset();
        let mut tids = self.tids.borrow_mut();
        let tid = loop {
            let tid = self.next_tid.get();
            self.next_tid.set(if tid >= 0x0fff_0000 { 1 << 23 } else { tid + 1 });
            if !tids.contains_key(&tid) {
                break tid;
            }
        };
        tids.insert(tid, green);
        green.tid.set(tid);
        self.next_number.set(self.next_number.get() + 1);
        green.number.set(self.next_number.get());
        green.state.set(State::Parked);
        green.generation.set(green.generation.get() + 1);
        self.live.set(self.live.get() + 1);
        self.cpu.begin(self);
        self.slice.start(self);
        green
    }

    /// Undoes `new_green`.
    pub fn discard(&self, green: &'static Green) {
        green.state.set(State::Dead);
        self.tids.borrow_mut().remove(&green.tid.get());
        self.live.set(self.live.get() - 1);
        self.spare.borrow_mut().push(green);
    }

    /// A green thread of the runtime's own API: `body` on a stack of `stack_bytes`, sharing the creator's thread
    /// pointer.
    pub fn spawn(&'static self, stack_bytes: usize, body: impl FnOnce() + 'static) -> &'static Green {
        let green = self.new_green();
        green.thread_pointer.set(self.native_thread_pointer);
        green.mask.set(self.current().mask.get());
        self.signals.mask_changed(green);
        let stack = Mapping::new(stack_bytes).expect("no memory for a stack");
        let (limit, base) = stack.bounds();
        // SAFETY: the mapping lives as long as the process, and records are never freed.
        unsafe {
            switch::begin(limit, base, &green.context, move || {
                body();
                // Leaked on purpose: the stack is still in use here.
                core::mem::forget(stack);
                self.exit()
            });
        }
        self.unpark(green);
        green
    }

    /// Ends the current green thread. Its stack is left for good.
    pub fn exit(&self) -> ! {
        let green = self.current();
        green.state.set(State::Exiting);
        self.leave_for_hub(green);
        unreachable!("a dead green thread was resumed")
    }

    /// In a forked child: the calling green thread is the only one, and all that the kernel gave is the parent's. With
    /// `same_files` the descriptors are not copies (CLONE_FILES).
    ///
    /// # Safety
    /// Called once, by the child, before anything else.
    pub unsafe fn rebuild_in_child(&self, same_files: bool) {
        let me = self.current();
        self.pid.store(sys::getpid(), Relaxed);
        self.tid.store(sys::gettid(), Relaxed);
        self.ready.clear();
        self.timers.borrow_mut().clear();
        // SAFETY: no other kernel thread exists in the child.
        unsafe { self.remote.reset_in_child() };
        self.remote.lock().clear();
        self.remote_waiting.store(false, Relaxed);
        self.sleeping.store(false, Relaxed);
        self.carrier.wary.store(0, Relaxed);
        self.foreign_threads.store(false, Relaxed);
        // SAFETY: as for this function.
        unsafe { lock::only_one_thread() };
        self.helpers_busy.set(0);
        self.deadlock_reported.set(false);
        self.clock_watch.set(-1);
        self.setxid.set(None);
        self.fs.rebuild_in_child(me);
        // The parent goes on counting from where both are.
        self.next_tid.set(first_tid());
        let mut tids = self.tids.borrow_mut();
        for (_, &green) in tids.iter() {
            if !ptr::eq(green, me) {
                // SAFETY: records are never freed. Not used again: their stacks are the program's business.
                let green = unsafe { &*green };
                green.state.set(State::Dead);
                green.generation.set(green.generation.get() + 1);
            }
        }
        tids.clear();
        me.tid.set(self.tid.load(Relaxed));
        tids.insert(me.tid.get(), me);
        drop(tids);
        if same_files {
            // As long as the child is alone it needs no descriptors, which the parent doesn't know and may close.
            self.phantoms.set(0);
        }
        self.live.set(1 + self.phantoms.get());
        // SAFETY: as for this function.
        unsafe {
            self.reactor.rebuild_in_child(same_files);
            futex_queue::rebuild_in_child();
            crate::offload::rebuild_in_child();
        }
        self.slice.rebuild_in_child();
        self.cpu.rebuild_in_child(me);
        self.thread_limit.forget();
        crate::scheduling::rebuild_in_child(me);
        crate::calls::names::rebuild_in_child(me);
        crate::calls::owners::rebuild_in_child();
        crate::calls::timer::rebuild_in_child();
        self.signals.rebuild_in_child(self, me);
    }
}
