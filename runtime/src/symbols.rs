//! Names for addresses of code: which object, which function. For reports, so speed does not matter, but nothing may
//! hang: no lock of the dynamic linker is taken, nothing of libc is called. The kernel lists the mappings in
//! /proc/self/maps, and the objects' own symbol tables have the names. Where /proc is missing there are no names.

use crate::sys;
use core::fmt::Write;
use core::ops::Range;

/// One executable mapping of a file.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    addresses: Range<usize>,
    file_offset: usize,
    path: String,
}

/// See the module.
pub struct Symbols {
    mappings: Vec<Mapping>,
    /// Objects that were asked for, by path.
    objects: Vec<(String, Option<File>)>,
    /// Answers that were given: many threads stand at few places.
    known: Vec<(usize, String)>,
}

impl Symbols {
    /// The mappings as they are now.
    pub fn load() -> Symbols {
        let maps = read_file(c"/proc/self/maps").unwrap_or_default();
        let mappings = String::from_utf8_lossy(&maps).lines().filter_map(parse_mapping).collect();
        Symbols { mappings, objects: Vec::new(), known: Vec::new() }
    }

    fn mapping(&self, address: usize) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.addresses.contains(&address))
    }

    /// Whether `address` is in code of the program or of a library of its, not of the system's lowest ones nor ours.
    pub fn is_program(&self, address: usize) -> bool {
        self.mapping(address).is_some_and(|mapping| !is_system(&mapping.path))
    }

    /// `function+0x12 (0x401234, /path/of/object)` for a return address, as far as it is known.
    pub fn describe(&mut self, address: usize) -> String {
        if let Some((_, known)) = self.known.iter().find(|known| known.0 == address) {
            return known.clone();
        }
        let text = self.look_up(address);
        self.known.push((address, text.clone()));
        text
    }

    fn look_up(&mut self, address: usize) -> String {
        let Some(mapping) = self.mapping(address) else { return format!("{address:#x}") };
        let path = mapping.path.clone();
        // A return address may be the first one of the next function.
        let offset = address - 1 - mapping.addresses.start + mapping.file_offset;
        if !self.objects.iter().any(|object| object.0 == path) {
            self.objects.push((path.clone(), File::map(&path)));
        }
        let object = self.objects.iter().find(|object| object.0 == path).and_then(|object| object.1.as_ref());
        let mut text = String::new();
        if let Some((name, inside)) = object.and_then(|object| Elf(object.bytes()).function_at(offset as u64)) {
            let _ = write!(text, "{}+{:#x} ", String::from_utf8_lossy(name), inside + 1);
        }
        let _ = write!(text, "({address:#x}, {path}");
        if text.starts_with('(') {
            let _ = write!(text, "+{:#x}", offset + 1);
        }
        text.push(')');
        text
    }
}

/// libc, the dynamic linker and their kin, in which a wait ends but which nobody wants to be told of; and ourselves.
fn is_system(path: &str) -> bool {
    const PREFIXES: [&str; 8] =
        ["libc.so", "libc-2.", "ld-linux", "ld-2.", "ld.so", "libpthread", "libthr", "libgreenpatch"];
    let name = path.rsplit('/').next().unwrap_or(path);
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A line of /proc/self/maps, if it is code of a file.
fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let file_offset = usize::from_str_radix(fields.next()?, 16).ok()?;
    let path = fields.nth(2)?.trim_start();
    if rights.as_bytes().get(2) != Some(&b'x') || !path.starts_with('/') {
        return None;
    }
    let hex = |text| usize::from_str_radix(text, 16).ok();
    Some(Mapping { addresses: hex(start)?..hex(end)?, file_offset, path: path.to_owned() })
}

/// Whether the eight bytes before a return address can end with a call. A conservative look at a stack takes old data
/// for return addresses otherwise.
pub fn ends_with_call(code: &[u8; 8]) -> bool {
    if code[3] == 0xe8 {
        return true;
    }
    // ff /2: the register or memory operand decides how long the instruction is.
    (2..=7).any(|length| {
        let at = 8 - length;
        if code[at] != 0xff || (code[at + 1] >> 3) & 7 != 2 {
            return false;
        }
        let (mode, operand) = (code[at + 1] >> 6, code[at + 1] & 7);
        let with_index = mode != 3 && operand == 4;
        let displacement = match mode {
            0 if operand == 5 => 4,
            0 if with_index && length > 3 && code[at + 2] & 7 == 5 => 4,
            1 => 1,
            2 => 4,
            _ => 0,
        };
        length == 2 + usize::from(with_index) + displacement
    })
}

