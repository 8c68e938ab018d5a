//! `cargo xtask test`: all tests, with what they need on the machine.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::AddAssign;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use lexopt::Arg::{Long, Value};
use lexopt::ValueExt as _;
use polarway_fleet::Balancer;

use crate::folders::cache_folder;
use crate::{Subcommand, corpus, fuzz, libduckdb, peers, tpch};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "test",
    summary: "run all tests: of the crates, the documentation and the examples",
    usage: "
Usage: cargo xtask test [--long] [--fleet] [-- CARGO TEST ARGUMENTS]
       cargo xtask test --fuzz[=SECONDS] [--fuzz-target NAME]
       cargo xtask test --corpus FOLDER

  --long            run the long suites at full length as well (sets POLARWAY_TEST_LONG=1), and the fuzzers after them
  --fleet           run only the tests of several workers behind load balancers; with --long, ten minutes of chaos among them
  --fuzz[=SECONDS]  instead of the tests, mutate SQL, Arrow streams, Parquet files and messages of the protocol, each for
                    600 s unless told otherwise
  --fuzz-target NAME  only one of them: ipc, protobuf, parquet or sql
  --corpus FOLDER   instead of the tests, read every Parquet and Arrow file of a folder beside pyarrow, DuckDB and polars

What stands behind `--` goes to `cargo test`, and behind another `--` to the tests:
  cargo xtask test -- -p polarway-storage
  cargo xtask test -- -p polarway-storage -- --nocapture conformance
",
    run,
};

/// The variable by which tests know that they may take long.
const LONG_VARIABLE: &str = "POLARWAY_TEST_LONG";

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut long = false;
    let mut fleet = false;
    let mut fuzz_seconds = None;
    let mut corpus_folder = None;
    let mut fuzz_target: Option<String> = None;
    let mut for_cargo: Vec<OsString> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("long") => long = true,
            Long("fleet") => fleet = true,
            Long("fuzz") => {
                let seconds = arguments.optional_value().map(|text| text.parse()).transpose()?;
                fuzz_seconds = Some(seconds.unwrap_or(fuzz::DEFAULT_SECONDS));
            }
            Long("corpus") => corpus_folder = Some(PathBuf::from(arguments.value()?)),
            Long("fuzz-target") => fuzz_target = Some(arguments.value()?.parse()?),
            // lexopt swallows the first `--` and gives what follows as values.
            Value(first) => {
                for_cargo.push(first);
                for_cargo.extend(arguments.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let libduckdb = libduckdb::ensure()?;
    if fuzz_seconds.is_some() || fuzz_target.is_some() {
        let seconds = fuzz_seconds.unwrap_or(fuzz::DEFAULT_SECONDS);
        return fuzz::run(&libduckdb, seconds, fuzz_target.as_deref());
    }
    if let Some(folder) = corpus_folder {
        return corpus::run(&libduckdb, &folder);
    }
    let mut not_run: Vec<(String, anyhow::Error)> = Vec::new();
    let (mut tpch, mut peers) = (None, None);
    if !fleet {
        if let Err(error) = provide("strace", "strace", &["-V"]) {
            not_run.push((NO_STRACE.to_owned(), error));
        }
        let folder = cache_folder().and_then(|cache| tpch::provide(&cache, TPCH_SCALE));
        tpch = folder.map_err(|error| not_run.push((NO_TPCH.to_owned(), error))).ok();
        let interpreter = cache_folder().and_then(|cache| peers::provide(&cache));
        peers = interpreter.map_err(|error| not_run.push((NO_PEERS.to_owned(), error))).ok();
    }
    let balancers = provide_balancers(&mut not_run);

    let mut command = libduckdb.cargo("test");
    command.arg("--no-fail-fast");
    if !names_a_package(&for_cargo) {
        command.arg("--workspace");
    }
    if fleet {
        command.args(["--test", "fleet"]);
    }
    command.args(&for_cargo);
    command.env(BALANCERS_VARIABLE, balancers.join(","));
    if long {
        command.env(LONG_VARIABLE, "1");
    }
    command.envs(tpch.map(|folder| (tpch::FOLDER_VARIABLE, folder)));
    command.envs(peers.map(|interpreter| (peers::VARIABLE, interpreter)));
    let start = Instant::now();
    let (passed, counts) = run_and_count(&mut command)?;

    let mut stdout = std::io::stdout();
    writeln!(stdout)?;
    for (what, error) in not_run {
        writeln!(stdout, "test: NOT RUN: {what} ({error:#})")?;
    }
    let length =
        if long { "long suites at full length" } else { "long suites in short (--long runs them whole)" };
    writeln!(
        stdout,
        "test: {} in {:.0} s: {} passed, {} failed, {} ignored; {length}",
        if passed { "ok" } else { "FAILED" },
        start.elapsed().as_secs_f64(),
        counts.passed,
        counts.failed,
        counts.ignored,
    )?;
    if !passed {
        bail!("tests failed; what each said stands above");
    }
    if long && !fleet && for_cargo.is_empty() {
        fuzz::run(&libduckdb, fuzz::DEFAULT_SECONDS, None)?;
    }
    Ok(())
}

fn names_a_package(for_cargo: &[OsString]) -> bool {
    for_cargo.iter().take_while(|argument| *argument != "--").any(|argument| {
        let argument = argument.to_string_lossy();
        ["-p", "--package", "--manifest-path"].iter().any(|option| argument.starts_with(option))
    })
}

/// How many tests ended in which way.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Runs `cargo test`, passing on what it prints, and adds its result lines up.
fn run_and_count(command: &mut Command) -> Result<(bool, Counts)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut counts = Counts::default();
    let mut stdout = std::io::stdout().lock();
    // Tests may print any bytes: a line is passed on as it is and only then looked at.
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        stdout.write_all(&line)?;
        stdout.flush()?;
        counts += counts_in(&String::from_utf8_lossy(&line)).unwrap_or_default();
        line.clear();
    }
    let status = child.wait().context("waiting for cargo test")?;
    Ok((status.success(), counts))
}

