//! The records of a CSV text, each with the number of its first line.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::input::InputError;

/// Reads one record after the other. Empty lines are skipped.
pub(super) struct Records<R> {
    input: R,
    parser: Reader,
    /// The record's values without their quotes, concatenated.
    values: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
    count: usize,
    line: u64,
    next_line: u64,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        let parser = ReaderBuilder::new().delimiter(delimiter).build();
        Self { input, parser, values: vec![0; 1024], ends: vec![0; 16], count: 0, line: 1, next_line: 1 }
    }

    /// Reads the next record; false at the end.
    pub(super) fn read(&mut self) -> Result<bool, InputError> {
        let mut length = 0;
        let mut has_begun = false;
        self.count = 0;
        loop {
            let input = self.input.fill_buf()?;
            // The last line may lack a line break. Adding one shows whether the line ends inside quotes.
            let is_last_line = input.is_empty() && has_begun;
            let input = if is_last_line { b"\n" } else { input };
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.values[length..], &mut self.ends[self.count..]);
            let taken = &input[..read];
            if !has_begun && let Some(empty) = taken.iter().position(|byte| !matches!(byte, b'\n' | b'\r')) {
                has_begun = true;
                self.line = self.next_line + line_breaks(&taken[..empty]);
            }
            if !is_last_line {
                self.next_line += line_breaks(taken);
                self.input.consume(read);
            }
            length += written;
            self.count += ended;
            match result {
                ReadRecordResult::InputEmpty if is_last_line => {
                    return Err(InputError::OpenQuotes { line: self.line });
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.values.resize(self.values.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// The line where the record begins; the first is 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.count).map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            &self.values[start..self.ends[index]]
        })
    }
}

fn line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The lines and values of all records, read in pieces of `piece` bytes.
    fn records(text: &str, piece: usize) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(BufReader::with_capacity(piece, text.as_bytes()), b',');
        let mut found = Vec::new();
        while records.read().unwrap() {
            let values = records.values().map(|value| String::from_utf8(value.to_vec()).unwrap());
            found.push((records.line(), values.collect()));
        }
        found
    }

    #[test]
    fn a_record_knows_the_line_that_it_begins_in_whatever_ends_a_line() {
        for line_break in ["\n", "\r\n"] {
            let text = ["a,b", "", "1,\"two", "lines\"", "", "", "3,4"].join(line_break);
            for text in [&text, &format!("{text}{line_break}")] {
                for piece in [1, 2, 3, 1000] {
                    let lines: Vec<u64> = records(text, piece).into_iter().map(|(line, _)| line).collect();
                    assert_eq!(lines, [1, 3, 7], "{text:?} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn quotes_that_are_not_closed_are_an_error_and_not_one_long_value() {
        for text in ["a,b\n1,\"two\n3,4\n", "a,b\n1,\"two\n3,4", "a,b\n1,\"two\"\"\n"] {
            for piece in [1, 1000] {
                let mut records = Records::new(BufReader::with_capacity(piece, text.as_bytes()), b',');
                assert!(records.read().unwrap(), "{text:?}");
                let error = records.read().unwrap_err().to_string();
                assert!(error.contains("line 2") && error.contains("quotes"), "{text:?}: {error}");
            }
        }
        assert_eq!(records("a,5\" pipe\n1,\"b\"", 3)[0].1, ["a", "5\" pipe"]);
    }

    #[test]
    fn long_records_and_long_values_are_read_whole() {
        let long = "x".repeat(10_000);
        let many = vec!["y"; 1_000].join(",");
        let found = records(&format!("{long}\n{many}\n\"a\"\"b\",\n"), 7);
        assert_eq!(found[0].1, [long]);
        assert_eq!(found[1].1.len(), 1_000);
        assert_eq!(found[2], (3, vec!["a\"b".to_owned(), String::new()]));
    }
}
