//! The id of a call, in the log and for its caller.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header with the call's id: a caller may set it, and each response has it.
pub(crate) const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that a caller may set, in characters.
const MOST_ID_CHARACTERS: usize = 128;

/// The id for a call with these headers: its caller's own, or a fresh one.
pub(crate) fn call_id(headers: &HeaderMap) -> HeaderValue {
    let mut id = given(headers).unwrap_or_else(fresh);
    // Each id is sent once, so it should not fill the table of headers that both ends of a connection keep (RFC 7541, section
    // 6.2.3).
    id.set_sensitive(true);
    id
}

/// The id that the caller set, if it is safe to write in a line of the log.
fn given(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(ID_HEADER)?;
    let is_plain =
        (1..=MOST_ID_CHARACTERS).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    is_plain.then(|| id.clone())
}

fn fresh() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_callers_if_a_log_can_hold_it() {
        let given = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(ID_HEADER, HeaderValue::from_bytes(id).unwrap());
            given(&headers)
        };
        for id in ["1", "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f", &"x".repeat(128)] {
            assert_eq!(given(id.as_bytes()).unwrap(), id);
        }
        for id in [&b""[..], b"a b", b"a\tb", "größe".as_bytes(), "x".repeat(129).as_bytes()] {
            assert_eq!(given(id), None, "{id:?}");
        }
        assert_eq!(fresh().len(), 36);
    }
}
