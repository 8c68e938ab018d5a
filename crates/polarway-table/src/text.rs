//! Values as text, correct over the full range of their types.
//!
//! Arrow's own formatting fails beyond the range of its date library (262,000 years from now, and at 24:00:00), and cuts decimals
//! to their precision. The form is Arrow's where it has one, and ISO 8601 beyond.

use std::fmt::{self, Write};

use arrow_array::cast::AsArray as _;
use arrow_array::timezone::Tz;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType};
use arrow_array::{Array, PrimitiveArray};
use arrow_buffer::ScalarBuffer;
use arrow_cast::display::{ArrayFormatter, ArrayFormatterFactory, DisplayIndex, FormatOptions, FormatResult};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use chrono::{DateTime, Offset as _, TimeZone as _};

use crate::duckdb_type;

const SECONDS_OF_DAY: i64 = 86_400;

/// Arrow's options for text in which every value is complete, also inside of nested ones. NULL becomes `null`; a value that has
/// no text is an error.
#[must_use]
pub fn text_options(null: &str) -> FormatOptions<'_> {
    FormatOptions::new().with_null(null).with_display_error(false).with_formatter_factory(Some(&Whole))
}

/// Formats the values of a column with [`text_options`]. The field has their SQL type.
///
/// # Errors
/// A type that has no text.
pub fn texts<'a>(
    column: &'a dyn Array,
    field: &'a Field,
    options: &FormatOptions<'a>,
) -> Result<ArrayFormatter<'a>, ArrowError> {
    formatter(column, options, Some(field))
}

fn formatter<'a>(
    array: &'a dyn Array,
    options: &FormatOptions<'a>,
    field: Option<&'a Field>,
) -> Result<ArrayFormatter<'a>, ArrowError> {
    match Whole.create_array_formatter(array, options, field)? {
        Some(formatter) => Ok(formatter),
        None => ArrayFormatter::try_new(array, options),
    }
}

/// Makes formatters for the types that Arrow's own formatters don't write completely.
#[derive(Debug)]
struct Whole;

impl ArrayFormatterFactory for Whole {
    fn create_array_formatter<'a>(
        &self,
        array: &'a dyn Array,
        options: &FormatOptions<'a>,
        field: Option<&'a Field>,
    ) -> Result<Option<ArrayFormatter<'a>>, ArrowError> {
        let null = options.null();
        let is_of_sql = field.is_some_and(|field| duckdb_type(field).is_some());
        let cells: Box<dyn DisplayIndex + 'a> = match array.data_type() {
            DataType::Date32 => {
                let days = native::<i32>(array);
                cells(array, null, move |row, text| match days[row] {
                    i32::MAX if is_of_sql => text.write_str("infinity"),
                    day if day == -i32::MAX && is_of_sql => text.write_str("-infinity"),
                    day => write_date(text, i64::from(day)),
                })
            }
            DataType::Date64 => {
                let millis = native::<i64>(array);
                cells(array, null, move |row, text| {
                    Moment::new(millis[row], TimeUnit::Millisecond).write(text, None)
                })
            }
            DataType::Time32(unit) => {
                let (values, unit) = (native::<i32>(array), *unit);
                cells(array, null, move |row, text| write_time_of_day(text, i64::from(values[row]), unit))
            }
            DataType::Time64(unit) => {
                let (values, unit) = (native::<i64>(array), *unit);
                cells(array, null, move |row, text| write_time_of_day(text, values[row], unit))
            }
            DataType::Timestamp(unit, zone) => {
                let (values, unit) = (native::<i64>(array), *unit);
                let zone = zone.as_deref().map(Zone::of);
                cells(array, null, move |row, text| match values[row] {
                    i64::MAX if is_of_sql => text.write_str("infinity"),
                    value if value == -i64::MAX && is_of_sql => text.write_str("-infinity"),
                    value => Moment::new(value, unit).write(text, zone.as_ref()),
                })
            }
            DataType::Duration(unit) => {
                let (values, unit) = (native::<i64>(array), *unit);
                cells(array, null, move |row, text| write_duration(text, values[row], unit))
            }
            DataType::Decimal32(..) => decimals::<Decimal32Type>(array, null),
            DataType::Decimal64(..) => decimals::<Decimal64Type>(array, null),
            DataType::Decimal128(..) => decimals::<Decimal128Type>(array, null),
            DataType::Decimal256(..) => decimals::<Decimal256Type>(array, null),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let values = formatter(dictionary.values().as_ref(), options, field)?;
                // A dictionary without values is all nulls, and has no keys to normalize.
                let keys = match dictionary.values().is_empty() {
                    true => Vec::new(),
                    false => dictionary.normalized_keys(),
                };
                cells(array, null, move |row, text| {
                    values.value(keys[row]).write(text).map_err(|_| fmt::Error)
                })
            }
            _ => return Ok(None),
        };
        Ok(Some(ArrayFormatter::new(cells, options.safe())))
    }
}

/// Values that a function writes, and nulls.
struct Cells<'a, F> {
    array: &'a dyn Array,
    null: &'a str,
    write: F,
}

fn cells<'a, F>(array: &'a dyn Array, null: &'a str, write: F) -> Box<dyn DisplayIndex + 'a>
where
    F: Fn(usize, &mut dyn Write) -> fmt::Result + 'a,
{
    Box::new(Cells { array, null, write })
}

impl<F: Fn(usize, &mut dyn Write) -> fmt::Result> DisplayIndex for Cells<'_, F> {
    fn write(&self, row: usize, text: &mut dyn Write) -> FormatResult {
        if self.array.is_null(row) {
            text.write_str(self.null)?;
        } else {
            (self.write)(row, text)?;
        }
        Ok(())
    }
}

