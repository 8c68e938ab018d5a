//! The header with a call's timeout: at most eight digits and a unit (gRPC over HTTP/2, "Requests").

use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// The name of the header.
pub const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// The largest number with eight digits.
const MOST_DIGITS: u64 = 99_999_999;

/// A duration as the header's value: in whole milliseconds, rounded up. It is never zero; at most it is about three years. Calls
/// with the same time then have the same value, which HTTP/2 sends as one byte.
pub fn encode_timeout(time: Duration) -> HeaderValue {
    let millis = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let text = match millis {
        0..=MOST_DIGITS => format!("{}m", millis.max(1)),
        _ => format!("{}S", time.as_secs().min(MOST_DIGITS)),
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("99999999S"))
}

/// The duration in the header's value; `None` if it can't be parsed.
pub fn decode_timeout(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if is_number { digits.parse().ok()? } else { return None };
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Duration> {
        decode_timeout(&HeaderValue::from_bytes(text.as_bytes()).unwrap())
    }

    #[test]
    fn every_unit_of_grpc_is_understood() {
        for (text, expect) in [
            ("2H", Duration::from_secs(7200)),
            ("3M", Duration::from_secs(180)),
            ("4S", Duration::from_secs(4)),
            ("500m", Duration::from_millis(500)),
            ("6u", Duration::from_micros(6)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ] {
            assert_eq!(decoded(text), Some(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for text in ["", "S", "5", "5s", "-5S", "+5S", "1.5S", "123456789S", "5S ", "5é"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn a_timeout_has_at_most_eight_digits_and_is_never_nothing() {
        for (time, expect) in [
            (Duration::ZERO, "1m"),
            (Duration::from_millis(1500), "1500m"),
            (Duration::from_nanos(29_999_000_001), "30000m"),
            (Duration::from_millis(99_999_999), "99999999m"),
            (Duration::from_secs(200_000), "200000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(encode_timeout(time), expect);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for millis in [1, 999, 1000, 123_456, 99_999_999, 100_000_000] {
            let time = Duration::from_millis(millis);
            assert_eq!(decode_timeout(&encode_timeout(time)), Some(time));
        }
    }
}
