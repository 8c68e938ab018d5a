//! Columns in the names of folders: `year=2024/month=1/part-0.parquet`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray, new_null_array};
use arrow_cast::parse::Parser;
use arrow_schema::{DataType, Field};

/// Hive's word for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The column and value of one folder, or `None` if the folder is not a partition.
pub(crate) fn parse_folder(folder: &str) -> Option<(String, Option<String>)> {
    let (column, value) = folder.split_once('=')?;
    if column.is_empty() {
        return None;
    }
    let value = percent_decoded(value);
    Some((percent_decoded(column), (value != HIVE_NULL).then_some(value)))
}

/// Decodes the escapes for characters that a folder's name can't have. A percent sign that does not begin an escape stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |place: usize| bytes.get(place).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        match (byte, digit(place + 1), digit(place + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8); // two digits fit
                place += 3;
            }
            _ => {
                decoded.push(*byte);
                place += 1;
            }
        }
    }
    // If the decoded bytes are not text, the name was not escaped.
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

/// The name of a partition column in the folders of `linked_folder`.
pub fn partition_key(place: usize) -> String {
    format!("polarway partition {place}")
}

/// The name of a folder from which DuckDB reads exactly this value.
pub(crate) fn linked_folder(place: usize, value: Option<&str>) -> String {
    let mut folder = format!("{}=", partition_key(place));
    let Some(value) = value else { return folder + HIVE_NULL };
    // DuckDB reads this word as NULL unless it is escaped.
    let is_null_word = value.eq_ignore_ascii_case("null");
    for (place, character) in value.char_indices() {
        let is_plain =
            character.is_ascii_alphanumeric() || "-_. ".contains(character) || !character.is_ascii();
        if is_plain && !(is_null_word && place == 0) {
            folder.push(character);
        } else {
            folder.push_str(&format!("%{:02X}", u32::from(character)));
        }
    }
    folder
}

/// The column of these values: integers, dates, or else text, as in DuckDB.
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
        assert_eq!(parse_folder("x=NULL"), Some(("x".into(), Some("NULL".into()))));
        assert_eq!(parse_folder("x="), Some(("x".into(), Some(String::new()))));
        for odd in ["100%", "a%zz", "%", "%4", "%FF", "a=b"] {
            assert_eq!(parse_folder(&format!("x={odd}")), Some(("x".into(), Some(odd.into()))));
        }
    }

    #[test]
    fn a_linked_folder_escapes_what_would_be_read_as_something_else() {
        let folder = |value| linked_folder(0, value);
        assert_eq!(folder(Some("São Paulo_1.5-x")), "polarway partition 0=São Paulo_1.5-x");
        assert_eq!(folder(Some("Null")), "polarway partition 0=%4Eull");
        assert_eq!(folder(Some("a/*?[%=")), "polarway partition 0=a%2F%2A%3F%5B%25%3D");
        assert_eq!(folder(None), "polarway partition 0=__HIVE_DEFAULT_PARTITION__");
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
