//! Dates and times. Those that are infinite have no parts.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, Int64Array, PrimitiveArray, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit};
use datafusion::error::Result;

use super::moments::{DAY, Moment, is_finite, is_in_range, is_zoned, micros, moments};
use super::{Native, failed, unexpected, zoned};

/// `date_part(part, time)`, as a BIGINT.
pub(crate) const DATE_PART: Native = Native::new(
    "duckdb_date_part",
    |_| Ok(DataType::Int64),
    |arguments, _| {
        let parts: &StringArray = arguments[0].as_string();
        let is_zoned = is_zoned(&arguments[1]);
        let part = |(part, moment): (Option<&str>, Option<Moment>)| -> Result<Option<i64>> {
            let (Some(part), Some(moment)) = (part, moment) else { return Ok(None) };
            date_part(part, moment, is_zoned).map(Some)
        };
        let parts = parts.iter().zip(moments(&arguments[1])?).map(part);
        Ok(Arc::new(parts.collect::<Result<Int64Array>>()?) as ArrayRef)
    },
);

/// `date_trunc(part, time)`, as a time of the same zone.
pub(crate) const DATE_TRUNC: Native = Native::new(
    "duckdb_date_trunc",
    |types| time_type(&types[1]),
    |arguments, output| {
        let parts: &StringArray = arguments[0].as_string();
        let times = micros(&arguments[1])?;
        let is_zoned = is_zoned(&arguments[1]);
        let cut = |(part, micros): (Option<&str>, Option<i64>)| -> Result<Option<i64>> {
            let (Some(part), Some(micros)) = (part, micros) else { return Ok(None) };
            if !is_finite(&micros) {
                return Ok(Some(micros));
            }
            let cut = date_trunc(part, Moment::of(micros, is_zoned))?;
            match cut.micros() {
                // DuckDB does not look whether such a time is in range.
                _ if is_zoned => Ok(Some(cut.day.wrapping_mul(DAY).wrapping_add(cut.time))),
                Some(micros) => Ok(Some(micros)),
                None => failed("a time is out of range"),
            }
        };
        let cut = parts.iter().zip(times.iter()).map(cut).collect::<Result<TimestampMicrosecondArray>>()?;
        with_zone(cut, output)
    },
);

/// A time and an interval.
pub(crate) const ADD_INTERVAL: Native = Native::new(
    "duckdb_add_interval",
    |types| time_type(&types[0]),
    |arguments, output| moved(arguments, output, 1),
);
/// A time less an interval.
pub(crate) const SUBTRACT_INTERVAL: Native = Native::new(
    "duckdb_subtract_interval",
    |types| time_type(&types[0]),
    |arguments, output| moved(arguments, output, -1),
);

fn moved(arguments: &[ArrayRef], output: &DataType, sign: i64) -> Result<ArrayRef> {
    let is_zoned = is_zoned(&arguments[0]);
    let times = micros(&arguments[0])?;
    let intervals: &PrimitiveArray<IntervalMonthDayNanoType> = arguments[1].as_primitive();
    let add = |(micros, interval): (Option<i64>, Option<_>)| -> Result<Option<i64>> {
        let (Some(micros), Some(interval)) = (micros, interval) else { return Ok(None) };
        if !is_finite(&micros) {
            return Ok(Some(micros));
        }
        let moved = if is_zoned { zoned::moved } else { moved_time };
        match moved(micros, interval, sign) {
            Some(micros) => Ok(Some(micros)),
            None => failed("a time and an interval give a time out of range"),
        }
    };
    let moved = times.iter().zip(intervals.iter()).map(add).collect::<Result<TimestampMicrosecondArray>>()?;
    with_zone(moved, output)
}

/// Without a zone, first the months are added, where the day is at most the month's last, then the days, then the rest.
fn moved_time(micros: i64, interval: IntervalMonthDayNano, sign: i64) -> Option<i64> {
    let (months, days) = (sign * i64::from(interval.months), sign * i64::from(interval.days));
    let rest = sign * (interval.nanoseconds / 1_000);
    let Moment { day, time } = Moment::of(micros, false);
    let moved = Moment { day: add_months(day, months).checked_add(days)?, time };
    moved.micros()?.checked_add(rest).filter(is_in_range)
}