/// The values of an array that are stored as this native type.
fn native<T: arrow_buffer::ArrowNativeType>(array: &dyn Array) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

/// The complete number, also if another writer stored more digits than the type has.
fn decimals<'a, T: DecimalType>(array: &'a dyn Array, null: &'a str) -> Box<dyn DisplayIndex + 'a>
where
    T::Native: fmt::Display,
{
    let decimals: &PrimitiveArray<T> = array.as_primitive();
    let scale = match array.data_type() {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    };
    cells(array, null, move |row, text| {
        let number = decimals.value(row).to_string();
        let (sign, digits) = number.strip_prefix('-').map_or(("", number.as_str()), |digits| ("-", digits));
        match usize::try_from(scale) {
            Ok(0) => text.write_str(&number),
            Ok(scale) => {
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                write!(text, "{sign}{whole}.{fraction}")
            }
            Err(_) if digits == "0" => text.write_str("0"),
            Err(_) => write!(text, "{number}{:0<width$}", "", width = usize::from(scale.unsigned_abs())),
        }
    })
}

/// How the times of a zone are written.
enum Zone {
    Known(Tz),
    /// An unknown name: times are written in UTC.
    Unknown,
}

impl Zone {
    fn of(name: &str) -> Self {
        name.parse().map_or(Self::Unknown, Self::Known)
    }

    /// Seconds east of UTC; 0 where a zone's rules do not reach, and where they are not whole minutes, which no text of
    /// a time can tell.
    fn offset_at(&self, seconds: i64) -> i64 {
        let Self::Known(zone) = self else { return 0 };
        let Some(time) = DateTime::from_timestamp(seconds, 0) else { return 0 };
        let offset = zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc();
        if offset % 60 == 0 { i64::from(offset) } else { 0 }
    }
}

/// A moment, in seconds since 1970-01-01 and nanoseconds behind them.
struct Moment {
    seconds: i64,
    nanos: u64,
}

impl Moment {
    fn new(value: i64, unit: TimeUnit) -> Self {
        let per_second = per_second(unit).cast_signed();
        let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
        Self { seconds: value.div_euclid(per_second), nanos: nanos.unsigned_abs() }
    }

    fn write(&self, text: &mut dyn Write, zone: Option<&Zone>) -> fmt::Result {
        let offset = zone.map_or(0, |zone| zone.offset_at(self.seconds));
        // An offset is only known for times that are far from the ends.
        let local = self.seconds + offset;
        write_date(text, local.div_euclid(SECONDS_OF_DAY))?;
        text.write_char('T')?;
        write_clock(text, local.rem_euclid(SECONDS_OF_DAY).unsigned_abs(), self.nanos)?;
        match (zone, offset) {
            (None, _) => Ok(()),
            (Some(_), 0) => text.write_char('Z'),
            (Some(_), offset) => {
                let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
                write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

fn per_second(unit: TimeUnit) -> u64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A day of the Gregorian calendar, by its number from 1970-01-01. Years are astronomical: 1 BC is 0. Those that have not
/// four digits have a sign.
fn write_date(text: &mut dyn Write, day: i64) -> fmt::Result {
    const DAYS_OF_ERA: i64 = 146_097; // 400 years

    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let from_march = day + 719_468;
    let (era, day_of_era) = (from_march.div_euclid(DAYS_OF_ERA), from_march.rem_euclid(DAYS_OF_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    match year {
        0..=9_999 => write!(text, "{year:04}-{month:02}-{day_of_month:02}"),
        _ => write!(text, "{year:+05}-{month:02}-{day_of_month:02}"),
    }
}

/// Hours, minutes and seconds, with three, six or nine digits of a fraction if there is one.
fn write_clock(text: &mut dyn Write, seconds: u64, nanos: u64) -> fmt::Result {
    write!(text, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
    match nanos {
        0 => Ok(()),
        nanos if nanos.is_multiple_of(1_000_000) => write!(text, ".{:03}", nanos / 1_000_000),
        nanos if nanos.is_multiple_of(1_000) => write!(text, ".{:06}", nanos / 1_000),
        nanos => write!(text, ".{nanos:09}"),
    }
}

/// The day's end, 24:00:00, is one; what lies outside of a day is told by its distance from midnight.
fn write_time_of_day(text: &mut dyn Write, value: i64, unit: TimeUnit) -> fmt::Result {
    let (sign, seconds, nanos) = parts(value, unit);
    text.write_str(sign)?;
    write_clock(text, seconds, nanos)
}

/// ISO 8601, in seconds.
fn write_duration(text: &mut dyn Write, value: i64, unit: TimeUnit) -> fmt::Result {
    let (sign, seconds, nanos) = parts(value, unit);
    match (seconds, nanos) {
        (0, 0) => text.write_str("P0D"),
        (seconds, 0) => write!(text, "{sign}PT{seconds}S"),
        (seconds, nanos) => {
            let fraction = format!("{nanos:09}");
            write!(text, "{sign}PT{seconds}.{}S", fraction.trim_end_matches('0'))
        }
    }
}

/// The sign, the seconds and the nanoseconds of a length of time.
fn parts(value: i64, unit: TimeUnit) -> (&'static str, u64, u64) {
    let sign = if value < 0 { "-" } else { "" };
    let (value, per_second) = (value.unsigned_abs(), per_second(unit));
    (sign, value / per_second, value % per_second * (1_000_000_000 / per_second))
}

#[cfg(test)]
mod tests;
