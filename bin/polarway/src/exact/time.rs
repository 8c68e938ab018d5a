//! Dates and times.

use chrono::{DateTime, NaiveDate};

/// A point in time, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Seconds since 1970-01-01, in UTC if there is a zone.
    seconds: i64,
    nanoseconds: u32,
    /// Whether the text has a UTC offset.
    pub(crate) has_zone: bool,
}

impl Moment {
    /// Microseconds since 1970-01-01, if it is a whole number of them.
    pub(crate) fn microseconds(self) -> Option<i64> {
        self.nanoseconds
            .is_multiple_of(1000)
            .then(|| self.seconds * 1_000_000 + i64::from(self.nanoseconds / 1000))
    }

    /// Nanoseconds since 1970-01-01; their range is from 1677 to 2262.
    pub(crate) fn nanoseconds(self) -> Option<i64> {
        DateTime::from_timestamp(self.seconds, self.nanoseconds)?.timestamp_nanos_opt()
    }
}

/// Days since 1970-01-01, for a date like `2026-11-01`.
pub(crate) fn date(text: &str) -> Option<i32> {
    let days = day(text.as_bytes())?.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).ok()
}

/// A time like `2026-11-01 13:30:00`, with a fraction of up to nine significant digits, `T` or a space after the date, and
/// a zone: `Z`, `+01:00`, `+0100` or `+01`. A date alone means its midnight.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let (day_bytes, rest) = bytes.split_at_checked(10)?;
    let midnight = day(day_bytes)?.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    if rest.is_empty() {
        return Some(Moment { seconds: midnight, nanoseconds: 0, has_zone: false });
    }
    let (clock, rest) = rest.split_at_checked(9)?;
    let &[b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hours, minutes, seconds) = (two(h1, h2, 23)?, two(m1, m2, 59)?, two(s1, s2, 59)?);
    let (nanoseconds, rest) = match rest.split_first() {
        Some((b'.', rest)) => fraction(rest)?,
        _ => (0, rest),
    };
    let offset = if rest.is_empty() { None } else { Some(offset(rest)?) };
    let seconds = midnight + hours * 3600 + minutes * 60 + seconds - offset.unwrap_or_default();
    Some(Moment { seconds, nanoseconds, has_zone: offset.is_some() })
}

fn day(text: &[u8]) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = two(y1, y2, 99)? * 100 + two(y3, y4, 99)?;
    let number = |value: i64| u32::try_from(value).ok();
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(two(m1, m2, 12)?)?, number(two(d1, d2, 31)?)?)
}

/// A number with two digits.
fn two(tens: u8, ones: u8, most: i64) -> Option<i64> {
    let is_number = tens.is_ascii_digit() && ones.is_ascii_digit();
    let value = i64::from(tens.wrapping_sub(b'0')) * 10 + i64::from(ones.wrapping_sub(b'0'));
    (is_number && value <= most).then_some(value)
}

/// The nanoseconds of a fraction of a second, and the rest of the text.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let (counted, beyond) = digits.split_at(length.min(9));
    if digits.is_empty() || beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let padded = counted.iter().chain(std::iter::repeat(&b'0')).take(9);
    Some((padded.fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), rest))
}

/// How many seconds a zone is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [b'Z'] => return Some(0),
        [sign @ (b'+' | b'-'), h1, h2] => (sign, two(h1, h2, 23)?, 0),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] | [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            (sign, two(h1, h2, 23)?, two(m1, m2, 59)?)
        }
        _ => return None,
    };
    let seconds = hours * 3600 + minutes * 60;
    Some(if sign == b'-' { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_that_the_calendar_has() {
        assert_eq!(
            (date("1970-01-02"), date("1969-12-31"), date("2024-02-29")),
            (Some(1), Some(-1), Some(19_782))
        );
        for text in ["2023-02-29", "2023-13-01", "0000-00-00", "2023-1-1", "2023-01-01 ", "20230101", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_keeps_its_fraction_and_its_zone() {
        let micros = |text| moment(text).and_then(Moment::microseconds);
        assert_eq!(micros("1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(micros("1970-01-01T00:00:01.5"), Some(1_500_000));
        assert_eq!(micros("1969-12-31 23:59:59.999999"), Some(-1));
        assert_eq!(micros("1970-01-01 00:00:00.0000010000"), Some(1));
        assert_eq!(micros("1970-01-01 00:00:00.0000001"), None);
        assert_eq!(moment("1970-01-01 00:00:00.0000001").unwrap().nanoseconds(), Some(100));
        assert_eq!(moment("9999-12-31 23:59:59.0000001").unwrap().nanoseconds(), None);
        for text in [
            "1970-01-01 01:00:00+01:00",
            "1970-01-01 00:00:00Z",
            "1969-12-31T19:00:00-0500",
            "1970-01-01 01:00:00+01",
        ] {
            assert_eq!((micros(text), moment(text).unwrap().has_zone), (Some(0), true), "{text}");
        }
        assert_eq!(micros("1970-01-02"), Some(86_400_000_000));
    }

    #[test]
    fn what_would_become_another_moment_is_none() {
        for text in [
            "2024-01-01 24:00:00",
            "2016-12-31 23:59:60",
            "2024-01-01 12:00",
            "2024-01-01 12:00:00.",
            "2024-01-01 12:00:00.1234567891",
            "2024-01-01 12:00:00 CET",
            "2024-01-01 12:00:00+1",
            "2024-01-01 12:00:00+01:0",
            "2024-01-01  12:00:00",
            "2024-01-01x12:00:00",
            "12:00:00",
            "2024-01-01 1é:00:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
