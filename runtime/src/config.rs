//! Every setting: one table with name, default, meaning, parser and present value.
//!
//! Settings are environment variables, read once, from the `environ` that is passed in: at load
//! nothing of libc's (`getenv`, its malloc) may be relied on yet. Whatever is wrong is found here,
//! before anything has been changed, and is one line that says what to write instead.

mod values;
mod wrong;

pub use values::{Arm, Fallback, KernelFeature, KernelFeatures, OnDeadlock};
pub use wrong::ConfigError;
pub(crate) use wrong::OneLine;

use crate::modules::Modules;
use std::ffi::{c_char, CStr};
use std::time::Duration;
use values::{choose, parse_slice, show_slice, shown, ARM, FALLBACK, ONE_ZERO, ON_DEADLOCK, ON_OFF};
use wrong::{not_a_setting, not_valid};

/// The exit status for a bad setting, and where the shim cannot work (`EX_CONFIG` of sysexits.h).
pub const EXIT_STATUS: i32 = 78;

/// Every variable that begins so is a setting, and an unknown one an error: a typo must not pass for
/// a setting that took effect.
const PREFIX: &str = "GREENPATCH_";

/// Reserved for what one process of ours tells another; never read as a setting.
pub const INTERNAL_PREFIX: &str = "GREENPATCH_INTERNAL_";

/// Where `python -m greenpatch` finds the shim; no setting of the shim itself.
const LIBRARY: &str = "GREENPATCH_LIBRARY";

/// The settings as they are in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// False: do nothing at all.
    pub enabled: bool,
    pub modules: Modules,
    pub arm: Arm,
    /// True: print [`Config::help`] and exit 0 instead of running the program, even if not `enabled`.
    pub help: bool,
    pub fallback: Fallback,
    pub on_deadlock: OnDeadlock,
    /// CPU time after which a green thread is preempted; `None` is purely cooperative.
    pub slice: Option<Duration>,
    /// Whether executed programs keep the shim.
    pub inherit: bool,
    /// Kernel features not to be used, as if the kernel didn't have them.
    pub without: KernelFeatures,
    pub stats: bool,
    /// The most kernel threads that serve disk calls; at least 1.
    pub io_threads: usize,
    /// Microseconds for which the hub looks for events before it sleeps; `None` leaves it to the hub.
    pub spin: Option<u32>,
    /// Redirect at load for kernel threads that are served by another hub, and make no green threads.
    pub guest: bool,
}

/// One row of the table. Its strings are README's too.
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub help: &'static str,
    /// Sets the value, or says what would be valid.
    parse: fn(&mut Config, &[u8]) -> Result<(), String>,
    show: fn(&Config) -> String,
}

