//! A program that measures on command.
//!
//! It reads the name of a measure, one per line, and answers each with one line of JSON: `{"name": …, "seconds": …}`, or
//! `{"name": …, "error": …}`. Where it matters, `"needed_bytes"` are those that had to come from the bucket. Setting up (reading the table, making 10,000 versions) is done when a measure is first asked
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

/// What a participant measured.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) seconds: f64,
    /// The bytes that had to come from the bucket, where that matters.
    pub(super) needed_bytes: Option<u64>,
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

    /// Has it measure once.
    ///
    /// # Errors
    /// When it says that it can't, ends, or answers something else.
    pub(super) fn measure(&mut self, measure: &str) -> Result<Answer> {
        let name = self.name;
        let commands = self.commands.as_mut().context("the program's input has ended")?;
        writeln!(commands, "{measure}").with_context(|| format!("asking {name} for {measure}"))?;
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .with_context(|| format!("reading what {name} says of {measure}"))?;
        ensure!(!line.is_empty(), "{name} ended instead of answering {measure}");
        answer_in(&line, measure).with_context(|| format!("{name}, asked for {measure}"))
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

fn answer_in(line: &str, measure: &str) -> Result<Answer> {
    let answer: Value =
        serde_json::from_str(line).with_context(|| format!("not JSON: {}", line.trim_end()))?;
    if let Some(error) = answer["error"].as_str() {
        bail!("{error}");
    }
    ensure!(answer["name"] == measure, "answered something else: {}", line.trim_end());
    let seconds = answer["seconds"].as_f64().with_context(|| format!("no seconds: {}", line.trim_end()))?;
    Ok(Answer { seconds, needed_bytes: answer["needed_bytes"].as_u64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_of_the_measure_asked_for_are_taken() {
        let answer = answer_in(r#"{"name": "store", "seconds": 0.5}"#, "store").unwrap();
        assert_eq!(answer, Answer { seconds: 0.5, needed_bytes: None });
        let answer = answer_in(r#"{"name": "store", "seconds": 0.5, "needed_bytes": 7}"#, "store").unwrap();
        assert_eq!(answer, Answer { seconds: 0.5, needed_bytes: Some(7) });
    }

    #[test]
    fn other_answers_are_errors() {
        for line in ["", "0.5", "{}", r#"{"name": "load", "seconds": 0.5}"#, r#"{"name": "store"}"#] {
            assert!(answer_in(line, "store").is_err(), "{line}");
        }
        let error = answer_in(r#"{"name": "store", "error": "disk full"}"#, "store").unwrap_err();
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
        assert_eq!(participant.measure("store").unwrap().seconds, 1.5);
        assert_eq!(participant.measure("load-parquet").unwrap().seconds, 1.5);
    }
}
