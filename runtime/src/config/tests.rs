//! Tests of the settings, and of the README's table of them.

use super::values::FEATURES;
use super::*;
use crate::modules::Module;

fn read(environ: &[&str]) -> Result<Config, ConfigError> {
    Config::from_environ(environ.iter().map(|entry| entry.as_bytes()), false)
}

fn config(environ: &[&str]) -> Config {
    read(environ).unwrap_or_else(|error| panic!("{environ:?}: {error}"))
}

fn error(environ: &[&str]) -> String {
    let error = read(environ).expect_err("is not valid");
    assert!(!error.to_string().contains('\n'), "{error}");
    error.to_string()
}

#[test]
fn defaults_hold_without_variables_and_are_what_the_table_says() {
    assert_eq!(config(&[]), Config::DEFAULT);
    assert_eq!(config(&["PATH=/bin", "GREENPATCHES=1", "NOT_GREENPATCH=x", "junk", ""]), Config::DEFAULT);
    for setting in &SETTINGS {
        assert_eq!((setting.show)(&Config::DEFAULT), setting.default);
        let given = format!("{}={}", setting.name, setting.default);
        assert_eq!(config(&[&given]), Config::DEFAULT, "{given}");
    }
}

#[test]
fn every_setting_is_read() {
    let all = config(&[
        "GREENPATCH_MODULES=all,-socket",
        "GREENPATCH_ARM=start",
        "GREENPATCH_HELP=1",
        "GREENPATCH_FALLBACK=native",
        "GREENPATCH_ON_DEADLOCK=abort",
        "GREENPATCH_SLICE=2.5",
        "GREENPATCH_INHERIT=0",
        "GREENPATCH_NO=fsgsbase, rwf_nowait",
        "GREENPATCH_STATS=1",
        "GREENPATCH_IO_THREADS=16",
        "GREENPATCH_SPIN=20",
    ]);
    assert!(all.enabled && all.help && all.stats && !all.inherit);
    assert!(!all.modules.contains(Module::Socket) && all.modules.contains(Module::Os));
    assert_eq!(all.arm, Arm::Start);
    assert_eq!(all.fallback, Fallback::Native);
    assert_eq!(all.on_deadlock, OnDeadlock::Abort);
    assert_eq!(all.slice, Some(Duration::from_micros(2500)));
    assert!(all.without.contains(KernelFeature::Fsgsbase));
    assert!(all.without.contains(KernelFeature::RwfNowait));
    assert!(!all.without.contains(KernelFeature::MadvGuard));
    assert_eq!(all.io_threads, 16);
    assert_eq!(all.spin, Some(20));
    // What is shown can be given back.
    for setting in &SETTINGS {
        let mut again = all;
        (setting.parse)(&mut again, (setting.show)(&all).as_bytes()).unwrap();
        assert_eq!(again, all, "{}", setting.name);
    }
}

#[test]
fn switches_take_words_and_digits_and_white_space_is_nothing() {
    for (off, on) in [("off", "on"), ("0", "1"), (" off ", "\ton\n")] {
        assert!(!config(&[&format!("GREENPATCH={off}")]).enabled);
        assert!(config(&[&format!("GREENPATCH={on}")]).enabled);
        assert!(!config(&[&format!("GREENPATCH_INHERIT={off}")]).inherit);
        assert!(config(&[&format!("GREENPATCH_STATS={on}")]).stats);
    }
}

#[test]
fn the_first_of_two_entries_counts() {
    let config = config(&["GREENPATCH_ARM=start", "GREENPATCH_ARM=lazy"]);
    assert_eq!(config.arm, Arm::Start);
}

#[test]
fn a_slice_is_exact_and_bounded() {
    for (text, micros) in [
        ("10", 10_000),
        ("0.1", 100),
        (".5", 500),
        ("7.", 7_000),
        ("1.000", 1_000),
        ("33.333", 33_333),
        ("60000", 60_000_000),
    ] {
        let slice = config(&[&format!("GREENPATCH_SLICE={text}")]).slice;
        assert_eq!(slice, Some(Duration::from_micros(micros)), "{text}");
    }
    for zero in ["0", "0.0", ".0", "000"] {
        assert_eq!(config(&[&format!("GREENPATCH_SLICE={zero}")]).slice, None);
    }
    assert_eq!(show_slice(Some(Duration::from_nanos(1_500_001))), "1.500001");
    assert_eq!(show_slice(Some(Duration::from_millis(100))), "100");
    assert_eq!(show_slice(None), "0");
    for bad in [
        "",
        ".",
        "-1",
        "+1",
        "1e3",
        "10ms",
        "0.01",
        "60001",
        "1.2.3",
        "0x10",
        "1,5",
        "1.0000001",
        "18446744073709551616",
        "inf",
    ] {
        assert_eq!(
            error(&[&format!("GREENPATCH_SLICE={bad}")]),
            format!(
                "greenpatch: GREENPATCH_SLICE={bad} is not valid: \
                 use 0, or a number of milliseconds from 0.1 to 60000, as 10 or 2.5"
            )
        );
    }
}

