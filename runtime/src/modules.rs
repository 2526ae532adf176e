//! Modules: the groups of calls that a user can switch with `GREENPATCH_MODULES`.
//!
//! The names are gevent's and eventlet's where they have one. Names of theirs that are no group of
//! system calls (`ssl`, `queue`, …) are aliases: they stand for the modules that the thing needs.

use crate::config::OneLine;
use std::fmt;

/// One group of calls. Its rows in `dispatch` say which calls those are.
///
/// A green thread exists only with [`Module::Thread`]; without it every other module has nothing
/// to switch between and all calls are the kernel's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Module {
    Os,
    Socket,
    Select,
    Time,
    Thread,
    /// The *waits* for a signal (`rt_sigtimedwait`, `rt_sigsuspend`, `pause`, …). Masks, handlers and
    /// pending signals are state of a green thread, so those calls go by
    /// [`Modules::signal_state`] and not by this switch.
    Signal,
    Process,
    /// A switch only: name look-ups run over the calls of other modules.
    Dns,
}

impl Module {
    pub const ALL: [Module; 8] = [
        Module::Os,
        Module::Socket,
        Module::Select,
        Module::Time,
        Module::Thread,
        Module::Signal,
        Module::Process,
        Module::Dns,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Module::Os => "os",
            Module::Socket => "socket",
            Module::Select => "select",
            Module::Time => "time",
            Module::Thread => "thread",
            Module::Signal => "signal",
            Module::Process => "process",
            Module::Dns => "dns",
        }
    }
}

/// A name of gevent's or eventlet's that is no module of ours.
pub struct Alias {
    pub name: &'static str,
    /// What naming it turns on.
    pub needs: Modules,
    /// What `-name` turns off. `None` where that would take away far more than was asked for: there
    /// is no `socket` without `ssl`, or `thread` without `queue`.
    takes_out: Option<Modules>,
}

pub static ALIASES: [Alias; 9] = {
    use Module::{Dns, Os, Process, Select, Socket, Thread};
    const fn alias(name: &'static str, needs: &[Module], takes_out: Option<Modules>) -> Alias {
        Alias { name, needs: Modules::of(needs), takes_out }
    }
    [
        alias("subprocess", &[Process, Os, Select], Some(Modules::of(&[Process]))),
        alias("ssl", &[Socket, Select], None),
        alias("queue", &[Thread], None),
        alias("Event", &[Thread], None),
        alias("builtins", &[Os], None),
        alias("sys", &[Os], None),
        alias("contextvars", &[], Some(Modules::NONE)),
        alias("psycopg", &[Socket, Select, Dns], None),
        alias("MySQLdb", &[Socket, Select, Dns], None),
    ]
};

/// A set of modules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Modules(u8);

impl Modules {
    pub const NONE: Modules = Modules(0);
    pub const ALL: Modules = Modules::of(&Module::ALL);

    pub const fn of(modules: &[Module]) -> Modules {
        let mut bits = 0;
        let mut i = 0;
        while i < modules.len() {
            bits |= 1 << modules[i] as u8;
            i += 1;
        }
        Modules(bits)
    }

    pub const fn contains(self, module: Module) -> bool {
        self.0 & (1 << module as u8) != 0
    }

