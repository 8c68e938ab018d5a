//! A program that measures on command.
//!
//! It reads the name of a measure, one per line, and answers each with one line of JSON: `{"name": …, "seconds": …}`, or
//! `{"name": …, "error": …}`. Setting up (reading the table, making 10,000 versions) is done when a measure is first asked
//! for, and is not part of the seconds. It ends when its input does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

pub(super) struct Participant {
    name: &'static str,
    process: Child,
    /// Taken when the input ends.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Participant {
    /// Starts the program; `name` is what errors call it.
    ///
    /// # Errors
    /// When it can't be started.
    pub(super) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("starting {name}"))?;
        let commands = Some(process.stdin.take().context("the program has no input")?);
        let answers = BufReader::new(process.stdout.take().context("the program has no output")?);
        Ok(Self { name, process, commands, answers })
    }

    /// Has it measure once. Seconds.
    ///
    /// # Errors
    /// When it says that it can't, ends, or answers something else.
    pub(super) fn measure(&mut self, measure: &str) -> Result<f64> {
        let name = self.name;
        let commands = self.commands.as_mut().context("the program's input has ended")?;
        writeln!(commands, "{measure}").with_context(|| format!("asking {name} for {measure}"))?;
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .with_context(|| format!("reading what {name} says of {measure}"))?;
        ensure!(!line.is_empty(), "{name} ended instead of answering {measure}");
        seconds_in(&line, measure).with_context(|| format!("{name}, asked for {measure}"))
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        // The end of its input is its sign to end; what it then says of itself is on stderr.
        drop(self.commands.take());
        if let Err(error) = self.process.wait() {
            eprintln!("warning: {} did not end: {error}", self.name);
        }
    }
}

fn seconds_in(line: &str, measure: &str) -> Result<f64> {
    let answer: Value =
        serde_json::from_str(line).with_context(|| format!("not JSON: {}", line.trim_end()))?;
    if let Some(error) = answer["error"].as_str() {
        bail!("{error}");
    }
    ensure!(answer["name"] == measure, "answered something else: {}", line.trim_end());
    answer["seconds"].as_f64().with_context(|| format!("no seconds: {}", line.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_of_the_measure_asked_for_are_taken() {
        assert_eq!(seconds_in(r#"{"name": "store", "seconds": 0.5}"#, "store").unwrap(), 0.5);
    }

    #[test]
    fn other_answers_are_errors() {
        for line in ["", "0.5", "{}", r#"{"name": "load", "seconds": 0.5}"#, r#"{"name": "store"}"#] {
            assert!(seconds_in(line, "store").is_err(), "{line}");
        }
        let error = seconds_in(r#"{"name": "store", "error": "disk full"}"#, "store").unwrap_err();
        assert_eq!(error.to_string(), "disk full");
    }

    #[test]
    fn a_program_that_ends_early_is_an_error() {
        let mut participant = Participant::start("true", &mut Command::new("true")).unwrap();
        assert!(participant.measure("store").is_err());
    }

    #[test]
    fn a_program_answers_once_per_command() {
        let script = r#"while read name; do echo "{\"name\": \"$name\", \"seconds\": 1.5}"; done"#;
        let mut participant = Participant::start("sh", Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(participant.measure("store").unwrap(), 1.5);
        assert_eq!(participant.measure("load-parquet").unwrap(), 1.5);
    }
}
