//! `cargo xtask test`: all tests, with what they need on the machine.

mod cloud;
mod containers;
mod go;
mod outcome;
mod provide;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use lexopt::Arg::{Long, Value};
use lexopt::ValueExt as _;

use polarway_cloud::Servers;

use self::outcome::Counts;
use self::provide::Provided;
use crate::folders::ScratchFolder;
use crate::{Subcommand, corpus, fuzz, libduckdb, python_client};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "test",
    summary: "run all tests: of the crates, the clients, the documentation and the examples",
    usage: "
Usage: cargo xtask test [--long] [--fleet] [--cloud] [-- CARGO TEST ARGUMENTS]
       cargo xtask test --containers [-- CARGO TEST ARGUMENTS]
       cargo xtask test --fuzz[=SECONDS] [--fuzz-target NAME]
       cargo xtask test --corpus FOLDER

  --long            run the long suites at full length as well (sets POLARWAY_TEST_LONG=1), and the fuzzers after them
  --fleet           run only the tests of several workers behind load balancers; with --long, ten minutes of chaos among them
  --cloud           run only the tests over buckets: against versitygw, Azurite and a front that speaks Google's protocol
  --containers      instead of the tests, run those of deploy/ that need root, Debian and some minutes: the image is built, both
                    Compose files come up in containers, Prometheus scrapes and answers, Kubernetes' schemas are asked
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
    let mut cloud = false;
    let mut containers = false;
    let mut fuzz_seconds = None;
    let mut corpus_folder = None;
    let mut fuzz_target: Option<String> = None;
    let mut for_cargo: Vec<OsString> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("long") => long = true,
            Long("fleet") => fleet = true,
            Long("cloud") => cloud = true,
            Long("containers") => containers = true,
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
    let is_whole = !fleet && !cloud && !containers && for_cargo.is_empty();
    let mut provided = match () {
        () if containers => Provided::whole(containers::provide()?),
        () => provide::provide(fleet || cloud),
    };
    let python_client = if is_whole { provided.python_client() } else { None };
    let typescript_client = if is_whole { provided.typescript_client() } else { None };
    let go_client = if is_whole { provided.go_client() } else { None };
    let scratch = ScratchFolder::create_in(&std::env::temp_dir(), "polarway-test")?;
    let buckets = match cloud {
        true => Some(cloud::start(scratch.path())?),
        false if fleet || containers => None,
        false => provided.buckets(scratch.path()),
    };
    let not_run_file = scratch.path().join("not-run");

    let mut command = libduckdb.cargo("test");
    command.arg("--no-fail-fast");
    if !names_a_package(&for_cargo) {
        command.arg("--workspace");
    }
    if fleet {
        command.args(["--test", "fleet"]);
    }
    if cloud {
        for test in ["storage", "handles", "engine", "answers", "command", "fleet", "buckets"] {
            command.args(["--test", test]);
        }
        if for_cargo.is_empty() {
            for_cargo = ["--", "buckets", "conformance", "faults", "tidying"].map(OsString::from).to_vec();
        }
    }
    if containers {
        command.args(["--test", "deploy"]);
    }
    command.args(&for_cargo);
    if containers {
        // Tests that are ignored otherwise.
        command
            .args(for_cargo.iter().all(|argument| argument != "--").then_some("--"))
            .arg("--include-ignored");
    }
    command.envs(provided.variables);
    command.envs(buckets.as_ref().map(Servers::variable));
    command.env(outcome::NOT_RUN_VARIABLE, &not_run_file);
    if long {
        command.env(LONG_VARIABLE, "1");
    }
    let start = Instant::now();
    let (mut passed, mut counts) = outcome::run_and_count(&mut command)?;
    let mut add = |mut command: Command, run_and_count: fn(&mut Command) -> Result<(bool, Counts)>| {
        let (client_passed, of_client) =
            run_and_count(command.env(outcome::NOT_RUN_VARIABLE, &not_run_file))?;
        passed &= client_passed;
        counts += of_client;
        anyhow::Ok(())
    };
    if let Some(python) = python_client {
        add(python_client::tests(&python)?, outcome::run_and_count)?;
    }
    if let Some(client) = typescript_client {
        add(client.tests()?, outcome::run_and_count)?;
    }
    if let Some(go) = go_client {
        add(go.tests()?, go::run_and_count)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let not_run = outcome::read_not_run(&not_run_file)?;

    let mut stdout = std::io::stdout();
    writeln!(stdout)?;
    for missing in provided.missing {
        writeln!(stdout, "test: missing: {missing}")?;
    }
    for (test, reason) in &not_run {
        writeln!(stdout, "test: not run: {test}: {reason}")?;
    }
    let length =
        if long { "long suites at full length" } else { "long suites in short (--long runs them whole)" };
    writeln!(
        stdout,
        "test: {} in {seconds:.0} s: {}; {length}",
        if passed { "ok" } else { "FAILED" },
        counts.without(not_run.len() as u64),
    )?;
    if !passed {
        bail!("tests failed; what each said stands above");
    }
    if long && is_whole {
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

#[cfg(test)]
mod tests {
    use super::*;

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
