//! A green thread: what the kernel keeps for one of its threads, kept by us.

use crate::carrier;
use crate::fs_attributes::Attributes;
use crate::futex_queue::InVain;
use crate::hub::Hub;
use crate::prefetch;
use crate::protection_keys;
use crate::scheduling::Scheduling;
use crate::signals::{AltStack, Pending};
use crate::switch::{Context, FloatControl};
use core::cell::{Cell, RefCell, UnsafeCell};
use core::ptr;

/// | state | run queue | who changes it |
/// |---|---|---|
/// | Running | no | the hub, before it resumes the green thread |
/// | Ready | yes | unpark, yield |
/// | Parked | no | the green thread itself, before it switches to the hub |
/// | Exiting | no | the green thread itself, for the last time; the hub then buries it |
/// | Dead | no | the hub; the record waits to be used again |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Running,
    Ready,
    Parked,
    Exiting,
    Dead,
}

/// How a green thread has used its turns, of which the run queue thinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// It has neither waited or yielded yet, nor used up a time slice, nor made a thread.
    New,
    Reacts,
    /// So many turns of it have ended early since then because it was found spinning: most that spin yield soon.
    Spins(u8),
    /// It has used up a time slice since it last waited or yielded, or is taken for such a one.
    Computes,
}

/// Why a park ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// Somebody unparked it, maybe for nothing: look again.
    Unparked,
    /// The deadline was reached.
    TimedOut,
    /// A signal whose handler is to run is pending for the green thread.
    Interrupted,
}

/// What a parked green thread waits for, as the deadlock report tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    Nothing,
    /// A futex word that only threads of this process wake.
    Futex(usize),
    /// A descriptor.
    Descriptor(i32),
    /// Several descriptors.
    Descriptors,
    /// Time only.
    Time,
    /// A signal.
    Signal,
    /// A helper thread that makes the call; somebody outside may end it.
    Helper,
}

/// A write that a hook by name has begun: the call, and how many bytes are gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BegunWrite {
    pub fd: i32,
    pub buffer: usize,
    pub len: usize,
    pub done: isize,
}

impl Green {
    /// A hook by name has sent a part. To wait for the rest is libc's own function's business, since only there can
    /// the thread be cancelled: it gets the same call, which goes on from here.
    pub(crate) fn begin_write(&self, fd: i32, buffer: usize, len: usize, done: isize) {
        self.begun_write.set(Some(BegunWrite { fd, buffer, len, done }));
    }

    /// The others may have ended since: the kernel would send the part again.
    #[inline]
    pub(crate) fn has_begun_write(&self) -> bool {
        self.begun_write.get().is_some()
    }

    /// What a hook has already sent of this call, if it is the one that a hook has begun.
    #[inline]
    pub(crate) fn take_begun_write(&self, fd: i32, buffer: usize, len: usize) -> Option<isize> {
        let begun = self.begun_write.get()?;
        if (begun.fd, begun.buffer, begun.len) != (fd, buffer, len) {
            return None;
        }
        self.begun_write.set(None);
        Some(begun.done)
    }
}

