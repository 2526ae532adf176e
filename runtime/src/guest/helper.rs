//! What has no non-blocking form, in a helper thread while the callback waits for its end.
//!
//! The helper works with copies in the heap of what the program's pointers lead to: the program's own memory may be a stack
//! that is somewhere else meanwhile. A call whose pointers are not known here is the kernel's, and blocks the thread.

use super::{events, locks, Ended, Guest, UNFINISHED};
use crate::calls::io::buffers::{total, MOST};
use crate::calls::{error, ERESTARTSYS};
use crate::fd_table::Kind;
use crate::green_thread::Wake;
use crate::hub::Hub;
use crate::offload::{Helper, Job};
use crate::{sys, user};
use libc::iovec;

/// Enough for every socket address.
const ADDRESS: usize = 128;
/// What the kernel takes as a path, with its end.
const PATH: usize = 4096;

/// What comes back to the program after the call.
enum Back {
    Nothing,
    /// As many bytes as the result says, into one buffer or a vector.
    Filled(Vec<iovec>),
    /// So many bytes from the start of the copy, if the call succeeded.
    Whole(Vec<(usize, usize, usize)>),
    /// A socket address, whose length is in the copy behind it.
    Address(usize, usize),
}

/// The arguments of one call, with the copies that they lead to.
struct Copies {
    args: [usize; 6],
    /// In words, so that structures are aligned.
    memory: Vec<u64>,
    back: Back,
}

fn memory(bytes: usize) -> Option<Vec<u64>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes.div_ceil(8).max(1)).ok()?;
    Some(memory)
}

impl Copies {
    fn plain(args: [usize; 6]) -> Copies {
        Copies { args, memory: Vec::new(), back: Back::Nothing }
    }

    /// Replaces the pointers `(argument, bytes)` by copies. Null stays null.
    fn of_structures(mut args: [usize; 6], parts: &[(usize, usize)], comes_back: bool) -> Option<Copies> {
        let all: usize = parts.iter().map(|part| part.1.next_multiple_of(8)).sum();
        let mut memory = memory(all)?;
        memory.resize(all / 8, 0);
        let mut back = Vec::new();
        let mut at = 0;
        for &(index, bytes) in parts {
            let program = args[index];
            if program != 0 {
                let copied: Vec<u8> = user::read_slice(program, bytes).ok()?;
                let place = memory.as_mut_ptr() as usize + at;
                // SAFETY: the part is inside our memory.
                unsafe { core::ptr::copy_nonoverlapping(copied.as_ptr(), place as *mut u8, bytes) };
                args[index] = place;
                back.push((program, at, bytes));
            }
            at += bytes.next_multiple_of(8);
        }
        Some(Copies { args, memory, back: if comes_back { Back::Whole(back) } else { Back::Nothing } })
    }

    fn of_path(mut args: [usize; 6], index: usize) -> Option<Copies> {
        let mut path = Vec::with_capacity(256);
        while path.last() != Some(&0) {
            // Up to the end of the page: what is behind it may not be there.
            let from = args[index] + path.len();
            let piece: Vec<u8> = user::read_slice(from, 4096 - from % 4096).ok()?;
            let end = piece.iter().position(|&byte| byte == 0).map_or(piece.len(), |end| end + 1);
            path.extend_from_slice(&piece[..end]);
            if path.len() > PATH {
                return None;
            }
        }
        let mut memory = memory(path.len())?;
        memory.resize(path.len().div_ceil(8), 0);
        // SAFETY: the memory has room.
        unsafe { core::ptr::copy_nonoverlapping(path.as_ptr(), memory.as_mut_ptr().cast(), path.len()) };
        args[index] = memory.as_ptr() as usize;
        Some(Copies { args, memory, back: Back::Nothing })
    }

    /// A call of the read family on one contiguous copy.
    fn of_reading(nr: i64, mut args: [usize; 6]) -> Option<(i64, Copies)> {
        let (parts, bytes) = buffers(nr, &args)?;
        let memory = memory(bytes)?;
        let nr = one_buffer(nr, &mut args, memory.as_ptr() as usize, bytes)?;
        Some((nr, Copies { args, memory, back: Back::Filled(parts) }))
    }

