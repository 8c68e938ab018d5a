//! Times with a zone, UTC, as ICU computes with them: their milliseconds are DOUBLEs, which are not exact for years after 287396 and
//! before 283457 BC.

use datafusion::arrow::datatypes::IntervalMonthDayNano;

use super::calendar::add_months;
use super::moments::{Moment, is_in_range};

const DAY_MILLIS: i64 = 86_400_000;

/// The last year of ICU's calendar is 5828963, and the first one as long ago. Beyond them DuckDB gives some time of a nearer year.
const MOST_MILLIS: f64 = 183_882_168_921_600_000.0;

/// What the calendar says of a time.
pub(super) fn moment(micros: i64) -> Moment {
    let millis = micros.div_euclid(1_000) as f64 as i64;
    let time = millis.rem_euclid(DAY_MILLIS) * 1_000 + micros.rem_euclid(1_000);
    Moment { day: millis.div_euclid(DAY_MILLIS), time }
}

/// The time that the calendar says; `None` if that is out of range.
pub(super) fn said(micros: i64) -> Option<i64> {
    moment(micros).micros()
}

/// A finite time and an interval, or less the interval; `None` if that is out of range.
pub(super) fn moved(micros: i64, interval: IntervalMonthDayNano, sign: i64) -> Option<i64> {
    let (months, days) = (sign * i64::from(interval.months), sign * i64::from(interval.days));
    let clock = sign * (interval.nanoseconds / 1_000);

    // What is less than a millisecond stays exact.
    let (mut millis, mut rest) = (micros / 1_000, micros % 1_000 + clock % 1_000);
    if rest >= 1_000 {
        (millis, rest) = (millis + 1, rest - 1_000);
    } else if rest < 0 {
        (millis, rest) = (millis - 1, rest + 1_000);
    }
    millis.checked_mul(1_000).filter(is_in_range)?;

    let with_date = |millis| Some(with_months(millis, months)? + (days * DAY_MILLIS) as f64);
    let with_clock = |millis, units: [f64; 4]| units.into_iter().fold(millis, |millis, unit| millis + unit);
    let [hours, minutes, seconds, thousandths] = units(clock);
    // An interval with a negative part begins with the time of day.
    let millis = match months < 0 || days < 0 || clock < 0 {
        true => with_date(with_clock(millis as f64, [thousandths, seconds, minutes, hours]))?,
        false => with_clock(with_date(millis as f64)?, [hours, minutes, seconds, thousandths]),
    };
    (millis as i64).checked_mul(1_000)?.checked_add(rest).filter(is_in_range)
}

/// The hours, minutes, seconds and milliseconds of an interval, each in milliseconds: each sum with one of them is rounded.
fn units(micros: i64) -> [f64; 4] {
    let millis = micros / 1_000;
    let (hours, minutes, seconds) =
        (millis / 3_600_000 * 3_600_000, millis / 60_000 * 60_000, millis / 1_000 * 1_000);
    [hours, minutes - hours, seconds - minutes, millis - seconds].map(|unit| unit as f64)
}

fn with_months(millis: f64, months: i64) -> Option<f64> {
    if months == 0 {
        return Some(millis);
    }
    let whole = millis as i64;
    let moved = add_months(whole.div_euclid(DAY_MILLIS), months) * DAY_MILLIS + whole.rem_euclid(DAY_MILLIS);
    let moved = moved as f64;
    (millis.abs().max(moved.abs()) <= MOST_MILLIS).then_some(moved)
}
