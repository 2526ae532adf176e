//! `stat` and `status` of a thread in /proc: its state. The kernel knows the carrier only, which runs whoever looks, so
//! that no thread would ever be seen asleep; and it knows no ids of green threads.
//!
//! The program gets a file in memory: the carrier's text, with id, name and state of the green thread that it asked for.
//! `stat` also tells how many threads there are, so that a program which looks there before it forks sees them
//! (`status`, and the folder of threads, tell the kernel's).

use super::names::{kernel_name, thread_of_path};
use super::Outcome::{self, Done};
use crate::green_thread::{Green, State};
use crate::hub::Hub;
use crate::sys;
use core::sync::atomic::Ordering::Relaxed;

#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    Stat,
    Status,
}

/// open and openat come here with a path below /proc. `None`: the kernel's answer is the right one.
pub(super) fn open(hub: &'static Hub, path: &[u8], flags: i32) -> Option<Outcome> {
    let process = hub.tid.load(Relaxed);
    let (file, name, tid) = [(File::Stat, "/stat"), (File::Status, "/status")]
        .into_iter()
        .find_map(|(file, name)| Some((file, name, thread_of_path(path, name, process)?)))?;
    let green = match tid {
        0 => hub.current(),
        tid => hub.by_tid(tid)?,
    };
    let current = core::ptr::eq(green, hub.current());
    let kernels = current && tid == process && (file == File::Status || hub.live() == 1);
    if kernels || flags & libc::O_ACCMODE != libc::O_RDONLY {
        return None;
    }
    // The carrier's own file first: its descriptor has the number that the program expects.
    let carriers = format!("/proc/self/task/{process}{name}\0");
    // SAFETY: a path of ours.
    let fd = unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, carriers.as_ptr(), flags) } as i32;
    if fd >= 0 {
        let state = if current { 'R' } else { letter(green) };
        let text = rewritten(file, &read_all(fd), green, green.tid.get() == process, state, hub.live());
        if let Err(errno) = replace(fd, flags, &text) {
            sys::close(fd);
            return Some(Done(errno));
        }
    }
    Some(Done(fd as isize))
}

/// What else there is about a green thread is the carrier's: `/proc/<green id>/…` and `/proc/self/task/<green id>/…`.
pub(super) fn open_carriers(hub: &Hub, path: &[u8], flags: i32, mode: usize) -> Option<Outcome> {
    let carrier = hub.tid.load(Relaxed);
    let text = core::str::from_utf8(path).ok()?;
    let is_green = |part: &&str| part.parse().is_ok_and(|tid| tid != carrier && hub.by_tid(tid).is_some());
    let id = text.split('/').skip(2).step_by(2).take(2).find(is_green)?;
    let carriers = text.replacen(id, &carrier.to_string(), 1) + "\0";
    // SAFETY: a path of ours.
    Some(Done(unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, carriers.as_ptr(), flags, mode) }))
}

fn letter(green: &Green) -> char {
    match green.state.get() {
        State::Parked => 'S',
        _ => 'R',
    }
}

fn name_of(green: &Green) -> String {
    let name = if green.has_own_name.get() { green.name.get() } else { kernel_name() };
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    String::from_utf8_lossy(&name[..end]).into_owned()
}

/// The carrier's text as it would be for the green thread.
fn rewritten(file: File, text: &[u8], green: &Green, is_kernels: bool, state: char, threads: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    // The thread that the kernel knows by id keeps the name that it has there.
    let name = (!is_kernels).then(|| name_of(green));
    match file {
        File::Stat => stat(&text, green.tid.get(), name.as_deref(), state, threads),
        File::Status => status(&text, green.tid.get(), name.as_deref(), state),
    }
    .into_bytes()
}

fn stat(text: &str, tid: i32, name: Option<&str>, state: char, threads: usize) -> String {
    /// The place of `num_threads` among what follows the state.
    const THREADS: usize = 16;
    let (Some(open), Some(close)) = (text.find('('), text.rfind(')')) else { return text.to_string() };
    let name = name.unwrap_or(&text[open + 1..close]);
    let mut rest: Vec<_> = text.get(close + 4..).unwrap_or("").split(' ').map(str::to_string).collect();
    if let Some(field) = rest.get_mut(THREADS) {
        *field = threads.to_string();
    }
    format!("{tid} ({name}) {state} {}", rest.join(" "))
}

fn status(text: &str, tid: i32, name: Option<&str>, state: char) -> String {
    let state = if state == 'S' { "S (sleeping)" } else { "R (running)" };
    text.lines()
        .map(|line| match (line.split_once('\t'), name) {
            (Some(("Name:", _)), Some(name)) => format!("Name:\t{name}\n"),
            (Some(("State:", _)), _) => format!("State:\t{state}\n"),
            (Some(("Pid:", _)), _) => format!("Pid:\t{tid}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

fn read_all(fd: i32) -> Vec<u8> {
    let mut text = vec![0u8; 8192];
    let mut length = 0;
    loop {
        let part = &mut text[length..];
        // SAFETY: a buffer of ours.
        let bytes = unsafe { sys!(libc::SYS_read, fd, part.as_mut_ptr(), part.len()) };
        if bytes <= 0 {
            break;
        }
        length += bytes as usize;
    }
    text.truncate(length);
    text
}

/// Puts a file in memory with this text in the place of `fd`.
fn replace(fd: i32, flags: i32, text: &[u8]) -> Result<(), isize> {
    // SAFETY: paths and buffers are ours, and so are the descriptors but `fd`, which is fresh.
    unsafe {
        let memory = sys!(libc::SYS_memfd_create, c"stat".as_ptr(), libc::MFD_CLOEXEC);
        if memory < 0 {
            return Err(memory);
        }
        sys!(libc::SYS_pwrite64, memory, text.as_ptr(), text.len(), 0);
        let result = sys!(libc::SYS_dup3, memory, fd, flags & libc::O_CLOEXEC);
        sys::close(memory as i32);
        if result < 0 {
            return Err(result);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_put_in() {
        let text = "77 (a (b) c) R 1 77 3\n";
        assert_eq!(stat(text, 8388700, Some("worker"), 'S', 9), "8388700 (worker) S 1 77 3\n");
        assert_eq!(stat(text, 77, None, 'S', 9), "77 (a (b) c) S 1 77 3\n");
        // The twentieth field.
        let text = "1 (x) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 1 21\n";
        assert_eq!(stat(text, 1, None, 'R', 9), "1 (x) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 9 21\n");
        let text = "Name:\tone\nState:\tR (running)\nTgid:\t77\nPid:\t77\n";
        assert_eq!(status(text, 5, Some("x"), 'S'), "Name:\tx\nState:\tS (sleeping)\nTgid:\t77\nPid:\t5\n");
        assert_eq!(status(text, 77, None, 'R'), text);
    }
}
