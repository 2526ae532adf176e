//! What a program wants to have filled or written: one buffer or a vector of them, and a copy to cut finished parts
//! from when a call is done in pieces.

use crate::user;
use core::ffi::c_void;
use libc::iovec;

/// The kernel moves no more in one call.
pub(crate) const MOST: usize = 0x7fff_f000;
const MOST_PARTS: usize = 1024;

/// The program's own buffers, not copied.
pub(crate) struct Buffers {
    one: iovec,
    /// Address and count of the program's vector.
    vector: Option<(usize, usize)>,
    total: usize,
}

impl Buffers {
    pub fn one(base: usize, len: usize) -> Self {
        Buffers { one: iovec { iov_base: base as *mut c_void, iov_len: len }, vector: None, total: len.min(MOST) }
    }

    /// `None` where the kernel must say what is wrong, or has nothing to do.
    pub fn vector(address: usize, count: usize) -> Option<Self> {
        let total = total(address, count).filter(|&total| total != 0)?;
        let one = iovec { iov_base: core::ptr::null_mut(), iov_len: 0 };
        Some(Buffers { one, vector: Some((address, count)), total })
    }

    /// The bytes that the kernel would move at most.
    pub fn total(&self) -> usize {
        self.total
    }

    pub fn single(&self) -> Option<(usize, usize)> {
        self.vector.is_none().then_some((self.one.iov_base as usize, self.one.iov_len))
    }

    pub fn pointer(&self) -> usize {
        self.vector.map_or(&self.one as *const iovec as usize, |(address, _)| address)
    }

    /// Fills the buffers from their start. There must be room for all `values`.
    pub fn fill<T: Copy>(&self, values: &[T]) -> Result<(), user::Fault> {
        let Some((address, count)) = self.vector else {
            return user::write_slice(self.one.iov_base as usize, values);
        };
        // SAFETY: plain structures of the kernel's, which have no padding.
        let mut bytes = unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
        for part in user::read_slice::<iovec>(address, count)? {
            let (now, later) = bytes.split_at(bytes.len().min(part.iov_len));
            user::write_slice(part.iov_base as usize, now)?;
            bytes = later;
        }
        Ok(())
    }

    pub fn count(&self) -> usize {
        self.vector.map_or(1, |(_, count)| count)
    }

    /// What is left after the first `done` bytes; `None` if the vector can't be read any more.
    pub fn rest(&self, done: usize) -> Option<Rest> {
        let mut parts = match self.vector {
            None => vec![self.one],
            Some((address, count)) => user::read_slice::<iovec>(address, count).ok()?,
        };
        let mut room = self.total;
        for part in &mut parts {
            part.iov_len = part.iov_len.min(room);
            room -= part.iov_len;
        }
        let mut rest = Rest { parts, first: 0, left: self.total };
        rest.advance(done);
        Some(rest)
    }
}

/// The sum of a vector's lengths as the kernel counts it; `None` if the kernel would refuse the vector, or if it is
/// empty.
pub(crate) fn total(address: usize, count: usize) -> Option<usize> {
    if count == 0 || count > MOST_PARTS {
        return None;
    }
    let mut total = 0usize;
    for index in 0..count {
        let part: iovec = user::read(address.wrapping_add(index * size_of::<iovec>())).ok()?;
        if part.iov_len > isize::MAX as usize {
            return None;
        }
        total = (total + part.iov_len).min(MOST);
    }
    Some(total)
}

/// A copy of the vector, from which finished parts are cut.
pub(crate) struct Rest {
    parts: Vec<iovec>,
    first: usize,
    left: usize,
}

impl Rest {
    pub fn left(&self) -> usize {
        self.left
    }

    pub fn pointer(&self) -> usize {
        self.parts[self.first.min(self.parts.len())..].as_ptr() as usize
    }

    pub fn count(&self) -> usize {
        self.parts.len().saturating_sub(self.first)
    }

    pub fn advance(&mut self, bytes: usize) {
        let mut bytes = bytes.min(self.left);
        self.left -= bytes;
        while let Some(part) = self.parts.get_mut(self.first) {
            if bytes < part.iov_len {
                part.iov_base = part.iov_base.wrapping_byte_add(bytes);
                part.iov_len -= bytes;
                break;
            }
            bytes -= part.iov_len;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(parts: &[(usize, usize)]) -> Vec<iovec> {
        parts.iter().map(|&(base, len)| iovec { iov_base: base as *mut c_void, iov_len: len }).collect()
    }

    fn buffers(parts: &[iovec]) -> Option<Buffers> {
        Buffers::vector(parts.as_ptr() as usize, parts.len())
    }

    fn shown(rest: &Rest) -> Vec<(usize, usize)> {
        rest.parts[rest.first..].iter().map(|part| (part.iov_base as usize, part.iov_len)).collect()
    }

    #[test]
    fn finished_parts_are_cut_off() {
        let parts = vector(&[(100, 10), (200, 0), (300, 5)]);
        let buffers = buffers(&parts).unwrap();
        assert_eq!(buffers.total(), 15);
        let mut rest = buffers.rest(3).unwrap();
        assert_eq!((rest.left(), shown(&rest)), (12, vec![(103, 7), (200, 0), (300, 5)]));
        rest.advance(7);
        assert_eq!((rest.left(), shown(&rest)), (5, vec![(300, 5)]));
        rest.advance(4);
        assert_eq!((rest.left(), rest.count(), shown(&rest)), (1, 1, vec![(304, 1)]));
        rest.advance(1);
        assert_eq!((rest.left(), rest.count()), (0, 0));
    }

    #[test]
    fn no_more_than_the_kernel_moves() {
        let parts = vector(&[(0x1000, MOST - 1), (0x2000, 10), (0x3000, 10)]);
        let buffers = buffers(&parts).unwrap();
        assert_eq!(buffers.total(), MOST);
        let rest = buffers.rest(MOST - 2).unwrap();
        assert_eq!(shown(&rest), vec![(0x1000 + MOST - 2, 1), (0x2000, 1), (0x3000, 0)]);
    }

    #[test]
    fn what_the_kernel_refuses_or_ignores() {
        assert!(Buffers::vector(0x1000, 0).is_none());
        assert!(Buffers::vector(0x1000, MOST_PARTS + 1).is_none());
        assert!(buffers(&vector(&[(1, 0), (2, 0)])).is_none());
        assert!(buffers(&vector(&[(1, 1), (2, usize::MAX)])).is_none());
    }

    #[test]
    fn one_buffer() {
        let one = Buffers::one(1000, 50);
        assert_eq!((one.total(), one.count(), one.single()), (50, 1, Some((1000, 50))));
        assert_eq!(shown(&one.rest(20).unwrap()), vec![(1020, 30)]);
    }
}
