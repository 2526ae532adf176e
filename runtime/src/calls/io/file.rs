//! Regular files and block devices, whose calls wait for a disk or a server, and opening FIFOs.

use super::block::{help, poll_now, status_flags, Block, Stop};
use super::buffers::Buffers;
use super::{ours, read_nowait, HERE};
use crate::calls::{error, Outcome, Reason};
use crate::fd_table::{Kind, READ, WRITE};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{fs_attributes, never_waits, offload, sys};
use Outcome::{Done, Pass};

/// What is in the page cache is read at once. A count below what was asked for is not the end of the file, only of
/// what is cached.
pub(super) fn read(hub: &'static Hub, frame: &Frame, fd: i32, buffers: &Buffers, position: i64) -> Outcome {
    let first = read_nowait(fd, buffers.pointer(), buffers.count(), position);
    if first == buffers.total() as isize || first == 0 {
        return Done(first);
    }
    if first == super::block::EAGAIN {
        return Done(offload::disk(hub, frame.number as i64, frame.args()));
    }
    if first == error(libc::EOPNOTSUPP) {
        return read_without_try(hub, frame, fd);
    }
    if first < 0 {
        return Done(first);
    }
    let mut done = first;
    let Some(mut rest) = buffers.rest(first as usize) else { return Done(done) };
    while rest.left() != 0 {
        let at = if position == HERE { HERE } else { position + done as i64 };
        let mut moved = read_nowait(fd, rest.pointer(), rest.count(), at);
        if moved == super::block::EAGAIN {
            let args = [fd as usize, rest.pointer(), rest.count(), at as usize, 0, 0];
            moved = offload::disk(hub, libc::SYS_preadv2, args);
        }
        if moved <= 0 {
            break;
        }
        done += moved;
        rest.advance(moved as usize);
    }
    Done(done)
}

/// File systems without RWF_NOWAIT.
fn read_without_try(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    match file_system(fd) {
        // Memory, or the kernel's own answer. A few files of /proc wait; they can be polled.
        Some(libc::PROC_SUPER_MAGIC) => {
            if poll_now(fd, libc::POLLIN) != 0 {
                return Pass(Reason::NonBlocking);
            }
            let mut block = Block::new(hub, fd, READ);
            match block.until(libc::POLLIN) {
                Ok(()) | Err(Stop::Cannot) => Done(help(hub, frame, block.fd())),
                Err(Stop::Answer(answer)) => Done(answer),
            }
        }
        Some(libc::TMPFS_MAGIC | libc::SYSFS_MAGIC | libc::CGROUP_SUPER_MAGIC | libc::CGROUP2_SUPER_MAGIC) => {
            Pass(Reason::NonBlocking)
        }
        system => Done(by_helper(hub, frame, system)),
    }
}

/// A helper makes a call on a file of file system `system`: one of the few for disks, unless the file is served by
/// another process or machine, which may wait for us in turn.
fn by_helper(hub: &'static Hub, frame: &Frame, system: Option<libc::__fsword_t>) -> isize {
    const DISKS: [libc::__fsword_t; 9] = [
        libc::EXT4_SUPER_MAGIC, // ext2 and ext3 as well
        libc::XFS_SUPER_MAGIC,
        libc::BTRFS_SUPER_MAGIC,
        libc::F2FS_SUPER_MAGIC,
        libc::REISERFS_SUPER_MAGIC,
        libc::MSDOS_SUPER_MAGIC,
        libc::ISOFS_SUPER_MAGIC,
        libc::TMPFS_MAGIC,
        libc::OVERLAYFS_SUPER_MAGIC,
    ];
    if system.is_some_and(|system| DISKS.contains(&system)) {
        offload::disk(hub, frame.number as i64, frame.args())
    } else {
        help(hub, frame, frame.rdi as i32)
    }
}

fn file_system(fd: i32) -> Option<libc::__fsword_t> {
    // SAFETY: all-zero is a valid `statfs`.
    let mut answer: libc::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: `answer` is ours.
    let result = unsafe { sys!(libc::SYS_fstatfs, fd, &mut answer as *mut libc::statfs) };
    (result >= 0).then_some(answer.f_type)
}

/// Whether somebody else answers each write: another process, or another machine.
fn is_served(fd: i32) -> bool {
    const FUSE: libc::__fsword_t = 0x6573_5546;
    const CIFS: libc::__fsword_t = 0xff53_4d42;
    const SMB2: libc::__fsword_t = 0xfe53_4d42;
    const PLAN9: libc::__fsword_t = 0x0102_1997;
    const CEPH: libc::__fsword_t = 0x00c3_6400;
    const SERVED: [libc::__fsword_t; 8] =
        [FUSE, libc::NFS_SUPER_MAGIC, libc::SMB_SUPER_MAGIC, CIFS, SMB2, PLAN9, CEPH, libc::AFS_SUPER_MAGIC];
    // A server that does not answer this question is one, too.
    file_system(fd).is_none_or(|system| SERVED.contains(&system))
}