    /// A call of the write family.
    fn of_writing(nr: i64, mut args: [usize; 6]) -> Option<(i64, Copies)> {
        let (parts, bytes) = buffers(nr, &args)?;
        let mut memory = memory(bytes)?;
        let base = memory.as_mut_ptr().cast::<u8>();
        let mut at = 0;
        for part in parts {
            let bytes = part.iov_len.min(bytes - at);
            let copied: Vec<u8> = user::read_slice(part.iov_base as usize, bytes).ok()?;
            // SAFETY: the parts together are as long as the memory.
            unsafe { core::ptr::copy_nonoverlapping(copied.as_ptr(), base.add(at), bytes) };
            at += bytes;
        }
        let nr = one_buffer(nr, &mut args, base as usize, bytes)?;
        Some((nr, Copies { args, memory, back: Back::Nothing }))
    }

    /// accept: where the address is to go, and how much of it is wanted.
    fn of_accept(mut args: [usize; 6]) -> Option<Copies> {
        if args[1] == 0 {
            return Some(Copies::plain(args));
        }
        let wanted: u32 = user::read(args[2]).ok()?;
        i32::try_from(wanted).ok()?;
        let mut memory = memory(ADDRESS + 8)?;
        memory.resize(ADDRESS / 8 + 1, 0);
        memory[ADDRESS / 8] = u64::from(wanted.min(ADDRESS as u32));
        let back = Back::Address(args[1], args[2]);
        args[1] = memory.as_ptr() as usize;
        args[2] = args[1] + ADDRESS;
        Some(Copies { args, memory, back })
    }

    /// What helper threads can do for a guest. `None`: the kernel does it.
    fn of(nr: i64, args: [usize; 6]) -> Option<(i64, Copies)> {
        const TIMESPEC: usize = size_of::<libc::timespec>();
        let same = |copies: Copies| (nr, copies);
        match nr {
            libc::SYS_flock
            | libc::SYS_fsync
            | libc::SYS_fdatasync
            | libc::SYS_sync_file_range
            | libc::SYS_sync
            | libc::SYS_syncfs
            | libc::SYS_msync
            | libc::SYS_fallocate
            | libc::SYS_close => Some(same(Copies::plain(args))),
            libc::SYS_fcntl => Copies::of_structures(args, &[(2, size_of::<libc::flock>())], false).map(same),
            libc::SYS_openat => Copies::of_path(args, 1).map(same),
            libc::SYS_connect if args[2] <= ADDRESS => Copies::of_structures(args, &[(1, args[2])], false).map(same),
            libc::SYS_accept | libc::SYS_accept4 => Copies::of_accept(args).map(same),
            libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 => {
                Copies::of_reading(nr, args)
            }
            libc::SYS_write | libc::SYS_writev => Copies::of_writing(nr, args),
            libc::SYS_wait4 => Copies::of_structures(args, &[(1, 4), (3, size_of::<libc::rusage>())], true).map(same),
            libc::SYS_waitid => {
                Copies::of_structures(args, &[(2, 128), (4, size_of::<libc::rusage>())], true).map(same)
            }
            libc::SYS_futex => Copies::of_structures(args, &[(3, TIMESPEC)], false).map(same),
            libc::SYS_clock_nanosleep => Copies::of_structures(args, &[(2, TIMESPEC), (3, TIMESPEC)], false).map(same),
            _ => None,
        }
    }

    /// Gives the program what the call has brought.
    fn give_back(self, result: isize) -> isize {
        let base = self.memory.as_ptr() as usize;
        // SAFETY: asked for what the helper has written, or what we have.
        let bytes = |at: usize, count: usize| unsafe { core::slice::from_raw_parts((base + at) as *const u8, count) };
        if result < 0 {
            return result;
        }
        let written = match &self.back {
            Back::Nothing => Ok(()),
            Back::Filled(parts) => {
                let mut at = 0;
                parts.iter().try_for_each(|part| {
                    let count = part.iov_len.min(result as usize - at);
                    let given = user::write_slice(part.iov_base as usize, bytes(at, count));
                    at += count;
                    given
                })
            }
            Back::Whole(parts) => {
                parts.iter().try_for_each(|&(program, at, count)| user::write_slice(program, bytes(at, count)))
            }
            Back::Address(address, length) => (|| {
                let wanted: u32 = user::read(*length)?;
                // SAFETY: inside our memory.
                let real = unsafe { *((base + ADDRESS) as *const u32) };
                user::write_slice(*address, bytes(0, (real.min(wanted) as usize).min(ADDRESS)))?;
                user::write(*length, &real)
            })(),
        };
        match written {
            Ok(()) => result,
            Err(fault) => fault.into(),
        }
    }
}

