//! Signals that a helper's call has sent to its caller, which the helper took to be: SIGPIPE and SIGXFSZ.

use crate::calls::error;
use crate::signals::{self, bit, Info};
use crate::sys;

const EPIPE: isize = error(libc::EPIPE);
const EFBIG: isize = error(libc::EFBIG);

/// The signal that the calling thread's call `nr` has sent to it. The thread blocks them.
pub(super) fn by(nr: i64, args: &[usize; 6], result: isize) -> Option<Info> {
    if !may_have_raised(nr, args, result) {
        return None;
    }
    let set = bit(libc::SIGPIPE) | bit(libc::SIGXFSZ);
    // SAFETY: all-zero is a valid siginfo.
    let mut info: Info = unsafe { core::mem::zeroed() };
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: all pointers are ours.
    let signal = unsafe {
        sys!(libc::SYS_rt_sigtimedwait, &set as *const u64, &mut info as *mut Info, &now as *const libc::timespec, 8)
    };
    if signal == error(libc::ENOSYS) {
        // Filtered away: what it must have been. It stays pending here, which nobody sees.
        let signal = goes_with(result).filter(|_| !is_silent(nr, args))?;
        // SAFETY: no arguments.
        return Some(signals::make_info(sys::getpid(), signal, libc::SI_USER));
    }
    (signal > 0).then_some(info)
}

/// Whether the call may have sent a signal: it has failed so, or written less than it was given. Filters seldom allow to ask.
fn may_have_raised(nr: i64, args: &[usize; 6], result: isize) -> bool {
    let given = match nr {
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_sendto | libc::SYS_tee => args[2],
        libc::SYS_sendfile => args[3],
        libc::SYS_splice | libc::SYS_copy_file_range => args[4],
        // What they were given was in the program's memory, which may have changed meanwhile.
        libc::SYS_writev
        | libc::SYS_pwritev
        | libc::SYS_pwritev2
        | libc::SYS_sendmsg
        | libc::SYS_sendmmsg
        | libc::SYS_vmsplice => usize::MAX,
        _ => return false,
    };
    match usize::try_from(result) {
        Ok(written) => written < given,
        Err(_) => goes_with(result).is_some(),
    }
}

/// The signal that goes with a failure.
fn goes_with(result: isize) -> Option<i32> {
    match result {
        EPIPE => Some(libc::SIGPIPE),
        EFBIG => Some(libc::SIGXFSZ),
        _ => None,
    }
}

/// Whether the caller has asked for no signal.
fn is_silent(nr: i64, args: &[usize; 6]) -> bool {
    let flags = match nr {
        libc::SYS_sendto | libc::SYS_sendmmsg => args[3],
        libc::SYS_sendmsg => args[2],
        _ => 0,
    };
    flags as i32 & libc::MSG_NOSIGNAL != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_cut_short_is_asked_about() {
        let args = [1, 0, 100, 0, 0, 0];
        assert!(!may_have_raised(libc::SYS_write, &args, 100));
        assert!(!may_have_raised(libc::SYS_write, &args, error(libc::EINTR)));
        assert!(!may_have_raised(libc::SYS_read, &args, 5));
        assert!(may_have_raised(libc::SYS_write, &args, 99));
        assert!(may_have_raised(libc::SYS_write, &args, EPIPE));
        assert!(may_have_raised(libc::SYS_writev, &args, 100));
    }
}
