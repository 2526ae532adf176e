//! Sockets and pipes that the program made before arming: listeners, mostly, whose connections the first threads serve.
//!
//! Hooks by name tell of each. Whether anybody else has got one meanwhile is looked at once, when it first matters: nobody
//! has if the process never had a child, since whatever fork there was would have left one.

use super::made::drains;
use crate::calls::error;
use crate::calls::io::block::socket_option;
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

const NUMBERS: usize = 256;

/// The inode of what was made at each number; 0 if nothing.
static MADE: [AtomicU64; NUMBERS] = [const { AtomicU64::new(0) }; NUMBERS];
/// The number at which the other end was made, plus 1; 0 if there is none.
static PEER: [AtomicI32; NUMBERS] = [const { AtomicI32::new(0) }; NUMBERS];
/// The process that made them.
static MAKER: AtomicI32 = AtomicI32::new(0);
static ADOPTED: AtomicBool = AtomicBool::new(false);

/// The inode of a socket or pipe; 0 if the number is neither.
fn inode(fd: usize) -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours.
    let result = unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut libc::stat) };
    if result >= 0 && matches!(stat.st_mode & libc::S_IFMT, libc::S_IFSOCK | libc::S_IFIFO) {
        stat.st_ino
    } else {
        0
    }
}

/// For a hook before arming: a call has just given `fd`.
pub fn note_early(fd: i32) {
    let Some(number) = usize::try_from(fd).ok().filter(|&number| number < NUMBERS) else { return };
    let process = sys::getpid();
    if MAKER.swap(process, Relaxed) != process {
        // We are a forked child; what was noted is shared with the parent.
        MADE.iter().for_each(|other| other.store(0, Relaxed));
    }
    MADE[number].store(inode(number), Relaxed);
    PEER[number].store(0, Relaxed);
}

/// As `note_early`, for two ends that were made together.
pub fn note_early_pair(ends: [i32; 2]) {
    for (mine, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
        note_early(mine);
        if let Some(peer) = usize::try_from(mine).ok().and_then(|number| PEER.get(number)) {
            peer.store(other + 1, Relaxed);
        }
    }
}

/// Marks as private what was noted and is still there.
#[inline]
pub(crate) fn adopt(hub: &Hub) {
    if !ADOPTED.load(Relaxed) {
        adopt_now(hub);
    }
}

#[cold]
fn adopt_now(hub: &Hub) {
    ADOPTED.store(true, Relaxed);
    let shared = hub.reactor.table(hub).was_shared();
    if shared || MAKER.load(Relaxed) != hub.pid.load(Relaxed) || had_children() {
        return;
    }
    let open = open_inodes();
    let is_there = |fd: usize| {
        let noted = MADE.get(fd).map_or(0, |made| made.load(Relaxed));
        noted != 0 && open.contains(&(fd, noted))
    };
    for (fd, noted) in MADE.iter().enumerate() {
        if !is_there(fd) {
            continue;
        }
        let peer = PEER[fd].load(Relaxed) - 1;
        // The two ends of a pipe have one inode.
        let known = |other: usize| other == fd || other as i32 == peer;
        let inode = noted.load(Relaxed);
        if open.iter().any(|&(other, its)| its == inode && !known(other)) {
            continue;
        }
        let paired = usize::try_from(peer).is_ok_and(is_there);
        let mut table = hub.reactor.table(hub);
        table.mark_private(fd as i32);
        // An end that was duplicated may be written to by way of another number; see `FdTable::note_duplicate`.
        if paired {
            table.pair(fd as i32, peer);
        }
        drop(table);
        let option = |option| socket_option(fd as i32, option).unwrap_or(-1);
        let stream = drains(option(libc::SO_DOMAIN), option(libc::SO_TYPE), option(libc::SO_PROTOCOL))
            && !has_upper_protocol(fd as i32);
        hub.reactor.table(hub).entry(fd as i32).drains = stream;
    }
}

/// Whether something like TLS stands between TCP and the program.
fn has_upper_protocol(fd: i32) -> bool {
    let (mut name, mut size) = ([0u8; 16], 16u32);
    let (name_at, size_at) = (name.as_mut_ptr(), &mut size as *mut u32);
    // SAFETY: both are ours.
    let result = unsafe { sys!(libc::SYS_getsockopt, fd, libc::IPPROTO_TCP, libc::TCP_ULP, name_at, size_at) };
    result >= 0 && size != 0
}

/// The sockets and pipes that are open, by number.
fn open_inodes() -> Vec<(usize, u64)> {
    crate::calls::fds::open_numbers().into_iter().map(|fd| (fd as usize, inode(fd as usize))).collect()
}

/// Whether there is, or has been, a child process, or there may have been one without our learning of it.
fn had_children() -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // The kernel's `struct sigaction`: handler, flags, restorer, mask.
    let mut action = [0usize; 4];
    // SAFETY: all-zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: all pointers are null or to memory of ours.
    unsafe {
        if sys!(libc::SYS_waitid, libc::P_ALL, 0, 0, options, 0) != error(libc::ECHILD) {
            return true;
        }
        if sys!(libc::SYS_getrusage, libc::RUSAGE_CHILDREN, &mut usage as *mut libc::rusage) < 0 {
            return true;
        }
        if sys!(libc::SYS_rt_sigaction, libc::SIGCHLD, 0, action.as_mut_ptr(), 8) < 0 {
            return true;
        }
    }
    let unseen = action[0] == libc::SIG_IGN || action[1] & libc::SA_NOCLDWAIT as usize != 0;
    unseen || usage.ru_maxrss != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_known_by_its_inode() {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = |socket: &std::os::unix::net::UnixStream| std::os::fd::AsRawFd::as_raw_fd(socket) as usize;
        assert_ne!(inode(number(&a)), 0);
        assert_ne!(inode(number(&a)), inode(number(&b)));
        assert_eq!(inode(100_000), 0);
        let file = std::fs::File::open("/").unwrap();
        assert_eq!(inode(std::os::fd::AsRawFd::as_raw_fd(&file) as usize), 0);
    }
}
