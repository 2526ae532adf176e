//! What a process is, and what it leaves to the programs that it executes.

use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr;
use core::slice;

const LIBRARY: &[u8] = b"libgreenpatch.so";

/// Whether the program is a Go executable, whose scheduler makes its own threads and system calls: its build id is a
/// note of the owner "Go".
pub fn is_go() -> bool {
    // SAFETY: asks the auxiliary vector, which points to the program's own headers.
    let (headers, count) = unsafe { (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM)) };
    if headers == 0 {
        return false;
    }
    // SAFETY: as above; the kernel has mapped them.
    let headers = unsafe { slice::from_raw_parts(headers as *const libc::Elf64_Phdr, count as usize) };
    let Some(own) = headers.iter().find(|header| header.p_type == libc::PT_PHDR) else { return false };
    let base = (headers.as_ptr() as usize).wrapping_sub(own.p_vaddr as usize);
    // SAFETY: the program is loaded there.
    unsafe { is_made_by_go(base, headers) }
}

/// Whether a library written in Go is loaded.
pub fn has_go_library() -> bool {
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
        // SAFETY: the dynamic linker passes a loaded object, whose program headers are mapped.
        let (base, headers) = unsafe {
            let info = &*info;
            (info.dlpi_addr as usize, slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
        };
        // SAFETY: as above.
        c_int::from(unsafe { is_made_by_go(base, headers) })
    }
    // SAFETY: the callback has the type that is wanted, and takes no data.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::null_mut()) != 0 }
}

/// # Safety
/// The object with these headers is loaded at `base`.
unsafe fn is_made_by_go(base: usize, headers: &[libc::Elf64_Phdr]) -> bool {
    headers.iter().filter(|header| header.p_type == libc::PT_NOTE).any(|note| {
        let address = base.wrapping_add(note.p_vaddr as usize) as *const u8;
        // SAFETY: a loaded segment of the object.
        has_note_of(unsafe { slice::from_raw_parts(address, note.p_memsz as usize) }, b"Go\0\0")
    })
}

fn has_note_of(mut notes: &[u8], owner: &[u8]) -> bool {
    let word = |bytes: &[u8], at: usize| -> Option<usize> {
        Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    while let (Some(name), Some(content)) = (word(notes, 0), word(notes, 4)) {
        if notes.get(12..12 + name) == Some(owner) {
            return true;
        }
        let next = 12 + name.next_multiple_of(4) + content.next_multiple_of(4);
        notes = notes.get(next..).unwrap_or(&[]);
    }
    false
}

/// Takes this library out of LD_PRELOAD, so that executed programs run without it.
///
/// # Safety
/// `environ` is the process's environment, and nobody else uses it now.
pub unsafe fn disinherit(environ: *mut *mut c_char) {
    let mut from = environ;
    let mut to = environ;
    // SAFETY: a null-terminated array of C strings, which only ever get shorter.
    unsafe {
        while !(*from).is_null() {
            let entry = *from;
            from = from.add(1);
            let text = CStr::from_ptr(entry).to_bytes();
            if let Some(list) = text.strip_prefix(b"LD_PRELOAD=") {
                let rest = without_us(list);
                if rest.is_empty() {
                    continue;
                }
                let value = entry.add(b"LD_PRELOAD=".len());
                core::ptr::copy_nonoverlapping(rest.as_ptr().cast(), value, rest.len());
                *value.add(rest.len()) = 0;
            }
            *to = entry;
            to = to.add(1);
        }
        *to = core::ptr::null_mut();
    }
}

fn without_us(list: &[u8]) -> Vec<u8> {
    let names = list.split(|&byte| byte == b':' || byte == b' ');
    let others: Vec<_> = names.filter(|name| !name.is_empty() && !name.ends_with(LIBRARY)).collect();
    others.join(&b':')
}
