//! The objects that the dynamic linker has loaded, as `dl_iterate_phdr` shows them (no /proc).

use std::cell::OnceCell;
use std::ffi::{c_int, c_void, CStr};
use std::ops::Range;

use super::eh_frame::FdeTable;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This library.
    Own,
    /// The kernel's vdso.
    Vdso,
    /// `libc.so.6`.
    Libc,
    /// Another part of glibc, `libpthread.so.0` before 2.34 among them.
    Glibc,
    /// The program and everything else.
    Other,
}

/// The part of a PT_LOAD segment that comes from the file.
#[derive(Debug, Clone)]
pub struct Segment {
    pub range: Range<usize>,
    pub readable: bool,
    pub executable: bool,
    /// Protection as the program header says, for `mprotect`.
    pub protection: usize,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub name: String,
    pub kind: Kind,
    pub segments: Vec<Segment>,
    /// First and last+1 address, bss included.
    pub span: Range<usize>,
    pub unwind_header: Option<usize>,
    /// Read when it is asked for: at load nobody does, and each object's is a page more to be mapped.
    pub fdes: OnceCell<Option<FdeTable>>,
    /// Tells this object from another one that may be mapped at the same address later.
    pub fingerprint: u64,
}

impl Object {
    pub fn text(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|s| s.executable && s.readable)
    }

    /// Where its functions are, if its unwind data tells.
    pub fn fdes(&self) -> Option<FdeTable> {
        *self.fdes.get_or_init(|| FdeTable::new(self, self.unwind_header?))
    }

    /// The dynamic linker, which makes no threads.
    pub fn is_loader(&self) -> bool {
        self.kind == Kind::Glibc && file_name(&self.name).starts_with("ld")
    }

    /// All executable segments, and what lies between them.
    pub fn text_span(&self) -> Range<usize> {
        let start = self.text().map(|s| s.range.start).min().unwrap_or(0);
        let end = self.text().map(|s| s.range.end).max().unwrap_or(0);
        start..end
    }

    pub fn text_segment(&self, address: usize) -> Option<&Segment> {
        self.text().find(|s| s.range.contains(&address))
    }

    /// The start and the bytes of the readable segment with this address.
    pub fn segment_at(&self, address: usize) -> Option<(usize, &[u8])> {
        let segment = self.segments.iter().find(|s| s.readable && s.range.contains(&address))?;
        Some((segment.range.start, self.bytes(segment.range.start, segment.range.len())?))
    }

    /// The bytes from `address` on, at most `limit` of them and not past the end of its segment.
    pub fn bytes(&self, address: usize, limit: usize) -> Option<&[u8]> {
        let segment = self.segments.iter().find(|s| s.readable && s.range.contains(&address))?;
        let len = limit.min(segment.range.end - address);
        // SAFETY: the dynamic linker has mapped this segment from the file and readable, and the
        // callers of `install_*` promise that nothing is unloaded or patched meanwhile.
        Some(unsafe { std::slice::from_raw_parts(address as *const u8, len) })
    }

    pub fn array<const N: usize>(&self, address: usize) -> Option<[u8; N]> {
        self.bytes(address, N)?.try_into().ok()
    }

    pub fn read_i32(&self, address: usize) -> Option<i32> {
        self.array(address).map(i32::from_le_bytes)
    }

    pub fn read_u32(&self, address: usize) -> Option<u32> {
        self.array(address).map(u32::from_le_bytes)
    }
}

/// All loaded objects.
pub fn loaded() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    // SAFETY: the callback has the type that dl_iterate_phdr wants and uses `objects` only
    // during the call.
    unsafe { libc::dl_iterate_phdr(Some(collect), (&raw mut objects).cast()) };
    objects
}

unsafe extern "C" fn collect(info: *mut libc::dl_phdr_info, _size: usize, objects: *mut c_void) -> c_int {
    // SAFETY: dl_iterate_phdr passes a valid info, whose program headers are mapped.
    let (info, headers) = unsafe {
        let info = &*info;
        let count = usize::from(info.dlpi_phnum);
        (info, std::slice::from_raw_parts(info.dlpi_phdr, count))
    };
    let name = if info.dlpi_name.is_null() {
        String::new()
    } else {
        // SAFETY: a non-null name is a C string of the link map.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy().into_owned()
    };
    // SAFETY: `objects` is the vector that `loaded` passed.
    let objects = unsafe { &mut *objects.cast::<Vec<Object>>() };
    objects.extend(object(name, info.dlpi_addr as usize, headers));
    0
}

fn object(name: String, base: usize, headers: &[libc::Elf64_Phdr]) -> Option<Object> {
    let mut segments = Vec::new();
    let (mut lowest, mut highest) = (usize::MAX, 0);
    let mut unwind_header = None;
    let mut fingerprint = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |value: u64| fingerprint = (fingerprint ^ value).wrapping_mul(0x100_0000_01b3);
    name.bytes().for_each(|b| mix(b.into()));
    for header in headers {
        let start = base.wrapping_add(header.p_vaddr as usize);
        mix(header.p_vaddr ^ header.p_memsz.rotate_left(32) ^ u64::from(header.p_type).rotate_left(56));
        if header.p_type == libc::PT_GNU_EH_FRAME {
            unwind_header = Some(start);
        }
        if header.p_type != libc::PT_LOAD {
            continue;
        }
        let protection = [(libc::PF_R, libc::PROT_READ), (libc::PF_W, libc::PROT_WRITE), (libc::PF_X, libc::PROT_EXEC)]
            .iter()
            .filter(|(flag, _)| header.p_flags & flag != 0)
            .fold(0, |all, (_, protection)| all | *protection as usize);
        segments.push(Segment {
            range: start..start + header.p_filesz as usize,
            readable: header.p_flags & libc::PF_R != 0,
            executable: header.p_flags & libc::PF_X != 0,
            protection,
        });
        lowest = lowest.min(start);
        highest = highest.max(start + header.p_memsz as usize);
    }
    if segments.is_empty() {
        return None;
    }
    let span = lowest..highest;
    let kind = kind(&name, &span);
    Some(Object { name, kind, segments, span, unwind_header, fdes: OnceCell::new(), fingerprint })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn kind(name: &str, span: &Range<usize>) -> Kind {
    // SAFETY: getauxval reads what the kernel gave the process; no preconditions.
    let vdso = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    if span.contains(&(kind as fn(&str, &Range<usize>) -> Kind as usize)) {
        return Kind::Own;
    }
    if vdso != 0 && span.contains(&vdso) {
        return Kind::Vdso;
    }
    let file = file_name(name);
    let is = |stem: &str, soname: &str| {
        file == soname || file.strip_prefix(stem).is_some_and(|rest| rest.starts_with("-2."))
    };
    if is("libc", "libc.so.6") {
        Kind::Libc
    } else if is("libpthread", "libpthread.so.0") || is("librt", "librt.so.1") || is("ld", "ld-linux-x86-64.so.2") {
        Kind::Glibc
    } else {
        Kind::Other
    }
}
