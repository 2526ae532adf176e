//! Windows and stubs on hand-made code, run for real; and what is found in this process's libc.

use std::arch::global_asm;
use std::cell::OnceCell;
use std::ops::Range;

use super::find::{self, Window, JUMP};
use super::install::{clone_sites, seen, Plans};
use super::memory::{self, Area, PAGE};
use super::objects::{self, Kind, Object, Segment};
use super::targets::{scan_wide, Entries, Sensitive};
use super::{bytes, in_stub, site_at, stub, stub_address, Report, Site};

global_asm!(
    ".pushsection .text",
    ".globl greenpatch_test_sites_entry",
    ".hidden greenpatch_test_sites_entry",
    "greenpatch_test_sites_entry:",
    "jmp [rcx]",
    ".globl greenpatch_test_sites_answer",
    ".hidden greenpatch_test_sites_answer",
    "greenpatch_test_sites_answer:",
    "mov eax, 4711",
    "jmp [rcx + 8]",
    // getpid, with labels around the instruction and branches to both.
    ".p2align 4",
    ".globl greenpatch_test_sites_between_labels",
    ".hidden greenpatch_test_sites_between_labels",
    "greenpatch_test_sites_between_labels:",
    ".cfi_startproc",
    "mov eax, 39",
    "jmp 2f",
    "2: syscall",
    "3: ret",
    "js 2b",
    "js 3b",
    "ret",
    ".cfi_endproc",
    ".p2align 4, 0xcc",
    ".skip 16, 0x90",
    ".popsection",
);

extern "C" {
    fn greenpatch_test_sites_entry();
    fn greenpatch_test_sites_answer();
    fn greenpatch_test_sites_between_labels() -> i64;
}

/// Goes on at `site.pass`.
fn passing() -> usize {
    greenpatch_test_sites_entry as *const () as usize
}

/// Goes on at `site.resume` with the result 4711.
fn answering() -> usize {
    greenpatch_test_sites_answer as *const () as usize
}

const RET: u8 = 0xc3;
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const MOV_GETPID: [u8; 5] = [0xb8, 39, 0, 0, 0];
/// cmp $-4096,%rax
const CMP: [u8; 6] = [0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff];

/// A page of code that looks like a loaded object.
struct Code {
    object: Object,
    start: usize,
}

impl Code {
    fn new(parts: &[&[u8]]) -> Self {
        let near = objects::loaded()[0].span.clone();
        let mut area = Area::near(&near, PAGE).expect("a page");
        area.write(0, &parts.concat());
        let range = area.range();
        area.seal().expect("executable memory");
        let protection = (libc::PROT_READ | libc::PROT_EXEC) as usize;
        let segment = Segment { range: range.clone(), readable: true, executable: true, protection };
        let object = Object {
            name: "code".into(),
            kind: Kind::Other,
            segments: vec![segment],
            span: range.clone(),
            unwind_header: None,
            fdes: OnceCell::new(),
            fingerprint: 0,
        };
        Self { object, start: range.start }
    }

    fn window(&self) -> Result<Window, &'static str> {
        let found = find::windows(&self.object, |_| false);
        match found.windows.as_slice() {
            [window] => Ok(window.clone()),
            _ => Err(found.skipped[0].1),
        }
    }

    /// The window's range relative to the code.
    fn range(&self) -> Range<usize> {
        let range = self.window().expect("a window").range;
        range.start - self.start..range.end - self.start
    }

    fn redirect(&self, entry: usize) -> Report {
        let _installing = seen();
        let mut plans = Plans::new(super::Entries { libc: entry, wide: entry });
        plans.add(&self.object, &[self.window().expect("a window")]).expect("room");
        // SAFETY: nobody runs this code yet.
        let (report, tables) = unsafe { plans.commit(memory::replace) }.expect("permission");
        assert_eq!(tables.len(), 1);
        report
    }

    fn run(&self) -> i64 {
        // SAFETY: the tests write functions that keep to the calling convention.
        let function: extern "C" fn() -> i64 = unsafe { std::mem::transmute(self.start) };
        function()
    }

    /// Runs natively, redirected and passed on, and redirected and answered.
    fn check(parts: &[&[u8]], expected: i64) {
        assert_eq!(Self::new(parts).run(), expected);
        let passed = Self::new(parts);
        assert_eq!(passed.redirect(passing()).redirected, 1);
        assert_eq!(passed.run(), expected);
        let answered = Self::new(parts);
        answered.redirect(answering());
        assert_eq!(answered.run(), 4711);
    }
}

