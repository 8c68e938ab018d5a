//! Small lists: drawn for people, or as CSV and JSON for programs.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};

use crate::arguments::ListFormat;
use crate::failure::Result;
use crate::output::{Shape, Writer, draw, grouped};
use crate::time;

/// A column of a list. Unknown values are not shown.
pub(super) enum Values {
    Texts(Vec<String>),
    Numbers(Vec<Option<u64>>),
    Bytes(Vec<Option<u64>>),
    /// Microseconds since 1970-01-01 UTC.
    Times(Vec<Option<i64>>),
}

impl Values {
    pub(super) fn numbers(numbers: impl Iterator<Item = impl Into<Option<u64>>>) -> Self {
        Self::Numbers(numbers.map(Into::into).collect())
    }

    pub(super) fn bytes(bytes: impl Iterator<Item = impl Into<Option<u64>>>) -> Self {
        Self::Bytes(bytes.map(Into::into).collect())
    }

    pub(super) fn times(times: impl Iterator<Item = impl Into<Option<i64>>>) -> Self {
        Self::Times(times.map(Into::into).collect())
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Texts(texts) => texts[row].clone(),
            Self::Numbers(numbers) => numbers[row].map(grouped).unwrap_or_default(),
            Self::Bytes(bytes) => bytes[row].map(human_bytes).unwrap_or_default(),
            Self::Times(times) => times[row].map(time::show).unwrap_or_default(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Numbers(numbers) | Self::Bytes(numbers) => numbers.len(),
            Self::Times(times) => times.len(),
        }
    }

    fn is_right(&self) -> bool {
        matches!(self, Self::Numbers(_) | Self::Bytes(_))
    }

    fn into_array(self) -> ArrayRef {
        match self {
            Self::Texts(texts) => Arc::new(StringArray::from(texts)),
            Self::Numbers(numbers) | Self::Bytes(numbers) => Arc::new(UInt64Array::from(numbers)),
            Self::Times(times) => Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        }
    }
}

/// Prints a list. For people, `empty` is the message of an empty one.
pub(super) fn print(columns: Vec<(&str, Values)>, format: ListFormat, empty: &str) -> Result<()> {
    if format == ListFormat::Table {
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        if rows == 0 {
            println!("{empty}");
            return Ok(());
        }
        let headers: Vec<_> = columns.iter().map(|(name, values)| (*name, values.is_right())).collect();
        let rows: Vec<Vec<String>> =
            (0..rows).map(|row| columns.iter().map(|(_, values)| values.cell(row)).collect()).collect();
        print!("{}", draw(&headers, &rows, Shape::of_stdout()));
        return Ok(());
    }
    let batch =
        RecordBatch::try_from_iter(columns.into_iter().map(|(name, values)| (name, values.into_array())))?;
    let mut writer =
        Writer::start(format.into(), &batch.schema(), Box::new(io::stdout()), Shape { width: None })?;
    writer.write(&batch)?;
    writer.finish()?;
    Ok(())
}

/// A size in the unit that keeps it readable; GB is 10⁹ bytes.
pub(super) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];

    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 9.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_two_or_three_digits() {
        for (bytes, expect) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_960, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (5_014_463, "5.0 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(human_bytes(bytes), expect);
        }
    }
}
