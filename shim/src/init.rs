//! Start: settings at load, arming at the first thread.

use crate::{heritage, hook, sites};
use core::sync::atomic::{AtomicU8, Ordering::*};
use ctor::ctor;
use greenpatch_runtime::config::{entries, Arm, Config, Fallback, KernelFeature, EXIT_STATUS};
use greenpatch_runtime::dispatch::{self, Arming};
use greenpatch_runtime::guard::Inside;
use greenpatch_runtime::hub::Hub;
use greenpatch_runtime::modules::Module;
use greenpatch_runtime::signals::addresses;
use greenpatch_runtime::{alloc, calls, exit, filters, guest, hub, reactor, stack_pool, switch, sys};
use once_cell::sync::OnceCell;

extern "C" {
    static environ: *mut *mut libc::c_char;
}

static CONFIG: OnceCell<Config> = OnceCell::new();

/// | state | meaning |
/// |---|---|
/// | ASLEEP | the constructor, or a hook before it, has yet to run |
/// | READY | settings are read, the clone site is redirected |
/// | IDLE | as READY, without the thread module: nothing happens unless there are guests |
/// | ARMED | the hub runs |
/// | GUESTS | the sites are redirected, kernel threads may be guests |
/// | NATIVE | the process runs without us |
static STATE: AtomicU8 = AtomicU8::new(ASLEEP);
const ASLEEP: u8 = 0;
const READY: u8 = 1;
const ARMED: u8 = 2;
const NATIVE: u8 = 3;
const IDLE: u8 = 4;
const GUESTS: u8 = 5;

/// The settings, once they have been read.
pub fn config() -> Option<&'static Config> {
    CONFIG.get()
}

/// Whether the process runs native: before the first thread, when switched off, and where it could not be patched.
pub fn is_armed() -> bool {
    STATE.load(Acquire) == ARMED
}

/// Whether a thread, when one is made, will be a green one.
pub fn will_arm() -> bool {
    matches!(STATE.load(Acquire), READY | ARMED)
}

/// Whether calls may ever be ours.
pub fn may_arm() -> bool {
    STATE.load(Acquire) != NATIVE
}

/// Whether kernel threads may be guests: there will be no green threads.
pub fn has_guests() -> bool {
    STATE.load(Acquire) == GUESTS
}

#[ctor(unsafe)]
fn at_load() {
    ready();
}

/// Reads the settings and redirects the clone site, once. Hooks that are called before our constructor come here too.
pub fn ready() {
    if STATE.load(Acquire) != ASLEEP {
        return;
    }
    hook::find_all();
    reactor::note_load();
    // SAFETY: asks the auxiliary vector.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    // SAFETY: libc's environment, which nobody changes while a program is being loaded.
    let config = match Config::from_environ(unsafe { entries(environ.cast_const().cast()) }, secure) {
        Ok(config) => config,
        Err(error) => {
            sys::write_stderr(format!("{error}\n").as_bytes());
            if error.config.help {
                sys::write_stderr(error.config.help().as_bytes());
            }
            if error.config.fallback == Fallback::Native {
                STATE.store(NATIVE, Release);
                return;
            }
            sys::exit_group(EXIT_STATUS);
        }
    };
    let config = CONFIG.get_or_init(|| config);
    if config.help {
        sys::write_stderr(config.help().as_bytes());
        sys::exit_group(0);
    }
    if !secure && !config.inherit {
        // SAFETY: as above.
        unsafe { heritage::disinherit(environ) };
    }
    if secure || !config.enabled {
        STATE.store(NATIVE, Release);
        return;
    }
    // Without the thread module all threads are the kernel's, and every call of theirs is the kernel's too.
    if !config.guest && !config.modules.contains(Module::Thread) {
        STATE.store(IDLE, Release);
        return;
    }
    if heritage::is_go() {
        STATE.store(NATIVE, Release);
        sys::complain("this is a Go program, whose scheduler makes its own system calls; it runs native");
        return;
    }
    if config.guest {
        if let Err(error) = redirect_for_guests(config) {
            refuse(&error.to_string());
        }
        return;
    }
    // SAFETY: the process is being loaded; nobody else runs.
    if let Err(error) = unsafe { sites::install_clone_site(sites::entry::addresses()) } {
        refuse(&error.to_string());
        return;
    }
    dispatch::set_arm(arm);
    dispatch::open_for_clone();
    STATE.store(READY, Release);
    if config.arm == Arm::Start && arm() == Arming::Armed {
        if let Some(hub) = hub::first() {
            hub.add_phantom();
        }
        leave();
    }
}

/// The process can't be patched: say so in one line, and end it or let it run native.
fn refuse(why: &str) {
    STATE.store(NATIVE, Release);
    sys::complain(why);
    if CONFIG.get().is_none_or(|config| config.fallback == Fallback::Exit) {
        sys::exit_group(EXIT_STATUS);
    }
}

