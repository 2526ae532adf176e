//! What is left when a green thread ends: the locks on its robust list, and priority-inheritance locks that others
//! wait for. get_robust_list(2) tells the layout, the kernel's robust-futex documentation the rules.

use crate::calls::futex_pi;
use crate::futex_queue;
use crate::green_thread::Green;
use crate::hub::Hub;
use crate::sys;
use crate::user::{self, Fault};

const WAITERS: u32 = libc::FUTEX_WAITERS;
const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
const OWNER: u32 = libc::FUTEX_TID_MASK;
/// A list that is longer, or circular, is not followed further.
const MOST_ENTRIES: usize = 2048;

/// `struct robust_list_head`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Head {
    first: usize,
    /// From an entry to its futex word.
    offset: isize,
    /// A lock that was being taken or let go.
    pending: usize,
}

/// An entry's address and whether its lock is a priority-inheritance one.
fn entry(pointer: usize) -> (usize, bool) {
    (pointer & !1, pointer & 1 != 0)
}

/// Marks every lock that the ending green thread `green` holds as its late owner's and wakes one waiter each.
pub fn walk_robust_list(hub: &Hub, green: &Green) {
    let id = green.tid.get() as u32;
    let list = registered_list(green);
    if list != 0 {
        let _ = walk(hub, list, id, 1);
    }
    // Not on any list, and yet their waiters would wait for ever.
    for word in futex_queue::awaited_pi_words() {
        if user::load(word).is_ok_and(|value| value & OWNER == id) {
            futex_pi::owner_died(word, id);
        }
    }
}

/// The process ends, and the kernel knows only the carrier's list, and wakes nobody who waits for a lock with priority
/// inheritance as we wait: every green thread's locks are marked here. All who wait are woken, since the one that a single wake-up would choose may be a helper of this very process.
pub(crate) fn process_ends(hub: &Hub) {
    for green in hub.all() {
        let list = registered_list(green);
        if list != 0 {
            let _ = walk(hub, list, green.tid.get() as u32, u32::MAX);
        }
    }
}

/// What set_robust_list was told, or 0.
fn registered_list(green: &Green) -> usize {
    match green.robust_list.get() {
        // Main's was registered before there were green threads.
        0 if green.is_main() => kernels_list(),
        list => list,
    }
}

fn kernels_list() -> usize {
    let (mut head, mut bytes) = (0usize, 0usize);
    // SAFETY: both results are ours.
    let result = unsafe { sys!(libc::SYS_get_robust_list, 0, &mut head as *mut usize, &mut bytes as *mut usize) };
    if result == 0 {
        head
    } else {
        0
    }
}

/// `wakes`: how many waiters of each lock are woken.
fn walk(hub: &Hub, list: usize, id: u32, wakes: u32) -> Result<(), Fault> {
    let head: Head = user::read(list)?;
    let (pending, pending_pi) = entry(head.pending);
    let (mut at, mut pi) = entry(head.first);
    for _ in 0..MOST_ENTRIES {
        if at == list {
            break;
        }
        // Read first: once the lock is passed on, its new owner may take it off the list.
        let next = user::read::<usize>(at);
        if at != pending {
            release(hub, at.wrapping_add_signed(head.offset), (id, wakes), pi, false)?;
        }
        (at, pi) = entry(next?);
    }
    if pending != 0 {
        release(hub, pending.wrapping_add_signed(head.offset), (id, wakes), pending_pi, true)?;
    }
    Ok(())
}

/// The lock at `word`, if `id` holds it.
fn release(hub: &Hub, word: usize, (id, wakes): (u32, u32), pi: bool, pending: bool) -> Result<(), Fault> {
    if !word.is_multiple_of(4) {
        return Err(Fault);
    }
    loop {
        let value = user::load(word)?;
        if pending && !pi && value & OWNER == 0 {
            // It was let go and the wake-up not made, or a wake-up was taken and the lock not: somebody may be left.
            wake(hub, word, wakes);
            return Ok(());
        }
        if value & OWNER != id {
            return Ok(());
        }
        if pi && futex_queue::has_waiters(word) {
            futex_pi::owner_died(word, id);
            return Ok(());
        }
        if user::compare_exchange(word, value, value & WAITERS | OWNER_DIED)? == value {
            // Also a priority-inheritance one, which other processes wait for as for any other.
            if value & WAITERS != 0 {
                wake(hub, word, wakes);
            }
            return Ok(());
        }
    }
}

/// On the shared futex, which robust locks always are.
fn wake(hub: &Hub, word: usize, count: u32) {
    futex_queue::wake(hub, word, true, count, u32::MAX);
}