/// Whether a write to the file waits for the disk. Others go to the page cache.
fn is_synchronous(hub: &Hub, fd: i32) -> bool {
    if let Some(known) = hub.reactor.table(hub).known(fd).and_then(|entry| entry.synchronous) {
        return known;
    }
    let flags = status_flags(fd);
    let synchronous = flags >= 0 && flags as i32 & (libc::O_DSYNC | libc::O_DIRECT) != 0 || is_served(fd);
    hub.reactor.table(hub).entry(fd).synchronous = Some(synchronous);
    synchronous
}

/// Writes that go to the page cache are the kernel's.
pub(super) fn write(hub: &'static Hub, frame: &Frame, fd: i32) -> Outcome {
    if is_synchronous(hub, fd) {
        Done(by_helper(hub, frame, file_system(fd)))
    } else {
        never_waits::note(hub, fd, WRITE);
        Pass(Reason::NonBlocking)
    }
}

/// Writes at a position, which only files have. `flags` are those of pwritev2.
pub(super) fn write_at(hub: &'static Hub, frame: &Frame, flags: i32) -> Outcome {
    let fd = frame.rdi as i32;
    match ours(hub, fd) {
        Ok(Kind::File) if flags & libc::RWF_NOWAIT != 0 => Pass(Reason::NonBlocking),
        Ok(Kind::File) if flags & (libc::RWF_DSYNC | libc::RWF_SYNC) != 0 => {
            Done(by_helper(hub, frame, file_system(fd)))
        }
        Ok(Kind::File) => write(hub, frame, fd),
        Ok(_) => Pass(Reason::NonBlocking),
        Err(reason) => Pass(reason),
    }
}

/// Calls that wait for a disk and have no other form.
fn disk(hub: &'static Hub, frame: &Frame) -> Outcome {
    match ours(hub, frame.rdi as i32) {
        Ok(_) => Done(by_helper(hub, frame, file_system(frame.rdi as i32))),
        Err(reason) => Pass(reason),
    }
}

pub fn fsync(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    disk(hub, frame)
}

pub fn fdatasync(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    disk(hub, frame)
}

pub fn sync_file_range(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    disk(hub, frame)
}

pub fn copy_file_range(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if hub.reactor.owns(frame.rdx as i32) {
        return Done(error(libc::EBADF));
    }
    disk(hub, frame)
}

/// Those in memory are done at once.
pub fn fallocate(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    const LITTLE: usize = 1 << 20;
    if frame.r10 <= LITTLE && file_system(frame.rdi as i32) == Some(libc::TMPFS_MAGIC) {
        return Pass(Reason::NonBlocking);
    }
    disk(hub, frame)
}

pub fn syncfs(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    disk(hub, frame)
}

pub fn sync(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    without_descriptor(hub, frame)
}

/// Waits only if it is to.
pub fn msync(hub: &'static Hub, frame: &mut Frame) -> Outcome {
    if frame.rdx as i32 & libc::MS_SYNC == 0 {
        return Pass(Reason::NonBlocking);
    }
    without_descriptor(hub, frame)
}

/// As `disk`, where nothing tells whose file it is.
fn without_descriptor(hub: &'static Hub, frame: &Frame) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    Done(offload::call(hub, frame.number as i64, frame.args()))
}

/// Opening one end of a FIFO waits for the other end.
fn opens_fifo(directory: i32, path: usize, flags: i32) -> bool {
    let never_waits = libc::O_NONBLOCK | libc::O_PATH | libc::O_DIRECTORY | libc::O_EXCL;
    if flags & never_waits != 0 || flags & libc::O_ACCMODE == libc::O_RDWR {
        return false;
    }
    let follow = if flags & libc::O_NOFOLLOW != 0 { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is ours, the path is the program's.
    let result = unsafe { sys!(libc::SYS_newfstatat, directory, path, &mut stat as *mut libc::stat, follow) };
    result >= 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}

/// `number` is openat's or openat2's, whose arguments begin alike.
fn open_in_helper(hub: &'static Hub, number: i64, directory: i32, [path, third, fourth]: [usize; 3]) -> isize {
    let open = |directory: i32| offload::call(hub, number, [directory as usize, path, third, fourth, 0, 0]);
    if directory == libc::AT_FDCWD && fs_attributes::in_use() {
        // The helper may look at the path in another thread's turn.
        return fs_attributes::with_directory(hub, open);
    }
    open(directory)
}

/// What creat(2) is an open with.
pub(crate) const CREAT: i32 = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

/// open(2) as `openat` has it, with `O_LARGEFILE` or without.
pub fn openat(hub: &'static Hub, directory: i32, path: usize, flags: usize, mode: usize) -> Outcome {
    open_any(hub, libc::SYS_openat, directory, flags as i32, [path, flags, mode])
}

/// `how` and `size` are openat2's, and the flags are in there.
pub fn openat2(hub: &'static Hub, directory: i32, path: usize, flags: i32, how: usize, size: usize) -> Outcome {
    open_any(hub, libc::SYS_openat2, directory, flags, [path, how, size])
}

fn open_any(hub: &'static Hub, number: i64, directory: i32, flags: i32, args: [usize; 3]) -> Outcome {
    if !hub.others_alive() {
        return Pass(Reason::NoOtherGreenThread);
    }
    if !opens_fifo(directory, args[0], flags) {
        return Pass(Reason::NotOurs);
    }
    Done(open_in_helper(hub, number, directory, args))
}
