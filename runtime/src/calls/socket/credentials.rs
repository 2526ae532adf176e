//! Messages with credentials (SCM_CREDENTIALS) that name a green thread: the kernel does not know its id, so the process's
//! goes in its place.

use crate::hub::Hub;
use crate::user;
use core::sync::atomic::Ordering::Relaxed;

/// Control data longer than this the kernel refuses, with default settings.
const MOST: usize = 1 << 17;
const HEADER: usize = size_of::<libc::cmsghdr>();

/// A copy of a message, with control data of its own.
pub(super) struct Message {
    header: libc::msghdr,
    _control: Vec<u64>,
}

impl Message {
    pub fn address(&self) -> usize {
        core::ptr::from_ref(&self.header) as usize
    }
}

/// Where the credentials of some control data have their id, as a place among words of four bytes.
fn place_of_id(control: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    while control.len() >= at.saturating_add(HEADER) {
        let word = |offset: usize| i32::from_ne_bytes(control[at + offset..][..4].try_into().unwrap_or_default());
        let length = usize::from_ne_bytes(control[at..][..8].try_into().unwrap_or_default());
        if length < HEADER {
            return None;
        }
        if (word(8), word(12)) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
            let whole = length >= HEADER + size_of::<libc::ucred>() && at + HEADER + 4 <= control.len();
            return whole.then_some((at + HEADER) / 4);
        }
        at = at.saturating_add(length.saturating_add(7) & !7);
    }
    None
}

/// What is to be sent in the place of `message`, if it names a green thread.
pub(super) fn of_process(hub: &Hub, message: usize) -> Option<Box<Message>> {
    let mut header: libc::msghdr = user::read(message).ok()?;
    let length = header.msg_controllen;
    if !(HEADER..=MOST).contains(&length) {
        return None;
    }
    let words = (0..length.div_ceil(8)).map(|at| match length - at * 8 {
        rest @ 0..8 => {
            let mut last = [0u8; 8];
            let from = header.msg_control as usize + at * 8;
            (0..rest).for_each(|byte| last[byte] = user::read(from + byte).unwrap_or(0));
            Ok(u64::from_ne_bytes(last))
        }
        _ => user::read::<u64>(header.msg_control as usize + at * 8),
    });
    let mut control = words.collect::<Result<Vec<u64>, _>>().ok()?;
    // SAFETY: the same memory as bytes, of which there are at least as many.
    let bytes = unsafe { core::slice::from_raw_parts(control.as_ptr().cast::<u8>(), length) };
    let place = place_of_id(bytes)?;
    // SAFETY: as above; the place lies in it.
    let id = unsafe { &mut *control.as_mut_ptr().cast::<i32>().add(place) };
    let process = hub.pid.load(Relaxed);
    if *id == process || hub.by_tid(*id).is_none() {
        return None;
    }
    *id = process;
    header.msg_control = control.as_mut_ptr().cast();
    Some(Box::new(Message { header, _control: control }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn credentials_are_found_behind_others() {
        let credentials = part(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &[7; 12]);
        let mut control = part(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[1, 0, 0, 0]);
        assert_eq!(place_of_id(&control), None);
        control.extend(&credentials);
        assert_eq!(place_of_id(&control), Some((24 + HEADER) / 4));
        assert_eq!(place_of_id(&credentials[..18]), None);
        assert_eq!(place_of_id(&[0; 64]), None);
    }
}