#[test]
fn kernel_features_are_a_list() {
    let without = |list| config(&[&format!("GREENPATCH_NO={list}")]).without;
    for &(name, feature) in FEATURES {
        assert!(without(name).contains(feature) && without("all").contains(feature));
        let others = FEATURES.iter().filter(|&&(_, f)| f != feature);
        assert!(others.into_iter().all(|&(_, f)| !without(name).contains(f)));
        // The help text lists them.
        let help = SETTINGS.iter().find(|s| s.name == "GREENPATCH_NO").unwrap().help;
        assert!(help.contains(name));
    }
    assert_eq!(without("none"), KernelFeatures::NONE);
    assert_eq!(without(""), KernelFeatures::NONE);
    assert_eq!(
        error(&["GREENPATCH_NO=rwf_nowait,foo"]),
        "greenpatch: GREENPATCH_NO=rwf_nowait,foo is not valid: use all, none, or a comma list \
         of rwf_nowait, madv_guard, futex_waitv, epoll_pwait2, fsgsbase"
    );
}

#[test]
fn a_bad_value_is_one_line_that_says_what_is_valid() {
    for (entry, advice) in [
        ("GREENPATCH=maybe", "use one of on, off, 1, 0"),
        ("GREENPATCH_ARM=foo", "use one of lazy, start"),
        ("GREENPATCH_ARM=", "use one of lazy, start"),
        ("GREENPATCH_ARM=LAZY", "use one of lazy, start"),
        ("GREENPATCH_HELP=yes", "use one of 1, 0, on, off"),
        ("GREENPATCH_FALLBACK=no", "use one of exit, native"),
        ("GREENPATCH_ON_DEADLOCK=x=y", "use one of report, abort, ignore"),
        ("GREENPATCH_INHERIT=2", "use one of 1, 0, on, off"),
        ("GREENPATCH_STATS=-1", "use one of 1, 0, on, off"),
        ("GREENPATCH_IO_THREADS=0", "use a number from 1 to 256"),
        ("GREENPATCH_IO_THREADS=257", "use a number from 1 to 256"),
        ("GREENPATCH_IO_THREADS=-1", "use a number from 1 to 256"),
        ("GREENPATCH_IO_THREADS=many", "use a number from 1 to 256"),
        ("GREENPATCH_SPIN=-1", "use auto, or a number of microseconds from 0 to 1000"),
        ("GREENPATCH_SPIN=1001", "use auto, or a number of microseconds from 0 to 1000"),
        ("GREENPATCH_SPIN=", "use auto, or a number of microseconds from 0 to 1000"),
    ] {
        let line = format!("greenpatch: {entry} is not valid: {advice}");
        assert_eq!(error(&[entry]), line);
    }
    assert!(error(&["GREENPATCH_MODULES=foo"])
        .starts_with("greenpatch: GREENPATCH_MODULES=foo is not valid: unknown module foo: use"));
    assert!(error(&["GREENPATCH_ARM=a\nb\u{7}"]).contains("ARM=a\\nb\\u{7} is"));
    assert!(error(&[&format!("GREENPATCH_ARM={}", "é".repeat(5000))]).len() < 500);
    let bytes: &[u8] = b"GREENPATCH_ARM=\xff\xfe";
    assert!(Config::from_environ([bytes], false).is_err());
}

