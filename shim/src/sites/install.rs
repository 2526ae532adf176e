//! Redirecting the sites that `find` has found: stubs near the object, then the jumps.
//!
//! Everything that can fail comes before the first byte of text changes.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::bytes;
use super::find::{self, Window, JUMP};
use super::memory::{self, Area};
use super::objects::{self, Kind, Object, Segment};
use super::stone;
use super::stub::{self, Record, INT3, STUB_ALIGN, STUB_LIMIT};
use super::{publish, site_at, Entries, Report, SitesError, Table};

/// `mov $nr,%eax` in front of a `syscall`.
const MOV_CLONE3: [u8; JUMP] = [0xb8, 0xb3, 0x01, 0x00, 0x00];
const MOV_CLONE: [u8; JUMP] = [0xb8, 0x38, 0x00, 0x00, 0x00];
/// `mov $flags,%edi`, and how far before a fork's `syscall` it may be.
const MOV_EDI: u8 = 0xbf;
const FORK_FLAGS: usize = 40;
/// How far from libc's `clone` the calls are looked for first.
const CLONE_NEAR: usize = 8192;

/// An object that has been looked at.
pub(super) struct Seen {
    start: usize,
    fingerprint: u64,
    table: Option<&'static Table>,
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// The lock of every installation.
pub(super) fn seen() -> MutexGuard<'static, Vec<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Redirects libc's thread creation (clone3 and clone) to `entry` and looks at nothing else.
///
/// # Safety
/// `entry` is code that follows the protocol of [`super::Site`], for ever. No other thread runs in
/// these functions, no object is unloaded meanwhile.
pub unsafe fn install_clone_site(entry: Entries) -> Result<Report, SitesError> {
    let started = Instant::now();
    let _seen = seen();
    let mut objects = objects::loaded();
    objects.retain(|object| matches!(object.kind, Kind::Libc | Kind::Glibc) && !object.is_loader());
    if !objects.iter().any(|object| object.kind == Kind::Libc) {
        return Err(SitesError::NoLibc);
    }
    let mut plans = Plans::new(entry);
    for object in &objects {
        let sites = clone_sites(object);
        let mut windows: Vec<Window> = sites
            .iter()
            .copied()
            .filter(|site| site_at(*site).is_none())
            .filter_map(|site| find::plain_window(object, site))
            .collect();
        if windows.is_empty() && object.kind == Kind::Libc && sites.is_empty() {
            windows = find::windows(object, |site| site_at(site).is_some()).windows;
            windows.retain(|w| matches!(w.number, Some(libc::SYS_clone | libc::SYS_clone3)));
            if windows.is_empty() {
                plans.release();
                return Err(SitesError::NoCloneSite);
            }
        }
        plans.report.objects += 1;
        plans.add(object, &windows)?;
    }
    // Threads that are made past us are worse than none.
    if !plans.report.skipped.is_empty() {
        plans.release();
        return Err(SitesError::NoCloneSite);
    }
    // SAFETY: the caller's promise.
    unsafe { plans.commit(memory::replace) }.map(|(report, _)| timed(report, started))
}

/// Redirects every site of every loaded object to `entry`.
///
/// # Safety
/// As for [`install_clone_site`]; and no other kernel thread runs the program's code.
pub unsafe fn install_all(entry: Entries) -> Result<Report, SitesError> {
    // SAFETY: the caller's promise.
    unsafe { install(entry, memory::replace) }
}

/// Redirects the sites of objects that have been loaded since, and forgets unloaded ones.
///
/// Other kernel threads may run meanwhile, and even call functions of the new objects. What they
/// must not do is stand between two instructions of a window's first five bytes, or sleep in the
/// kernel in a call of a new object's variant B: that would need a thread started by a constructor
/// of the new object, and not as a green thread.
///
/// # Safety
/// As for [`install_clone_site`], with the restriction above.
pub unsafe fn install_new(entry: Entries) -> Result<Report, SitesError> {
    // SAFETY: the caller's promise.
    unsafe { install(entry, memory::replace_while_running) }
}

/// # Safety
/// As for the caller that chose `replace`.
unsafe fn install(entry: Entries, replace: unsafe fn(&Range<usize>, [u8; JUMP])) -> Result<Report, SitesError> {
    let started = Instant::now();
    let mut seen = seen();
    let mut objects = objects::loaded();
    forget_unloaded(&mut seen, &objects);
    objects.retain(|object| {
        !matches!(object.kind, Kind::Own | Kind::Vdso) && !seen.iter().any(|s| s.start == object.span.start)
    });
    let mut plans = Plans::new(entry);
    for object in &objects {
        let found = find::windows(object, |site| site_at(site).is_some());
        plans.report.objects += 1;
        plans.report.sites += found.skipped.len();
        plans.report.skipped.extend(found.skipped);
        plans.add(object, &found.windows)?;
    }
    // SAFETY: the caller's promise.
    let (report, tables) = unsafe { plans.commit(replace) }?;
    seen.extend(objects.iter().map(|object| Seen {
        start: object.span.start,
        fingerprint: object.fingerprint,
        table: tables.iter().find(|table| table.text == object.text_span()).copied(),
    }));
    Ok(timed(report, started))
}

/// An object is gone when another one is at its address, or the same one freshly loaded.
fn forget_unloaded(seen: &mut Vec<Seen>, objects: &[Object]) {
    seen.retain(|old| {
        let there = objects.iter().any(|o| o.span.start == old.start && o.fingerprint == old.fingerprint);
        let kept = there && old.table.is_none_or(is_in_place);
        if let (false, Some(table)) = (kept, old.table) {
            table.live.store(false, Ordering::Relaxed);
        }
        kept
    });
}

/// Whether a mapped object still has its jumps.
fn is_in_place(table: &Table) -> bool {
    table.records.first().is_none_or(|record| {
        // SAFETY: the object is mapped, so its text can be read.
        let there = unsafe { (record.jump as *const [u8; JUMP]).read_unaligned() };
        stub::jump(record.jump, record.stub.start) == Ok(there)
    })
}

fn timed(mut report: Report, started: Instant) -> Report {
    report.micros = started.elapsed().as_micros() as u64;
    report
}

/// The plain `syscall` instructions with the number of clone3, or of clone if its flags are not
/// those of a fork. Both are usually next to each other, which saves reading all of libc.
pub(super) fn clone_sites(object: &Object) -> Vec<usize> {
    let clone = libc::clone as *const () as usize;
    if let Some(segment) = object.text_segment(clone) {
        let start = clone.saturating_sub(CLONE_NEAR).max(segment.range.start);
        let near = clone_sites_in(object, start, clone + CLONE_NEAR - start);
        if near.len() > 1 {
            return near;
        }
    }
    let all = object.text().map(|segment| &segment.range);
    all.flat_map(|range| clone_sites_in(object, range.start, range.len())).collect()
}

fn clone_sites_in(object: &Object, start: usize, len: usize) -> Vec<usize> {
    let text = object.bytes(start, len).unwrap_or_default();
    let mut sites = bytes::syscalls(text);
    sites.retain(|at| {
        let before = &text[at.saturating_sub(FORK_FLAGS)..*at];
        before.ends_with(&MOV_CLONE3) || before.ends_with(&MOV_CLONE) && !forks(before)
    });
    sites.iter_mut().for_each(|at| *at += start);
    sites
}

fn forks(before: &[u8]) -> bool {
    before.windows(JUMP).any(|code| {
        let flags = i32::from_le_bytes([code[1], code[2], code[3], code[4]]);
        code[0] == MOV_EDI && flags & libc::CLONE_THREAD == 0 && flags & 0xff == libc::SIGCHLD
    })
}

/// One object's stubs, written but not yet reachable.
struct Plan {
    name: String,
    text: Range<usize>,
    segments: Vec<Segment>,
    area: Area,
    records: &'static [Record],
}

pub(super) struct Plans {
    entry: Entries,
    plans: Vec<Plan>,
    report: Report,
}

impl Plans {
    pub(super) fn new(entry: Entries) -> Self {
        Self { entry, plans: Vec::new(), report: Report::default() }
    }