fn pid() -> i64 {
    std::process::id().into()
}

#[test]
fn five_bytes_before_keep_the_syscall() {
    let parts: &[&[u8]] = &[&MOV_GETPID, &SYSCALL, &[RET]];
    let window = Code::new(parts).window().expect("a window");
    assert!(window.keeps_syscall());
    assert_eq!(window.range.len(), JUMP);
    assert_eq!(window.number, Some(libc::SYS_getpid));
    Code::check(parts, pid());
}

#[test]
fn short_code_before_takes_the_next_along() {
    // xor %eax,%eax; jmp .; mov $39,%al; syscall; cmp
    let parts: &[&[u8]] = &[&[0x31, 0xc0, 0xeb, 0x00, 0xb0, 39], &SYSCALL, &CMP, &[RET]];
    assert_eq!(Code::new(parts).range(), 4..14);
    Code::check(parts, pid());
}

#[test]
fn three_bytes_before_need_nothing_behind() {
    // mov $39,%r8d; jmp .; mov %r8d,%eax
    let before: &[u8] = &[0x41, 0xb8, 39, 0, 0, 0, 0xeb, 0x00, 0x44, 0x89, 0xc0];
    let parts: &[&[u8]] = &[before, &SYSCALL, &CMP, &[RET]];
    assert_eq!(Code::new(parts).range(), 8..13);
    Code::check(parts, pid());
}

#[test]
fn a_branch_to_the_syscall_moves_the_window_behind_it() {
    // mov $39,%eax; syscall; js back to the syscall; ret
    let parts: &[&[u8]] = &[&MOV_GETPID, &SYSCALL, &[0x78, 0xfc], &[RET]];
    assert_eq!(Code::new(parts).range(), 5..10);
    Code::check(parts, pid());
}

#[test]
fn branches_on_both_sides_leave_no_window() {
    // The ret behind the call is jumped to as well.
    let parts: &[&[u8]] = &[&MOV_GETPID, &SYSCALL, &[RET, 0x78, 0xfb, 0x78, 0xfb, RET]];
    let reason = Code::new(parts).window().expect_err("no window");
    assert_eq!(reason, "branches lead into the instructions around it");
}

#[test]
fn a_stone_behind_the_function_takes_the_jump() {
    let function = greenpatch_test_sites_between_labels as *const () as usize;
    let syscall = function + 7;
    let objects = objects::loaded();
    let own = objects.iter().find(|object| object.kind == Kind::Own).expect("this program");
    let mut windows = find::windows(own, |_| false).windows;
    windows.retain(|window| window.syscall == syscall);
    assert_eq!(windows[0].range, syscall..syscall + 2);
    let stone = windows[0].stone.expect("a stone");
    assert_eq!(stone, function + 15);
    let _installing = seen();
    let mut plans = Plans::new(super::Entries { libc: answering(), wide: answering() });
    plans.add(own, &windows).expect("room");
    // SAFETY: nobody else runs this function.
    unsafe { plans.commit(memory::replace) }.expect("permission");
    // SAFETY: as declared.
    assert_eq!(unsafe { greenpatch_test_sites_between_labels() }, 4711);
    let (site, original) = in_stub(stone).expect("a stone");
    assert_eq!((site.syscall, original), (syscall, syscall));
    assert_eq!(in_stub(site.resume).map(|(_, original)| original), Some(syscall + 2));
    assert_eq!(stub_address(syscall), Some(site.redo));
}

#[test]
fn a_jump_table_counts_as_branches() {
    // lea table(%rip),%rdx; mov $39,%eax; syscall; cmp; ret, and a table in another segment.
    let lea = [0x48, 0x8d, 0x15, 0xf9, 0x0f, 0x00, 0x00];
    let mut code = Code::new(&[&lea, &MOV_GETPID, &SYSCALL, &CMP, &[RET]]);
    assert_eq!(code.range(), 7..12);
    let syscall = code.window().expect("a window").syscall;
    let page = code.start + PAGE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping that replaces nothing.
    let table = unsafe { libc::mmap(page as *mut _, PAGE, protection, flags, -1, 0) };
    if table as usize != page {
        return; // something else is there
    }
    // SAFETY: the page just mapped.
    unsafe { table.cast::<i32>().write((syscall as isize - page as isize) as i32) };
    code.object.segments.push(Segment {
        range: page..page + PAGE,
        readable: true,
        executable: false,
        protection: protection as usize,
    });
    assert_eq!(code.range(), 12..20);
}

