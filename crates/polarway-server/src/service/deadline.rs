//! When a call has to be over.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

/// The deadline that a client gives a call in `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2,
/// "Requests"). One that can't be read is none.
pub(crate) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    Instant::now().checked_add(timeout(metadata.get("grpc-timeout")?.to_str().ok()?)?)
}

fn timeout(text: &str) -> Option<Duration> {
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
            assert_eq!(timeout(text), Some(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for text in ["", "S", "5", "5s", "-5S", "+5S", "1.5S", "123456789S", "5S ", "5é"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