    /// Writes the stubs of one object's windows (sorted by address).
    pub(super) fn add(&mut self, object: &Object, windows: &[Window]) -> Result<(), SitesError> {
        if windows.is_empty() {
            return Ok(());
        }
        let len = STUB_ALIGN + windows.len() * STUB_LIMIT;
        let Some(mut area) = Area::near(&object.span, len) else {
            self.release();
            return Err(SitesError::NoRoom(display_name(object)));
        };
        let entry = match object.kind {
            Kind::Libc | Kind::Glibc => self.entry.libc,
            Kind::Own | Kind::Vdso | Kind::Other => self.entry.wide,
        };
        area.write(0, &entry.to_le_bytes());
        let entry_slot = area.start;
        let mut used = STUB_ALIGN;
        let records = Box::leak(vec![Record::EMPTY; windows.len()].into_boxed_slice());
        let mut count = 0;
        self.report.sites += windows.len();
        for window in windows {
            let address = area.start + used;
            match stub::build(window, object.kind, address, entry_slot, &mut records[count]) {
                Ok(mut code) => {
                    code.resize(code.len().next_multiple_of(STUB_ALIGN), INT3);
                    area.write(used, &code);
                    used += code.len();
                    count += 1;
                }
                Err(reason) => self.report.skipped.push((window.syscall, reason)),
            }
        }
        area.truncate(used);
        self.plans.push(Plan {
            name: display_name(object),
            text: object.text_span(),
            segments: object.text().cloned().collect(),
            area,
            records: &records[..count],
        });
        Ok(())
    }

