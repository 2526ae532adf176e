//! Signals for a green thread by way of a signalfd. The kernel's object knows the signals that the kernel holds: those
//! for the process that every green thread blocks. What one green thread of ours was sent and blocks, only we know; so
//! whoever reads or looks at a descriptor while such signals are held also asks here.
//!
//! Which signals a descriptor is for, and what is in an epoll set, /proc tells (`fdinfo`): whatever the way on which the
//! descriptor came, and however its mask was changed since. It is asked only while signals are held. A green thread
//! that waits for a descriptor is woken when a signal is sent that it blocks (`signals::give`), and looks again.
//!
//! Not seen: a signalfd in an epoll set that is itself polled. An edge-triggered one in a set is told at each look,
//! until the signal has been read.

use super::io::buffers::Buffers;
use crate::fd_table::Kind;
use crate::hub::{current_hub, Hub};
use crate::signals::Info;
use crate::{sys, user};
use libc::{epoll_event, pollfd, signalfd_siginfo};

const RECORD: usize = size_of::<signalfd_siginfo>();

/// The signals that the current green thread blocks and only we know of.
fn held(hub: &Hub) -> u64 {
    let green = hub.current();
    let pending = green.pending.borrow().set() | hub.signals.process.borrow().set();
    pending & green.mask.get()
}

/// Whether the current green thread could get more from a signalfd than the kernel knows of.
#[inline]
pub fn maybe() -> bool {
    current_hub().is_some_and(|hub| held(hub) != 0)
}

/// Held signals that `fd`, if it is a signalfd, is for.
fn held_for(fd: i32) -> u64 {
    let Some(hub) = current_hub() else { return 0 };
    let held = held(hub);
    if held == 0 || hub.reactor.kind(hub, fd) != Some(Kind::Anonymous) {
        return 0;
    }
    held & mask_of(fd).unwrap_or(0)
}

/// Whether `fd` is a signalfd that has held signals.
pub fn is_readable(fd: i32) -> bool {
    held_for(fd) != 0
}

/// /proc/self/fdinfo of a descriptor.
fn fdinfo(fd: i32) -> Option<String> {
    let path = format!("/proc/self/fdinfo/{fd}\0");
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a path, a descriptor and a buffer of ours.
    unsafe {
        let file = sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) as i32;
        if file < 0 {
            return None;
        }
        let mut text: Vec<u8> = Vec::with_capacity(1024);
        loop {
            text.reserve(1024);
            let read = sys!(libc::SYS_read, file, text.as_mut_ptr().add(text.len()), 1024);
            if read <= 0 {
                break;
            }
            text.set_len(text.len() + read as usize);
        }
        sys::close(file);
        String::from_utf8(text).ok()
    }
}

/// Whether `fd` is a signalfd, which refuses to read so few bytes.
pub(crate) fn is_too_little(fd: i32, bytes: usize) -> bool {
    bytes < RECORD && mask_of(fd).is_some()
}

fn mask_of(fd: i32) -> Option<u64> {
    mask_in(&fdinfo(fd)?)
}

