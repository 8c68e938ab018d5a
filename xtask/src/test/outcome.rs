//! What came of the tests: how many ended in which way, and which were not run.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// The variable that names a file to which tests add their names when they can't be run, with the reason behind a tab;
/// `polarway_testing::not_run` does that.
pub(super) const NOT_RUN_VARIABLE: &str = "POLARWAY_TEST_NOT_RUN";

/// The tests that said they were not run, each with its reason.
///
/// # Errors
/// When the file is there and can't be read.
pub(super) fn read_not_run(file: &Path) -> Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.with_context(|| format!("reading {}", file.display()))?,
    };
    // A test may say so more than once.
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.map(|(test, reason)| (test.to_owned(), reason.to_owned())).collect())
}

/// How many tests ended in which way.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    not_run: u64,
}

impl Counts {
    /// So many tests that passed and that failed.
    pub(super) fn new(passed: u64, failed: u64) -> Self {
        Self { passed, failed, ..Self::default() }
    }

    /// The same, where the harness counted so many tests as passed which were not run.
    pub(super) fn without(self, not_run: u64) -> Self {
        Self { passed: self.passed.saturating_sub(not_run), not_run, ..self }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored, not_run } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored, {not_run} not run")
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.not_run += other.not_run;
    }
}

/// Runs `cargo test`, or what writes such result lines, passing on what it prints, and adds the result lines up.
pub(super) fn run_and_count(command: &mut Command) -> Result<(bool, Counts)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting the tests")?;
    let output = child.stdout.take().context("the tests have no output")?;
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
    let status = child.wait().context("waiting for the tests")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n";
        assert_eq!(counts_in(line), Some(Counts { passed: 5, failed: 2, ignored: 1, not_run: 0 }));
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in ["", "test a_test ... ok", "test result: ", "test result: ok. many passed; 0 failed"] {
            assert_eq!(counts_in(line), None, "{line}");
        }
    }

    #[test]
    fn a_test_that_was_not_run_has_not_passed_however_often_it_says_so() {
        let scratch =
            crate::folders::ScratchFolder::create_in(&std::env::temp_dir(), "polarway-not-run").unwrap();
        let file = scratch.path().join("not-run");
        assert!(read_not_run(&file).unwrap().is_empty());
        fs::write(&file, "network::a\tno strace\nstorage::b\tno mounts\nnetwork::a\tno strace\n").unwrap();
        let not_run = read_not_run(&file).unwrap();
        let expected = [("network::a", "no strace"), ("storage::b", "no mounts")];
        assert!(not_run.iter().map(|(test, reason)| (test.as_str(), reason.as_str())).eq(expected));
        let counts = Counts { passed: 10, ..Counts::default() }.without(not_run.len() as u64);
        assert_eq!(counts.to_string(), "8 passed, 0 failed, 0 ignored, 2 not run");
    }
}