/// The program's buffers, and how many bytes they have together.
fn buffers(nr: i64, args: &[usize; 6]) -> Option<(Vec<iovec>, usize)> {
    if matches!(nr, libc::SYS_read | libc::SYS_pread64 | libc::SYS_write) {
        let bytes = args[2].min(MOST);
        return Some((vec![iovec { iov_base: args[1] as *mut _, iov_len: bytes }], bytes));
    }
    let bytes = total(args[1], args[2])?;
    Some((user::read_slice(args[1], args[2]).ok()?, bytes))
}

/// The call of the same kind for one buffer.
fn one_buffer(nr: i64, args: &mut [usize; 6], base: usize, bytes: usize) -> Option<i64> {
    (args[1], args[2]) = (base, bytes);
    Some(match nr {
        libc::SYS_readv => libc::SYS_read,
        libc::SYS_preadv => libc::SYS_pread64,
        // The position -1 is the descriptor's own.
        libc::SYS_preadv2 if args[5] == 0 && args[3] as i64 == -1 => libc::SYS_read,
        libc::SYS_preadv2 if args[5] == 0 => libc::SYS_pread64,
        libc::SYS_preadv2 => return None,
        libc::SYS_writev => libc::SYS_write,
        same => same,
    })
}

/// CPython reads the modules that it imports, and goes by kernel threads when it tells who is importing what: if others ran
/// meanwhile, they would find modules half done. Under gevent alone, files are read without a switch as well.
fn reads_file(hub: &Hub, nr: i64, fd: i32) -> bool {
    let reads =
        matches!(nr, libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2);
    reads && hub.reactor.kind(hub, fd) == Some(Kind::File)
}

