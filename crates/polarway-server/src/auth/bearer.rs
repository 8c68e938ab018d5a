//! The token in a request's headers (RFC 6750).

use http::HeaderMap;
use http::header::AUTHORIZATION;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;

const SCHEME: &[u8] = b"Bearer";

/// The token of a request.
///
/// # Errors
/// There is none, or more than one, or it is sent in another way. The message does not repeat what was sent.
pub(crate) fn token(headers: &HeaderMap) -> Result<&[u8], Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Reason::MissingToken.failure(MISSING)),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => {
            return Err(
                Reason::InvalidToken.failure("the request has more than one `authorization`: send one")
            );
        }
    };
    let malformed =
        || Reason::InvalidToken.failure("`authorization` must be `Bearer`, a space, and the token");
    let (scheme, token) = value.split_at_checked(SCHEME.len()).ok_or_else(malformed)?;
    let token = token.strip_prefix(b" ").map(<[u8]>::trim_ascii).filter(|token| !token.is_empty());
    match token {
        Some(token) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(token),
        _ => Err(malformed()),
    }
}

const MISSING: &str = "this server needs a token: send `authorization: Bearer <token>`; Polarway's own clients take it from \
                       POLARWAY_AUTH_TOKEN or from an option";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        token(&headers).map(|token| String::from_utf8(token.to_vec()).unwrap())
    }

    #[test]
    fn the_token_stands_behind_the_scheme_in_any_case() {
        for value in ["Bearer canary", "bearer canary", "BEARER  canary "] {
            assert_eq!(of(&[value]).unwrap(), "canary", "{value}");
        }
    }

    #[test]
    fn what_is_no_single_bearer_token_is_refused_and_not_repeated() {
        assert_eq!(of(&[]).unwrap_err().reason, "MISSING_TOKEN");
        for values in [
            &["canary"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearercanary"],
            &["Basic canary"],
            &["Bearer\tcanary"],
            &["Bearer canary", "Bearer canary"],
        ] {
            let failure = of(values).unwrap_err();
            assert_eq!(failure.reason, "INVALID_TOKEN", "{values:?}");
            assert!(!failure.message.contains("canary"), "{values:?}");
        }
    }
}
