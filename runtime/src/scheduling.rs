//! What the kernel's scheduler keeps for each of its threads: policy, priority, nice value, affinity. For green threads
//! we keep it, and the carrier runs as it was started: what a green thread asks for moves it in the run queue and is
//! answered when asked for, and goes to the kernel only with a child or a new program, which inherit it.
//!
//! A green thread that nobody has changed since arming has the carrier's values, whatever they are at the moment.

mod rules;

pub(crate) use rules::soft_limit;
pub use rules::{limits, Attr, Attributes, ATTR_BYTES, FLAG_RESET_ON_FORK, FLAG_SUGOV, SCHED_DEADLINE};

use crate::calls::error;
use crate::green_thread::{Green, State};
use crate::hub::Hub;
use crate::sys;
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering::*;

/// The scheduling of one green thread. First what each turn looks at.
#[repr(C)]
pub struct Scheduling {
    /// Place in queues, of the run queue and of futexes: the priority of SCHED_FIFO and SCHED_RR, above it the one of
    /// SCHED_DEADLINE, 0 for all others. Changes only while the green thread is in no run queue.
    rank: Cell<u8>,
    /// The rank of who waits for a priority-inheritance lock that this thread holds, if it is higher.
    lent: Cell<u8>,
    /// `None`: as the carrier.
    attributes: Cell<Option<Attributes>>,
    /// The processors as the kernel would show them. `None`: the carrier's.
    affinity: RefCell<Option<Box<[u8]>>>,
}

impl Scheduling {
    pub(crate) const fn new() -> Self {
        Scheduling { attributes: Cell::new(None), affinity: RefCell::new(None), rank: Cell::new(0), lent: Cell::new(0) }
    }

    pub(crate) fn reset(&self) {
        self.attributes.set(None);
        *self.affinity.borrow_mut() = None;
        self.rank.set(0);
        self.lent.set(0);
    }

    /// The place in queues now.
    #[inline]
    pub fn rank(&self) -> u8 {
        self.rank.get().max(self.lent.get())
    }

    #[cfg(test)]
    pub(crate) fn set_rank(&self, rank: u8) {
        self.rank.set(rank);
    }

    /// Whether the rank is, or was, somebody else's.
    #[inline]
    pub(crate) fn is_lent(&self) -> bool {
        self.lent.get() != 0
    }

    /// Whether this thread has been changed.
    pub(crate) fn is_own(&self) -> bool {
        self.attributes.get().is_some() || self.affinity.borrow().is_some()
    }

    pub fn attributes(&self, hub: &Hub) -> Attributes {
        self.attributes.get().unwrap_or_else(|| of_carrier(hub))
    }

    /// The nice value of a thread that was not changed is the carrier's.
    pub fn has_attributes(&self) -> bool {
        self.attributes.get().is_some()
    }

    /// Calls `body` with the processors as set for this thread.
    pub fn with_affinity<R>(&self, body: impl FnOnce(Option<&[u8]>) -> R) -> R {
        body(self.affinity.borrow().as_deref())
    }

    pub fn set_affinity(&self, processors: Box<[u8]>) {
        *self.affinity.borrow_mut() = Some(processors);
    }

    /// A new thread has its maker's scheduling. EAGAIN where the kernel refuses.
    pub(crate) fn inherit(&self, maker: &Scheduling) -> Result<(), isize> {
        let attributes = maker.attributes.get().map(Attributes::inherited).transpose()?;
        self.attributes.set(attributes);
        self.rank.set(attributes.map_or(0, |attributes| attributes.rank()));
        if let Some(processors) = maker.affinity.borrow().as_ref() {
            *self.affinity.borrow_mut() = Some(processors.clone());
        }
        Ok(())
    }

    /// Gives the calling kernel thread what this green thread has. False if there was nothing to give. What the kernel
    /// refuses, because rights have been dropped since, is left as it is.
    fn apply(&self) -> bool {
        if let Some(attributes) = self.attributes.get() {
            to_kernel(&attributes);
        }
        if let Some(processors) = self.affinity.borrow().as_ref() {
            // SAFETY: our own mask.
            unsafe { sys!(libc::SYS_sched_setaffinity, 0, processors.len(), processors.as_ptr()) };
        }
        self.is_own()
    }
}

fn to_kernel(attributes: &Attributes) {
    let mut attr = Attr { size: ATTR_BYTES, ..Attr::default() };
    attributes.show(&mut attr);
    // SAFETY: `attr` is ours.
    unsafe {
        sys!(libc::SYS_sched_setattr, 0, &attr as *const Attr, 0);
        if attributes.rank() != 0 {
            sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, attributes.nice);
        }
    }
}

fn of_carrier(hub: &Hub) -> Attributes {
    let mut attr = Attr { size: ATTR_BYTES, ..Attr::default() };
    let tid = hub.tid.load(Relaxed);
    // SAFETY: `attr` is ours.
    let result = unsafe { sys!(libc::SYS_sched_getattr, tid, &mut attr as *mut Attr, ATTR_BYTES, 0) };
    if result < 0 {
        return Attributes::DEFAULT;
    }
    let mut attributes = Attributes::from_kernel(&attr);
    // SAFETY: no pointers.
    attributes.nice = 20 - unsafe { sys!(libc::SYS_getpriority, libc::PRIO_PROCESS, tid) } as i32;
    // A time slice that nobody asked for.
    if attributes.policy != SCHED_DEADLINE {
        attributes.runtime = 0;
    }
    attributes
}

