//! Which JWTs are accepted, and what their claims mean: plain data.

use std::path::PathBuf;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use reqwest::Url;

use crate::auth::Role;

/// Which JWTs are accepted, and what their claims mean. Issuer, audience and keys are set together, or none of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JwtConfig {
    /// The required value of `iss`.
    pub issuer: Option<String>,
    /// The value that `aud` must contain.
    pub audience: Option<String>,
    /// Where the issuer's keys are.
    pub keys: Option<KeySource>,
    /// The accepted algorithms.
    algorithms: Vec<Algorithm>,
    /// The claim with the role.
    pub role_claim: String,
    /// Which values of that claim mean which role.
    pub roles: Vec<(String, Role)>,
    /// The claim with the patterns of datasets that may be read; without one, all may be.
    pub read_claim: Option<String>,
    /// The claim with the patterns of datasets that a writer may write; without one, what may be read.
    pub write_claim: Option<String>,
}

/// Where the issuer's keys are (a JWK Set, RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file, which is read again when it changes.
    File(PathBuf),
    /// At a URL. They are fetched at intervals, and when a token has an unknown key.
    Url(Url),
}

/// The algorithms that are accepted by default. All are asymmetric: whoever can check a token can't make one.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            keys: None,
            algorithms: ALGORITHMS.to_vec(),
            role_claim: "role".to_owned(),
            roles: Role::ALL.map(|role| (role.name().to_owned(), role)).to_vec(),
            read_claim: None,
            write_claim: None,
        }
    }
}

impl JwtConfig {
    /// Whether JWTs are accepted.
    pub fn is_set(&self) -> bool {
        self.issuer.is_some() || self.audience.is_some() || self.keys.is_some()
    }

    /// The accepted algorithms.
    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Sets the algorithms by their names, with commas between them. Returns false, and changes nothing, if one is unknown or
    /// symmetric.
    pub fn set_algorithms(&mut self, names: &str) -> bool {
        let named = |name: &str| {
            let algorithm: Algorithm = name.trim().parse().ok()?;
            (algorithm.family() != AlgorithmFamily::Hmac).then_some(algorithm)
        };
        let algorithms: Option<Vec<_>> = names.split(',').map(named).collect();
        algorithms.map(|algorithms| self.algorithms = algorithms).is_some()
    }

    /// The names of the algorithms, with commas between them.
    pub fn algorithm_names(&self) -> String {
        self.algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect::<Vec<_>>().join(",")
    }

    /// Sets what the values of the role's claim mean: `admin=platform-team,writer=etl`. Returns false, and changes nothing, if the
    /// text is something else.
    pub fn set_roles(&mut self, text: &str) -> bool {
        let pair = |pair: &str| {
            let (role, value) = pair.split_once('=')?;
            let value = value.trim();
            (!value.is_empty()).then_some((value.to_owned(), Role::parse(role.trim())?))
        };
        let roles: Option<Vec<_>> = text.split(',').map(pair).collect();
        roles.map(|roles| self.roles = roles).is_some()
    }

    /// The text that [`set_roles`](Self::set_roles) reads.
    pub fn roles_text(&self) -> String {
        self.roles.iter().map(|(value, role)| format!("{role}={value}")).collect::<Vec<_>>().join(",")
    }
}

impl KeySource {
    /// Reads a source from a text: a file, or a URL. Keys over `http://` are accepted only from this machine, since whoever can
    /// change them can make tokens.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.contains("://") {
            return (!text.is_empty()).then(|| Self::File(text.into()));
        }
        let url = Url::parse(text).ok()?;
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        let is_plain = url.username().is_empty() && url.password().is_none();
        (is_safe && is_plain).then_some(Self::Url(url))
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn text(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asymmetric_algorithms_can_be_set() {
        let mut config = JwtConfig::default();
        assert!(config.set_algorithms("ES256, EdDSA"));
        assert_eq!(config.algorithm_names(), "ES256,EdDSA");
        for wrong in ["", "HS256", "none", "ES256,HS256", "ES256,", "es256"] {
            assert!(!config.set_algorithms(wrong), "{wrong}");
        }
        assert_eq!(config.algorithm_names(), "ES256,EdDSA");
    }

    #[test]
    fn roles_are_named_by_values_of_the_claim() {
        let mut config = JwtConfig::default();
        assert_eq!(config.roles_text(), "reader=reader,writer=writer,admin=admin");
        assert!(config.set_roles("admin=platform-team, reader=all"));
        assert_eq!(
            config.roles,
            [("platform-team".to_owned(), Role::Admin), ("all".to_owned(), Role::Reader)]
        );
        for wrong in ["", "admin", "root=x", "admin=", "admin=x,"] {
            assert!(!config.set_roles(wrong), "{wrong}");
        }
    }

    #[test]
    fn keys_come_from_a_file_or_over_a_connection_that_nobody_can_change() {
        assert_eq!(KeySource::parse("keys.json"), Some(KeySource::File("keys.json".into())));
        for url in ["https://issuer.example/keys", "http://127.0.0.1:8080/keys", "http://localhost/"] {
            assert_eq!(KeySource::parse(url).map(|keys| keys.text()).as_deref(), Some(url));
        }
        for wrong in ["", "http://issuer.example/keys", "ftp://x/y", "https://user:secret@x/y", "https://"] {
            assert_eq!(KeySource::parse(wrong), None, "{wrong}");
        }
    }
}
