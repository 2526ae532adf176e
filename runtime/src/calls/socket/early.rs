//! Sockets that the program made before arming: listeners, mostly, whose connections the first threads serve.
//!
//! A hook by name tells of each. Whether anybody else has got one meanwhile is looked at once, when it first matters:
//! nobody has if the process never had a child, since whatever fork there was would have left one.

use crate::calls::error;
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

const NUMBERS: usize = 256;

/// The inode of the socket made at each number; 0 if none.
static MADE: [AtomicU64; NUMBERS] = [const { AtomicU64::new(0) }; NUMBERS];
/// The process that made them.
static MAKER: AtomicI32 = AtomicI32::new(0);
static ADOPTED: AtomicBool = AtomicBool::new(false);

fn inode(fd: usize) -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours.
    let result = unsafe { sys!(libc::SYS_fstat, fd, &mut stat as *mut libc::stat) };
    if result >= 0 && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK {
        stat.st_ino
    } else {
        0
    }
}

/// For a hook of `socket` before arming: the call has just given `fd`.
pub fn note_early(fd: i32) {
    let Some(place) = usize::try_from(fd).ok().and_then(|number| MADE.get(number)) else { return };
    let process = sys::getpid();
    if MAKER.swap(process, Relaxed) != process {
        // We are a forked child; what was noted is shared with the parent.
        MADE.iter().for_each(|other| other.store(0, Relaxed));
    }
    place.store(inode(fd as usize), Relaxed);
}

/// Marks as private what was noted and is still there.
#[inline]
pub(super) fn adopt(hub: &Hub) {
    if !ADOPTED.load(Relaxed) {
        adopt_now(hub);
    }
}

#[cold]
fn adopt_now(hub: &Hub) {
    ADOPTED.store(true, Relaxed);
    let shared = hub.reactor.table.lock().was_shared();
    if shared || MAKER.load(Relaxed) != hub.pid.load(Relaxed) || had_children() {
        return;
    }
    for (fd, noted) in MADE.iter().enumerate() {
        let noted = noted.load(Relaxed);
        if noted != 0 && inode(fd) == noted {
            hub.reactor.table.lock().mark_private(fd as i32);
        }
    }
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