/// Makes the calling thread, the only one, the main green thread, and leaves it inside the runtime.
fn arm() -> Arming {
    match STATE.load(Acquire) {
        READY => {}
        ARMED => return Arming::Armed,
        _ => return Arming::Native,
    }
    let Some(config) = CONFIG.get() else { return Arming::Native };
    // In half of what it takes, with nothing undone, an allocation would end the process.
    if !alloc::reserve() || !room_for_arming() {
        return Arming::NoMemory;
    }
    filters::look();
    if kernel_threads() > 1 {
        refuse("this process already has threads that greenpatch did not see being made; preload it at the program's start");
        return Arming::Native;
    }
    // Its goroutines call from stacks of two KiB, and its runtime keeps the thread pointer, signals and ids of threads for itself.
    if heritage::has_go_library() {
        STATE.store(NATIVE, Release);
        sys::complain(
            "a library written in Go is loaded, whose scheduler makes its own system calls; this program runs native",
        );
        return Arming::Native;
    }
    // SAFETY: one kernel thread, as was just seen.
    let report = match unsafe { sites::install_all(sites::entry::addresses()) } {
        Ok(report) => report,
        Err(error) => {
            refuse(&error.to_string());
            return Arming::Native;
        }
    };
    prepare(config);
    let (begin, end) = sites::entry::window();
    exit::set_entry_window(begin, end);
    let hub = Hub::start(*config);
    addresses::set_address_maps(sites::shown, sites::resumed);
    hub.signals.arm(hub);
    dispatch::open(config);
    STATE.store(ARMED, Release);
    tell(config, &report);
    Arming::Armed
}

/// What the runtime must know before its first call.
fn prepare(config: &Config) {
    let without = |feature| config.without.contains(feature);
    switch::detect_fsgsbase(!without(KernelFeature::Fsgsbase));
    reactor::NO_EPOLL_PWAIT2.store(without(KernelFeature::EpollPwait2), Relaxed);
    calls::io::NO_RWF_NOWAIT.store(without(KernelFeature::RwfNowait), Relaxed);
    if without(KernelFeature::MadvGuard) {
        stack_pool::do_without_markers();
    }
    crate::hooks::clock::lend_to_runtime();
}

fn tell(config: &Config, report: &sites::Report) {
    if config.stats {
        sys::complain(&format!(
            "armed: {} of {} sites in {} objects redirected in {} us",
            report.redirected, report.sites, report.objects, report.micros
        ));
    }
}

/// Redirects all sites while one thread runs. From then on kernel threads may be guests, and there are no green threads.
fn redirect_for_guests(config: &Config) -> Result<(), sites::SitesError> {
    filters::look();
    // SAFETY: one kernel thread, or the process is being loaded.
    let report = unsafe { sites::install_all(sites::entry::addresses()) }?;
    prepare(config);
    guest::open(config);
    STATE.store(GUESTS, Release);
    tell(config, &report);
    Ok(())
}

/// Makes sure that kernel threads may be guests, or says why not: an errno of `greenpatch_guest`.
pub fn arm_for_guests() -> Result<&'static Config, i32> {
    let config = CONFIG.get().ok_or(libc::ENOTSUP)?;
    match STATE.load(Acquire) {
        GUESTS => Ok(config),
        ARMED => Err(libc::EBUSY),
        READY | IDLE if kernel_threads() > 1 => Err(libc::EAGAIN),
        READY | IDLE => match redirect_for_guests(config) {
            Ok(()) => Ok(config),
            Err(error) => {
                sys::complain(&error.to_string());
                Err(libc::ENOTSUP)
            }
        },
        _ => Err(libc::ENOTSUP),
    }
}

/// Whether as much address space as arming needs is to be had.
fn room_for_arming() -> bool {
    const MOST: usize = 4 << 20;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, given back at once.
    unsafe {
        let address =
            sys::syscall6(libc::SYS_mmap as usize, 0, MOST, libc::PROT_NONE as usize, flags as usize, usize::MAX, 0);
        address > 0 && sys::syscall6(libc::SYS_munmap as usize, address as usize, MOST, 0, 0, 0, 0) == 0
    }
}

/// Arms from a hook: the program goes on in its own code afterwards.
pub fn arm_from_hook() {
    ready();
    if STATE.load(Acquire) == READY && arm() == Arming::Armed {
        leave();
    }
}

/// Ends the "inside" that `Hub::start` begins with.
fn leave() {
    if let Some(hub) = hub::first() {
        hub.carrier.inside.store(0, Release);
    }
}

/// Kernel threads of this process: the links of /proc/self/task, or 1 where /proc is not mounted.
fn kernel_threads() -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a path and a buffer of ours.
    let found = unsafe {
        sys::syscall6(
            libc::SYS_stat as usize,
            c"/proc/self/task".as_ptr() as usize,
            &mut stat as *mut _ as usize,
            0,
            0,
            0,
            0,
        )
    };
    if found == 0 {
        stat.st_nlink.saturating_sub(2).max(1)
    } else {
        1
    }
}

/// Redirects sites of objects that have been loaded since. Called by the program's own thread, outside the runtime.
pub fn rescan() {
    if !is_armed() && !has_guests() {
        return;
    }
    let guard = Inside::enter();
    if guard.is_some() || has_guests() {
        // SAFETY: the installation is made for foreign threads running meanwhile.
        if let Err(error) = unsafe { sites::install_new(sites::entry::addresses()) } {
            sys::complain(&error.to_string());
        }
    }
}

static LOADED: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// A library is about to be loaded.
pub fn something_loaded() {
    LOADED.store(true, Release);
}

/// Scans what was loaded since the last time.
pub fn rescan_if_loaded() {
    if LOADED.swap(false, AcqRel) {
        rescan();
    }
}
