//! Columns that stand in the names of folders: `year=2024/month=1/part-0.parquet`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray, new_null_array};
use arrow_cast::parse::Parser;
use arrow_schema::{DataType, Field};

/// What Hive writes for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// One folder's contribution: a column's name and value, or `None` for a folder that is no partition.
pub(crate) fn parse_folder(folder: &str) -> Option<(String, Option<String>)> {
    let (column, value) = folder.split_once('=')?;
    if column.is_empty() {
        return None;
    }
    let value = percent_decode(value)?;
    Some((column.to_owned(), (value != HIVE_NULL).then_some(value)))
}

/// Undoes the escapes that writers use for characters that a folder's name can't hold.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            bytes.push((digit(rest.next())? * 16 + digit(rest.next())?) as u8); // two digits fit
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The column that values make: whole numbers, dates, or else text, as DuckDB takes them.
pub(crate) fn column_field(name: &str, values: &[Option<&str>]) -> Field {
    let all = |fits: fn(&str) -> bool| {
        values.iter().any(Option::is_some) && values.iter().flatten().all(|value| fits(value))
    };
    let data_type = if all(|value| value.parse::<i64>().is_ok()) {
        DataType::Int64
    } else if all(|value| parse_date(value).is_some()) {
        DataType::Date32
    } else {
        DataType::Utf8
    };
    Field::new(name, data_type, true)
}

/// A column that holds one value `rows` times.
pub(crate) fn constant(field: &Field, value: Option<&str>, rows: usize) -> ArrayRef {
    let nulls = || new_null_array(field.data_type(), rows);
    let Some(value) = value else { return nulls() };
    match field.data_type() {
        DataType::Int64 => {
            value.parse().map_or_else(|_| nulls(), |value| Arc::new(Int64Array::from_value(value, rows)))
        }
        DataType::Date32 => {
            parse_date(value).map_or_else(nulls, |value| Arc::new(Date32Array::from_value(value, rows)))
        }
        _ => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))),
    }
}

/// Days since 1970-01-01, of a date written as `2024-12-31`.
fn parse_date(text: &str) -> Option<i32> {
    let is_plain = text.len() == 10 && text.bytes().filter(|byte| *byte == b'-').count() == 2;
    is_plain.then(|| arrow_array::types::Date32Type::parse(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_a_column_and_its_value() {
        assert_eq!(parse_folder("year=2024"), Some(("year".into(), Some("2024".into()))));
        assert_eq!(parse_folder("city=S%C3%A3o%20Paulo"), Some(("city".into(), Some("São Paulo".into()))));
        assert_eq!(parse_folder("x=__HIVE_DEFAULT_PARTITION__"), Some(("x".into(), None)));
        assert_eq!(parse_folder("plain"), None);
        assert_eq!(parse_folder("=7"), None);
        assert_eq!(parse_folder("x=%zz"), None);
    }

    #[test]
    fn values_make_numbers_dates_or_text() {
        let kind = |values: &[Option<&str>]| column_field("c", values).data_type().clone();
        assert_eq!(kind(&[Some("1"), Some("-7"), None]), DataType::Int64);
        assert_eq!(kind(&[Some("2024-01-31")]), DataType::Date32);
        assert_eq!(kind(&[Some("2024-01-31"), Some("x")]), DataType::Utf8);
        assert_eq!(kind(&[Some("1"), Some("1.5")]), DataType::Utf8);
        assert_eq!(kind(&[None]), DataType::Utf8);
    }
}
