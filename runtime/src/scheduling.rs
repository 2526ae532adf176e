//! What the kernel's scheduler keeps for each of its threads: policy, priority, nice value, affinity. For green threads
//! we keep it, and the carrier runs as it was started: what a green thread asks for moves it in the run queue and is
//! answered when asked for, and goes to the kernel only with a child or a new program, which inherit it.
//!
//! A green thread that nobody has changed since arming has the carrier's values, whatever they are at the moment.

use crate::calls::error;
use crate::green_thread::{Green, State};
use crate::hub::Hub;
use crate::ready_queue::HIGHEST_RANK;
use crate::sys;
use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering::*;

pub const SCHED_DEADLINE: i32 = 6;
pub const SCHED_EXT: i32 = 7;
pub const FLAG_RESET_ON_FORK: u64 = 0x01;
const DEADLINE_FLAGS: u64 = 0x02 | 0x04; // RECLAIM, DL_OVERRUN
/// Only the kernel itself may use it: EINVAL, but only after permissions have been checked.
const FLAG_SUGOV: u64 = 0x1000_0000;
const HIGHEST_PRIORITY: u32 = 99;
const CAP_SYS_NICE: u32 = 23;

/// The kernel's `struct sched_attr`, in the version of Linux 5.3.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Attr {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
    pub util_min: u32,
    pub util_max: u32,
}

/// Bytes of the first version, which every kernel understands.
pub const ATTR_BYTES: u32 = 48;

fn is_real_time(policy: i32) -> bool {
    matches!(policy, libc::SCHED_FIFO | libc::SCHED_RR)
}

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub policy: i32,
    pub priority: u32,
    pub nice: i32,
    pub reset_on_fork: bool,
    /// RECLAIM and DL_OVERRUN.
    pub deadline_flags: u64,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

impl Attributes {
    pub const DEFAULT: Attributes = Attributes {
        policy: libc::SCHED_OTHER,
        priority: 0,
        nice: 0,
        reset_on_fork: false,
        deadline_flags: 0,
        runtime: 0,
        deadline: 0,
        period: 0,
    };

    fn from_kernel(attr: &Attr) -> Self {
        Attributes {
            policy: attr.policy as i32,
            priority: attr.priority,
            nice: attr.nice,
            reset_on_fork: attr.flags & FLAG_RESET_ON_FORK != 0,
            deadline_flags: attr.flags & DEADLINE_FLAGS,
            runtime: attr.runtime,
            deadline: attr.deadline,
            period: attr.period,
        }
    }

    /// Fills in what the kernel would tell about such a thread.
    pub fn show(&self, attr: &mut Attr) {
        attr.policy = self.policy as u32;
        attr.flags = if self.reset_on_fork { FLAG_RESET_ON_FORK } else { 0 };
        let deadline = self.policy == SCHED_DEADLINE;
        if deadline {
            attr.flags |= self.deadline_flags;
        }
        let fair = !deadline && !self.is_real_time();
        attr.nice = if fair { self.nice } else { 0 };
        attr.priority = self.priority;
        if !fair || self.runtime != 0 {
            attr.runtime = self.runtime;
        }
        (attr.deadline, attr.period) = (self.deadline, self.period);
    }

    pub fn is_real_time(&self) -> bool {
        is_real_time(self.policy)
    }

    pub fn rank(&self) -> u8 {
        match self.policy {
            SCHED_DEADLINE => HIGHEST_RANK,
            _ if self.is_real_time() => self.priority as u8,
            _ => 0,
        }
    }

    /// What a thread or process made by one with these begins with. EAGAIN where the kernel refuses to make one.
    pub fn inherited(mut self) -> Result<Attributes, isize> {
        if self.reset_on_fork {
            if self.rank() != 0 {
                (self.policy, self.priority, self.nice) = (libc::SCHED_OTHER, 0, 0);
            }
            self.nice = self.nice.max(0);
            self.reset_on_fork = false;
        }
        if self.policy == SCHED_DEADLINE {
            return Err(error(libc::EAGAIN));
        }
        Ok(self)
    }

    fn deadline_is_valid(&self) -> bool {
        const SMALLEST_RUNTIME: u64 = 1 << 10;
        let period = if self.period == 0 { self.deadline } else { self.period };
        self.deadline != 0
            && self.runtime >= SMALLEST_RUNTIME
            && (self.deadline | self.period) >> 63 == 0
            && self.deadline <= period
            && self.runtime <= self.deadline
            // The kernel's sched_deadline_period_min_us and _max_us.
            && (100_000..=(1 << 22) * 1000).contains(&period)
    }
}

