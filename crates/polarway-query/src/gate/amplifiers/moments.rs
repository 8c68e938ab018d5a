//! How many points in time a range has.

use arrow::compute::kernels::cast_utils::{Parser, parse_interval_month_day_nano};
use arrow::datatypes::TimestampMicrosecondType;
use serde_json::Value;

use crate::gate::constants::{class, function_name, number, text};

const SECONDS_OF_DAY: f64 = 86_400.0;

/// The shortest month: an upper bound of a count needs the shortest step.
const SECONDS_OF_MONTH: f64 = 28.0 * SECONDS_OF_DAY;

/// The number of elements in a range of timestamps with constant ends and step; `None` if not all are constant.
pub(super) fn count(start: &Value, stop: &Value, step: &Value) -> Option<f64> {
    let span = (seconds_of_moment(stop)? - seconds_of_moment(start)?).abs();
    match seconds_of_interval(step)?.abs() {
        // DuckDB refuses it, or returns no element.
        0.0 => Some(0.0),
        step => Some(span / step + 1.0),
    }
}

/// The seconds since 1970 of a date or timestamp; an approximate value for `now()` and similar functions.
fn seconds_of_moment(expression: &Value) -> Option<f64> {
    const THIS_CENTURY: f64 = 4e9;
    match class(expression) {
        "CAST" => seconds_of_moment(&expression["child"]),
        "CONSTANT" => Some(TimestampMicrosecondType::parse(text(expression)?)? as f64 / 1e6),
        "FUNCTION" => match (function_name(expression), expression["children"].get(0)) {
            ("now" | "current_timestamp" | "get_current_timestamp" | "today" | "current_date", None) => {
                Some(THIS_CENTURY)
            }
            ("to_timestamp", Some(seconds)) => number(seconds),
            ("epoch_ms", Some(millis)) => Some(number(millis)? / 1e3),
            ("make_timestamp", Some(micros)) => Some(number(micros)? / 1e6),
            _ => None,
        },
        _ => None,
    }
}

/// The shortest duration that an interval can mean.
fn seconds_of_interval(expression: &Value) -> Option<f64> {
    match class(expression) {
        "CAST" => seconds_of_interval(&expression["child"]),
        "CONSTANT" => {
            let interval = parse_interval_month_day_nano(text(expression)?).ok()?;
            let (months, days) = (f64::from(interval.months), f64::from(interval.days));
            Some(months * SECONDS_OF_MONTH + days * SECONDS_OF_DAY + interval.nanoseconds as f64 / 1e9)
        }
        "FUNCTION" => {
            let unit = match function_name(expression) {
                "to_microseconds" => 1e-6,
                "to_milliseconds" => 1e-3,
                "to_seconds" => 1.0,
                "to_minutes" => 60.0,
                "to_hours" => 3_600.0,
                "to_days" => SECONDS_OF_DAY,
                "to_weeks" => 7.0 * SECONDS_OF_DAY,
                "to_months" => SECONDS_OF_MONTH,
                "to_quarters" => 3.0 * SECONDS_OF_MONTH,
                "to_years" => 12.0 * SECONDS_OF_MONTH,
                "to_decades" => 120.0 * SECONDS_OF_MONTH,
                "to_centuries" => 1_200.0 * SECONDS_OF_MONTH,
                "to_millennia" => 12_000.0 * SECONDS_OF_MONTH,
                _ => return None,
            };
            Some(number(whole(expression["children"].get(0)?))? * unit)
        }
        _ => None,
    }
}

/// The inner expression of `CAST(trunc(CAST(… AS DOUBLE)) AS INTEGER)`, which the parser puts around an interval's number.
fn whole(expression: &Value) -> &Value {
    match class(expression) {
        "CAST" => whole(&expression["child"]),
        "FUNCTION" if function_name(expression) == "trunc" => whole(&expression["children"][0]),
        _ => expression,
    }
}