    fn release(&mut self) {
        self.plans.drain(..).for_each(|plan| plan.area.release());
    }

    /// Makes the stubs reachable.
    ///
    /// # Safety
    /// As `replace` demands of the objects' text.
    pub(super) unsafe fn commit(
        mut self,
        replace: unsafe fn(&Range<usize>, [u8; JUMP]),
    ) -> Result<(Report, Vec<&'static Table>), SitesError> {
        let sealed = self.plans.iter().try_for_each(|plan| plan.area.seal());
        let result = sealed
            .map_err(SitesError::StubsNotExecutable)
            // SAFETY: the caller's promise.
            .and_then(|()| unsafe { self.unlock() });
        if let Err(error) = result {
            self.release();
            return Err(error);
        }
        let mut tables = Vec::with_capacity(self.plans.len());
        for plan in &self.plans {
            tables.push(publish(plan.text.clone(), plan.area.range(), plan.records));
        }
        // From here to the end nothing may allocate: the allocator's system calls may be made
        // by the very code that is being changed.
        for record in self.plans.iter().flat_map(|plan| plan.records) {
            let Ok(jump) = stub::jump(record.jump, record.stub.start) else { continue };
            let place = if record.has_stone() { record.jump..record.jump + JUMP } else { record.window.clone() };
            // SAFETY: the text is writable now, and a stone is padding; the rest is the caller's promise.
            unsafe { replace(&place, jump) };
            if let (true, Some(step)) = (record.has_stone(), stone::short_jump(record.window.start, record.jump)) {
                // SAFETY: as above; the stone is in place.
                unsafe { memory::replace_short(record.window.start, step) };
            }
            self.report.redirected += 1;
        }
        // SAFETY: back to what the program headers say; nothing writes there any more.
        unsafe { lock(self.plans.iter().flat_map(|plan| &plan.segments)) };
        Ok((self.report, tables))
    }

    /// Makes all text writable, or none.
    ///
    /// # Safety
    /// The caller may write to these objects' text.
    unsafe fn unlock(&self) -> Result<(), SitesError> {
        let all = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as usize;
        let segments = || self.plans.iter().flat_map(|p| p.segments.iter().map(move |s| (p, s)));
        for (done, (plan, segment)) in segments().enumerate() {
            // SAFETY: text stays readable and executable, so whoever runs in it is not disturbed.
            if let Err(errno) = unsafe { memory::protect(&segment.range, all) } {
                // SAFETY: as before the loop.
                unsafe { lock(segments().take(done).map(|(_, segment)| segment)) };
                return Err(SitesError::TextNotWritable(plan.name.clone(), errno));
            }
        }
        Ok(())
    }
}

/// # Safety
/// The segments are those of loaded objects, and nobody writes to them.
unsafe fn lock<'a>(segments: impl Iterator<Item = &'a Segment>) {
    for segment in segments {
        // SAFETY: the protection that the dynamic linker gave them. It cannot fail for lack of
        // mappings either: it joins what `unlock` split. If it does, the text stays writable.
        let _ = unsafe { memory::protect(&segment.range, segment.protection) };
    }
}

fn display_name(object: &Object) -> String {
    if object.name.is_empty() {
        "the program".into()
    } else {
        object.name.clone()
    }
}
