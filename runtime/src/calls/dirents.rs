//! getdents64: a program that lists its own descriptors does not see the runtime's, which it did not open and could
//! only take for a leak.

use super::Outcome::{self, Done, Pass};
use super::Reason;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::reactor::some_own;
use crate::sys;

/// Offset of `d_reclen`, and of the name, in `struct linux_dirent64`.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

pub fn getdents64(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if lists(frame.rdi as i32, is_threads) {
        // Who counts threads waits for some to end, or to come to their waits: they must have had the time.
        hub.let_everybody_run();
    }
    if !some_own() {
        return Pass(Reason::NonBlocking);
    }
    let (fd, buffer, size) = (frame.rdi as i32, frame.rsi, frame.rdx as u32);
    loop {
        // SAFETY: the program's own buffer, for the kernel to check.
        let bytes = unsafe { sys!(libc::SYS_getdents64, fd, buffer, size) };
        if bytes <= 0 {
            return Done(bytes);
        }
        // SAFETY: the kernel has just written so many bytes there.
        let entries = unsafe { core::slice::from_raw_parts_mut(buffer as *mut u8, bytes as usize) };
        if !names(entries).any(|(_, name)| is_ours(hub, name)) || !lists_descriptors(fd) {
            return Done(bytes);
        }
        // An empty answer would be the end of the directory, so then the next part is read.
        match hide(entries, |name| is_ours(hub, name)) {
            0 => continue,
            rest => return Done(rest as isize),
        }
    }
}

/// The entries' ranges and names.
fn names(entries: &[u8]) -> impl Iterator<Item = (core::ops::Range<usize>, &[u8])> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let length = u16::from_ne_bytes(entries.get(at + LENGTH_AT..at + LENGTH_AT + 2)?.try_into().ok()?) as usize;
        let name = entries.get(at + NAME_AT..at + length)?;
        let name = &name[..name.iter().position(|&byte| byte == 0).unwrap_or(name.len())];
        let range = at..at + length;
        at += length;
        Some((range, name))
    })
}

/// Takes entries out; returns how many bytes are left.
fn hide(entries: &mut [u8], mut hidden: impl FnMut(&[u8]) -> bool) -> usize {
    let kept: Vec<_> = names(entries).filter(|(_, name)| !hidden(name)).map(|(range, _)| range).collect();
    let mut end = 0;
    for range in kept {
        let length = range.len();
        entries.copy_within(range, end);
        end += length;
    }
    end
}

fn is_ours(hub: &Hub, name: &[u8]) -> bool {
    let number = core::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    number.is_some_and(|fd| hub.reactor.owns(fd))
}

/// Whether `fd` is /proc/self/fd under one of its names.
fn lists_descriptors(fd: i32) -> bool {
    lists(fd, |of_process| of_process.ends_with(b"fd") || of_process.ends_with(b"fdinfo"))
}

/// Whether what is below /proc/self is the folder of its threads.
fn is_threads(of_process: &[u8]) -> bool {
    of_process == b"task"
}

/// Whether `fd` is a folder below /proc/self of which `wanted` says so.
fn lists(fd: i32, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
    const PROC: i64 = 0x9fa0;
    // SAFETY: all-zero is a valid `statfs`.
    let mut file_system: libc::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: the buffer is ours.
    if unsafe { sys!(libc::SYS_fstatfs, fd, &mut file_system as *mut _) } < 0 || file_system.f_type != PROC {
        return false;
    }
    let link = format!("/proc/self/fd/{fd}\0");
    let mut path = [0u8; 64];
    // SAFETY: a path and a buffer of ours.
    let length = unsafe { sys!(libc::SYS_readlink, link.as_ptr(), path.as_mut_ptr(), path.len()) };
    let path = &path[..length.max(0) as usize];
    path.strip_prefix(format!("/proc/{}/", sys::getpid()).as_bytes()).is_some_and(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Vec<u8> {
        let length = (NAME_AT + name.len() + 1).next_multiple_of(8);
        let mut bytes = vec![0; length];
        bytes[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&(length as u16).to_ne_bytes());
        bytes[NAME_AT..NAME_AT + name.len()].copy_from_slice(name.as_bytes());
        bytes
    }

    #[test]
    fn entries_are_taken_out_wherever_they_stand() {
        let all: Vec<u8> = [".", "3", "961", "1000", "962"].iter().flat_map(|name| entry(name)).collect();
        let mut left = all.clone();
        let end = hide(&mut left, |name| name == b"961" || name == b"962");
        let seen: Vec<_> = names(&left[..end]).map(|(_, name)| name.to_vec()).collect();
        assert_eq!(seen, [b".".to_vec(), b"3".to_vec(), b"1000".to_vec()]);
        let mut none = entry("961");
        assert_eq!(hide(&mut none, |_| true), 0);
    }
}