pub(super) fn add_months(day: i64, months: i64) -> i64 {
    if months == 0 {
        return day;
    }
    let (year, month, day_of_month) = civil(day);
    let place = year * 12 + (month - 1) + months;
    let (year, month) = (place.div_euclid(12), place.rem_euclid(12) + 1);
    days_from_civil(year, month, day_of_month.min(days_of_month(year, month)))
}

/// The type of a time that is computed from this one.
fn time_type(of: &DataType) -> Result<DataType> {
    match of {
        DataType::Date32 => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(of.clone()),
        other => Err(unexpected("a function of times", std::slice::from_ref(other))),
    }
}

fn with_zone(times: TimestampMicrosecondArray, output: &DataType) -> Result<ArrayRef> {
    match output {
        DataType::Timestamp(_, zone) => Ok(Arc::new(times.with_timezone_opt(zone.clone()))),
        other => Err(unexpected("a function of times", std::slice::from_ref(other))),
    }
}

fn date_part(part: &str, Moment { day, time }: Moment, is_zoned: bool) -> Result<i64> {
    let (year, month, day_of_month) = civil(day);
    let first_of_year = days_from_civil(year, 1, 1);
    // With a zone, years before the first one are counted backwards.
    let year = if is_zoned && year < 1 { 1 - year } else { year };
    Ok(match part {
        "year" => year,
        "month" => month,
        "day" => day_of_month,
        "decade" => year / 10,
        "quarter" => (month - 1) / 3 + 1,
        "hour" => time / 3_600_000_000,
        "minute" => time / 60_000_000 % 60,
        "second" => time / 1_000_000 % 60,
        "millisecond" => time / 1_000 % 60_000,
        "microsecond" => time % 60_000_000,
        "dayofweek" => (day + 4).rem_euclid(7),
        "isodow" => (day + 3).rem_euclid(7) + 1,
        "dayofyear" => day - first_of_year + 1,
        "week" => iso_week(day).1,
        "isoyear" => iso_week(day).0,
        "yearweek" => match iso_week(day) {
            (year @ 1.., week) => year * 100 + week,
            (year, week) => year * 100 - week,
        },
        "century" => {
            if year > 0 {
                (year - 1) / 100 + 1
            } else {
                year / 100 - 1
            }
        }
        "era" => i64::from(year > 0),
        other => return failed(format!("{other} is not a known part of a time")),
    })
}

/// The week of a day, and the year of which it is one: that of its Thursday.
fn iso_week(day: i64) -> (i64, i64) {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let (year, ..) = civil(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn date_trunc(part: &str, Moment { day, time }: Moment) -> Result<Moment> {
    let (year, month, _) = civil(day);
    let day = match part {
        "year" => days_from_civil(year, 1, 1),
        "quarter" => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        "month" => days_from_civil(year, month, 1),
        "week" => day - (day + 3).rem_euclid(7),
        "day" => day,
        _ => {
            let unit = match part {
                "hour" => 3_600_000_000,
                "minute" => 60_000_000,
                "second" => 1_000_000,
                "millisecond" => 1_000,
                "microsecond" => 1,
                other => return failed(format!("{other} is not a known part of a time")),
            };
            return Ok(Moment { day, time: time - time % unit });
        }
    };
    Ok(Moment { day, time: 0 })
}

/// Year, month and day of a day since 1970, in the Gregorian calendar of all times.
pub(super) fn civil(day: i64) -> (i64, i64, i64) {
    // Years that begin in March end with the day that varies.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let place = (5 * of_year + 2) / 153;
    let month = if place < 10 { place + 3 } else { place - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * place + 2) / 5 + 1)
}

pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let place = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * place + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(super) fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_has_one_date_and_back() {
        for day in (-800_000..800_000).step_by(13) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days_from_civil(year, month, of_month), day);
            assert!((1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&of_month));
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
    }
}
