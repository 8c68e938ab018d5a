//! Who may see the status page.
//!
//! A browser sends a token as the password of HTTP's basic scheme. It sends the token again with every request, even with a form that
//! another site submits. So each form contains a mark that only this server's own pages contain. Without tokens, another site could
//! point its own name at this server and read the page in a visitor's browser. So without tokens, only requests by an IP address or a
//! name without dots are answered.

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue};
use polarway_core::Caller;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::auth::{Authenticator, Requester};

/// The address at the other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The visitor needs a token, or another one.
    Token(Failure),
    /// The page is not shown for requests of this kind.
    Way(&'static str),
}

/// Finds out who makes a request.
///
/// # Errors
/// There is no valid token; or a token arrives without encryption although calls are encrypted; or, without tokens, the request is
/// for a name that another site may own.
pub(super) async fn visitor(
    authenticator: &Authenticator,
    calls_are_encrypted: bool,
    headers: &HeaderMap,
    Peer(from): Peer,
    path: &str,
) -> Result<Requester, Refusal> {
    if authenticator.needs_token() {
        if calls_are_encrypted && !from.ip().to_canonical().is_loopback() {
            return Err(Refusal::Way(
                "This port is not encrypted, so a token must not cross the network to it. Open the page on the machine of the \
                 server, or through a tunnel to it (ssh -L, kubectl port-forward).",
            ));
        }
    } else if !headers.get(HOST).is_some_and(is_address_or_plain_name) {
        return Err(Refusal::Way(
            "Without tokens, this page is shown by IP address, or by a name without dots. Set a token to reach it by other names.",
        ));
    }
    let headers = with_bearer(headers).map_err(Refusal::Token)?;
    authenticator.requester(&headers, Some(from), None, path).await.map_err(Refusal::Token)
}

/// The headers with the password of the basic scheme, if there is one, as a bearer token.
fn with_bearer(headers: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut headers = headers.clone();
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(headers) };
    let Some(encoded) = value.to_str().ok().and_then(|value| value.strip_prefix("Basic ")) else {
        return Ok(headers);
    };
    let password = BASE64.decode(encoded.trim().as_bytes()).ok().and_then(|decoded| {
        let separator = decoded.iter().position(|byte| *byte == b':')?;
        HeaderValue::from_bytes(&[b"Bearer ", &decoded[separator + 1..]].concat()).ok()
    });
    let malformed = || Reason::InvalidToken.failure("`authorization` is not of HTTP's basic scheme");
    headers.insert(AUTHORIZATION, password.ok_or_else(malformed)?);
    Ok(headers)
}

/// Whether a request is for an IP address, `localhost`, or another name without dots: no other site can own such a name.
fn is_address_or_plain_name(host: &HeaderValue) -> bool {
    let Some(host) = host.to_str().ok() else { return false };
    if let Some(address) = host.strip_prefix('[') {
        return address.contains(']');
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !name.is_empty() && (name.parse::<IpAddr>().is_ok() || !name.contains('.'))
}

/// Makes the marks of forms. It lives as long as the server.
pub(super) struct FormKey([u8; 32]);

impl FormKey {
    /// # Errors
    /// The machine gives no random bytes.
    pub(super) fn fresh() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// The mark of a caller's forms.
    pub(super) fn mark(&self, caller: &Caller) -> String {
        BASE64.encode(&Sha256::new().chain_update(self.0).chain_update(caller.name()).finalize())
    }

    /// Whether the mark is that of this caller's forms.
    pub(super) fn made(&self, caller: &Caller, mark: &str) -> bool {
        self.mark(caller).as_bytes().ct_eq(mark.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_can_not_be_a_strangers_are_plain() {
        for host in
            ["127.0.0.1:9090", "localhost:9090", "localhost", "[::1]:9090", "worker-1:9090", "10.0.0.7"]
        {
            assert!(is_address_or_plain_name(&HeaderValue::from_static(host)), "{host}");
        }
        for host in ["rebound.example:9090", "127.0.0.1.example", "", ":9090", "[::1"] {
            assert!(!is_address_or_plain_name(&HeaderValue::from_static(host)), "{host}");
        }
    }

    #[test]
    fn a_forms_mark_is_good_for_its_caller_and_its_server_alone() {
        let (key, other) = (FormKey::fresh().unwrap(), FormKey::fresh().unwrap());
        let (ada, bob) = (Caller::named("ada"), Caller::named("bob"));
        let mark = key.mark(&ada);
        assert!(key.made(&ada, &mark));
        assert!(!key.made(&bob, &mark) && !other.made(&ada, &mark) && !key.made(&ada, ""));
    }

    #[test]
    fn a_password_is_taken_as_the_token() {
        let bearer = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            with_bearer(&headers).map(|headers| headers[AUTHORIZATION].to_str().unwrap().to_owned())
        };
        let basic = |text: &str| bearer(&format!("Basic {}", BASE64.encode(text.as_bytes())));
        assert_eq!(basic("anybody:to:ken").unwrap(), "Bearer to:ken");
        assert_eq!(bearer("Bearer token").unwrap(), "Bearer token");
        for wrong in [basic("no separator"), basic("a:line\nbreak"), bearer("Basic %%%")] {
            assert!(wrong.is_err());
        }
    }
}
