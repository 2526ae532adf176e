//! The values that settings take, and how they are written.

use std::time::Duration;

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

pub(super) const FEATURES: Choices<KernelFeature> = &[
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

    pub(super) fn parse(list: &[u8]) -> Result<KernelFeatures, String> {
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

    pub(super) fn show(self) -> String {
        let on = FEATURES.iter().filter(|&&(_, f)| self.contains(f));
        let on: Vec<_> = on.map(|&(name, _)| name).collect();
        if on.is_empty() {
            "none".to_owned()
        } else {
            on.join(",")
        }
    }
}

/// The values of a setting by name. The first name of a value is the one that is shown.
type Choices<T> = &'static [(&'static str, T)];

pub(super) const ON_OFF: Choices<bool> = &[("on", true), ("off", false), ("1", true), ("0", false)];
pub(super) const ONE_ZERO: Choices<bool> = &[("1", true), ("0", false), ("on", true), ("off", false)];
pub(super) const ARM: Choices<Arm> = &[("lazy", Arm::Lazy), ("start", Arm::Start)];
pub(super) const FALLBACK: Choices<Fallback> = &[("exit", Fallback::Exit), ("native", Fallback::Native)];
pub(super) const ON_DEADLOCK: Choices<OnDeadlock> =
    &[("report", OnDeadlock::Report), ("abort", OnDeadlock::Abort), ("ignore", OnDeadlock::Ignore)];

fn is<T>(choice: &(&str, T), name: &[u8]) -> bool {
    choice.0.as_bytes() == name
}

fn names<T>(choices: Choices<T>) -> String {
    let names: Vec<_> = choices.iter().map(|&(name, _)| name).collect();
    names.join(", ")
}

pub(super) fn choose<T: Copy>(slot: &mut T, name: &[u8], choices: Choices<T>) -> Result<(), String> {
    let chosen = choices.iter().find(|choice| is(choice, name));
    *slot = chosen.ok_or_else(|| format!("use one of {}", names(choices)))?.1;
    Ok(())
}

pub(super) fn shown<T: PartialEq>(value: T, choices: Choices<T>) -> String {
    let choice = choices.iter().find(|choice| choice.1 == value);
    choice.map_or("", |choice| choice.0).to_owned()
}

const NANOS_PER_MS: u64 = 1_000_000;

/// Decimal milliseconds, down to the nanosecond; `None` if they are none, or out of range.
#[allow(clippy::option_option)]
pub(super) fn parse_slice(text: &[u8]) -> Option<Option<Duration>> {
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

pub(super) fn show_slice(slice: Option<Duration>) -> String {
    let nanos = slice.map_or(0, |slice| slice.as_nanos() as u64);
    let text = format!("{}.{:06}", nanos / NANOS_PER_MS, nanos % NANOS_PER_MS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
