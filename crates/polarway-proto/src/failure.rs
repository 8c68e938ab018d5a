//! A failure as one of our messages and as the status of a call: the same content in two forms.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::v1::Failure;

/// The domain of the `google.rpc.ErrorInfo` in our statuses. A reason of another domain, perhaps from a proxy, is not ours.
pub const ERROR_DOMAIN: &str = "polarway";

/// The most bytes that a status's message may take in HTTP/2 headers. grpcio randomly drops a status with more than 8 KiB
/// of headers, so a whole status stays below 7 KiB: there are other headers too.
const MOST_MESSAGE_BYTES: usize = 4500;

/// The most bytes of metadata names and values in a status. They are sent as base64.
const MOST_METADATA_BYTES: usize = 1024;

/// The most bytes that protobuf adds to a name and value of metadata.
const AROUND_METADATA_BYTES: usize = 10;

/// Marks where a message was cut.
const ELLIPSIS: char = '…';

impl Failure {
    /// A failure with a reason for programs and a message for people.
    pub fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code as i32,
            message: message.into(),
            reason: reason.into(),
            metadata: BTreeMap::new(),
            retry_delay_ms: None,
        }
    }

    /// Adds a name and a value that belong to the reason.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the retry delay. It is rounded up to whole milliseconds.
    #[must_use]
    pub fn with_retry_delay(mut self, delay: Duration) -> Self {
        self.retry_delay_ms = Some(whole_milliseconds(delay));
        self
    }

    /// The same, but small enough for a status: a long message is cut, and metadata that would make it too large is left
    /// out.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        self.message = shortened(self.message);
        self.metadata = fitting(self.metadata);
        self
    }

    /// The code. A failure can't be [`Code::Ok`]: that and unknown numbers become [`Code::Unknown`].
    pub fn code(&self) -> Code {
        match Code::from_i32(self.code) {
            Code::Ok => Code::Unknown,
            code => code,
        }
    }

    /// The retry delay, if the server set one.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.retry_delay_ms.map(Duration::from_millis)
    }
}

/// A long message is cut, and metadata that would make the status too large is left out.
impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code = failure.code();
        let mut details = ErrorDetails::new();
        if let Some(delay) = failure.retry_delay() {
            details.set_retry_info(Some(delay));
        }
        let Failure { reason, message, metadata, .. } = failure.shortened();
        details.set_error_info(reason, ERROR_DOMAIN, metadata.into_iter().collect::<HashMap<_, _>>());
        Self::with_error_details(code, message, details)
    }
}

/// If the status is not ours, code and message are kept.
impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let mut failure = Self::new(status.code(), "", status.message());
        if let Some(info) = details.error_info().filter(|info| info.domain == ERROR_DOMAIN) {
            failure.reason.clone_from(&info.reason);
            failure.metadata.extend(info.metadata.clone());
        }
        if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
            failure = failure.with_retry_delay(delay);
        }
        failure
    }
}

