//! Pipes and FIFOs.
//!
//! FIFOs, and pipes of kernels before 6.4, don't take RWF_NOWAIT. There each try is made through a non-blocking
//! description of our own, opened by way of /proc and closed at once; the program's description stays as it is.

use super::block::{go_on, retry, status_flags, Block, Cannot};
use super::buffers::Buffers;
use super::{read_nowait, write_nowait, HERE};
use crate::calls::error;
use crate::fd_table::{READ, WRITE};
use crate::hub::Hub;
use crate::sys;

/// Stands for "this way is barred" among results of tries; no system call answers it.
const BARRED: isize = -100_000;
/// A filter of the program's refuses a call of ours.
const FILTERED: isize = error(libc::ENOSYS);

pub(super) fn read(hub: &Hub, fd: i32, buffers: &Buffers) -> Result<isize, Cannot> {
    let attempt = |fd| {
        let result = match read_nowait(fd, buffers.pointer(), buffers.count(), HERE) {
            result if unsupported(result) => reopened(fd, libc::O_RDONLY, buffers.pointer(), buffers.count()),
            result => result,
        };
        note_read(hub, fd, result, buffers.total());
        result
    };
    let first = if hub.reactor.is_empty(hub, fd) { error(libc::EAGAIN) } else { attempt(fd) };
    if first >= 0 {
        return Ok(first);
    }
    permitted(retry(&mut Block::new(hub, fd, READ), first, attempt))
}

/// A blocking write is whole, unless a signal or an error ends it.
pub(super) fn write(hub: &Hub, fd: i32, buffers: &Buffers) -> Result<isize, Cannot> {
    let begun = buffers.single().and_then(|(base, len)| hub.current().take_begun_write(fd, base, len));
    let first = begun.unwrap_or_else(|| attempt_write(hub, fd, buffers.pointer(), buffers.count()));
    if first == buffers.total() as isize {
        return Ok(first);
    }
    write_on(hub, fd, buffers, first)
}

fn attempt_write(hub: &Hub, fd: i32, vector: usize, count: usize) -> isize {
    let result = match write_nowait(fd, vector, count) {
        result if unsupported(result) => reopened(fd, libc::O_WRONLY, vector, count),
        result => result,
    };
    note_write(hub, fd, result);
    result
}

/// What a read that came to `result` says of what is left, to us and to whoever waits to write.
#[inline]
pub(super) fn note_read(hub: &Hub, fd: i32, result: isize, asked: usize) {
    if result > 0 {
        hub.reactor.note_read(hub, fd, result, asked);
        hub.reactor.tell_peer(hub, fd, WRITE);
    }
}

/// Something has been written: whoever waits for it may be ours.
#[inline]
pub(super) fn note_write(hub: &Hub, fd: i32, result: isize) {
    if result > 0 {
        hub.reactor.tell_peer(hub, fd, READ);
    }
}

/// As `write`, after a first try that came to `first` and was no success in full.
#[inline(never)]
fn write_on(hub: &Hub, fd: i32, buffers: &Buffers, first: isize) -> Result<isize, Cannot> {
    let mut block = Block::new(hub, fd, WRITE);
    let again = |fd| attempt_write(hub, fd, buffers.pointer(), buffers.count());
    let done = permitted(retry(&mut block, first, again))?;
    if done <= 0 || done as usize == buffers.total() {
        return Ok(done);
    }
    let Some(rest) = buffers.rest(done as usize) else { return Ok(done) };
    Ok(go_on(&mut block, done as usize, rest, |fd, rest| attempt_write(hub, fd, rest.pointer(), rest.count())))
}

fn unsupported(result: isize) -> bool {
    result == error(libc::EOPNOTSUPP)
}

fn permitted(result: Result<isize, Cannot>) -> Result<isize, Cannot> {
    result.and_then(|result| if result == BARRED { Err(Cannot) } else { Ok(result) })
}

/// One try through a description of our own.
fn reopened(fd: i32, access: i32, vector: usize, count: usize) -> isize {
    match through_own(fd, access, vector, count) {
        FILTERED => BARRED,
        result => result,
    }
}

fn through_own(fd: i32, access: i32, vector: usize, count: usize) -> isize {
    let path = proc_path(fd);
    let flags = access | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: a descriptor of our own, and the program's buffers.
    unsafe {
        // A mode that the program's descriptor doesn't have must stay refused.
        let number = if access == libc::O_RDONLY { libc::SYS_readv } else { libc::SYS_writev };
        let refused = sys!(number, fd, 0, 0);
        if refused < 0 {
            return refused;
        }
        let mine = sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags);
        if mine == error(libc::ENXIO) {
            // Nobody reads: the write ends with EPIPE, and with SIGPIPE.
            return sys!(libc::SYS_writev, fd, vector, count);
        }
        if mine < 0 {
            return BARRED;
        }
        if access == libc::O_WRONLY && status_flags(fd) as i32 & libc::O_DIRECT != 0 {
            // Each write is a packet.
            sys!(libc::SYS_fcntl, mine, libc::F_SETFL, libc::O_NONBLOCK | libc::O_DIRECT);
        }
        let result = sys!(number, mine, vector, count);
        sys::close(mine as i32);
        result
    }
}

/// "/proc/self/fd/N" with its final zero.
fn proc_path(fd: i32) -> [u8; 26] {
    let mut path = [0u8; 26];
    path[..14].copy_from_slice(b"/proc/self/fd/");
    let digits = fd.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = fd.max(0);
    for place in path[14..14 + digits].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::proc_path;

    #[test]
    fn paths_of_descriptors() {
        for (fd, path) in [(0, "0"), (7, "7"), (10, "10"), (999, "999"), (i32::MAX, "2147483647")] {
            let bytes = proc_path(fd);
            let end = bytes.iter().position(|&byte| byte == 0).unwrap();
            assert_eq!(&bytes[..end], format!("/proc/self/fd/{path}").as_bytes());
        }
    }
}