/// The record of one green thread. Records are never freed, only used again, so that a stale pointer with a
/// generation is always safe to look at.
///
/// What each turn looks at comes first, in as few cache lines as it has room in ([`Green::prefetch`]).
#[repr(C, align(64))]
pub struct Green {
    pub hub: *const Hub,
    /// Link of the run queue.
    pub(crate) next: Cell<*const Green>,
    /// Where it goes on; of no meaning while it runs.
    pub(crate) context: Context,
    /// The thread pointer, which is also libc's `pthread_t`.
    pub thread_pointer: Cell<usize>,
    /// Counts parks; a wake-up that names an older one is stale.
    pub(crate) generation: Cell<u64>,
    /// The signal mask; bit n-1 is signal n.
    pub mask: Cell<u64>,
    pub(crate) float: Cell<FloatControl>,
    /// By protection key, as the register PKRU has them; kept once the program has keys.
    pub(crate) rights: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// Set by whoever ends a park.
    pub(crate) wake: Cell<Wake>,
    /// The park that is under way may be ended by a signal.
    pub(crate) interruptible: Cell<bool>,
    /// The park that is under way has an entry in the timers.
    pub(crate) timed: Cell<bool>,
    pub(crate) pace: Cell<Pace>,
    /// It was found computing: so many more waits until it no longer counts as one that computes between them.
    pub(crate) computed: Cell<u8>,
    /// `pthread_cancel` has named this thread: hooks by name leave the call to libc.
    pub cancel_marked: Cell<bool>,
    /// The last wait on a futex ended with a wake-up for nothing: `in_vain` tells which.
    pub(crate) waited_in_vain: Cell<bool>,
    /// In libc's `pthread_create`: what it maps for a stack may come from the pool.
    pub makes_thread: Cell<bool>,

    pub waiting: Cell<Waiting>,
    /// Where the program stands while it is in a call (its return address), for reports.
    pub(crate) where_from: Cell<usize>,
    /// The program's stack pointer there; 0 if it is not known.
    pub(crate) stack_at: Cell<usize>,
    /// What the call has as its second argument, a buffer mostly.
    pub(crate) buffer: Cell<usize>,
    /// Working directory and file mode mask; null: the process's.
    pub(crate) attributes: Cell<*const Attributes>,
    pub scheduling: Scheduling,
    /// Signals directed at this thread that its mask holds back, or that wait for it to come to its next exit.
    pub pending: RefCell<Pending>,
    /// What a hook by name has sent of a write that libc's own function is now called for.
    pub(crate) begun_write: Cell<Option<BegunWrite>>,
    pub(crate) in_vain: Cell<InVain>,

    /// Counts all green threads of the process from 1, the main one.
    pub number: Cell<u64>,
    /// What `gettid` answers.
    pub tid: Cell<i32>,
    /// Otherwise the name is the carrier's in the kernel.
    pub has_own_name: Cell<bool>,
    /// The end of the stack that libc gave, or 0 if it is not known (the main thread's, and before clone3).
    pub(crate) stack_low: Cell<usize>,
    /// CLONE_CHILD_CLEARTID: cleared and woken when the thread has left its stack.
    pub clear_child_tid: Cell<usize>,
    /// set_robust_list.
    pub robust_list: Cell<usize>,
    pub name: Cell<[u8; 16]>,
    /// The mask to go back to after the handler that ends a sigsuspend, ppoll, pselect6 or epoll_pwait.
    pub saved_mask: Cell<Option<u64>>,
    pub alt_stack: Cell<AltStack>,
    /// The signal mask that `signals::masks` has counted.
    pub(crate) counted_mask: Cell<Option<u64>>,
    /// The signals that a sigtimedwait under way waits for.
    pub sigwait: Cell<u64>,
    /// Kept once some thread has one: see `gs_base`.
    pub(crate) gs_base: Cell<usize>,
    /// CPU time used in finished turns, ns: see `cpu_clock`.
    pub(crate) cpu_time: Cell<u64>,
    /// Where the state goes when a time slice is over, in aligned pieces; empty until then.
    pub(crate) preempt_stack: UnsafeCell<Vec<[u64; 8]>>,
}

