//! Checks tokens.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header};
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use tokio::task::JoinHandle;

use super::JwtError;
use super::claims::{self, Claims};
use super::config::JwtConfig;
use super::key_set::{Key, KeySet};
use super::keys::Keys;
use super::sessions::Sessions;
use crate::auth::digest::TokenDigest;
use crate::auth::session::Session;

/// By how much the clocks of issuer and server may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest token, in bytes.
const MOST_BYTES: usize = 16 << 10;

/// The most keys that are tried for a token that does not say which one it is signed with: each try takes time.
const MOST_TRIES: usize = 4;

/// Checks the tokens of one issuer.
pub(in crate::auth) struct JwtVerifier {
    config: JwtConfig,
    validation: Validation,
    keys: Keys,
    sessions: Arc<Sessions>,
    /// Ends sessions when their keys go.
    watching: JoinHandle<()>,
}

/// The result of a check of a token.
pub(in crate::auth) enum Verdict {
    /// It is valid.
    Good(Arc<Session>),
    /// It is refused.
    Refused(Failure),
    /// It is signed with a key that is not among the known keys of the issuer.
    UnknownKey,
}

impl JwtVerifier {
    /// Checks tokens as these settings say. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Settings that are missing, and a file of keys that can't be used.
    pub(in crate::auth) fn start(config: &JwtConfig) -> Result<Self, JwtError> {
        let missing = |missing| JwtError::Incomplete { missing };
        let issuer = config.issuer.as_ref().ok_or(missing("--jwt-issuer"))?;
        let audience = config.audience.as_ref().ok_or(missing("--jwt-audience"))?;
        let source = config.keys.as_ref().ok_or(missing("--jwt-keys"))?;
        let keys = Keys::start(source, config.algorithms().to_vec())?;
        let mut validation = Validation::default();
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        let sessions = Arc::<Sessions>::default();
        let (mut changes, of_keys) = (keys.changes(), Arc::clone(&sessions));
        let watching = tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let keys = Arc::clone(&changes.borrow_and_update());
                of_keys.keep_those_of(&keys);
            }
        });
        Ok(Self { config: config.clone(), validation, keys, sessions, watching })
    }

    /// Checks a token.
    pub(in crate::auth) fn check(&self, token: &[u8], digest: TokenDigest) -> Verdict {
        if let Some(session) = self.sessions.find(digest) {
            return match session.check() {
                Ok(()) => Verdict::Good(session),
                Err(failure) => Verdict::Refused(failure),
            };
        }
        match self.check_anew(token, digest) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Refused(why.failure()),
        }
    }

    /// The same for a token with an unknown key, after the keys were fetched if they may be.
    pub(in crate::auth) async fn check_again(
        &self,
        token: &[u8],
        digest: TokenDigest,
    ) -> Result<Arc<Session>, Failure> {
        let verdict = match self.keys.look_again().await {
            true => self.check(token, digest),
            false => Verdict::UnknownKey,
        };
        match verdict {
            Verdict::Good(session) => Ok(session),
            Verdict::Refused(failure) => Err(failure),
            Verdict::UnknownKey if self.keys.are_missing() => Err(Reason::TokenUnchecked
                .failure("the keys that check tokens can't be fetched now: call again later")
                .with_retry_delay(LEEWAY)),
            Verdict::UnknownKey => {
                Err(Why::Refused("its key is not one of the issuer's".to_owned()).failure())
            }
        }
    }

    fn check_anew(&self, token: &[u8], digest: TokenDigest) -> Result<Verdict, Why> {
        if token.len() > MOST_BYTES {
            return Err(Why::Refused(format!("it has more than {MOST_BYTES} bytes")));
        }
        let header = decode_header(token).map_err(|_| Why::Unknown)?;
        if !self.config.algorithms().contains(&header.alg) {
            return Err(Why::Refused(format!("its algorithm {:?} is not accepted here", header.alg)));
        }
        if header.crit.is_some() {
            return Err(Why::Refused(
                "it demands extensions (`crit`) that this server does not know".to_owned(),
            ));
        }
        let keys = self.keys.current();
        let candidates = candidates(&keys, &header);
        if candidates.is_empty() {
            return Ok(Verdict::UnknownKey);
        }
        if candidates.len() > MOST_TRIES {
            return Err(Why::Refused("it does not say which key it is signed with (`kid`)".to_owned()));
        }
        let validation = Validation { algorithms: vec![header.alg], ..self.validation.clone() };
        let mut refused = Why::Unknown;
        for key in candidates {
            match decode::<Claims>(token, &key.key, &validation) {
                Ok(checked) => {
                    let session =
                        claims::session(&checked.claims, &self.config, LEEWAY).map_err(Why::Refused)?;
                    let session = self.sessions.add(digest, session, key.fingerprint);
                    // If the keys have changed meanwhile, its key may have gone, and nobody would end it.
                    self.sessions.keep_those_of(&self.keys.current());
                    session.check().map_err(|_| Why::Unknown)?;
                    return Ok(Verdict::Good(session));
                }
                Err(error) => refused = why(error.kind()),
            }
        }
        Err(refused)
    }
}

impl Drop for JwtVerifier {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// The keys that a token with this header may be signed with.
fn candidates<'a>(keys: &'a KeySet, header: &Header) -> Vec<&'a Key> {
    let fits =
        |key: &&Key| key.algorithms.contains(&header.alg) && (header.kid.is_none() || key.id == header.kid);
    keys.keys.iter().filter(fits).collect()
}

/// Why a token is refused.
#[derive(Debug)]
enum Why {
    /// It is not a token of this server or its issuer.
    Unknown,
    Expired,
    /// What is wrong with a token of the issuer.
    Refused(String),
}