/// What the process may ask for.
pub struct Limits<F: Fn() -> bool> {
    /// RLIMIT_RTPRIO.
    pub priority: u64,
    /// RLIMIT_NICE.
    pub nice: u64,
    /// Whether no limit counts: CAP_SYS_NICE.
    pub privileged: F,
}

impl<F: Fn() -> bool> Limits<F> {
    /// Whether RLIMIT_NICE allows this value.
    fn reaches(&self, nice: i32) -> bool {
        (20 - nice) as u64 <= self.nice
    }

    /// Whether a thread with `now` may get the nice value; EACCES is the caller's to give.
    pub fn allow_nice(&self, now: i32, nice: i32) -> bool {
        nice >= now || self.reaches(nice) || (self.privileged)()
    }

    /// EINVAL or EPERM, as the kernel checks a change from `now` to `wanted`.
    pub fn check(&self, now: &Attributes, wanted: &Attributes) -> Result<(), isize> {
        let real_time = wanted.is_real_time();
        let known = match wanted.policy {
            libc::SCHED_OTHER | libc::SCHED_FIFO | libc::SCHED_RR | libc::SCHED_BATCH | libc::SCHED_IDLE => true,
            SCHED_DEADLINE => wanted.deadline_is_valid(),
            SCHED_EXT => kernel_knows(SCHED_EXT),
            _ => false,
        };
        if !known || wanted.priority > HIGHEST_PRIORITY || real_time != (wanted.priority != 0) {
            return Err(error(libc::EINVAL));
        }
        let fair = !real_time && wanted.policy != SCHED_DEADLINE;
        let more_nice = fair && wanted.policy != libc::SCHED_IDLE && wanted.nice < now.nice && !self.reaches(wanted.nice);
        let more_time = real_time
            && (wanted.policy != now.policy && self.priority == 0
                || wanted.priority > now.priority && u64::from(wanted.priority) > self.priority);
        let leaves_idle =
            now.policy == libc::SCHED_IDLE && wanted.policy != libc::SCHED_IDLE && !self.reaches(now.nice);
        let keeps_reset = !now.reset_on_fork || wanted.reset_on_fork;
        let free = !more_nice && !more_time && wanted.policy != SCHED_DEADLINE && !leaves_idle && keeps_reset;
        if free || (self.privileged)() {
            Ok(())
        } else {
            Err(error(libc::EPERM))
        }
    }
}

fn kernel_knows(policy: i32) -> bool {
    // SAFETY: no pointers.
    unsafe { sys!(libc::SYS_sched_get_priority_min, policy) >= 0 }
}

/// The limits of this process as they are now.
pub fn limits() -> Limits<fn() -> bool> {
    Limits { priority: soft_limit(libc::RLIMIT_RTPRIO), nice: soft_limit(libc::RLIMIT_NICE), privileged }
}

/// A resource limit; none is the largest number.
pub(crate) fn soft_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is ours.
    unsafe { sys!(libc::SYS_prlimit64, 0, resource, 0, &mut limit as *mut libc::rlimit) };
    limit.rlim_cur
}

