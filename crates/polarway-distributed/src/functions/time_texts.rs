//! Dates, times and intervals as texts.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Int64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};

use super::calendar::civil;
use super::moments::{Moment, is_finite, micros};
use super::{Native, unexpected};

/// A value as a text.
pub(crate) const TEXT_OF: Native = Native::new(
    "duckdb_text_of",
    |_| Ok(DataType::Utf8),
    |arguments, _| {
        let values = &arguments[0];
        let texts: StringArray = match values.data_type() {
            DataType::Date32 => {
                let text = |day: i32| match day {
                    i32::MAX => "infinity".to_owned(),
                    day if day == -i32::MAX => "-infinity".to_owned(),
                    day => date(day.into()),
                };
                values.as_primitive::<Date32Type>().iter().map(|day| day.map(text)).collect()
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let (is_zoned, zone) = (zone.is_some(), if zone.is_some() { "+00" } else { "" });
                let text = |time: i64| match time {
                    i64::MAX => "infinity".to_owned(),
                    time if !is_finite(&time) => "-infinity".to_owned(),
                    time => {
                        let Moment { day, time } = Moment::of(time, is_zoned);
                        format!("{} {}{zone}", date(day), clock(time))
                    }
                };
                micros(values)?.iter().map(|time| time.map(text)).collect()
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                let times = cast(values, &DataType::Int64)?;
                let times: &Int64Array = times.as_primitive();
                times.iter().map(|time| time.map(clock)).collect()
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                values.as_primitive::<IntervalMonthDayNanoType>().iter().map(|of| of.map(interval)).collect()
            }
            other => return Err(unexpected("duckdb_text_of", std::slice::from_ref(other))),
        };
        Ok(Arc::new(texts) as ArrayRef)
    },
);

fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    // There is no year 0.
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " (BC)") };
    format!("{year:04}-{month:02}-{day:02}{era}")
}

fn clock(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    match fraction {
        0 => clock,
        fraction => format!("{clock}.{}", format!("{fraction:06}").trim_end_matches('0')),
    }
}

fn interval(interval: IntervalMonthDayNano) -> String {
    let named = |number: i32, name: &str| {
        let ending = if number.abs() == 1 { "" } else { "s" };
        (number != 0).then(|| format!("{number} {name}{ending}"))
    };
    let mut parts = Vec::from_iter(named(interval.months / 12, "year"));
    parts.extend(named(interval.months % 12, "month"));
    parts.extend(named(interval.days, "day"));
    let micros = interval.nanoseconds / 1_000;
    if micros != 0 || parts.is_empty() {
        parts.push(format!("{}{}", if micros < 0 { "-" } else { "" }, clock(micros.abs())));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_years_and_intervals_with_signs_have_texts() {
        assert_eq!(
            [date(0), date(-719_163), date(2_932_897)],
            ["1970-01-01", "0001-12-31 (BC)", "10000-01-01"]
        );
        let of =
            |months, days, micros: i64| interval(IntervalMonthDayNano::new(months, days, micros * 1_000));
        assert_eq!(of(14, -3, 0), "1 year 2 months -3 days");
        assert_eq!(of(-13, 0, 1), "-1 year -1 month 00:00:00.000001");
        assert_eq!([of(0, 0, 0), of(0, 0, -250_000)], ["00:00:00", "-00:00:00.25"]);
    }
}
