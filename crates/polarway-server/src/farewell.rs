//! Ends a connection before HTTP/2 begins on it.

/// The peer does too much (RFC 9113, section 7).
pub(crate) const ENHANCE_YOUR_CALM: u8 = 0x0b;

/// The peer must use TLS (RFC 9113, section 7).
pub(crate) const INADEQUATE_SECURITY: u8 = 0x0c;

/// The bytes that end a connection: an empty SETTINGS frame, with which each begins, and a GOAWAY, which says that no request
/// will be answered, and why (RFC 9113, sections 6.5 and 6.8).
pub(crate) fn farewell(error: u8, reason: &str) -> Vec<u8> {
    let bytes = (8 + reason.len()) as u32;
    let mut frames = b"\0\0\0\x04\0\0\0\0\0".to_vec();
    frames.extend_from_slice(&bytes.to_be_bytes()[1..]);
    // GOAWAY without flags, on stream 0; the last stream that was looked at is 0.
    frames.extend_from_slice(b"\x07\0\0\0\0\0\0\0\0\0");
    frames.extend_from_slice(&u32::from(error).to_be_bytes());
    frames.extend_from_slice(reason.as_bytes());
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farewell_is_two_frames() {
        let expected = b"\0\0\0\x04\0\0\0\0\0\0\0\x1c\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo many connections";
        assert_eq!(farewell(ENHANCE_YOUR_CALM, "too many connections"), expected);
    }
}