/// Reads a whole file of unknown size.
fn read_file(path: &core::ffi::CStr) -> Option<Vec<u8>> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: opens a descriptor of our own.
    let fd = unsafe { sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) } as i32;
    if fd < 0 {
        return None;
    }
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(64 * 1024);
        let room = bytes.spare_capacity_mut();
        // SAFETY: reads into memory of ours.
        let n = unsafe { sys!(libc::SYS_read, fd, room.as_mut_ptr(), room.len()) };
        if n <= 0 {
            break;
        }
        // SAFETY: the kernel wrote `n` bytes.
        unsafe { bytes.set_len(bytes.len() + n as usize) };
    }
    sys::close(fd);
    Some(bytes)
}

/// A file mapped for reading.
struct File {
    address: *const u8,
    bytes: usize,
}

impl File {
    fn map(path: &str) -> Option<File> {
        let path = std::ffi::CString::new(path).ok()?;
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: all-zero is a valid `stat`.
        let mut stat: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: opens, maps and closes what is ours.
        unsafe {
            let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) as i32;
            if fd < 0 {
                return None;
            }
            let known = sys!(libc::SYS_fstat, fd, &mut stat as *mut _) == 0;
            let bytes = stat.st_size as usize;
            let address = match known && bytes > 0 && stat.st_mode & libc::S_IFMT == libc::S_IFREG {
                true => sys!(libc::SYS_mmap, 0, bytes, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0),
                false => -1,
            };
            sys::close(fd);
            (!(-4095..0).contains(&address)).then_some(File { address: address as *const u8, bytes })
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as `self`. Objects that are loaded are replaced, not changed in place.
        unsafe { core::slice::from_raw_parts(self.address, self.bytes) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: our own mapping.
        unsafe { sys!(libc::SYS_munmap, self.address, self.bytes) };
    }
}

/// A 64-bit little-endian ELF file. Whatever is wrong with it means that nothing is found.
struct Elf<'a>(&'a [u8]);

/// A section, or a symbol table's string table.
struct Section {
    kind: u32,
    link: usize,
    bytes: Range<usize>,
}

impl<'a> Elf<'a> {
    fn number<const N: usize>(&self, at: usize) -> Option<u64> {
        let mut value = [0; 8];
        value[..N].copy_from_slice(self.0.get(at..at.checked_add(N)?)?);
        Some(u64::from_le_bytes(value))
    }

    /// The name of the function that holds the byte at `offset` of the file, and how far inside it is.
    fn function_at(&self, offset: u64) -> Option<(&'a [u8], u64)> {
        if self.0.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let address = self.address_of(offset)?;
        let sections = self.sections()?;
        let mut best: Option<Symbol> = None;
        for table in sections.iter().filter(|section| matches!(section.kind, SHT_SYMTAB | SHT_DYNSYM)) {
            let Some(names) = sections.get(table.link) else { continue };
            for at in table.bytes.clone().step_by(SYMBOL) {
                let Some(symbol) = self.symbol(at, names) else { continue };
                if symbol.holds(address) && best.as_ref().is_none_or(|best| symbol.is_better(best)) {
                    best = Some(symbol);
                }
            }
        }
        best.map(|symbol| (symbol.name, address - symbol.value))
    }

    /// Where the program headers load the byte at `offset`.
    fn address_of(&self, offset: u64) -> Option<u64> {
        const PT_LOAD: u64 = 1;
        let (first, size, count) =
            (self.number::<8>(32)? as usize, self.number::<2>(54)? as usize, self.number::<2>(56)?);
        (0..count as usize).find_map(|i| {
            let at = first.checked_add(i * size)?;
            let (start, address) = (self.number::<8>(at + 8)?, self.number::<8>(at + 16)?);
            let inside = offset.checked_sub(start)?;
            (self.number::<4>(at)? == PT_LOAD && inside < self.number::<8>(at + 32)?)
                .then(|| address.wrapping_add(inside))
        })
    }

    fn sections(&self) -> Option<Vec<Section>> {
        let (first, size) = (self.number::<8>(40)? as usize, self.number::<2>(58)? as usize);
        if first == 0 || first >= self.0.len() {
            return None;
        }
        let count = match self.number::<2>(60)? {
            // More than fit the header: the first section's size says how many.
            0 => self.number::<8>(first.checked_add(32)?)?,
            count => count,
        };
        (0..(count as usize).min(self.0.len()))
            .map(|i| {
                let at = first.checked_add(i.checked_mul(size)?)?;
                let (offset, bytes) = (self.number::<8>(at + 24)? as usize, self.number::<8>(at + 32)? as usize);
                Some(Section {
                    kind: self.number::<4>(at + 4)? as u32,
                    link: self.number::<4>(at + 40)? as usize,
                    bytes: offset..offset.checked_add(bytes)?,
                })
            })
            .collect()
    }

