//! Functions hooked by name, by module.

mod loader;
mod process;
mod select;
mod socket;
mod thread;
mod time;