    pub const fn contains_all(self, other: Modules) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn with(self, other: Modules) -> Modules {
        Modules(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Modules) -> Modules {
        Modules(self.0 & !other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Module> {
        Module::ALL.into_iter().filter(move |&m| self.contains(m))
    }

    /// Whether signal masks, handlers, pending signals and alternate stacks are kept per green
    /// thread: always when there are green threads, whatever [`Module::Signal`] says.
    pub const fn signal_state(self) -> bool {
        self.contains(Module::Thread)
    }

    /// What a module's name or an alias stands for; `None` if it is neither. The set is empty for an
    /// alias that needs nothing.
    pub fn named(name: &[u8]) -> Option<Modules> {
        if let Some(&module) = Module::ALL.iter().find(|m| m.name().as_bytes() == name) {
            return Some(Modules::of(&[module]));
        }
        find_alias(name).map(|alias| alias.needs)
    }

    /// Parses a comma list, left to right: a name adds, `-name` takes out, `all` and `none` set
    /// everything and nothing. A list that begins with `-name` begins from `all`; an empty one is
    /// `none`. White space around a name is ignored.
    ///
    /// # Errors
    /// The first item that is no valid name.
    pub fn parse(list: &[u8]) -> Result<Modules, ModulesError<'_>> {
        let mut set = Modules::NONE;
        let items = list.split(|&b| b == b',').map(<[u8]>::trim_ascii);
        for (nth, item) in items.filter(|item| !item.is_empty()).enumerate() {
            let unknown = ModulesError::Unknown(item);
            if let Some(name) = item.strip_prefix(b"-") {
                if nth == 0 {
                    set = Modules::ALL;
                }
                let name = name.trim_ascii();
                set = set.without(match find_alias(name) {
                    Some(alias) => alias.takes_out.ok_or(ModulesError::NotAlone(alias))?,
                    None if name == b"all" => Modules::ALL,
                    None => Modules::named(name).ok_or(unknown)?,
                });
            } else {
                set = match item {
                    b"all" => Modules::ALL,
                    b"none" => Modules::NONE,
                    name => set.with(Modules::named(name).ok_or(unknown)?),
                };
            }
        }
        Ok(set)
    }
}

fn find_alias(name: &[u8]) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.name.as_bytes() == name)
}

/// As `GREENPATCH_MODULES` takes it: `all`, `none` or a comma list.
impl fmt::Display for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Modules::ALL => f.write_str("all"),
            Modules::NONE => f.write_str("none"),
            set => set.iter().enumerate().try_for_each(|(i, module)| {
                f.write_str(if i == 0 { "" } else { "," })?;
                f.write_str(module.name())
            }),
        }
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modules({self})")
    }
}