/// Lets a helper thread make the call. `UNFINISHED` if the callback did not wait for its end; a call that waits for a disk
/// (not `interruptible`) is waited for then, as the kernel would.
pub(crate) fn call(hub: &'static Hub, guest: &Guest, nr: i64, args: [usize; 6], interruptible: bool) -> isize {
    let pass = || {
        guest.ended.set(Ended::Passed);
        UNFINISHED
    };
    if locks::in_python() && reads_file(hub, nr, args[0] as i32) {
        return pass();
    }
    let Some((nr, copies)) = Copies::of(nr, args) else { return pass() };
    let Some(event) = events::take(hub) else { return pass() };
    let Some(helper) = Helper::start(Job::of_guest(event, nr, copies.args)) else {
        events::give_back(event);
        return pass();
    };
    let mut ended = None;
    while !helper.is_done() {
        if guest.ask(event, libc::POLLIN, None) == Wake::Interrupted {
            ended = Some(guest.ended());
            if interruptible && !helper.is_done() {
                helper.cancel();
            }
            while !helper.is_done() {
                guest.wait_in_kernel(event, libc::POLLIN, None);
                events::clear(event);
            }
        } else {
            events::clear(event);
        }
    }
    events::give_back(event);
    let (result, raised) = helper.finish();
    if let Some(info) = raised {
        // SAFETY: the signal that the kernel would have sent to the caller.
        unsafe { sys!(libc::SYS_tgkill, sys::getpid(), sys::gettid(), info.si_signo) };
    }
    if let Some(ended) = ended.filter(|_| result == error(libc::EINTR) || result == ERESTARTSYS) {
        guest.ended.set(ended);
        return UNFINISHED;
    }
    copies.give_back(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(copies: &Copies, count: usize) -> Vec<u8> {
        // SAFETY: asked for no more than there is.
        unsafe { core::slice::from_raw_parts(copies.memory.as_ptr().cast::<u8>(), count) }.to_vec()
    }

    fn vector(parts: &mut [Vec<u8>]) -> Vec<iovec> {
        parts.iter_mut().map(|part| iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() }).collect()
    }

    #[test]
    fn what_is_written_is_gathered() {
        let mut parts = [b"abc".to_vec(), Vec::new(), b"defgh".to_vec()];
        let parts = vector(&mut parts);
        let args = [7, parts.as_ptr() as usize, parts.len(), 0, 0, 0];
        let (number, copies) = Copies::of(libc::SYS_writev, args).unwrap();
        assert_eq!((number, copies.args[0], copies.args[2]), (libc::SYS_write, 7, 8));
        assert_eq!(copies.args[1], copies.memory.as_ptr() as usize);
        assert_eq!(bytes_of(&copies, 8), b"abcdefgh");
    }

    #[test]
    fn what_is_read_is_spread() {
        let mut parts = [vec![0u8; 3], vec![0u8; 4], vec![9u8; 2]];
        let list = vector(&mut parts);
        let args = [7, list.as_ptr() as usize, list.len(), 100, 0, 0];
        let (number, copies) = Copies::of(libc::SYS_preadv, args).unwrap();
        assert_eq!((number, copies.args[2], copies.args[3]), (libc::SYS_pread64, 9, 100));
        // SAFETY: the memory has room for what was asked for.
        unsafe { core::ptr::copy_nonoverlapping(b"abcde".as_ptr(), copies.args[1] as *mut u8, 5) };
        assert_eq!(copies.give_back(5), 5);
        assert_eq!(parts, [b"abc".to_vec(), vec![b'd', b'e', 0, 0], vec![9, 9]]);
    }

    #[test]
    fn structures_come_back_and_null_stays_null() {
        let mut status = 0x0102_0304i32;
        let args = [5, &mut status as *mut i32 as usize, 0, 0, 0, 0];
        let (_, copies) = Copies::of(libc::SYS_wait4, args).unwrap();
        assert_eq!((copies.args[3], bytes_of(&copies, 4)), (0, status.to_ne_bytes().to_vec()));
        // SAFETY: four bytes of ours.
        unsafe { *(copies.args[1] as *mut i32) = 77 };
        assert_eq!(copies.give_back(5), 5);
        assert_eq!(status, 77);
    }

    #[test]
    fn paths_end_where_their_page_ends_too() {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: two new pages, of which the second cannot be read.
        let page = unsafe {
            let pages = sys!(libc::SYS_mmap, 0, 8192, libc::PROT_READ | libc::PROT_WRITE, flags, -1isize, 0) as usize;
            sys!(libc::SYS_mprotect, pages + 4096, 4096, libc::PROT_NONE);
            pages
        };
        let at = page + 4096 - 5;
        // SAFETY: the last bytes of the first page.
        unsafe { core::ptr::copy_nonoverlapping(c"/dev".as_ptr().cast::<u8>(), at as *mut u8, 5) };
        let (_, copies) = Copies::of(libc::SYS_openat, [1, at, 2, 3, 4, 5]).unwrap();
        assert_eq!((bytes_of(&copies, 5), copies.args[2]), (b"/dev\0".to_vec(), 2));
    }

    #[test]
    fn an_address_comes_back_as_long_as_it_was_wanted() {
        let (mut address, mut length) = ([0u8; 16], 4u32);
        let args = [3, address.as_mut_ptr() as usize, &mut length as *mut u32 as usize, 0, 0, 0];
        let (_, copies) = Copies::of(libc::SYS_accept4, args).unwrap();
        // SAFETY: what the kernel would write, in our memory.
        unsafe {
            core::ptr::copy_nonoverlapping(b"0123456789".as_ptr(), copies.args[1] as *mut u8, 10);
            assert_eq!(*(copies.args[2] as *const u32), 4);
            *(copies.args[2] as *mut u32) = 10;
        }
        assert_eq!(copies.give_back(9), 9);
        assert_eq!((length, &address[..6]), (10, &b"0123\0\0"[..]));
    }

    #[test]
    fn what_is_not_known_is_the_kernels() {
        assert!(Copies::of(libc::SYS_sendfile, [0; 6]).is_none());
        assert!(Copies::of(libc::SYS_msgrcv, [0; 6]).is_none());
    }
}