pub static SETTINGS: [Setting; 13] = [
    Setting {
        name: "GREENPATCH",
        default: "on",
        help: "off: do nothing, the program runs as without the shim",
        parse: |c, v| choose(&mut c.enabled, v, ON_OFF),
        show: |c| shown(c.enabled, ON_OFF),
    },
    Setting {
        name: "GREENPATCH_MODULES",
        default: "all",
        help: "which calls are cooperative: all, none, or a comma list of modules; \
               -name takes one out, as in all,-socket",
        parse: |c, v| {
            c.modules = Modules::parse(v).map_err(|error| error.to_string())?;
            Ok(())
        },
        show: |c| c.modules.to_string(),
    },
    Setting {
        name: "GREENPATCH_ARM",
        default: "lazy",
        help: "when system calls are redirected: lazy, at the program's first thread; \
               start, at load (for tests)",
        parse: |c, v| choose(&mut c.arm, v, ARM),
        show: |c| shown(c.arm, ARM),
    },
    Setting {
        name: "GREENPATCH_HELP",
        default: "0",
        help: "1: print this table and exit instead of running the program",
        parse: |c, v| choose(&mut c.help, v, ONE_ZERO),
        show: |c| shown(c.help, ONE_ZERO),
    },
    Setting {
        name: "GREENPATCH_FALLBACK",
        default: "exit",
        help: "where the shim cannot work, after one line that says why: exit with status 78 before \
               main, or go on native",
        parse: |c, v| choose(&mut c.fallback, v, FALLBACK),
        show: |c| shown(c.fallback, FALLBACK),
    },
    Setting {
        name: "GREENPATCH_ON_DEADLOCK",
        default: "report",
        help: "when no thread can ever run again: report once on stderr which thread waits where, \
               report and abort, or ignore it",
        parse: |c, v| choose(&mut c.on_deadlock, v, ON_DEADLOCK),
        show: |c| shown(c.on_deadlock, ON_DEADLOCK),
    },
    Setting {
        name: "GREENPATCH_SLICE",
        default: "10",
        help: "time slice: milliseconds of CPU time, with a fraction if need be, after which a \
               thread that computes lets others run; 0 is purely cooperative",
        parse: |c, v| {
            c.slice = parse_slice(v).ok_or("use 0, or a number of milliseconds from 0.1 to 60000, as 10 or 2.5")?;
            Ok(())
        },
        show: |c| show_slice(c.slice),
    },
    Setting {
        name: "GREENPATCH_INHERIT",
        default: "1",
        help: "whether programs that this one executes run under the shim too: 1 or 0",
        parse: |c, v| choose(&mut c.inherit, v, ONE_ZERO),
        show: |c| shown(c.inherit, ONE_ZERO),
    },
    Setting {
        name: "GREENPATCH_NO",
        default: "none",
        help: "kernel features to do without (for tests): all, none, or a comma list of rwf_nowait, \
               madv_guard, futex_waitv, epoll_pwait2, fsgsbase",
        parse: |c, v| {
            c.without = KernelFeatures::parse(v)?;
            Ok(())
        },
        show: |c| c.without.show(),
    },
    Setting {
        name: "GREENPATCH_STATS",
        default: "0",
        help: "1: report on stderr, at the first thread, what was redirected",
        parse: |c, v| choose(&mut c.stats, v, ONE_ZERO),
        show: |c| shown(c.stats, ONE_ZERO),
    },
    Setting {
        name: "GREENPATCH_IO_THREADS",
        default: "4",
        help: "the most kernel threads that serve calls on disk files, from 1 to 256",
        parse: |c, v| {
            let number = std::str::from_utf8(v).ok().and_then(|v| v.parse().ok());
            c.io_threads = number.filter(|n| (1..=256).contains(n)).ok_or("use a number from 1 to 256")?;
            Ok(())
        },
        show: |c| c.io_threads.to_string(),
    },
    Setting {
        name: "GREENPATCH_SPIN",
        default: "auto",
        help: "microseconds, up to 1000, for which an idle process looks for events before it sleeps, as long as \
               that pays; auto: 20, or 0 where it may use one CPU only",
        parse: |c, v| {
            let number = std::str::from_utf8(v).ok().and_then(|v| v.parse().ok()).filter(|n| *n <= 1000);
            if v != b"auto" && number.is_none() {
                return Err("use auto, or a number of microseconds from 0 to 1000".to_owned());
            }
            c.spin = number;
            Ok(())
        },
        show: |c| c.spin.map_or("auto".to_owned(), |spin| spin.to_string()),
    },
    Setting {
        name: "GREENPATCH_GUEST",
        default: "0",
        help: "1: threads stay kernel threads, and those that register a hub of their own (gevent's) with \
               greenpatch_guest() wait by it, whenever they do so; implies all,-thread",
        parse: |c, v| choose(&mut c.guest, v, ONE_ZERO),
        show: |c| shown(c.guest, ONE_ZERO),
    },
];

