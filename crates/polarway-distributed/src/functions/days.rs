//! Dates from parts, and what their days are called. Dates that are infinite have no names.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, Date32Array, StringArray, Time64MicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit};
use datafusion::error::Result;

use super::calendar::{civil, days_from_civil, days_of_month};
use super::moments::{is_finite_day, moments};
use super::{Native, failed};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The name of a day.
pub(crate) const DAY_NAME: Native = Native::new(
    "duckdb_day_name",
    |_| Ok(DataType::Utf8),
    |arguments, _| named(&arguments[0], |day| DAYS.get(usize::try_from((day + 3).rem_euclid(7)).ok()?)),
);

/// The name of a day's month.
pub(crate) const MONTH_NAME: Native = Native::new(
    "duckdb_month_name",
    |_| Ok(DataType::Utf8),
    |arguments, _| named(&arguments[0], |day| MONTHS.get(usize::try_from(civil(day).1 - 1).ok()?)),
);

/// The last day of a day's month.
pub(crate) const LAST_DAY: Native = Native::new(
    "duckdb_last_day",
    |_| Ok(DataType::Date32),
    |arguments, _| {
        let last = |day: i64| {
            let (year, month, _) = civil(day);
            let last = days_from_civil(year, month, days_of_month(year, month));
            i32::try_from(last).or_else(|_| failed("a date is out of range"))
        };
        let days = days(&arguments[0])?;
        let last = days.into_iter().map(|day| day.map(last).transpose()).collect::<Result<Date32Array>>()?;
        Ok(Arc::new(last) as ArrayRef)
    },
);

/// A date and a number of days.
pub(crate) const ADD_DAYS: Native = Native::new(
    "duckdb_add_days",
    |_| Ok(DataType::Date32),
    |arguments, _| moved(arguments, |date, days| date.checked_add(days)),
);

/// A date without a number of days.
pub(crate) const SUBTRACT_DAYS: Native = Native::new(
    "duckdb_subtract_days",
    |_| Ok(DataType::Date32),
    |arguments, _| moved(arguments, |date, days| date.checked_sub(days)),
);

/// `make_date(year, month, day)`; an error if there is none.
pub(crate) const MAKE_DATE: Native = Native::new(
    "duckdb_make_date",
    |_| Ok(DataType::Date32),
    |arguments, _| {
        let parts: Vec<_> = arguments.iter().map(|part| part.as_primitive::<Int64Type>()).collect();
        let date = |row: usize| -> Result<Option<i32>> {
            if parts.iter().any(|part| part.is_null(row)) {
                return Ok(None);
            }
            let (year, month, day) = (parts[0].value(row), parts[1].value(row), parts[2].value(row));
            let is_date = (-10_000_000..10_000_000).contains(&year)
                && (1..=12).contains(&month)
                && (1..=days_of_month(year, month)).contains(&day);
            let date = is_date.then(|| i32::try_from(days_from_civil(year, month, day)).ok()).flatten();
            match date {
                Some(date) if date.unsigned_abs() < i32::MAX.unsigned_abs() => Ok(Some(date)),
                _ => failed(format!("Date out of range: {year}-{month}-{day}")),
            }
        };
        Ok(Arc::new((0..arguments[0].len()).map(date).collect::<Result<Date32Array>>()?) as ArrayRef)
    },
);

/// `make_time(hour, minute, seconds)`, with seconds as a DOUBLE; an error if there is none.
pub(crate) const MAKE_TIME: Native = Native::new(
    "duckdb_make_time",
    |_| Ok(DataType::Time64(TimeUnit::Microsecond)),
    |arguments, _| {
        let (hours, minutes) =
            (arguments[0].as_primitive::<Int64Type>(), arguments[1].as_primitive::<Int64Type>());
        let seconds = arguments[2].as_primitive::<Float64Type>();
        let time = |row: usize| -> Result<Option<i64>> {
            if hours.is_null(row) || minutes.is_null(row) || seconds.is_null(row) {
                return Ok(None);
            }
            let (hour, minute, second) = (hours.value(row), minutes.value(row), seconds.value(row));
            if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..60.0).contains(&second) {
                return failed(format!("Time out of range: {hour}:{minute}:{second}"));
            }
            let micros = second.trunc() as i64 * 1_000_000 + (second.fract() * 1e6).round() as i64;
            Ok(Some((hour * 60 + minute) * 60_000_000 + micros))
        };
        let times = (0..arguments[0].len()).map(time).collect::<Result<Time64MicrosecondArray>>()?;
        Ok(Arc::new(times) as ArrayRef)
    },
);

/// Dates that are moved by numbers of days; those that are infinite stay.
fn moved(arguments: &[ArrayRef], by: fn(i32, i32) -> Option<i32>) -> Result<ArrayRef> {
    let (dates, days) = (arguments[0].as_primitive::<Date32Type>(), arguments[1].as_primitive::<Int32Type>());
    let moved = |(date, days): (Option<i32>, Option<i32>)| -> Result<Option<i32>> {
        let (Some(date), Some(days)) = (date, days) else { return Ok(None) };
        match by(date, days).filter(is_finite_day) {
            _ if !is_finite_day(&date) => Ok(Some(date)),
            None => failed("Date out of range"),
            moved => Ok(moved),
        }
    };
    Ok(Arc::new(dates.iter().zip(days).map(moved).collect::<Result<Date32Array>>()?))
}

fn named(times: &ArrayRef, name: fn(i64) -> Option<&'static &'static str>) -> Result<ArrayRef> {
    let names = days(times)?.into_iter().map(|day| name(day?).copied());
    Ok(Arc::new(names.collect::<StringArray>()))
}

/// The days of times that are finite.
fn days(times: &ArrayRef) -> Result<Vec<Option<i64>>> {
    Ok(moments(times)?.into_iter().map(|moment| moment.map(|moment| moment.day)).collect())
}