/// The counts in `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
fn counts_in(line: &str) -> Option<Counts> {
    let (_, parts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in parts.split("; ") {
        match part.trim().split_once(' ') {
            Some((number, "passed")) => counts.passed = number.parse().ok()?,
            Some((number, "failed")) => counts.failed = number.parse().ok()?,
            Some((number, "ignored")) => counts.ignored = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// The smallest scale at which each query of TPC-H has something to answer.
const TPCH_SCALE: f64 = 0.1;

const NO_TPCH: &str =
    "the 22 queries of TPC-H against their published answers. They need Python with venv, and a network once";

const NO_PEERS: &str = "that pyarrow, polars and DuckDB read every file that is written. It needs Python 3.11 with venv, and \
                        a network once";

const NO_STRACE: &str = "the tests that kill a program at each system call of a commit, and those that assert the order of \
                         its fsyncs. They need strace; install it and run again";

/// The variable by which tests know which balancers are there: their names, with commas between.
const BALANCERS_VARIABLE: &str = "POLARWAY_BALANCERS";

/// The names of the balancers that are there; of each other one it is noted what is not run without it.
fn provide_balancers(not_run: &mut Vec<(String, anyhow::Error)>) -> Vec<&'static str> {
    let mut there = Vec::new();
    for balancer in Balancer::ALL {
        let provided = match balancer.program() {
            Some(_) => Ok(()),
            None => provide(balancer.name(), balancer.package(), &["-v"]),
        };
        match provided {
            Ok(()) => there.push(balancer.name()),
            Err(error) => not_run.push((format!("every test of workers behind {balancer}"), error)),
        }
    }
    there
}

/// Sees to it that a program is installed, which one sees by its running with these arguments.
///
/// # Errors
/// When it isn't and can't be. The tests that need it see that for themselves.
fn provide(program: &str, package: &str, arguments: &[&str]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("there is none for this system");
    }
    if runs(program, arguments) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() || !is_root() {
        bail!("it can't be installed without apt-get and root");
    }
    eprintln!("test: installing {package}");
    if !apt_get(&["update"]) || !install(package) {
        bail!("apt-get could not install it");
    }
    if !runs(program, arguments) {
        bail!("it was installed, but does not run");
    }
    Ok(())
}

/// Installs a package and starts no service of it: the tests have their own, and port 80 may be somebody's.
fn install(package: &str) -> bool {
    // Debian's way to say so is a program that is asked, and whose 101 means no. One that is there already says what it says.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let is_ours = !policy.exists() && fs::write(policy, "#!/bin/sh\nexit 101\n").is_ok();
    if is_ours {
        let _ = fs::set_permissions(policy, fs::Permissions::from_mode(0o755));
    }
    let installed = apt_get(&["install", "--yes", "--no-install-recommends", package]);
    if is_ours {
        let _ = fs::remove_file(policy);
    }
    installed
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n";
        assert_eq!(counts_in(line), Some(Counts { passed: 5, failed: 2, ignored: 1 }));
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in ["", "test a_test ... ok", "test result: ", "test result: ok. many passed; 0 failed"] {
            assert_eq!(counts_in(line), None, "{line}");
        }
    }

    #[test]
    fn a_named_package_replaces_the_workspace() {
        for arguments in [&["-p", "a"][..], &["-pa"], &["--lib", "--package=a"], &["--manifest-path", "x"]] {
            assert!(
                names_a_package(&arguments.iter().map(OsString::from).collect::<Vec<_>>()),
                "{arguments:?}"
            );
        }
        for arguments in [&[][..], &["--lib"], &["--profile", "long"], &["name_of_a_test", "--", "-p"]] {
            assert!(
                !names_a_package(&arguments.iter().map(OsString::from).collect::<Vec<_>>()),
                "{arguments:?}"
            );
        }
    }
}