/// Whether the process has CAP_SYS_NICE, and has it where it counts: in a user namespace of its own it may be told so
/// and still be refused. The kernel is asked in a way that can have no effect.
fn privileged() -> bool {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [0u32; 6];
    // SAFETY: the third version of the header, whose answer is six words.
    let told = unsafe { sys!(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    if told == 0 && sets[0] & 1 << CAP_SYS_NICE == 0 {
        return false;
    }
    let attr = Attr { size: ATTR_BYTES, policy: SCHED_DEADLINE as u32, flags: FLAG_SUGOV, ..Attr::default() };
    // SAFETY: `attr` is ours.
    unsafe { sys!(libc::SYS_sched_setattr, 0, &attr as *const Attr, 0) != error(libc::EPERM) }
}

/// The scheduling of one green thread.
pub struct Scheduling {
    /// `None`: as the carrier.
    attributes: Cell<Option<Attributes>>,
    /// The processors as the kernel would show them. `None`: the carrier's.
    affinity: RefCell<Option<Box<[u8]>>>,
    /// Place in queues, of the run queue and of futexes: the priority of SCHED_FIFO and SCHED_RR, above it the one of
    /// SCHED_DEADLINE, 0 for all others. Changes only while the green thread is in no run queue.
    rank: Cell<u8>,
    /// The rank of who waits for a priority-inheritance lock that this thread holds, if it is higher.
    lent: Cell<u8>,
}

impl Scheduling {
    pub(crate) const fn new() -> Self {
        Scheduling {
            attributes: Cell::new(None),
            affinity: RefCell::new(None),
            rank: Cell::new(0),
            lent: Cell::new(0),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const EINVAL: Result<(), isize> = Err(error(libc::EINVAL));
    const EPERM: Result<(), isize> = Err(error(libc::EPERM));

    fn user(priority: u64, nice: u64) -> Limits<fn() -> bool> {
        Limits { priority, nice, privileged: || false }
    }

    fn with(policy: i32, priority: u32) -> Attributes {
        Attributes { policy, priority, ..Attributes::DEFAULT }
    }

    #[test]
    fn priority_and_policy_must_match() {
        let root = Limits { priority: 0, nice: 0, privileged: || true };
        let now = Attributes::DEFAULT;
        for (policy, priority, answer) in [
            (libc::SCHED_OTHER, 0, Ok(())),
            (libc::SCHED_OTHER, 1, EINVAL),
            (libc::SCHED_FIFO, 0, EINVAL),
            (libc::SCHED_FIFO, 1, Ok(())),
            (libc::SCHED_RR, 99, Ok(())),
            (libc::SCHED_RR, 100, EINVAL),
            (libc::SCHED_BATCH, 0, Ok(())),
            (libc::SCHED_IDLE, 0, Ok(())),
            (SCHED_DEADLINE, 0, EINVAL),
            (4, 0, EINVAL),
            (99, 0, EINVAL),
        ] {
            assert_eq!(root.check(&now, &with(policy, priority)), answer, "{policy} {priority}");
        }
        let deadline =
            Attributes { runtime: 1_000_000, deadline: 10_000_000, period: 0, ..with(SCHED_DEADLINE, 0) };
        assert_eq!(root.check(&now, &deadline), Ok(()));
        assert_eq!(root.check(&now, &Attributes { runtime: 20_000_000, ..deadline }), EINVAL);
        assert_eq!(user(99, 40).check(&now, &deadline), EPERM);
    }

    #[test]
    fn users_are_held_to_their_limits() {
        let other = Attributes::DEFAULT;
        let fifo = |priority| with(libc::SCHED_FIFO, priority);
        assert_eq!(user(0, 0).check(&other, &fifo(1)), EPERM);
        assert_eq!(user(5, 0).check(&other, &fifo(5)), Ok(()));
        assert_eq!(user(5, 0).check(&other, &fifo(6)), EPERM);
        // What one has may be kept and lowered.
        assert_eq!(user(0, 0).check(&fifo(9), &fifo(9)), Ok(()));
        assert_eq!(user(0, 0).check(&fifo(9), &fifo(3)), Ok(()));
        assert_eq!(user(0, 0).check(&fifo(9), &with(libc::SCHED_RR, 3)), EPERM);
        assert_eq!(user(0, 0).check(&fifo(9), &other), Ok(()));
        // SCHED_IDLE is left only with the right to one's nice value.
        assert_eq!(user(0, 0).check(&with(libc::SCHED_IDLE, 0), &other), EPERM);
        assert_eq!(user(0, 20).check(&with(libc::SCHED_IDLE, 0), &other), Ok(()));
        let reset = Attributes { reset_on_fork: true, ..other };
        assert_eq!(user(0, 0).check(&other, &reset), Ok(()));
        assert_eq!(user(0, 0).check(&reset, &other), EPERM);
    }

    #[test]
    fn nice_values() {
        assert!(user(0, 0).allow_nice(0, 5));
        assert!(!user(0, 0).allow_nice(5, 0));
        assert!(user(0, 20).allow_nice(5, 0));
        assert!(!user(0, 20).allow_nice(5, -1));
        assert!(Limits { priority: 0, nice: 0, privileged: || true }.allow_nice(5, -20));
    }

    #[test]
    fn what_a_child_begins_with() {
        let fifo = Attributes { nice: -3, ..with(libc::SCHED_FIFO, 7) };
        assert_eq!(fifo.inherited(), Ok(fifo));
        assert_eq!(Attributes { reset_on_fork: true, ..fifo }.inherited(), Ok(Attributes::DEFAULT));
        let batch = Attributes { nice: -3, reset_on_fork: true, ..with(libc::SCHED_BATCH, 0) };
        assert_eq!(batch.inherited(), Ok(with(libc::SCHED_BATCH, 0)));
        assert!(with(SCHED_DEADLINE, 0).inherited().is_err());
    }
}
