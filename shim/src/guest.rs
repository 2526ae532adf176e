//! Guest mode's way in: `greenpatch_guest` and its kin of greenpatch.h, and where the runtime is to keep its hands off.

use crate::init;
use core::ffi::{c_int, c_void, CStr};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use greenpatch_runtime::guest::{self, KernelRanges, WaitFn};
use greenpatch_runtime::modules::Modules;

fn set_errno(errno: c_int) {
    // SAFETY: the calling thread's own errno.
    unsafe { *libc::__errno_location() = errno };
}

/// Has the calling kernel thread's waits done by `wait`; null ends that.
///
/// # Safety
/// `wait` may be called with `data` in this thread, in the middle of any call of its own, until it is registered no more.
#[no_mangle]
pub unsafe extern "C" fn greenpatch_guest(wait: Option<WaitFn>, data: *mut c_void) -> c_int {
    init::ready();
    let Some(wait) = wait else {
        guest::end();
        return 0;
    };
    let config = match init::arm_for_guests() {
        Ok(config) => config,
        Err(errno) => {
            set_errno(errno);
            return -1;
        }
    };
    if let Err(errno) = have_locks_wake() {
        set_errno(errno);
        return -1;
    }
    init::rescan_if_loaded();
    let python = symbol(c"_PyRuntime");
    guest::set_kernel_ranges(&KernelRanges {
        libc: object_of(libc::getpid as *const () as usize),
        python_object: object_of(python.start),
        own: object_of(greenpatch_guest as *const () as usize),
        libc_wait: symbol(c"__lll_lock_wait_private"),
        libc_read: symbol(c"__read_nocancel"),
        python,
    });
    guest::begin(config, wait, data, own_stack());
    0
}

/// Leaves this thread's waits on `fd` to the kernel.
#[no_mangle]
pub extern "C" fn greenpatch_guest_pass(fd: c_int) -> c_int {
    if guest::current().is_none() || fd < 0 {
        set_errno(libc::EINVAL);
        return -1;
    }
    guest::pass(fd);
    0
}

/// The callback's own code is reached.
#[no_mangle]
pub extern "C" fn greenpatch_guest_entered() {
    guest::entered();
}

/// In a process that never had a second thread, glibc's mutexes wake nobody when they are unlocked: nobody could wait, as
/// far as it knows. So there has been one from now on.
fn have_locks_wake() -> Result<(), c_int> {
    extern "C" fn nothing(_: *mut c_void) -> *mut c_void {
        core::ptr::null_mut()
    }
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.load(Relaxed) {
        return Ok(());
    }
    // SAFETY: a thread that does nothing, and is waited for; a child of a fork has had its parent's.
    unsafe {
        let mut thread: libc::pthread_t = core::mem::zeroed();
        match libc::pthread_create(&mut thread, core::ptr::null(), nothing, core::ptr::null_mut()) {
            0 => libc::pthread_join(thread, core::ptr::null_mut()),
            errno => return Err(errno),
        };
    }
    DONE.store(true, Relaxed);
    Ok(())
}

/// The modules whose calls are cooperative for the calling thread, if it is a guest.
#[inline]
pub fn modules() -> Option<Modules> {
    guest::current()?;
    init::config().map(guest::modules)
}

/// Runs `body` in a thread of libc's own that nobody joins and that takes no signals. False if there is none to be had.
pub fn start_detached(body: extern "C" fn(*mut c_void) -> *mut c_void, argument: *mut c_void) -> bool {
    // SAFETY: attributes and masks of ours; the signal mask is given back.
    unsafe {
        let (mut thread, mut attributes): (libc::pthread_t, libc::pthread_attr_t) = core::mem::zeroed();
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = core::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let made = libc::pthread_create(&mut thread, &attributes, body, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, core::ptr::null_mut());
        libc::pthread_attr_destroy(&mut attributes);
        made == 0
    }
}

/// Where a function or variable lies; empty if it is not there.
fn symbol(name: &CStr) -> core::ops::Range<usize> {
    const RTLD_DL_SYMENT: c_int = 1;
    extern "C" {
        fn dladdr1(
            address: *const c_void,
            info: *mut libc::Dl_info,
            extra: *mut *const libc::Elf64_Sym,
            flags: c_int,
        ) -> c_int;
    }
    // SAFETY: looks a symbol up.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        return 0..0;
    }
    // SAFETY: all-zero is a valid `Dl_info`.
    let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
    let mut entry: *const libc::Elf64_Sym = core::ptr::null();
    // SAFETY: asks about an address; both results are ours.
    let found = unsafe { dladdr1(address, &mut info, &mut entry, RTLD_DL_SYMENT) };
    if found == 0 || entry.is_null() {
        return 0..0;
    }
    // SAFETY: an entry of a loaded object's symbol table.
    let size = unsafe { (*entry).st_size } as usize;
    address as usize..address as usize + size
}

/// Where the loaded object lies that `address` is in; nowhere if there is none.
fn object_of(address: usize) -> core::ops::Range<usize> {
    struct Search {
        address: usize,
        found: core::ops::Range<usize>,
    }
    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
        // SAFETY: what the dynamic linker lends us, and the variable below.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        // SAFETY: the object's program headers.
        let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum as usize) };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let ends = loaded.map(|header| {
            let start = info.dlpi_addr as usize + header.p_vaddr as usize;
            (start, start + header.p_memsz as usize)
        });
        let span = ends.reduce(|all, next| (all.0.min(next.0), all.1.max(next.1))).unwrap_or_default();
        if (span.0..span.1).contains(&search.address) {
            search.found = span.0..span.1;
            return 1;
        }
        0
    }
    let mut search = Search { address, found: 0..0 };
    // SAFETY: the callback keeps to what it is given.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

/// Where the calling thread's own stack lies; nowhere if that is not known.
fn own_stack() -> (usize, usize) {
    // SAFETY: all-zero is a valid place for attributes.
    let mut attributes: libc::pthread_attr_t = unsafe { core::mem::zeroed() };
    let (mut low, mut size) = (core::ptr::null_mut(), 0usize);
    // SAFETY: asks about the calling thread; all results are ours.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return (0, 0);
        }
        libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
    }
    (low as usize, low as usize + size)
}
