//! Dates and times as days and times of day.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;

use super::{failed, unexpected, zoned};

pub(super) const DAY: i64 = 86_400_000_000;

/// Dates and times in microseconds since 1970; infinite dates become infinite times.
pub(super) fn micros(times: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    match times.data_type() {
        DataType::Date32 => {
            let dates = times.as_primitive::<Date32Type>();
            let micros = |day: i32| match day {
                i32::MAX => Ok(i64::MAX),
                day if !is_finite_day(&day) => Ok(-i64::MAX),
                day => i64::from(day)
                    .checked_mul(DAY)
                    .map_or_else(|| failed("a date is out of range for times"), Ok),
            };
            dates.try_unary::<_, TimestampMicrosecondType, _>(micros)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<Arc<str>>))
        }
        other => Err(unexpected("a function of times", std::slice::from_ref(other))),
    }
}

/// Whether a date is finite.
pub(super) fn is_finite_day(day: &i32) -> bool {
    ![i32::MAX, -i32::MAX].contains(day)
}

pub(super) fn is_finite(micros: &i64) -> bool {
    ![i64::MAX, -i64::MAX].contains(micros)
}

/// Whether the time is finite and on a day that begins in range.
pub(super) fn is_in_range(micros: &i64) -> bool {
    is_finite(micros) && micros.div_euclid(DAY).checked_mul(DAY).is_some()
}

/// A time that is finite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The days since 1970.
    pub(super) day: i64,
    /// The microseconds of the day.
    pub(super) time: i64,
}

impl Moment {
    /// What the calendar says of a time.
    pub(super) fn of(micros: i64, is_zoned: bool) -> Self {
        match is_zoned {
            true => zoned::moment(micros),
            false => Self { day: micros.div_euclid(DAY), time: micros.rem_euclid(DAY) },
        }
    }

    pub(super) fn micros(self) -> Option<i64> {
        self.day.checked_mul(DAY)?.checked_add(self.time)
    }
}

/// What the calendar says of times and dates, without those that are infinite.
pub(super) fn moments(times: &ArrayRef) -> Result<Vec<Option<Moment>>> {
    if let Some(dates) = times.as_primitive_opt::<Date32Type>() {
        let moment = |day: i32| Moment { day: day.into(), time: 0 };
        return Ok(dates.iter().map(|day| day.filter(is_finite_day).map(moment)).collect());
    }
    let is_zoned = is_zoned(times);
    let moment = |micros: i64| Moment::of(micros, is_zoned);
    Ok(micros(times)?.iter().map(|micros| micros.filter(is_finite).map(moment)).collect())
}

pub(super) fn is_zoned(times: &ArrayRef) -> bool {
    matches!(times.data_type(), DataType::Timestamp(_, Some(_)))
}
