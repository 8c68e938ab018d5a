//! Stored values equal the text's, to the last digit; where that is impossible, an error names the line.

use arrow_array::types::{
    Date32Type, Float64Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::TimeUnit;
use chrono::{DateTime, Days, NaiveDate, TimeDelta};
use polarway_testing::tries;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

fn few(rows: usize) -> TextOptions {
    TextOptions { infer_rows: rows, ..options() }
}

#[track_caller]
fn refused(name: &str, text: &str, options: TextOptions, parts: &[&str]) {
    let error = read(name, text, options).expect_err(text);
    for part in parts {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_late_value_that_would_change_is_an_error_that_names_its_line_column_and_value() {
    for (first, late) in [
        ("1", "2.5"),
        ("1", "-2.9"),
        ("1", "0123"),
        ("1", "9223372036854775808"),
        ("1", "1e3"),
        ("1.5", "0.1234567890123456789"),
        ("1.5", "9007199254740993"),
        ("1.5", "01.5"),
        ("1.5", "1e400"),
        ("18446744073709551615", "-1"),
        ("2026-11-01", "2026-11-01 13:30:00"),
        ("2026-11-01", "2026-02-30"),
        ("2026-11-01 13:30:00", "2026-11-01 13:30:00.1234567"),
        ("2026-11-01 13:30:00", "2026-11-01 13:30:00+01:00"),
        ("2026-11-01 13:30:00Z", "2026-11-01 13:30:00"),
        ("true", "1"),
    ] {
        let csv = format!("a,n\n{}x,{late}\n", format!("x,{first}\n").repeat(3));
        refused("x.csv", &csv, few(3), &["x.csv", "line 5", "\"n\"", late, "--infer-rows"]);
    }
}

#[test]
fn a_late_json_value_that_would_change_is_an_error_however_deep_it_is() {
    for (first, late) in [
        ("1", "2.5"),
        ("1", "-2.9"),
        ("1", "9223372036854775808"),
        ("1", "\"1\""),
        ("1", "true"),
        ("1", "[1]"),
        ("1.5", "0.1234567890123456789"),
        ("1.5", "18446744073709551617"),
        ("true", "\"true\""),
        ("\"a\"", "1"),
        ("\"a\"", "{\"x\": 1}"),
    ] {
        for (before, after, path) in
            [("", "", "n"), ("[", "]", "n[]"), ("{\"x\": ", "}", "n.x"), ("[{\"x\": [1, ", "]}]", "n[].x[]")]
        {
            // An earlier list already has the type that the late value must match.
            let before = if path == "n[].x[]" { "[{\"x\": [" } else { before };
            let row = |value: &str| format!("{{\"m\": 1, \"n\": {before}{value}{after}}}\n");
            let json = format!("{}\n{}", row(first).repeat(3), row(late));
            refused("x.json", &json, few(3), &["x.json", "line 5", path, late, "--infer-rows"]);
        }
    }
}

#[test]
fn values_that_are_seen_in_time_make_a_type_that_holds_them_all() {
    for (values, expect) in [
        (&["1", "2.5"][..], DataType::Float64),
        (&["1", "9223372036854775808"], DataType::UInt64),
        (&["-1", "9223372036854775808"], DataType::Utf8),
        (&["18446744073709551616"], DataType::Utf8),
        (&["1", "0123"], DataType::Utf8),
        (&["1.5", "0.1234567890123456789"], DataType::Utf8),
        (&["2026-11-01", "2026-11-01 13:30:00"], DataType::Timestamp(TimeUnit::Microsecond, None)),
        (&["2026-11-01 13:30:00"], DataType::Timestamp(TimeUnit::Microsecond, None)),
        (&["2026-11-01T13:30:00.123456789"], DataType::Timestamp(TimeUnit::Nanosecond, None)),
        (&["9999-12-31 00:00:00.123456789"], DataType::Utf8),
        (&["2026-11-01T13:30:00+01:00"], DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        (&["2026-11-01T13:30:00+01:00", "2026-11-01"], DataType::Utf8),
        (&["2026-02-30"], DataType::Utf8),
        (&["13:30:00"], DataType::Utf8),
    ] {
        let batch = read("x.csv", format!("n\n{}\n", values.join("\n")), options()).unwrap();
        assert_eq!(batch.column(0).data_type(), &expect, "{values:?}");
    }
}

#[test]
fn json_numbers_keep_their_digits() {
    let batch = read("x.json", "{\"n\": [1, 18446744073709551615]}\n", options()).unwrap();
    let item = DataType::UInt64;
    assert_eq!(batch.column(0).data_type(), &DataType::new_list(item, true));

    let digits = "123456789012345678901234567890.5";
    let batch = read("x.json", format!("{{\"n\": {{\"x\": {digits}}}}}\n"), options()).unwrap();
    assert_eq!(batch.column(0).as_struct().column(0).as_string::<i32>().value(0), digits);
}

#[test]
fn json_that_contradicts_itself_is_refused() {
    for (json, parts) in [
        ("{\"n\": 1}\n{\"n\": \"a\"}\n", &["line 2", "\"n\"", "a number"][..]),
        ("{\"n\": [1]}\n\n{\"n\": 1}\n", &["line 3", "\"n\"", "a list"]),
        ("{\"n\": 1, \"n\": 2}\n", &["line 1", "\"n\"", "twice"]),
        ("{\"n\": 0123}\n", &["line 1", "character 8"]),
        ("{\"n\": \"\\ud800\"}\n", &["line 1", "\"n\"", "no JSON"]),
        ("{\"n\": 1}{\"n\": 2}\n", &["line 1"]),
    ] {
        refused("x.json", json, options(), parts);
    }
    let deep = format!("{{\"n\": {}{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    refused("x.json", &deep, options(), &["line 1", "64 levels"]);
}

#[test]
fn a_type_that_is_named_is_taken_and_a_double_may_be_the_nearest() {
    let types = |list: &[(&str, ValueType)]| TextOptions {
        types: list.iter().map(|(name, value_type)| ((*name).to_owned(), *value_type)).collect(),
        infer_rows: 1,
        ..options()
    };
    let csv = "n,t\n1,2026-11-01\n0.1234567890123456789,2026-11-01 00:00:01\n";
    let named = types(&[("n", ValueType::Double), ("t", ValueType::Timestamp)]);
    let batch = read("x.csv", csv, named).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().value(1), 0.123_456_789_012_345_68);

    let json = "{\"n\": 1}\n{\"n\": [1.50, \"x\"]}\n{\"n\": \"a\\n\"}\n";
    let batch = read("x.json", json, types(&[("n", ValueType::Text)])).unwrap();
    let texts: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(texts, ["1", "[1.50, \"x\"]", "a\n"]);

    refused("x.csv", csv, types(&[("n", ValueType::Integer)]), &["line 3", "0.123"]);
    refused("x.csv", csv, types(&[("m", ValueType::Text)]), &["\"m\"", "--type", "n, t"]);
    refused("x.json", json, types(&[("m", ValueType::Text)]), &["\"m\"", "--type"]);
}

#[test]
fn bytes_that_are_no_utf_8_are_an_error_with_its_line() {
    let error = read("x.csv", b"n\na\n\xff\n", options()).unwrap_err();
    assert!(error.contains("line 3") && error.contains("UTF-8"), "{error}");
    let error = read("x.json", b"{\"n\": 1}\n{\"n\": \"\xff\"}\n", options()).unwrap_err();
    assert!(error.contains("line 2") && error.contains("UTF-8"), "{error}");
}

/// A text that looks like a value of one of many kinds, and often of two.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        (-1000..1000_i32).prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has none of them", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        any::<f32>()
            .prop_filter("nor these", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}")),
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}",
        "-?[1-9][0-9]{0,3}[eE][-+]?[0-9]{1,3}",
    ]
}

/// The same, and values that only CSV can have.
fn csv_value() -> impl Strategy<Value = String> {
    prop_oneof![
        value(),
        "0{1,3}[0-9]{1,5}(\\.[0-9])?",
        Just("true".to_owned()),
        Just(String::new()),
        (0..4_000_000_u64).prop_map(|days| (NaiveDate::MIN.max(NaiveDate::default())
            + Days::new(days % 2_000_000))
        .to_string()),
        (any::<i32>(), 0..1_000_000_000_u32, 0..10_usize, "|Z|\\+01:30").prop_map(
            |(seconds, nanos, digits, zone)| {
                let time = DateTime::from_timestamp(i64::from(seconds) * 40, nanos).unwrap();
                let text = time.format("%Y-%m-%d %H:%M:%S.%9f").to_string();
                format!("{}{zone}", &text[..19 + if digits == 0 { 0 } else { digits + 1 }])
            }
        ),
    ]
}

/// A number as its sign, its digits without leading and trailing zeros, and the first digit's power of ten.
fn number(text: &str) -> Option<(bool, String, i64)> {
    let unsigned = text.trim_start_matches('-');
    let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let power = power.parse::<i64>().ok()? + whole.len() as i64 - leading as i64;
    let digits = digits.trim_matches('0').to_owned();
    Some((text.starts_with('-'), digits.clone(), if digits.is_empty() { 0 } else { power }))
}

/// Whether a stored value equals the text's value.
fn says(column: &ArrayRef, row: usize, text: &str) -> bool {
    let moment = |micros: i64, nanos: i64, zone: bool| {
        let time = DateTime::from_timestamp_micros(micros).unwrap() + TimeDelta::nanoseconds(nanos);
        let (text, offset) = match text.strip_suffix("+01:30") {
            Some(text) => (text, TimeDelta::minutes(90)),
            None => (text.strip_suffix('Z').unwrap_or(text), TimeDelta::zero()),
        };
        let has_zone = text.len() < 19 || !offset.is_zero() || text.len() != text.trim_end_matches('Z').len();
        let text = if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() };
        let shown = (time + offset).format("%Y-%m-%d %H:%M:%S.%9f").to_string();
        let padded = format!("{}{}", if text.len() == 19 { format!("{text}.") } else { text }, "000000000");
        (!zone || has_zone || offset.is_zero()) && padded[..29] == shown
    };
    if text.is_empty() || column.is_null(row) {
        return text.is_empty() && column.is_null(row);
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string() == text,
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string() == text,
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string() == text,
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            let digits = number(text).map_or(1, |(_, digits, _)| digits.len().max(1));
            number(&format!("{value:.*e}", digits - 1)) == number(text)
        }
        DataType::Date32 => {
            let days = TimeDelta::days(column.as_primitive::<Date32Type>().value(row).into());
            (NaiveDate::default() + days).to_string() == text
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            moment(column.as_primitive::<TimestampMicrosecondType>().value(row), 0, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let nanos = column.as_primitive::<TimestampNanosecondType>().value(row);
            moment(nanos.div_euclid(1000), nanos.rem_euclid(1000), zone.is_some())
        }
        DataType::Utf8 => column.as_string::<i32>().value(row) == text,
        other => panic!("no text becomes {other}"),
    }
}