/// Why a list of modules is not valid. It prints as one line that says what to write instead.
#[derive(Clone, Copy)]
pub enum ModulesError<'a> {
    /// No such module or alias.
    Unknown(&'a [u8]),
    /// `-name` of an alias that cannot be taken out alone.
    NotAlone(&'static Alias),
}

impl fmt::Display for ModulesError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModulesError::Unknown(item) => {
                write!(f, "unknown module {}: use all, none, or a comma list of", OneLine(item))?;
                for module in Module::ALL {
                    write!(f, " {},", module.name())?;
                }
                f.write_str(" with - before a name to take it out (also known:")?;
                for (i, alias) in ALIASES.iter().enumerate() {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, alias.name)?;
                }
                f.write_str(")")
            }
            ModulesError::NotAlone(Alias { name, needs, .. }) => write!(
                f,
                "{name} cannot be taken out alone: it is part of {needs}; \
                 use those names with - if they are meant"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> String {
        match Modules::parse(list.as_bytes()) {
            Ok(set) => set.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lists_add_and_take_out_from_left_to_right() {
        for (list, set) in [
            ("all", "all"),
            ("none", "none"),
            ("", "none"),
            (" , ,", "none"),
            ("socket", "socket"),
            ("dns,os", "os,dns"),
            ("\tsocket ,  time\n", "socket,time"),
            ("all,-socket", "os,select,time,thread,signal,process,dns"),
            ("-socket,-dns", "os,select,time,thread,signal,process"),
            (" - socket", "os,select,time,thread,signal,process,dns"),
            ("socket,-socket", "none"),
            ("-socket,socket", "all"),
            ("os,all,-time", "os,socket,select,thread,signal,process,dns"),
            ("socket,none,time", "time"),
            ("-all,time", "time"),
            ("all,-signal", "os,socket,select,time,thread,process,dns"),
        ] {
            assert_eq!(parse(list), set, "{list:?}");
        }
    }

    #[test]
    fn every_module_is_its_own_name_and_bit() {
        for module in Module::ALL {
            let only = Modules::of(&[module]);
            assert_eq!(Modules::parse(module.name().as_bytes()).ok(), Some(only));
            assert_eq!(only.iter().collect::<Vec<_>>(), [module]);
            let others = Modules::ALL.without(only);
            assert!(!others.contains(module) && !others.is_empty());
            assert!(others.with(only) == Modules::ALL && Modules::ALL.contains_all(others));
            assert!(!others.contains_all(Modules::ALL));
            // What is printed can be given back.
            assert_eq!(Modules::parse(others.to_string().as_bytes()).ok(), Some(others));
        }
    }

    #[test]
    fn names_of_gevent_and_eventlet_stand_for_what_they_need() {
        for (list, set) in [
            ("subprocess", "os,select,process"),
            ("ssl", "socket,select"),
            ("queue", "thread"),
            ("Event", "thread"),
            ("builtins", "os"),
            ("sys", "os"),
            ("contextvars", "none"),
            ("psycopg", "socket,select,dns"),
            ("MySQLdb", "socket,select,dns"),
            ("socket,select,time,thread,os,signal,subprocess,dns", "all"),
            ("all,-subprocess", "os,socket,select,time,thread,signal,dns"),
            ("all,-contextvars", "all"),
        ] {
            assert_eq!(parse(list), set, "{list:?}");
        }
        // All of gevent.monkey.patch_all's and eventlet.monkey_patch's, as one list.
        assert_eq!(
            parse(
                "socket,dns,time,select,thread,os,ssl,subprocess,sys,Event,builtins,signal,queue,\
                 contextvars,psycopg,MySQLdb"
            ),
            "all"
        );
    }

    #[test]
    fn a_bad_name_is_one_line_that_names_it_and_lists_the_valid_ones() {
        for (list, bad) in [
            ("sockets", "sockets"),
            ("all,-sockets", "-sockets"),
            ("all;-socket", "all;-socket"),
            ("-", "-"),
            ("--socket", "--socket"),
            ("-none", "-none"),
            ("Socket", "Socket"),
            ("os,a\nb\u{1b}[m", "a\\nb\\u{1b}[m"),
        ] {
            let line = parse(list);
            let start = format!("error: unknown module {bad}: use all, none, or a comma list of ");
            assert!(line.starts_with(&start), "{line}");
            for name in Module::ALL.map(Module::name) {
                assert!(line.contains(&format!(" {name},")), "{line}");
            }
            for alias in &ALIASES {
                assert!(line.contains(alias.name), "{line}");
            }
            assert!(!line.contains('\n'));
        }
        assert_eq!(
            parse("all,-ssl"),
            "error: ssl cannot be taken out alone: it is part of socket,select; \
             use those names with - if they are meant"
        );
        assert!(Modules::parse(b"\xff\xfe").is_err());
        assert!(parse(&"x".repeat(100_000)).len() < 1000);
    }

    #[test]
    fn signal_state_goes_with_threads() {
        let set = Modules::ALL.without(Modules::of(&[Module::Signal]));
        assert!(set.signal_state() && !set.contains(Module::Signal));
        assert!(!Modules::of(&[Module::Signal]).signal_state());
    }

    #[test]
    fn a_name_can_be_looked_up() {
        assert_eq!(Modules::named(b"socket"), Some(Modules::of(&[Module::Socket])));
        assert_eq!(Modules::named(b"contextvars"), Some(Modules::NONE));
        for none in [&b"all"[..], b"none", b"", b" socket", b"-socket", b"\xff"] {
            assert_eq!(Modules::named(none), None);
        }
    }

    #[test]
    fn readme_tells_what_each_name_stands_for() {
        let readme = include_str!("../../README.md");
        let rows = Module::ALL
            .map(|m| (m.name(), Modules::of(&[m])))
            .into_iter()
            .chain(ALIASES.iter().map(|a| (a.name, a.needs)));
        for (name, set) in rows {
            let names: Vec<_> = set.iter().map(|m| format!("`{}`", m.name())).collect();
            let ours = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            // In the table of names: theirs, then ours.
            let found = readme.lines().any(|line| {
                let mut cells = line.split('|').map(str::trim).skip(1);
                let theirs = cells.next().unwrap_or("");
                theirs.split(", ").any(|cell| cell == format!("`{name}`")) && cells.next() == Some(&ours)
            });
            // `process` is ours alone.
            assert!(found || name == "process", "{name} is not in README as {ours}");
        }
    }
}
