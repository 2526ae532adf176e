//! What is said of a setting that is wrong: one line that says what would be right.

use super::{Config, PREFIX, SETTINGS};
use std::fmt;

pub(super) fn not_valid(name: &str, value: &[u8], advice: &str) -> String {
    let value = OneLine(value);
    format!("greenpatch: {name}={value} is not valid: {advice}")
}

pub(super) fn not_a_setting(name: &[u8]) -> String {
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
pub(super) fn distance(a: &[u8], b: &[u8]) -> usize {
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
    pub(super) line: String,
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
