//! Every setting: one table with name, default, meaning, parser and present value.
//!
//! Settings are environment variables, read once, from the `environ` that is passed in: at load
//! nothing of libc's (`getenv`, its malloc) may be relied on yet. Whatever is wrong is found here,
//! before anything has been changed, and is one line that says what to write instead.

use crate::modules::Modules;
use std::ffi::{c_char, CStr};
use std::fmt;
use std::time::Duration;

/// The exit status for a bad setting, and where the shim cannot work (`EX_CONFIG` of sysexits.h).
pub const EXIT_STATUS: i32 = 78;

/// Every variable that begins so is a setting, and an unknown one an error: a typo must not pass for
/// a setting that took effect.
const PREFIX: &str = "GREENPATCH_";

/// Reserved for what one process of ours tells another; never read as a setting.
pub const INTERNAL_PREFIX: &str = "GREENPATCH_INTERNAL_";

/// Where `python -m greenpatch` finds the shim; no setting of the shim itself.
const LIBRARY: &str = "GREENPATCH_LIBRARY";

/// When the sites are redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// At the first thread.
    Lazy,
    /// At load, so that every program takes every path.
    Start,
}

/// What to do where the shim cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    Exit,
    Native,
}

/// What to do when no green thread can ever run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDeadlock {
    Report,
    Abort,
    Ignore,
}

/// A kernel feature that a test can take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KernelFeature {
    RwfNowait,
    MadvGuard,
    FutexWaitv,
    EpollPwait2,
    Fsgsbase,
}

const FEATURES: Choices<KernelFeature> = &[
    ("rwf_nowait", KernelFeature::RwfNowait),
    ("madv_guard", KernelFeature::MadvGuard),
    ("futex_waitv", KernelFeature::FutexWaitv),
    ("epoll_pwait2", KernelFeature::EpollPwait2),
    ("fsgsbase", KernelFeature::Fsgsbase),
];

/// A set of kernel features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelFeatures(u8);

impl KernelFeatures {
    pub const NONE: KernelFeatures = KernelFeatures(0);

    pub const fn contains(self, feature: KernelFeature) -> bool {
        self.0 & (1 << feature as u8) != 0
    }

    fn parse(list: &[u8]) -> Result<KernelFeatures, String> {
        let mut set = KernelFeatures::NONE;
        let items = list.split(|&b| b == b',').map(<[u8]>::trim_ascii);
        for item in items.filter(|item| !item.is_empty()) {
            for &(name, feature) in FEATURES {
                if item == name.as_bytes() || item == b"all" {
                    set.0 |= 1 << feature as u8;
                }
            }
            if item != b"none" && item != b"all" && !FEATURES.iter().any(|c| is(c, item)) {
                let names = names(FEATURES);
                return Err(format!("use all, none, or a comma list of {names}"));
            }
        }
        Ok(set)
    }

    fn show(self) -> String {
        let on = FEATURES.iter().filter(|&&(_, f)| self.contains(f));
        let on: Vec<_> = on.map(|&(name, _)| name).collect();
        if on.is_empty() {
            "none".to_owned()
        } else {
            on.join(",")
        }
    }
}

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

/// The values of a setting by name. The first name of a value is the one that is shown.
type Choices<T> = &'static [(&'static str, T)];

const ON_OFF: Choices<bool> = &[("on", true), ("off", false), ("1", true), ("0", false)];
const ONE_ZERO: Choices<bool> = &[("1", true), ("0", false), ("on", true), ("off", false)];
const ARM: Choices<Arm> = &[("lazy", Arm::Lazy), ("start", Arm::Start)];
const FALLBACK: Choices<Fallback> = &[("exit", Fallback::Exit), ("native", Fallback::Native)];
const ON_DEADLOCK: Choices<OnDeadlock> =
    &[("report", OnDeadlock::Report), ("abort", OnDeadlock::Abort), ("ignore", OnDeadlock::Ignore)];

fn is<T>(choice: &(&str, T), name: &[u8]) -> bool {
    choice.0.as_bytes() == name
}

fn names<T>(choices: Choices<T>) -> String {
    let names: Vec<_> = choices.iter().map(|&(name, _)| name).collect();
    names.join(", ")
}

fn choose<T: Copy>(slot: &mut T, name: &[u8], choices: Choices<T>) -> Result<(), String> {
    let chosen = choices.iter().find(|choice| is(choice, name));
    *slot = chosen.ok_or_else(|| format!("use one of {}", names(choices)))?.1;
    Ok(())
}

fn shown<T: PartialEq>(value: T, choices: Choices<T>) -> String {
    let choice = choices.iter().find(|choice| choice.1 == value);
    choice.map_or("", |choice| choice.0).to_owned()
}

const NANOS_PER_MS: u64 = 1_000_000;

/// Decimal milliseconds, down to the nanosecond; `None` if they are none, or out of range.
#[allow(clippy::option_option)]
fn parse_slice(text: &[u8]) -> Option<Option<Duration>> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = format!("0{whole}").parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    match whole.checked_mul(NANOS_PER_MS)?.checked_add(fraction)? {
        0 => Some(None),
        // Less would leave the program no time between two ticks.
        nanos if (NANOS_PER_MS / 10..=60_000 * NANOS_PER_MS).contains(&nanos) => {
            Some(Some(Duration::from_nanos(nanos)))
        }
        _ => None,
    }
}

fn show_slice(slice: Option<Duration>) -> String {
    let nanos = slice.map_or(0, |slice| slice.as_nanos() as u64);
    let text = format!("{}.{:06}", nanos / NANOS_PER_MS, nanos % NANOS_PER_MS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

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

fn not_valid(name: &str, value: &[u8], advice: &str) -> String {
    let value = OneLine(value);
    format!("greenpatch: {name}={value} is not valid: {advice}")
}

fn not_a_setting(name: &[u8]) -> String {
    let suffix = &name[PREFIX.len()..];
    let known = SETTINGS.iter().filter_map(|s| s.name.strip_prefix(PREFIX));
    let nearest = known
        .map(|known| (distance(suffix, known.as_bytes()), known))
        .filter(|&(distance, known)| distance * 2 <= known.len().max(suffix.len()))
        .min_by_key(|&(distance, _)| distance);
    let name = OneLine(name);
    let advice = match nearest {
        Some((_, nearest)) => format!("did you mean {PREFIX}{nearest}? "),
        None => String::new(),
    };
    format!("greenpatch: {name} is not a setting: {advice}GREENPATCH_HELP=1 lists them all")
}

/// How many bytes have to be added, left out or changed to make `a` into `b`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    // A longer name is no typo, and time and memory stay bounded.
    const LONGEST: usize = 64;
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX / 2;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A setting is wrong. It prints as the line for stderr, with no line end.
#[derive(Clone, Debug)]
pub struct ConfigError {
    line: String,
    /// All settings that were right. `fallback` says whether to exit with [`EXIT_STATUS`] or to go on
    /// native after the line; with `help` the user wants to see the table too.
    pub config: Config,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for ConfigError {}

/// Shows bytes that a user gave as part of one line: control characters escaped, its length bounded.
pub(crate) struct OneLine<'a>(pub &'a [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 120;
        let text = String::from_utf8_lossy(self.0);
        for c in text.chars().take(SHOWN) {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if text.chars().nth(SHOWN).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
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