/// Changes how `green` is scheduled. A change of rank moves it in the run queue; if somebody ready outranks the current
/// thread afterwards, that one runs first.
pub fn set(hub: &Hub, green: &Green, attributes: Attributes) {
    let before = of_carrier_for_all(hub);
    let old = green.scheduling.attributes.replace(Some(attributes));
    let old_rank = old.or(before).map_or(0, |old| old.rank());
    let rank = attributes.rank();
    if rank != old_rank {
        change_rank(hub, green, || green.scheduling.rank.set(rank));
        if hub.outranked() {
            hub.give_way_to_higher();
        }
    }
}

/// Under a carrier that is itself real-time, everybody has a rank as soon as ranks matter.
fn of_carrier_for_all(hub: &Hub) -> Option<Attributes> {
    let carrier = of_carrier(hub);
    if carrier.rank() == 0 {
        return None;
    }
    for green in hub.all() {
        if green.scheduling.attributes.get().is_none() {
            green.scheduling.attributes.set(Some(carrier));
            change_rank(hub, green, || green.scheduling.rank.set(carrier.rank()));
        }
    }
    Some(carrier)
}

fn change_rank(hub: &Hub, green: &Green, change: impl FnOnce()) {
    let old = green.scheduling.rank();
    let queued = green.state.get() == State::Ready && hub.ready.remove(green, old);
    change();
    if queued && green.scheduling.rank() < old {
        hub.ready.push_front(green);
    } else if queued {
        hub.ready.push(green);
    }
}

/// Lends `green` a rank, for as long as it holds a lock that somebody of that rank waits for; 0 ends it.
pub(crate) fn lend_rank(hub: &Hub, green: &Green, rank: u8) {
    if green.scheduling.lent.get() != rank {
        change_rank(hub, green, || green.scheduling.lent.set(rank));
    }
}

// ---- children and new programs -------------------------------------------------------------------------------------

/// The calling green thread executes a program, which keeps its scheduling. The answer, if the call fails, is for
/// `take_back`. An unprivileged process can't undo everything, so this is for calls that are about to succeed.
pub(crate) fn lend(hub: &Hub) -> Option<Lent> {
    let scheduling = &hub.current().scheduling;
    if !scheduling.is_own() {
        return None;
    }
    let before = Lent { attributes: of_carrier(hub), processors: processors_of(hub.tid.load(Relaxed)) };
    scheduling.apply();
    Some(before)
}

/// What the carrier had.
pub(crate) struct Lent {
    attributes: Attributes,
    processors: Vec<u8>,
}

impl Lent {
    pub(crate) fn take_back(self) {
        to_kernel(&self.attributes);
        // SAFETY: our own mask.
        unsafe { sys!(libc::SYS_sched_setaffinity, 0, self.processors.len(), self.processors.as_ptr()) };
    }
}

/// A child that shares our memory until it executes a program makes its first call: it gets what the green thread that
/// made it has.
pub(crate) fn apply_in_vfork_child(green: &Green) {
    green.scheduling.apply();
}

/// The forked child's only thread is `green`: what it inherits becomes the kernel's.
pub(crate) fn rebuild_in_child(green: &Green) {
    let scheduling = &green.scheduling;
    if let Some(attributes) = scheduling.attributes.get() {
        scheduling.attributes.set(Some(attributes.inherited().unwrap_or(Attributes::DEFAULT)));
    }
    scheduling.apply();
    scheduling.reset();
}

// ---- processors ------------------------------------------------------------------------------------------------------

/// The processors of a kernel thread, in as many bytes as the kernel uses.
pub(crate) fn processors_of(tid: i32) -> Vec<u8> {
    let mut bytes = 128;
    loop {
        let mut mask = vec![0u8; bytes];
        // SAFETY: our own buffer.
        let used = unsafe { sys!(libc::SYS_sched_getaffinity, tid, bytes, mask.as_mut_ptr()) };
        if used >= 0 {
            mask.truncate(used as usize);
            return mask;
        }
        if used != error(libc::EINVAL) || bytes >= 1 << 16 {
            return Vec::new();
        }
        bytes *= 2;
    }
}

/// The processors that the process may use at all, whatever the carrier is set to: the kernel is asked by setting the
/// carrier to all, which moves it nowhere, and back.
pub(crate) fn allowed_processors(hub: &Hub) -> Vec<u8> {
    let tid = hub.tid.load(Relaxed);
    let before = processors_of(tid);
    let every = vec![0xffu8; before.len()];
    // SAFETY: our own masks.
    let set = |mask: &[u8]| unsafe { sys!(libc::SYS_sched_setaffinity, tid, mask.len(), mask.as_ptr()) };
    if set(&every) < 0 {
        return before;
    }
    let allowed = processors_of(tid);
    if allowed != before {
        set(&before);
    }
    allowed
}
