//! The kernel's rules: what a thread may be given, and what its children begin with.

use crate::calls::error;
use crate::ready_queue::HIGHEST_RANK;
use crate::sys;

pub const SCHED_DEADLINE: i32 = 6;
pub const SCHED_EXT: i32 = 7;
pub const FLAG_RESET_ON_FORK: u64 = 0x01;
const DEADLINE_FLAGS: u64 = 0x02 | 0x04; // RECLAIM, DL_OVERRUN
/// Only the kernel itself may use it: EINVAL, but only after permissions have been checked.
pub const FLAG_SUGOV: u64 = 0x1000_0000;
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

    pub(super) fn from_kernel(attr: &Attr) -> Self {
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
        let more_nice =
            fair && wanted.policy != libc::SCHED_IDLE && wanted.nice < now.nice && !self.reaches(wanted.nice);
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
        let deadline = Attributes { runtime: 1_000_000, deadline: 10_000_000, period: 0, ..with(SCHED_DEADLINE, 0) };
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
