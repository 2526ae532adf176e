//! What the hub says when nothing can ever run again.

use crate::config::OnDeadlock;
use crate::green_thread::{Green, State, Waiting};
use crate::hub::Hub;
use crate::symbols::{ends_with_call, Symbols};
use crate::{signals, sys, user};
use core::fmt::Write;

/// How far up a parked thread's stack its caller is looked for, in words.
const STACK_WORDS: usize = 128;

/// Whether no green thread is left that anything could wake. The hub asks when none is ready and no timer is set.
pub fn nothing_can_wake(hub: &Hub) -> bool {
    if hub.has_foreign_threads() || hub.helpers_busy.get() != 0 {
        return false;
    }
    // A hub asks often, and mostly somebody waits for a descriptor, so look at the last one first.
    // SAFETY: records are never freed.
    if waits_for_outside(unsafe { &*hub.hopeful.get() }) {
        return false;
    }
    for &green in hub.tids.borrow().values() {
        // SAFETY: as above.
        if waits_for_outside(unsafe { &*green }) {
            hub.hopeful.set(green);
            return false;
        }
    }
    hub.live() > 0 && !hub.signals.any_handler()
}

/// Whether what a green thread waits for may come from elsewhere than another green thread.
fn waits_for_outside(green: &Green) -> bool {
    green.state.get() == State::Parked && !matches!(green.waiting.get(), Waiting::Futex(_))
}

/// Says who waits where, as `GREENPATCH_ON_DEADLOCK` wants it.
pub fn deadlock(hub: &Hub) {
    match hub.config().on_deadlock {
        OnDeadlock::Ignore => {}
        OnDeadlock::Report => sys::write_stderr(text(hub).as_bytes()),
        OnDeadlock::Abort => {
            sys::write_stderr(text(hub).as_bytes());
            signals::die(hub, libc::SIGABRT)
        }
    }
}

fn text(hub: &Hub) -> String {
    let mut symbols = Symbols::load();
    let threads = hub.all();
    let mut text = match threads.len() {
        1 => "greenpatch: deadlock: the only thread waits for what nobody is left to give\n".to_owned(),
        count => format!("greenpatch: deadlock: all {count} threads wait for each other\n"),
    };
    for green in threads {
        let Waiting::Futex(word) = green.waiting.get() else { continue };
        let place = symbols.describe(caller(green, &symbols));
        let _ = writeln!(text, "  {} waits for {} at {place}", who(green), what(hub, word));
    }
    text
}

/// `thread 2 (tid 8388610, "worker")`
fn who(green: &Green) -> String {
    let mut text = format!("thread {} (tid {}", green.number.get(), green.tid.get());
    let name = green.name.get();
    let name = name.split(|&byte| byte == 0).next().unwrap_or(&[]);
    if !name.is_empty() {
        let _ = write!(text, ", \"{}\"", name.escape_ascii());
    } else if green.is_main() {
        text.push_str(", main");
    }
    text.push(')');
    text
}