#[test]
fn calls_far_from_any_known_function_are_found() {
    // push %rbx; test %eax,%eax; mov $0x050f,%ebx; pop %rbx, over and over
    let other: &[u8] = &[0x53, 0x85, 0xc0, 0xbb, 0x0f, 0x05, 0, 0, 0x5b];
    let code = Code::new(&[&other.repeat(200), &MOV_GETPID, &SYSCALL, &[RET]]);
    assert_eq!(code.range(), 1800..1805);
    // Those that decoding comes upon among constants stay as they are.
    let constants = Code::new(&[&other.repeat(200), &[RET, 0x01, 0x02], &SYSCALL, &[0x01, 0x02, RET]]);
    assert_eq!(constants.window().expect_err("no window"), "these bytes may be constants");
}

#[test]
fn operands_relative_to_the_instruction_follow() {
    // mov 9(%rip),%eax; syscall; cmp; ret; .long 39
    let load: &[u8] = &[0x8b, 0x05, 9, 0, 0, 0];
    Code::check(&[load, &SYSCALL, &CMP, &[RET], &39u32.to_le_bytes()], pid());
}

#[test]
fn branches_behind_the_call_are_encoded_anew() {
    // mov $39,%eax; jmp .; syscall; js over; ret; over: ret
    let parts: &[&[u8]] = &[&MOV_GETPID, &[0xeb, 0x00], &SYSCALL, &[0x78, 0x01, RET, RET]];
    assert_eq!(Code::new(parts).range(), 7..12);
    Code::check(parts, pid());
}

#[test]
fn some_calls_are_never_redirected() {
    let vfork: &[u8] = &[0xb8, 58, 0, 0, 0];
    let by_register: &[u8] = &[0xba, 58, 0, 0, 0, 0x89, 0xd0];
    let restorer: &[u8] = &[0x00, 0x48, 0xc7, 0xc0, 15, 0, 0, 0];
    for before in [vfork, by_register, restorer] {
        let reason = Code::new(&[before, &SYSCALL, &[RET]]).window().expect_err("no window");
        assert!(reason.starts_with("never"), "{reason}");
    }
}

#[test]
fn bytes_inside_another_instruction_are_no_site() {
    // mov $0x050f,%eax
    let code = Code::new(&[&[0xb8, 0x0f, 0x05, 0, 0], &[RET]]);
    let found = find::windows(&code.object, |_| false);
    assert!(found.windows.is_empty() && found.skipped.is_empty());
}

#[test]
fn addresses_map_both_ways() {
    // xor %edx,%edx; xor %esi,%esi; mov %r8d,%eax in front, so the window has three instructions.
    let before: &[u8] = &[0x31, 0xd2, 0x31, 0xf6, 0x44, 0x89, 0xc0];
    let code = Code::new(&[before, &SYSCALL, &CMP, &[RET]]);
    code.redirect(passing());
    let start = code.start;
    let site = *site_at(start + 7).expect("a site");
    assert_eq!((site.pass, site.resume), (start + 7, start + 9));
    assert_eq!(site.flags, Site::WIDE_STATE);
    assert!(site_at(start + 2).is_none() && site_at(start + 9).is_none());
    assert!(in_stub(start + 7).is_none());
    for original in [2, 4] {
        let rip = stub_address(start + original).expect("in the window");
        assert_eq!(in_stub(rip).map(|(_, original)| original), Some(start + original));
    }
    assert_eq!(stub_address(start + 7), Some(site.redo));
    assert_eq!(stub_address(start + 3), None);
    for rip in [site.redo, site.redo + 10] {
        let (found, original) = in_stub(rip).expect("a stub");
        assert_eq!((found.syscall, original), (start + 7, start + 7));
    }
}

#[test]
fn addresses_map_behind_a_moved_syscall() {
    let code = Code::new(&[&[0x31, 0xc0], &SYSCALL, &CMP, &[RET]]);
    code.redirect(answering());
    let start = code.start;
    let site = site_at(start + 2).expect("a site");
    let original = |rip| in_stub(rip).map(|(_, original)| original - start);
    assert_eq!(original(site.pass), Some(2));
    assert_eq!(original(site.resume), Some(4));
    assert_eq!(original(site.resume + CMP.len()), Some(10));
    assert_eq!(stub_address(start + 4), Some(site.resume));
}

