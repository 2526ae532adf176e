//! Functions hooked by name, by module.

pub mod clock;
mod dns;
mod loader;
mod process;
mod processor;
mod select;
mod socket;
mod thread;
mod time;
