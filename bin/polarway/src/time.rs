//! Parses and shows points in time.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Parses a time as microseconds since 1970-01-01 UTC.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    const WITHOUT_ZONE: [&str; 4] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];

    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    WITHOUT_ZONE
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(midnight)
        .map(|time| time.and_utc().timestamp_micros())
        .ok_or_else(|| "write it like 2026-11-01, \"2026-11-01 13:30\" or 2026-11-01T13:30:00Z".to_owned())
}

/// A time in UTC, to the microsecond, so that `--as-of` with it gives the same version.
pub(crate) fn show(time_us: i64) -> String {
    match DateTime::from_timestamp_micros(time_us) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.6fZ").to_string(),
        None => format!("{time_us} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        let noon = 1_793_534_400_000_000;
        for text in
            ["2026-11-01 12:00", "2026-11-01T12:00:00", "2026-11-01T12:00:00Z", "2026-11-01T13:00:00+01:00"]
        {
            assert_eq!(parse(text), Ok(noon), "{text}");
        }
        assert_eq!(parse("2026-11-01"), Ok(noon - 12 * 3_600_000_000));
        for time_us in [noon, noon + 1, noon + 5_000, noon + 999_999, -1] {
            assert_eq!(parse(&show(time_us)), Ok(time_us));
        }
    }

    #[test]
    fn what_is_no_time_is_told_how_to_write_one() {
        for text in ["", "yesterday", "2026-13-01", "12:00", "1793534400"] {
            assert!(parse(text).is_err_and(|message| message.contains("2026-11-01")), "{text}");
        }
    }
}
