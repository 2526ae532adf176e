//! The runtime of greenpatch: a hub that runs green threads on one kernel thread, and the system calls that park them.
//!
//! It knows nothing of hooks or of redirected instructions: the layer above brings the program's registers in a
//! [`frame::Frame`] to [`dispatch`], and gets a jump back into the program. [`hub::Hub::start`] makes the calling
//! kernel thread a carrier; [`hub::Hub::spawn`] makes green threads without libc. In [`guest`] mode another library's hub
//! does the waiting.

pub mod alloc;
pub mod calls;
pub mod carrier;
mod carrier_timer;
pub mod config;
pub mod cpu_clock;
pub mod dispatch;
pub mod exit;
pub mod fd_table;
pub mod filters;
pub mod frame;
pub mod fs_attributes;
pub mod futex_queue;
pub mod green_thread;
pub mod gs_base;
pub mod guard;
pub mod guest;
pub mod hub;
pub mod list;
pub mod lock;
pub mod modules;
pub mod never_waits;
pub mod offload;
pub mod place;
mod prefetch;
pub mod protection_keys;
pub mod reactor;
pub mod ready_queue;
pub mod report;
pub mod robust;
pub mod scheduling;
pub mod signals;
pub mod slice;
pub mod stack_pool;
pub mod switch;
pub mod symbols;
pub mod sys;
pub mod thread_limit;
pub mod timers;
pub mod user;