#[test]
fn an_unknown_setting_is_an_error_with_the_nearest_name() {
    for (entry, nearest) in [
        ("GREENPATCH_MODULE=all", "MODULES"),
        ("GREENPATCH_MODUELS=all", "MODULES"),
        ("GREENPATCH_DEADLOCK=abort", "ON_DEADLOCK"),
        ("GREENPATCH_FALBACK=native", "FALLBACK"),
        ("GREENPATCH_arm=start", ""),
        ("GREENPATCH_XYZZY=1", ""),
        ("GREENPATCH_=1", ""),
    ] {
        let name = entry.split('=').next().unwrap();
        let advice = match nearest {
            "" => String::new(),
            nearest => format!("did you mean GREENPATCH_{nearest}? "),
        };
        assert_eq!(
            error(&[entry]),
            format!("greenpatch: {name} is not a setting: {advice}GREENPATCH_HELP=1 lists them all")
        );
    }
    error(&[&format!("GREENPATCH_{}=1", "A".repeat(100_000))]);
    assert_eq!(config(&["GREENPATCH_INTERNAL_FD=3"]), Config::DEFAULT);
    assert_eq!(config(&["GREENPATCH_LIBRARY=/there"]), Config::DEFAULT);
}

#[test]
fn an_error_still_tells_the_other_settings_and_the_first_error_counts() {
    let error =
        read(&["GREENPATCH_ARM=foo", "GREENPATCH_SLICE=bar", "GREENPATCH_FALLBACK=native", "GREENPATCH_HELP=1"])
            .unwrap_err();
    assert!(error.to_string().contains("GREENPATCH_ARM=foo"));
    assert_eq!(error.config.fallback, Fallback::Native);
    assert!(error.config.help);
    assert_eq!(error.config.arm, Arm::Lazy);
}

#[test]
fn off_means_off_whatever_else_is_set() {
    let off = config(&["GREENPATCH_ARM=foo", "GREENPATCH=off", "GREENPATCH_WHAT=1"]);
    assert!(!off.enabled);
}

#[test]
fn secure_execution_reads_nothing() {
    let entries: [&[u8]; 3] = [b"GREENPATCH=off", b"GREENPATCH_HELP=1", b"GREENPATCH_X=1"];
    let config = Config::from_environ(entries, true).unwrap();
    assert_eq!(config, Config::DEFAULT);
}

#[test]
fn help_is_an_aligned_table_of_all_settings() {
    let help = config(&["GREENPATCH_MODULES=os,socket", "GREENPATCH_SLICE=0"]).help();
    let lines: Vec<_> = help.lines().skip(2).collect();
    let (default_at, now_at, meaning_at) =
        (lines[0].find("default").unwrap(), lines[0].find("now").unwrap(), lines[0].find("meaning").unwrap());
    for line in &lines[1..] {
        assert!(line.len() <= meaning_at + 60, "{line}");
        for at in [default_at, now_at, meaning_at] {
            assert_eq!(&line[at - 2..at], "  ", "{line}");
            assert_ne!(&line[meaning_at..=meaning_at], " ", "{line}");
        }
    }
    for setting in &SETTINGS {
        let row = lines.iter().find(|line| line.split(' ').next() == Some(setting.name));
        let row = row.unwrap_or_else(|| panic!("{} is missing:\n{help}", setting.name));
        assert_eq!(row[default_at..now_at].trim(), setting.default);
        let now = match setting.name {
            "GREENPATCH_MODULES" => "os,socket",
            "GREENPATCH_SLICE" => "0",
            _ => setting.default,
        };
        assert_eq!(row[now_at..meaning_at].trim(), now);
        let first_words = &setting.help[..20];
        assert!(row[meaning_at..].starts_with(first_words));
    }
}

#[test]
fn readme_has_the_table_of_settings() {
    let readme = include_str!("../../../README.md").replace('`', "");
    let rows = readme.lines().filter(|line| line.starts_with("| GREENPATCH"));
    let table = SETTINGS.iter();
    let table = table.map(|s| format!("| {} | {} | {} |", s.name, s.default, s.help));
    assert_eq!(rows.collect::<Vec<_>>(), table.collect::<Vec<_>>());
}

#[test]
fn an_environ_is_walked_to_its_end() {
    let strings = [c"A=1", c"GREENPATCH_ARM=start", c""];
    let mut environ: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
    environ.push(std::ptr::null());
    // SAFETY: an array of C strings with a null pointer at its end; it outlives the iterator.
    let found: Vec<_> = unsafe { entries(environ.as_ptr()) }.collect();
    assert_eq!(found, [&b"A=1"[..], b"GREENPATCH_ARM=start", b""]);
    assert_eq!(Config::from_environ(found, false).unwrap().arm, Arm::Start);
    // SAFETY: null is allowed.
    assert_eq!(unsafe { entries(std::ptr::null()) }.count(), 0);
}