fn mask_in(fdinfo: &str) -> Option<u64> {
    let mask = fdinfo.lines().find_map(|line| line.strip_prefix("sigmask:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Reads held signals, and after them what the kernel has. `None`: there is nothing here, the read is the kernel's.
pub(crate) fn read(fd: i32, buffers: &Buffers) -> Option<isize> {
    let set = held_for(fd);
    let room = buffers.total() / RECORD;
    if set == 0 || room == 0 {
        return None;
    }
    let hub = current_hub()?;
    let mut records: Vec<signalfd_siginfo> = Vec::new();
    while records.len() < room {
        // As in the kernel: the thread's own first.
        let own = hub.current().pending.borrow_mut().take(set);
        let Some(info) = own.or_else(|| hub.signals.process.borrow_mut().take(set)) else { break };
        records.push(record(&info));
    }
    if buffers.fill(&records).is_err() {
        return Some(user::EFAULT);
    }
    let mut bytes = records.len() * RECORD;
    if let (true, Some((base, len))) = (records.len() < room, buffers.single()) {
        let rest = Buffers::one(base + bytes, len - bytes);
        bytes += super::io::read_nowait(fd, rest.pointer(), rest.count(), super::io::HERE).max(0) as usize;
    }
    Some(bytes as isize)
}

/// Adds held signals to the answers of a poll. Returns how many more descriptors have one.
pub fn add_to_poll(fds: &mut [pollfd]) -> isize {
    let mut more = 0;
    if maybe() {
        for fd in fds.iter_mut().filter(|fd| fd.events & !fd.revents & libc::POLLIN != 0) {
            if is_readable(fd.fd) {
                more += isize::from(fd.revents == 0);
                fd.revents |= libc::POLLIN;
            }
        }
    }
    more
}

/// Adds held signals to `found` events at `events`, of which there are `most` at most. Returns how many there are then.
pub fn add_to_epoll(epoll: i32, events: usize, most: usize, found: isize) -> isize {
    if found < 0 || found as usize >= most || !maybe() {
        return found;
    }
    let Some(text) = fdinfo(epoll) else { return found };
    let mut found = found as usize;
    for member in text.lines().filter_map(Member::in_line) {
        if found == most {
            break;
        }
        if member.flags & libc::EPOLLIN as u32 == 0 || !is_readable(member.fd) {
            continue;
        }
        let known = (0..found).any(|index| {
            let event = user::read::<epoll_event>(events + index * size_of::<epoll_event>());
            event.is_ok_and(|event| event.u64 == member.data && event.events & libc::EPOLLIN as u32 != 0)
        });
        let event = epoll_event { events: libc::EPOLLIN as u32, u64: member.data };
        if known || user::write(events + found * size_of::<epoll_event>(), &event).is_err() {
            continue;
        }
        found += 1;
        if member.flags & libc::EPOLLONESHOT as u32 != 0 {
            member.disable(epoll);
        }
    }
    found as isize
}

/// An entry of an epoll set.
#[derive(PartialEq, Eq, Debug)]
struct Member {
    fd: i32,
    flags: u32,
    data: u64,
}

impl Member {
    /// `tfd:        5 events:       19 data:                5  pos:0 ino:41 sdev:f`
    fn in_line(line: &str) -> Option<Member> {
        let mut words = line.split_whitespace();
        let mut after = |name| words.next().filter(|&word| word == name).and_then(|_| words.next());
        Some(Member {
            fd: after("tfd:")?.parse().ok()?,
            flags: u32::from_str_radix(after("events:")?, 16).ok()?,
            data: u64::from_str_radix(after("data:")?, 16).ok()?,
        })
    }

    /// What the kernel does to a one-shot entry that it has reported.
    fn disable(&self, epoll: i32) {
        let modes = (libc::EPOLLWAKEUP | libc::EPOLLONESHOT | libc::EPOLLET) as u32;
        let mut event = epoll_event { events: self.flags & modes, u64: self.data };
        // SAFETY: `event` is ours.
        unsafe { sys!(libc::SYS_epoll_ctl, epoll, libc::EPOLL_CTL_MOD, self.fd, &mut event as *mut epoll_event) };
    }
}

/// What the kernel's `siginfo` of a signal says is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layout {
    Kill,
    Timer,
    Poll,
    Fault,
    Child,
    Queue,
    Call,
}

fn layout(signal: i32, code: i32) -> Layout {
    const SI_KERNEL: i32 = 0x80;
    const MOST_POLL_CODES: i32 = 6;
    match code {
        1..SI_KERNEL => match signal {
            libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP => Layout::Fault,
            libc::SIGCHLD => Layout::Child,
            libc::SIGSYS => Layout::Call,
            _ if code <= MOST_POLL_CODES => Layout::Poll,
            _ => Layout::Kill,
        },
        libc::SI_TIMER => Layout::Timer,
        libc::SI_SIGIO => Layout::Poll,
        _ if code < 0 => Layout::Queue,
        _ => Layout::Kill,
    }
}

/// A `siginfo` as a signalfd tells it.
fn record(info: &Info) -> signalfd_siginfo {
    // SAFETY: all-zero is a valid record.
    let mut record: signalfd_siginfo = unsafe { core::mem::zeroed() };
    let words = (info as *const Info).cast::<u32>();
    // SAFETY: all offsets below lie in the 128 bytes of a siginfo.
    let word = |offset: usize| unsafe { words.byte_add(offset).read() };
    let long = |offset: usize| u64::from(word(offset)) | u64::from(word(offset + 4)) << 32;
    record.ssi_signo = info.si_signo as u32;
    record.ssi_errno = info.si_errno;
    record.ssi_code = info.si_code;
    let layout = layout(info.si_signo, info.si_code);
    if matches!(layout, Layout::Kill | Layout::Child | Layout::Queue) {
        (record.ssi_pid, record.ssi_uid) = (word(16), word(20));
    }
    match layout {
        Layout::Kill => {}
        Layout::Queue | Layout::Timer => {
            if layout == Layout::Timer {
                (record.ssi_tid, record.ssi_overrun) = (word(16), word(20));
            }
            (record.ssi_ptr, record.ssi_int) = (long(24), word(24) as i32);
        }
        Layout::Poll => (record.ssi_band, record.ssi_fd) = (word(16), word(24) as i32),
        Layout::Fault => record.ssi_addr = long(16),
        Layout::Child => {
            record.ssi_status = word(24) as i32;
            (record.ssi_utime, record.ssi_stime) = (long(32), long(40));
        }
        Layout::Call => {
            (record.ssi_call_addr, record.ssi_syscall, record.ssi_arch) = (long(16), word(24) as i32, word(28));
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(words: &[u32]) -> Info {
        // SAFETY: all bit patterns are valid.
        let mut info: Info = unsafe { core::mem::zeroed() };
        // SAFETY: within the 128 bytes.
        unsafe { core::ptr::copy_nonoverlapping(words.as_ptr(), (&mut info as *mut Info).cast(), words.len()) };
        info
    }

    #[test]
    fn records_as_the_kernel_fills_them() {
        let signal = libc::SIGUSR1 as u32;
        let sent = record(&info(&[signal, 0, libc::SI_TKILL as u32, 0, 77, 1000]));
        assert_eq!((sent.ssi_signo, sent.ssi_code, sent.ssi_pid, sent.ssi_uid), (signal, libc::SI_TKILL, 77, 1000));
        let queued = record(&info(&[40, 5, libc::SI_QUEUE as u32, 0, 77, 1000, 0xffff_fff0, 0x1234]));
        assert_eq!((queued.ssi_errno, queued.ssi_int, queued.ssi_ptr), (5, -16, 0x1234_ffff_fff0));
        let timer = record(&info(&[40, 0, libc::SI_TIMER as u32, 0, 3, 9, 5, 0]));
        assert_eq!((timer.ssi_tid, timer.ssi_overrun, timer.ssi_int, timer.ssi_pid), (3, 9, 5, 0));
        let child = record(&info(&[17, 0, libc::CLD_EXITED as u32, 0, 77, 1, 3, 0, 10, 0, 20, 0]));
        assert_eq!((child.ssi_pid, child.ssi_status, child.ssi_utime, child.ssi_stime), (77, 3, 10, 20));
        let killed = record(&info(&[15, 0, libc::SI_USER as u32, 0, 77, 1, 9]));
        assert_eq!((killed.ssi_pid, killed.ssi_int), (77, 0), "no more than the layout says");
    }

    #[test]
    fn layouts() {
        assert_eq!(layout(libc::SIGIO, 1), Layout::Poll);
        assert_eq!(layout(libc::SIGSEGV, 1), Layout::Fault);
        assert_eq!(layout(libc::SIGTERM, 0x80), Layout::Kill);
    }

    #[test]
    fn what_proc_says() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t41\nsigmask:\t0000000800000200\n";
        assert_eq!(mask_in(text), Some(0x8_0000_0200));
        assert_eq!(mask_in("pos:\t0\neventfd-count: 0\n"), None);
        let line = "tfd:        5 events:       19 data:             1f05  pos:0 ino:29 sdev:f";
        assert_eq!(Member::in_line(line), Some(Member { fd: 5, flags: 0x19, data: 0x1f05 }));
        assert_eq!(Member::in_line("pos:\t0"), None);
    }
}