#[test]
fn jumps_are_written_whole_at_every_alignment() {
    let mut page = vec![0u8; 256];
    for shift in 0..64 {
        page.fill(0x11);
        let start = page.as_ptr() as usize + 64 + shift;
        let jump = stub::jump(start, start + 1000).expect("near");
        // SAFETY: inside the vector.
        unsafe { memory::replace_while_running(&(start..start + 9), jump) };
        assert_eq!(&page[64 + shift..][..JUMP], &jump);
        assert_eq!(page.iter().filter(|byte| **byte == 0x11).count(), 256 - JUMP);
    }
}

#[test]
fn byte_pairs_are_found_at_every_offset() {
    for len in 2..50 {
        for at in 0..len - 1 {
            let mut text = vec![0x05; len];
            text[at] = 0x0f;
            assert_eq!(bytes::syscalls(&text), [at]);
        }
    }
    assert!(bytes::syscalls(&[0x0f]).is_empty() && bytes::syscalls(&[]).is_empty());
}

fn this_libc() -> Object {
    let mut objects = objects::loaded();
    let at = objects.iter().position(|object| object.kind == Kind::Libc).expect("libc");
    objects.swap_remove(at)
}

#[test]
fn unwind_data_tells_where_functions_begin() {
    let libc = this_libc();
    let getppid = libc::getppid as *const () as usize;
    let fdes = libc.fdes().expect("unwind data");
    let function = fdes.function(&libc, getppid + 3).expect("a function");
    assert_eq!(function.range.start, getppid);
    assert!(fdes.function(&libc, getppid - 1).is_none_or(|before| before.range.end <= getppid));
}

#[test]
fn no_branch_is_overlooked() {
    let libc = this_libc();
    let span = libc.text_span();
    let windows = find::windows(&libc, |_| false).windows;
    let mut inside: Vec<usize> = windows.iter().flat_map(|window| window.range.start..window.syscall + 8).collect();
    inside.sort_unstable();
    let sensitive = Sensitive::new(inside);
    for segment in libc.text() {
        let (start, text) = (segment.range.start, libc.bytes(segment.range.start, segment.range.len()).expect("text"));
        let (mut suspects, mut tables) = (Vec::new(), Vec::new());
        scan_wide(&libc, text, start, &sensitive, &mut suspects, |some| tables.append(some));
        let (mut expected, mut leas) = (Vec::new(), Vec::new());
        for at in 0..text.len() - 1 {
            let len = match text[at..] {
                [0xe8 | 0xe9, ..] => 5,
                [0x0f, 0x80..=0x8f, ..] | [0xc7, 0xf8, ..] => 6,
                [0x8d, modrm, ..] if modrm & 0xc7 == 5 => 6,
                _ => continue,
            };
            let Some(field) = text.get(at + len - 4..at + len) else { continue };
            let offset = i32::from_le_bytes(field.try_into().expect("four bytes")) as isize;
            let target = (start + at + len).wrapping_add_signed(offset);
            if sensitive.contains(target) {
                expected.push((start + at + len - 5, target));
            }
            if text[at] == 0x8d && !span.contains(&target) {
                leas.push(target);
            }
        }
        assert!(expected.len() > 100 && leas.len() > 1000, "{} {}", expected.len(), leas.len());
        assert_eq!(suspects, expected);
        let tables: Vec<_> = tables.into_iter().filter(|(_, entries)| *entries == Entries::Any).collect();
        assert_eq!(tables.into_iter().map(|(table, _)| table).collect::<Vec<_>>(), leas);
    }
}

#[test]
fn all_of_libc_can_be_redirected() {
    let libc = this_libc();
    let clone = clone_sites(&libc);
    assert!(!clone.is_empty());
    let found = find::windows(&libc, |_| false);
    for window in found.windows.iter().filter(|window| clone.contains(&window.syscall)) {
        let plain = find::plain_window(&libc, window.syscall).expect("a window");
        let lengths = |w: &Window| (w.before[0], w.before.len());
        assert_eq!(lengths(&plain), lengths(window));
        assert_eq!((plain.range, plain.number), (window.range.clone(), window.number));
    }
    assert!(found.windows.len() > 300, "{}", found.windows.len());
    let others: Vec<_> = found.skipped.iter().filter(|(_, why)| !why.starts_with("never")).collect();
    assert!(others.len() < 5, "{others:x?}");
    for number in [libc::SYS_read, libc::SYS_write, libc::SYS_futex, libc::SYS_poll] {
        assert!(found.windows.iter().any(|window| window.number == Some(number)), "{number}");
    }
}