/// What the object at a futex word seems to be, and whom it names.
enum Object {
    /// A thread id that is cleared when that thread ends.
    End(&'static Green),
    /// A mutex, and who has locked it.
    Mutex(&'static Green),
    Unknown,
}

impl Object {
    fn at(hub: &Hub, address: usize, word: u32) -> Object {
        /// `__owner` in `pthread_mutex_t`, whose lock word is at 0.
        const OWNER: usize = 8;
        let named = |tid: u32| hub.by_tid(tid as i32);
        // pthread_join waits for the id to be cleared; robust and priority-inheriting mutexes hold their owner's.
        let green = named(word & libc::FUTEX_TID_MASK);
        if let Some(green) = green.filter(|green| green.clear_child_tid.get() == address) {
            return Object::End(green);
        }
        // The first process of a container may well have one of these ids.
        let owner = match word {
            1 | 2 => user::load(address.wrapping_add(OWNER)).ok().and_then(named),
            _ => None,
        };
        owner.or(green).map_or(Object::Unknown, Object::Mutex)
    }
}

fn what(hub: &Hub, address: usize) -> String {
    let word = user::load(address).unwrap_or(0);
    match Object::at(hub, address, word) {
        Object::End(green) => format!("the end of {}", who(green)),
        Object::Mutex(green) => format!("the mutex {address:#x}, held by {},", who(green)),
        Object::Unknown => format!("the futex {address:#x} (value {word})"),
    }
}

/// Where the program's own code, rather than libc's lock function, stands: the nearest word on the stack that looks
/// like a return address there.
fn caller(green: &Green, symbols: &Symbols) -> usize {
    let here = green.where_from.get();
    if symbols.is_program(here) {
        return here;
    }
    let stack = green.stack_at.get() & !7;
    let words = if stack == 0 { 0 } else { STACK_WORDS };
    let mut words = (0..words).map_while(|i| user::read::<usize>(stack.checked_add(i * 8)?).ok());
    words.find(|&word| symbols.is_program(word) && is_return_address(word)).unwrap_or(here)
}

fn is_return_address(address: usize) -> bool {
    user::read::<[u8; 8]>(address.wrapping_sub(8)).is_ok_and(|code| ends_with_call(&code))
}

/// If a fault at `address` is the overflow of a green thread's stack, whose pointer is `rsp`: one line that says whose.
/// The guard below the stack makes the fault; a pointer far from it makes something else of it.
pub(crate) fn stack_overflow(green: &Green, address: usize, rsp: usize) {
    const FRAME: usize = 64 * 1024;
    const GUARD: usize = 1 << 20;
    let low = green.stack_low.get();
    let below = address < low + 8192 && address >= low.saturating_sub(GUARD);
    if low == 0 || !below || address.abs_diff(rsp) > FRAME {
        return;
    }
    let name = green.name.get();
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    sys::complain(&format!(
        "thread {} (tid {}, {}) has overflowed its stack; give it a larger one with pthread_attr_setstacksize or ulimit -s",
        green.number.get(),
        green.tid.get(),
        String::from_utf8_lossy(name)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use core::sync::atomic::Ordering::Relaxed;

    #[test]
    fn a_hub_without_hope() {
        let hub = Hub::start(Config::DEFAULT);
        let (one, two) = (hub.current(), hub.new_green());
        two.name.set(*b"work\"er\0\0\0\0\0\0\0\0\0");
        assert!(!nothing_can_wake(hub), "a thread that was made has yet to start");
        // As `pthread_mutex_t`: locked with waiters, owner at 8.
        let owned_by = |green: &Green| [2u32, 0, green.tid.get() as u32];
        let (first, second) = (owned_by(two), owned_by(one));
        one.waiting.set(Waiting::Futex(first.as_ptr() as usize));
        two.waiting.set(Waiting::Futex(second.as_ptr() as usize));
        one.state.set(State::Parked);
        assert!(nothing_can_wake(hub));
        let text = text(hub);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].starts_with("  thread 1 (tid ") && lines[1].contains("held by thread 2 (tid "), "{text}");
        assert!(lines[1].contains(r#""work\"er")"#) && lines[2].contains("held by thread 1 "), "{text}");

        for hope in [Waiting::Descriptor(0), Waiting::Descriptors, Waiting::Time, Waiting::Signal, Waiting::Helper] {
            two.waiting.set(hope);
            assert!(!nothing_can_wake(hub), "{hope:?}");
            assert!(!nothing_can_wake(hub), "{hope:?} again");
        }
        two.waiting.set(Waiting::Futex(8));
        hub.foreign_thread_added();
        assert!(!nothing_can_wake(hub));
        hub.foreign_threads.store(false, Relaxed);
        one.state.set(State::Running);
    }

    #[test]
    fn objects_at_futex_words() {
        let hub = Hub::start(Config::DEFAULT);
        let other = hub.new_green();
        let tid = other.tid.get() as u32;
        let says = |words: [u32; 3]| what(hub, words.as_ptr() as usize);
        assert!(says([tid | libc::FUTEX_WAITERS, 0, 0]).starts_with("the mutex"), "priority-inheriting");
        assert!(says([2, 0, 12345]).starts_with("the futex"), "its owner has gone");
        assert!(says([7, 0, tid]).starts_with("the futex"));
        // Locked, in a process whose main thread has the id 2.
        hub.tids.borrow_mut().insert(2, hub.current());
        assert!(says([2, 0, tid]).contains("held by thread 2 "));
        let words = [tid];
        other.clear_child_tid.set(words.as_ptr() as usize);
        assert!(what(hub, words.as_ptr() as usize).starts_with("the end of thread 2"));
    }

    #[test]
    fn the_caller_of_libc_is_on_the_stack() {
        let symbols = Symbols::load();
        let green = Green::new(core::ptr::null());
        // SAFETY: looks a name up.
        let in_libc = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pthread_mutex_lock".as_ptr()) } as usize + 1;
        green.where_from.set(in_libc);
        assert_eq!(caller(&green, &symbols), in_libc, "no stack is known");
        let code = [0x90u8, 0x90, 0x90, 0xe8, 1, 2, 3, 4];
        assert!(is_return_address(code.as_ptr() as usize + 8) && !is_return_address(code.as_ptr() as usize + 7));
        green.stack_at.set(core::ptr::from_ref(&code) as usize);
        let found = caller(&green, &symbols);
        assert!(symbols.is_program(found) && is_return_address(found));
    }
}