fn whole_milliseconds(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A message, cut to fit into a status.
fn shortened(mut message: String) -> String {
    let mut thirds = 0;
    // Where to cut so that the ellipsis fits too.
    let mut cut = 0;
    for (index, character) in message.char_indices() {
        if thirds + thirds_of_headers(ELLIPSIS) <= 3 * MOST_MESSAGE_BYTES {
            cut = index;
        }
        thirds += thirds_of_headers(character);
        if thirds > 3 * MOST_MESSAGE_BYTES {
            message.truncate(cut);
            message.push(ELLIPSIS);
            break;
        }
    }
    message
}

/// The size of a message's character in headers, in thirds of a byte. It is sent twice: percent-encoded, where each byte of
/// all but plain characters takes three, and as base64 inside the details.
fn thirds_of_headers(character: char) -> usize {
    let is_plain = character.is_ascii_graphic()
        && !matches!(character, '"' | '#' | '%' | '<' | '>' | '`' | '?' | '{' | '}');
    character.len_utf8() * if is_plain { 3 + 4 } else { 9 + 4 }
}

fn fitting(metadata: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut bytes = 0;
    metadata
        .into_iter()
        .filter(|(name, value)| {
            let taken = bytes + name.len() + value.len() + AROUND_METADATA_BYTES;
            let fits = taken <= MOST_METADATA_BYTES;
            if fits {
                bytes = taken;
            }
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn failure() -> Failure {
        Failure::new(Code::NotFound, "UNKNOWN_DATASET", "there is no dataset flihgts")
            .with_metadata("name", "flihgts")
            .with_retry_delay(Duration::from_millis(1500))
    }

    #[test]
    fn a_failure_survives_being_a_status() {
        let status = Status::from(failure());
        assert_eq!((status.code(), status.message()), (Code::NotFound, "there is no dataset flihgts"));
        assert_eq!(Failure::from(&status), failure());
    }

    #[test]
    fn the_status_carries_the_details_that_google_defines() {
        let details = Status::from(failure()).get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNKNOWN_DATASET", "polarway"));
        let retry = details.retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn without_a_retry_delay_there_is_no_retry_info() {
        let status = Status::from(Failure::new(Code::Internal, "INTERNAL", "a bug"));
        assert!(status.get_error_details().retry_info().is_none());
    }

    #[test]
    fn a_reason_of_another_domain_is_none_of_ours() {
        let details = ErrorDetails::with_error_info("QUOTA", "proxy.example", HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "over quota", details);
        assert_eq!(Failure::from(&status), Failure::new(Code::Unavailable, "", "over quota"));
    }

    #[test]
    fn malformed_details_leave_code_and_message() {
        let status = Status::with_details(Code::Aborted, "lost", bytes::Bytes::from_static(&[0xff; 40]));
        assert_eq!(Failure::from(&status), Failure::new(Code::Aborted, "", "lost"));
    }

    #[test]
    fn a_failure_is_never_ok() {
        for code in [0, -1, 17, i32::MAX] {
            let failure = Failure { code, ..failure() };
            assert_eq!(failure.code(), Code::Unknown);
            assert_eq!(Status::from(failure).code(), Code::Unknown);
        }
    }

    /// The size of a status in HTTP/2 headers, as receivers count it (RFC 9113, section 6.5.2).
    fn header_bytes(failure: Failure) -> usize {
        let headers = Status::from(failure).into_http::<()>().into_parts().0.headers;
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
    }

    #[test]
    fn the_largest_status_of_any_alphabet_fits_into_the_headers_that_every_client_takes() {
        for text in ["x", " ", "%", "\n", "\u{7f}", "ß", "語", "𓀀", "a name, and \"語\"; "] {
            let mut failure =
                Failure::new(Code::InvalidArgument, "RESOURCE_EXHAUSTED", text.repeat(1_000_000))
                    .with_retry_delay(Duration::MAX);
            for number in 0..1000 {
                failure = failure.with_metadata(format!("name {number}"), text.repeat(number));
            }
            let bytes = header_bytes(failure);
            assert!(bytes < 7 << 10, "{bytes} bytes of {text:?}");
            assert!(bytes > 5 << 10, "{bytes} bytes of {text:?}");
        }
    }

    #[test]
    fn metadata_of_many_short_entries_is_bounded_as_well() {
        let mut failure = failure();
        for number in 0..100_000 {
            failure = failure.with_metadata(number.to_string(), "");
        }
        assert!(header_bytes(failure) < 3 << 10);
    }

    #[test]
    fn a_message_that_fits_is_whole_and_one_that_does_not_is_cut_between_characters() {
        let most = 3 * MOST_MESSAGE_BYTES / thirds_of_headers('x');
        for length in most - 20..most + 20 {
            let message = format!("{}{}", "x".repeat(length), "語".repeat(10));
            let short = shortened(message.clone());
            assert!(message.starts_with(short.strip_suffix(ELLIPSIS).unwrap()), "{length}");
        }
        let message = "x".repeat(most);
        assert_eq!(shortened(message.clone()), message);
    }

    #[test]
    fn a_delay_of_any_length_is_told() {
        assert_eq!(whole_milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_milliseconds(Duration::MAX), u64::MAX);
        let status = Status::from(failure().with_retry_delay(Duration::MAX));
        assert!(Failure::from(&status).retry_delay().unwrap() > Duration::from_secs(3600));
    }
}