impl Green {
    pub(crate) fn new(hub: *const Hub) -> Box<Green> {
        Box::new(Green {
            hub,
            next: Cell::new(ptr::null()),
            state: Cell::new(State::Dead),
            generation: Cell::new(0),
            wake: Cell::new(Wake::Unparked),
            interruptible: Cell::new(false),
            timed: Cell::new(false),
            pace: Cell::new(Pace::New),
            computed: Cell::new(0),
            waiting: Cell::new(Waiting::Nothing),
            waited_in_vain: Cell::new(false),
            in_vain: Cell::new(InVain::NEVER),
            where_from: Cell::new(0),
            stack_at: Cell::new(0),
            buffer: Cell::new(0),
            stack_low: Cell::new(0),
            number: Cell::new(0),
            tid: Cell::new(0),
            thread_pointer: Cell::new(0),
            clear_child_tid: Cell::new(0),
            robust_list: Cell::new(0),
            name: Cell::new([0; 16]),
            has_own_name: Cell::new(false),
            attributes: Cell::new(ptr::null()),
            scheduling: Scheduling::new(),
            makes_thread: Cell::new(false),
            cancel_marked: Cell::new(false),
            begun_write: Cell::new(None),
            mask: Cell::new(0),
            saved_mask: Cell::new(None),
            pending: RefCell::new(Pending::new()),
            alt_stack: Cell::new(AltStack::DISABLED),
            counted_mask: Cell::new(None),
            sigwait: Cell::new(0),
            float: Cell::new(FloatControl::DEFAULT),
            rights: Cell::new(protection_keys::DEFAULT),
            gs_base: Cell::new(0),
            cpu_time: Cell::new(0),
            context: Context::new(),
            preempt_stack: UnsafeCell::new(Vec::new()),
        })
    }

    /// It has used up a slice, or is taken for one that will.
    pub(crate) fn set_computes(&self) {
        self.pace.set(Pace::Computes);
        self.note_computing();
    }

    /// It was found computing. Where the carrier shares its processor with other processes, turns may end before a slice
    /// is used up, at every wait of theirs.
    pub(crate) fn note_computing(&self) {
        const WAITS: u8 = 8;
        self.computed.set(WAITS);
    }

    /// Makes a record as good as new.
    pub(crate) fn reset(&self) {
        self.wake.set(Wake::Unparked);
        self.interruptible.set(false);
        self.timed.set(false);
        self.pace.set(Pace::New);
        self.computed.set(0);
        self.waiting.set(Waiting::Nothing);
        self.waited_in_vain.set(false);
        self.where_from.set(0);
        self.stack_at.set(0);
        self.buffer.set(0);
        self.stack_low.set(0);
        self.thread_pointer.set(0);
        self.clear_child_tid.set(0);
        self.robust_list.set(0);
        self.name.set([0; 16]);
        self.has_own_name.set(false);
        self.attributes.set(ptr::null());
        self.scheduling.reset();
        self.makes_thread.set(false);
        self.cancel_marked.set(false);
        self.begun_write.set(None);
        self.saved_mask.set(None);
        self.pending.borrow_mut().clear();
        self.alt_stack.set(AltStack::DISABLED);
        self.sigwait.set(0);
        self.gs_base.set(0);
        self.cpu_time.set(0);
    }

    /// Asks for what each turn looks at: see `prefetch`.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch::lines(core::ptr::from_ref(self) as usize, EACH_TURN);
    }

    /// Asks for what the turn of a ready green thread begins with: the way out of the call that it waits in.
    #[inline(always)]
    pub(crate) fn prefetch_turn(&self) {
        self.context.prefetch();
        carrier::prefetch_words(self.thread_pointer.get());
        prefetch::line(self.buffer.get());
    }

    /// As `prefetch_turn`, for translations only.
    #[inline(always)]
    pub(crate) fn prefetch_pages(&self) {
        self.context.prefetch_page();
        prefetch::line(self.thread_pointer.get());
    }

    /// The hub that runs this green thread.
    #[inline]
    pub fn hub(&self) -> &'static Hub {
        // SAFETY: hubs are never freed.
        unsafe { &*self.hub }
    }

    /// Whether this is the program's `main`, on the carrier's own stack.
    pub fn is_main(&self) -> bool {
        core::ptr::eq(self.hub().main, self)
    }
}

/// How much of a record each turn looks at.
const EACH_TURN: usize = 256;
const _: () = assert!(core::mem::offset_of!(Green, begun_write) < EACH_TURN);