#[test]
fn whatever_a_csv_file_holds_is_stored_as_it_says_or_refused_with_its_line() {
    let rows = || proptest::collection::vec(csv_value(), 1..8);
    let alike = csv_value().prop_flat_map(move |value| {
        let kind = prop_oneof![Just(value.clone()).boxed(), self::value().boxed(), csv_value().boxed()];
        proptest::collection::vec(kind, 1..4)
    });
    let strategy = (prop_oneof![alike.boxed(), rows().boxed()], rows());
    let check = |(first, late): (Vec<String>, Vec<String>)| {
        let values: Vec<&String> = first.iter().chain(&late).collect();
        let lines = values.iter().map(|value| format!("x,{value}\n"));
        let csv = format!("a,n\n{}", lines.collect::<String>());
        match read("x.csv", &csv, few(first.len())) {
            Ok(batch) => {
                let column = batch.column(1);
                prop_assert_eq!(batch.num_rows(), values.len());
                for (row, value) in values.iter().enumerate() {
                    prop_assert!(says(column, row, value), "{value} became {:?}", column.slice(row, 1));
                }
            }
            Err(error) => {
                let late_lines = first.len() + 2..values.len() + 2;
                let names = |line: usize| error.contains(&format!("line {line}:"));
                prop_assert!(late_lines.clone().any(names), "{error}: {late_lines:?}");
            }
        }
        Ok(())
    };
    TestRunner::new(tries(300, 20_000)).run(&strategy, check).unwrap();
}

#[test]
fn whatever_json_numbers_a_file_holds_are_stored_with_their_digits_or_refused_with_their_line() {
    let strategy = (proptest::collection::vec(value(), 1..4), proptest::collection::vec(value(), 1..6));
    let check = |(first, late): (Vec<String>, Vec<String>)| {
        let values: Vec<&String> = first.iter().chain(&late).collect();
        let lines = values.iter().map(|value| format!("{{\"n\": {{\"x\": [{value}, null]}}}}\n"));
        match read("x.json", lines.collect::<String>(), few(first.len())) {
            Ok(batch) => {
                for (row, value) in values.iter().enumerate() {
                    let items = batch.column(0).as_struct().column(0).as_list::<i32>().value(row);
                    prop_assert!(says(&items, 0, value), "{value} became {items:?}");
                    prop_assert!(items.is_null(1) && items.len() == 2);
                }
            }
            Err(error) => {
                let late_lines = first.len() + 1..values.len() + 1;
                let names = |line: usize| error.contains(&format!("line {line}:"));
                prop_assert!(late_lines.clone().any(names), "{error}: {late_lines:?}");
            }
        }
        Ok(())
    };
    TestRunner::new(tries(300, 20_000)).run(&strategy, check).unwrap();
}
