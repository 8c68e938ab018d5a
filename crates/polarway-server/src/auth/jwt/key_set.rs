//! The issuer's keys, as they are published (JWK Set, RFC 7517).

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

use crate::auth::digest::TokenDigest;
use crate::reload::FileError;

/// The most keys of a set. A token without the id of its key is tried with [a few](super::verifier) alone.
const MOST_KEYS: usize = 100;

/// The sizes of RSA keys: shorter ones are broken, longer ones take too long.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A set of keys that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Its file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not a set of keys, or has no key that can be used.
    #[error("the keys of JWTs are not a set of keys (JWKS): {0}")]
    Content(String),
}

/// The keys that tokens are checked with.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
}

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its id in the set.
    pub(super) id: Option<String>,
    /// The algorithms that it is for.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
    /// Tells it from other keys.
    pub(super) fingerprint: TokenDigest,
}

impl KeySet {
    /// Reads a set. Keys for other algorithms than these are ignored.
    pub(super) fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let wrong = |what: String| KeySetError::Content(what);
        let mut set: Value =
            serde_json::from_slice(text).map_err(|error| wrong(format!("it is not JSON ({error})")))?;
        let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
            return Err(wrong("it has no list `keys`".to_owned()));
        };
        if keys.len() > MOST_KEYS {
            return Err(wrong(format!("it has {} keys, and {MOST_KEYS} are the most", keys.len())));
        }
        let keys: Vec<Key> = keys.into_iter().filter_map(|key| Key::parse(key, algorithms)).collect();
        match keys.is_empty() {
            true => Err(wrong("it has no key of an accepted algorithm".to_owned())),
            false => Ok(Self { keys }),
        }
    }
}

impl Key {
    /// A key of the set; `None` if it is not for signatures, or of another kind.
    fn parse(key: Value, algorithms: &[Algorithm]) -> Option<Self> {
        let fingerprint = TokenDigest::of(key.to_string().as_bytes());
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let common = &jwk.common;
        let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let family: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(parameters) if is_rsa_size(&parameters.n) => {
                AlgorithmFamily::Rsa.algorithms()
            }
            AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                _ => &[],
            },
            AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            // Symmetric keys too: whoever can check a token with one can also make tokens.
            _ => &[],
        };
        // A key that names its algorithm is for that alone.
        let is_named = |algorithm: &Algorithm| {
            common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"))
        };
        let counts = |algorithm: &&Algorithm| algorithms.contains(algorithm) && is_named(algorithm);
        let algorithms: Vec<Algorithm> = family.iter().filter(counts).copied().collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (is_for_signatures && !algorithms.is_empty()).then(|| Self {
            id: jwk.common.key_id.clone(),
            algorithms,
            key,
            fingerprint,
        })
    }
}

fn is_rsa_size(modulus: &str) -> bool {
    let modulus = BASE64URL_NOPAD.decode(modulus.as_bytes()).unwrap_or_default();
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    RSA_BYTES.contains(&(modulus.len() - zeros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::jwt::JwtConfig;

    const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn parse(text: &str) -> Result<KeySet, KeySetError> {
        KeySet::parse(text.as_bytes(), JwtConfig::default().algorithms())
    }

    fn algorithms(key: &str) -> Vec<Algorithm> {
        parse(&format!("{{\"keys\":[{{{key}}}]}}"))
            .map_or_else(|_| Vec::new(), |mut set| set.keys.remove(0).algorithms)
    }

    fn rsa(bytes: usize) -> String {
        format!(r#""kty":"RSA","e":"AQAB","n":"{}""#, BASE64URL_NOPAD.encode(&vec![0xff; bytes]))
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_kind() {
        assert_eq!(algorithms(P256), [Algorithm::ES256]);
        assert_eq!(algorithms(ED), [Algorithm::EdDSA]);
        assert_eq!(algorithms(&rsa(256)).len(), 6);
        assert_eq!(algorithms(&format!("{},\"alg\":\"PS256\"", rsa(256))), [Algorithm::PS256]);
        assert_eq!(
            algorithms(&format!("{P256},\"use\":\"sig\",\"key_ops\":[\"verify\"]")),
            [Algorithm::ES256]
        );
    }

    #[test]
    fn keys_that_no_signature_is_checked_with_are_passed_over() {
        for key in [
            r#""kty":"oct","k":"c2VjcmV0","alg":"HS256""#,
            &format!("{P256},\"use\":\"enc\""),
            &format!("{P256},\"key_ops\":[\"encrypt\"]"),
            &format!("{P256},\"alg\":\"ES384\""),
            &format!("{P256},\"alg\":\"HS256\""),
            &rsa(128),
            &rsa(2048),
            r#""kty":"EC","crv":"P-521","x":"AA","y":"AA""#,
            r#""kty":"new""#,
            "",
        ] {
            assert_eq!(algorithms(key), [], "{key}");
        }
        // One of them is no reason to pass over the others.
        let set = parse(&format!("{{\"keys\":[{{\"kty\":\"new\"}}, 7, {{{P256},\"kid\":\"a\"}}]}}")).unwrap();
        assert_eq!(set.keys.len(), 1);
        assert_eq!(set.keys[0].id.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", "{\"keys\":1}", "{\"keys\":[]}"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let many = vec![format!("{{{P256}}}"); 101].join(",");
        assert!(
            parse(&format!("{{\"keys\":[{many}]}}")).is_err_and(|error| error.to_string().contains("101"))
        );
    }
}
