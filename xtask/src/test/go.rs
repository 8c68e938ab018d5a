//! The tests of the Go client: runs them, shows what failed, and counts them as those of Rust are counted.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::outcome::Counts;

/// Runs the tests, and shows the output of those that fail.
pub(super) fn run_and_count(command: &mut Command) -> Result<(bool, Counts)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting the tests of clients/go")?;
    let output = child.stdout.take().context("the tests of clients/go have no output")?;
    let mut report = Report::default();
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading what the tests of clients/go print")?;
        write!(stdout, "{}", report.take(&String::from_utf8_lossy(&line)))?;
        stdout.flush()?;
    }
    let status = child.wait().context("waiting for the tests of clients/go")?;
    Ok((status.success(), report.counts))
}

/// What is known of tests that run.
#[derive(Default)]
struct Report {
    counts: Counts,
    /// What each test and each package has printed until now.
    printed: BTreeMap<(String, String), String>,
}

impl Report {
    /// Takes a line of the tests, and returns what a person is to see.
    fn take(&mut self, line: &str) -> String {
        // What the compiler says is no event.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return if line.is_empty() { String::new() } else { format!("{line}\n") };
        };
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        // The event of a whole package has no test.
        let key = (text("Package").to_owned(), text("Test").to_owned());
        let (passed, failed) = match text("Action") {
            "build-output" => return text("Output").to_owned(),
            "output" => {
                self.printed.entry(key).or_default().push_str(text("Output"));
                return String::new();
            }
            // As in Rust, a test that was not run has passed as far as the harness knows.
            "pass" | "skip" => (1, 0),
            "fail" => (0, 1),
            _ => return String::new(),
        };
        let printed = self.printed.remove(&key).unwrap_or_default();
        if key.1.is_empty() {
            let package = key.0;
            return match failed {
                0 => format!("{}\n", summary(&printed, &package)),
                _ => printed,
            };
        }
        self.counts += Counts::new(passed, failed);
        if failed == 0 { String::new() } else { printed }
    }
}

/// The last line that a package prints: whether it passed, and in which time.
fn summary<'a>(printed: &'a str, package: &'a str) -> &'a str {
    printed.lines().last().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_and_only_those_that_fail_are_shown() {
        let lines = [
            r#"{"Action":"start","Package":"p"}"#,
            r#"{"Action":"run","Package":"p","Test":"A"}"#,
            r#"{"Action":"output","Package":"p","Test":"A","Output":"quiet\n"}"#,
            r#"{"Action":"pass","Package":"p","Test":"A","Elapsed":0.1}"#,
            r#"{"Action":"output","Package":"p","Test":"B","Output":"1 is not 2\n"}"#,
            r#"{"Action":"fail","Package":"p","Test":"B"}"#,
            r#"{"Action":"skip","Package":"p","Test":"C"}"#,
            r#"{"Action":"output","Package":"p","Output":"FAIL p 0.1s\n"}"#,
            r#"{"Action":"fail","Package":"p"}"#,
            "",
        ];
        let mut report = Report::default();
        let shown: String = lines.iter().map(|line| report.take(line)).collect();
        assert_eq!(shown, "1 is not 2\nFAIL p 0.1s\n");
        assert_eq!(report.counts, Counts::new(2, 1));
    }

    #[test]
    fn what_is_no_event_is_shown_as_it_is() {
        assert_eq!(Report::default().take("go: no such module"), "go: no such module\n");
    }
}