impl Why {
    fn failure(self) -> Failure {
        match self {
            Self::Unknown => Reason::InvalidToken.failure(super::super::authenticator::UNKNOWN),
            Self::Expired => Reason::TokenExpired.failure("the token has expired: call with a new one"),
            Self::Refused(what) => Reason::InvalidToken.failure(format!("the token is refused: {what}")),
        }
    }
}

fn why(error: &ErrorKind) -> Why {
    match error {
        ErrorKind::ExpiredSignature => Why::Expired,
        ErrorKind::InvalidIssuer => {
            Why::Refused("its issuer (`iss`) is not the one of this server".to_owned())
        }
        ErrorKind::InvalidAudience => Why::Refused("it is for another audience (`aud`)".to_owned()),
        ErrorKind::ImmatureSignature => Why::Refused("it is not valid yet (`nbf`)".to_owned()),
        ErrorKind::MissingRequiredClaim(claim) => Why::Refused(format!("it has no `{claim}`")),
        ErrorKind::InvalidClaimFormat(claim) => Why::Refused(format!("its `{claim}` can't be read")),
        _ => Why::Refused("its signature is not the issuer's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::jwt::KeySource;

    /// The modulus of a key that was made for this test, and two tokens that were signed with it by OpenSSL. They expire in 2100.
    const MODULUS: &str = "rpFAQGOcjs-4sekNHeiq5DUg2aZrUN2g5Fmw84up3XD6zzX-mQNvHm4UYX2mFcPMz_P1gBDmlZTtY-TtDDdnuiuXOPYEo7gxg_FwE6wH9tOf6EDcMVvYG1xhPtLmi76sbRp5hCIdmZ_ZESOVMnSgxju3h9F3OnqAlQiAEvoSux_fozb0TzhyiawJRmXPxXqyLi657s2bEFnz4bRwkW8EauPXiiArO3g6tBeg8n5TFiy3H2860TN4pUTp5e2SvO859nMHQWhegA_SFg6_Jf0y6c7jvOnKqyzTmVaRpmmrkatfNORByNfPDRS8i63QdhppP0D34m3oOSvcacAqrZOJAw";
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpc3N1ZXIiLCJhdWQiOiJwb2xhcndheSIsInN1YiI6ImFkYSIsInJvbGUiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDB9.Kefs4puaZoQi-4oT4nqo3pG3GClBU1yjyKkCYAR2sQ3bjTKAmMi6Fl8373zBfVjOaSsqWQQCDnY8KjKiOsMJPRC8_7d4ZBU_viyBMWdA1Jpvh33910iriQyCH7zgc-xRDHu-BA-7Dh7x1BUT6_haD2xXrSWmf6g799rVETV_CBWis6vz5h7yLCayQR7dEd313VyhQGeUgSw4-RYQYYbaZb9i1tdQqK2y_ca_HtRaSwjhGyceWBYhTpxZAYejS54b5AztpRNZh967TPgl-o8e8H_wTQiNmAEfB2EiXXEwBWfrDLR7CfeT48v1ExFpfT5WCMxYwKTwT46xbwvLeJ2PAw";
    const PS256: &str = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJpc3N1ZXIiLCJhdWQiOiJwb2xhcndheSIsInN1YiI6ImFkYSIsInJvbGUiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDB9.FvieSjDyDJvHXUH-igM6I7TwqzfesmTj452z19VYSPK-NsQatyWeosRYvgoDuFHI3_HZlwbOcsnMBfgN6IwaKrZXwnZqYZ3jQ6X6aZcQ6V4dzm0GouWKXldABykADO3_IW0IdBMrnWkUhHMVyYEcpicCMvrg2T3rONRzdhyLu1GYrWkpS5gZFKaZuK8S__RsEJGQ9rirtqV3hMOQyQ5XnDw2MkGKEgbdRqB3gwO5QwWRf4qDlxywHTIQJE2rVBt9HAva2UBs5ZBVChiDHpmX6kOXRTmHzTxKwV80al-hYLYTQfdWKxzuy3X03_tXrwTwYl9b4Pe8bC6Juzdhy0I_Vg";

    fn is_good(verifier: &JwtVerifier, token: &str) -> bool {
        matches!(verifier.check(token.as_bytes(), TokenDigest::of(token.as_bytes())), Verdict::Good(_))
    }

    #[tokio::test]
    async fn tokens_that_others_signed_with_rsa_are_checked_with_their_algorithm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let verifier = |named: serde_json::Value| {
            let key = json!({"kty": "RSA", "e": "AQAB", "n": MODULUS, "alg": named});
            std::fs::write(&path, json!({"keys": [key]}).to_string()).unwrap();
            let mut config = JwtConfig::default();
            config.issuer = Some("issuer".to_owned());
            config.audience = Some("polarway".to_owned());
            config.keys = Some(KeySource::File(path.clone()));
            JwtVerifier::start(&config).unwrap()
        };
        let both = verifier(json!(null));
        for token in [RS256, PS256] {
            assert!(is_good(&both, token) && is_good(&both, token), "it is good as often as it is sent");
            let (message, signature) = token.rsplit_once('.').unwrap();
            let changed = signature.replacen(
                signature.get(..1).unwrap(),
                if signature.starts_with('A') { "B" } else { "A" },
                1,
            );
            assert!(!is_good(&both, &format!("{message}.{changed}")));
        }
        let one = verifier(json!("RS256"));
        assert!(is_good(&one, RS256) && !is_good(&one, PS256));
    }
}
