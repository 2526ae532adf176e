//! `libgreenpatch.so`: preloaded, it runs the threads of an unmodified program as green threads on one kernel thread.
//!
//! The life of one call: the program calls libc's `read`. Either the hook of that name ([`hooks`]) tries it at once, or
//! libc's own code comes to its `syscall` instruction, which leads through a stub ([`sites`]) to the entry
//! ([`sites::entry`]). The entry saves the registers and asks the runtime's dispatcher, whose table knows what `read`
//! is: it tries, parks the green thread until the descriptor is ready, and tries again. The answer goes back behind
//! the instruction, as if the kernel had given it.

// The unit tests are a program of their own, which must not hook itself.
#[cfg(not(test))]
mod api;
#[cfg(not(test))]
mod guest;
#[cfg(not(test))]
mod heritage;
#[cfg(not(test))]
mod hook;
#[cfg(not(test))]
mod hooks;
#[cfg(not(test))]
mod init;
#[cfg(not(test))]
mod no_unwinder;
#[cfg_attr(test, allow(dead_code, unused_imports))]
mod sites;