impl Config {
    /// What holds with no variable set.
    pub const DEFAULT: Config = Config {
        enabled: true,
        modules: Modules::ALL,
        arm: Arm::Lazy,
        help: false,
        fallback: Fallback::Exit,
        on_deadlock: OnDeadlock::Report,
        slice: Some(Duration::from_millis(10)),
        inherit: true,
        without: KernelFeatures::NONE,
        stats: false,
        io_threads: 4,
        spin: None,
        guest: false,
    };

    /// Reads the settings from `NAME=value` entries, as [`entries`] gives them. Of two entries with
    /// one name the first counts, as for `getenv`.
    ///
    /// `secure` says that the kernel runs the program with rights that its caller lacks (`AT_SECURE`
    /// of the auxiliary vector): the caller's environment must not steer it, so nothing is read.
    ///
    /// # Errors
    /// The first entry that is wrong. All others are read nevertheless, and with `GREENPATCH=off` no
    /// entry but that one can be wrong.
    pub fn from_environ<'a>(entries: impl IntoIterator<Item = &'a [u8]>, secure: bool) -> Result<Config, ConfigError> {
        let mut config = Config::DEFAULT;
        if secure {
            return Ok(config);
        }
        let mut seen = [false; SETTINGS.len()];
        let mut wrong = None;
        for entry in entries {
            let Some(equals) = entry.iter().position(|&b| b == b'=') else {
                continue;
            };
            let (name, value) = (&entry[..equals], &entry[equals + 1..]);
            let result = match SETTINGS.iter().position(|s| s.name.as_bytes() == name) {
                Some(i) if std::mem::replace(&mut seen[i], true) => Ok(()),
                Some(i) => (SETTINGS[i].parse)(&mut config, value.trim_ascii())
                    .map_err(|advice| not_valid(SETTINGS[i].name, value, &advice)),
                None if name == LIBRARY.as_bytes() || name.starts_with(INTERNAL_PREFIX.as_bytes()) => Ok(()),
                None if name.starts_with(PREFIX.as_bytes()) => Err(not_a_setting(name)),
                None => Ok(()),
            };
            if let Err(line) = result {
                wrong.get_or_insert(line);
            }
        }
        match wrong {
            Some(line) if config.enabled => Err(ConfigError { line, config }),
            _ => Ok(config),
        }
    }

    /// All settings as an aligned table, with their defaults and their values in `self`.
    pub fn help(&self) -> String {
        const TEXT_WIDTH: usize = 60;
        let mut rows = vec![["setting", "default", "now", "meaning"].map(str::to_owned)];
        rows.extend(SETTINGS.iter().map(|s| {
            let now = (s.show)(self);
            [s.name.to_owned(), s.default.to_owned(), now, s.help.to_owned()]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (name_width, default_width, now_width) = (width(0), width(1), width(2));
        let mut table = format!("greenpatch {}: its settings are environment variables\n\n", env!("CARGO_PKG_VERSION"));
        for [name, default, now, help] in &rows {
            let (mut name, mut default, mut now) = (&**name, &**default, &**now);
            for text in wrap(help, TEXT_WIDTH) {
                table += &format!("{name:name_width$}  {default:default_width$}  {now:now_width$}  {text}\n");
                (name, default, now) = ("", "", "");
            }
        }
        table
    }
}

/// Breaks a text between words into lines of at most `width` bytes; a longer word gets its own line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The entries of an `environ`.
///
/// # Safety
/// `environ` is null or points to an array of pointers to NUL-terminated strings that ends with a null
/// pointer, and nothing changes them for `'a`.
pub unsafe fn entries<'a>(environ: *const *const c_char) -> impl Iterator<Item = &'a [u8]> {
    let mut next = environ;
    std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: `next` has not passed the null pointer that ends the array.
        let entry = unsafe { *next };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the array goes on behind an entry that is not null.
        next = unsafe { next.add(1) };
        // SAFETY: an entry is a NUL-terminated string that lives and stays for 'a.
        Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
    })
}

#[cfg(test)]
mod tests;