    fn symbol(&self, at: usize, names: &Section) -> Option<Symbol<'a>> {
        const STT_FUNC: u64 = 2;
        const STT_GNU_IFUNC: u64 = 10;
        let (kind, section) = (self.number::<1>(at + 4)? & 15, self.number::<2>(at + 6)?);
        if section == 0 || !matches!(kind, STT_FUNC | STT_GNU_IFUNC) {
            return None;
        }
        let name = self.0.get(names.bytes.clone())?.get(self.number::<4>(at)? as usize..)?;
        let end = name.iter().position(|&byte| byte == 0)?;
        Some(Symbol { name: &name[..end], value: self.number::<8>(at + 8)?, size: self.number::<8>(at + 16)? })
    }
}

const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
/// Bytes of an entry of a symbol table.
const SYMBOL: usize = 24;

struct Symbol<'a> {
    name: &'a [u8],
    value: u64,
    size: u64,
}

impl Symbol<'_> {
    fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.value).is_some_and(|inside| inside < self.size)
    }

    /// The innermost one, and of one function's names the plainest.
    fn is_better(&self, other: &Symbol) -> bool {
        (self.value, other.name.len()) > (other.value, self.name.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings() {
        let line = "7f0010-7f0020 r-xp 00026000 fe:01 1234                       /usr/lib/a b.so";
        let mapping = Mapping { addresses: 0x7f0010..0x7f0020, file_offset: 0x26000, path: "/usr/lib/a b.so".into() };
        assert_eq!(parse_mapping(line), Some(mapping));
        assert_eq!(parse_mapping("7f0010-7f0020 rw-p 00026000 fe:01 1234    /usr/lib/a.so"), None);
        assert_eq!(parse_mapping("7f0010-7f0020 r-xp 00000000 00:00 0                  [vdso]"), None);
        assert_eq!(parse_mapping("7f0010-7f0020 r-xp 00000000 00:00 0 "), None);
        assert_eq!(parse_mapping(""), None);
    }

    #[test]
    fn system_objects() {
        assert!(is_system("/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(is_system("/lib64/ld-linux-x86-64.so.2"));
        assert!(is_system("/x/libgreenpatch.so"));
        assert!(!is_system("/lib/x86_64-linux-gnu/libcrypto.so.3"));
        assert!(!is_system("/usr/bin/python3.11"));
    }

    #[test]
    fn calls_before_a_return_address() {
        let ends = |tail: &[u8]| {
            let mut code = [0x90; 8];
            code[8 - tail.len()..].copy_from_slice(tail);
            ends_with_call(&code)
        };
        assert!(ends(&[0xe8, 1, 2, 3, 4]), "call rel32");
        assert!(ends(&[0xff, 0xd0]), "call rax");
        assert!(ends(&[0x41, 0xff, 0xd4]), "call r12");
        assert!(ends(&[0xff, 0x15, 1, 2, 3, 4]), "call [rip+x]");
        assert!(ends(&[0xff, 0x50, 8]), "call [rax+8]");
        assert!(ends(&[0xff, 0x90, 1, 2, 3, 4]), "call [rax+x]");
        assert!(ends(&[0xff, 0x14, 0xc3]), "call [rbx+rax*8]");
        assert!(ends(&[0xff, 0x54, 0x24, 8]), "call [rsp+8]");
        assert!(ends(&[0xff, 0x14, 0xc5, 1, 2, 3, 4]), "call [rax*8+x]");
        assert!(!ends(&[0xff, 0xe0]), "jmp rax");
        assert!(!ends(&[0xc3]));
        assert!(!ends(&[0xe8, 1, 2, 3]));
    }

    #[inline(never)]
    extern "C" fn a_function_to_be_found() -> usize {
        core::hint::black_box(7)
    }

    #[test]
    fn finds_a_function_of_ours_by_its_address() {
        let address = a_function_to_be_found as *const () as usize + 1;
        let mut symbols = Symbols::load();
        assert!(symbols.is_program(address));
        let text = symbols.describe(address);
        assert!(text.contains("a_function_to_be_found") && text.contains("+0x1 "), "{text}");
        assert_eq!(symbols.describe(address), text);
        assert_eq!(symbols.describe(0x10), "0x10");
        a_function_to_be_found();
    }

    #[test]
    fn finds_a_function_of_libc_in_its_dynamic_symbols() {
        let mut symbols = Symbols::load();
        // SAFETY: looks a name up.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pthread_mutex_lock".as_ptr()) } as usize + 1;
        assert!(!symbols.is_program(address));
        let text = symbols.describe(address);
        assert!(text.starts_with("pthread_mutex_lock+0x1 ") && text.contains("libc.so.6"), "{text}");
    }

    #[test]
    fn damaged_files_have_no_names() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        for length in [0, 5, 6, 63, 64, 200] {
            assert!(Elf(&own[..length]).function_at(4096).is_none());
        }
        let mut torn = own[..own.len() / 2].to_vec();
        let _ = Elf(&torn).function_at(4096);
        for at in (0..64).chain(4096..4200) {
            torn[at] = 0xff;
            let _ = Elf(&torn).function_at(4096);
        }
    }
}
