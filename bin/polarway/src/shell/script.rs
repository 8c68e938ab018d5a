//! Statements from a file or a pipe: each is returned as soon as it is complete.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::statement::split;

/// A statement or a dot command of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line where it begins; the first is 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// A script that is being read.
pub(super) struct Script<R> {
    lines: R,
    /// Text that was read but not returned yet; it begins with the line of this number.
    pending: String,
    line: usize,
    ready: VecDeque<Step>,
}

impl<R: BufRead> Script<R> {
    pub(super) fn new(lines: R) -> Self {
        Self { lines, pending: String::new(), line: 1, ready: VecDeque::new() }
    }

    /// The next statement. The last one needs no semicolon.
    pub(super) fn next(&mut self) -> io::Result<Option<Step>> {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return Ok(Some(step));
            }
            let start = self.pending.len();
            let is_over = self.lines.read_line(&mut self.pending)? == 0;
            let read = &self.pending[start..];
            // Nothing else completes a statement: a long one is not scanned again for each of its lines.
            if is_over || read.contains(';') || read.trim_start().starts_with('.') {
                self.take(is_over);
            }
            if is_over && self.ready.is_empty() {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, is_over: bool) {
        let split = split(&self.pending);
        let rest = split.unfinished.map_or(self.pending.len(), |unfinished| unfinished.start);
        let last = split.unfinished.filter(|_| is_over);
        let line_of = |start: usize| self.line + self.pending[..start].matches('\n').count();
        for input in split.whole.into_iter().chain(last) {
            self.ready.push_back(Step { line: line_of(input.start), text: input.text.to_owned() });
        }
        let rest = if is_over { self.pending.len() } else { rest };
        self.line = line_of(rest);
        self.pending.drain(..rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(usize, &str)]) {
        let mut script = Script::new(text.as_bytes());
        let mut steps = Vec::new();
        while let Some(Step { line, text }) = script.next().unwrap() {
            steps.push((line, text));
        }
        let steps: Vec<(usize, &str)> = steps.iter().map(|(line, text)| (*line, text.as_str())).collect();
        assert_eq!(steps, expect);
    }

    #[test]
    fn statements_know_the_line_they_begin_at() {
        check(
            "-- a report\n.mode csv\n\nSELECT ';\n' AS a; SELECT\n 2;\n/* ; */\nSELECT 3",
            &[(2, ".mode csv"), (4, "SELECT ';\n' AS a"), (5, "SELECT\n 2"), (8, "SELECT 3")],
        );
    }

    #[test]
    fn an_empty_script_has_no_statement() {
        for text in ["", "\n\n", "-- nothing\n", ";;\n;"] {
            check(text, &[]);
        }
    }

    #[test]
    fn what_is_not_ended_is_handed_out_for_the_server_to_judge() {
        check("SELECT 1;\nSELECT 'a;\n", &[(1, "SELECT 1"), (2, "SELECT 'a;")]);
        check("/* no end", &[(1, "/* no end")]);
    }

    #[test]
    fn a_statement_is_handed_out_before_the_next_is_read() {
        /// A pipe that breaks after its first line.
        struct Breaks<'a>(&'a [u8]);

        impl io::Read for Breaks<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0.is_empty() {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                self.0.read(buffer)
            }
        }

        let mut script = Script::new(io::BufReader::new(Breaks(b"SELECT 1;\n")));
        assert!(script.next().unwrap().is_some());
        assert!(script.next().is_err());
    }
}
