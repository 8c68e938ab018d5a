//! Makes tokens.

use std::fmt::Write as _;
use std::io;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use data_encoding::BASE64URL_NOPAD;
use toml::Value;

use super::digest::TokenDigest;
use super::file::{self, AuthFileError};
use super::{Role, Secret};

/// The prefix of tokens, so that scanners for leaked secrets find them.
const PREFIX: &str = "pw_";

/// The random bytes of a token.
const RANDOM_BYTES: usize = 32;

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name of its owner.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Patterns of the datasets that may be read; empty is all that the role may read.
    pub read: Vec<String>,
    /// Patterns of the datasets that may be written; empty is all that may be read, if the role writes.
    pub write: Vec<String>,
    /// When it expires.
    pub expires: Option<SystemTime>,
}

/// A token, and its entry for the file of tokens.
#[derive(Debug)]
pub struct MadeToken {
    /// The token. It is nowhere else: the entry has only its digest.
    pub token: Secret,
    /// The entry, in TOML.
    pub entry: String,
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewTokenError {
    /// A server would not accept the entry.
    #[error(transparent)]
    Entry(#[from] AuthFileError),
    /// There are no random bytes.
    #[error("the machine gives no random bytes for a token")]
    Random(#[source] io::Error),
}

impl NewToken {
    /// Makes it from random bytes of the system.
    ///
    /// # Errors
    /// A name or a pattern that is not allowed in the file of tokens; no random bytes.
    pub fn make(&self) -> Result<MadeToken, NewTokenError> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|error| NewTokenError::Random(error.into()))?;
        let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&random));
        let entry = self.entry(TokenDigest::of(token.as_bytes()));
        file::parse(entry.as_bytes())?;
        Ok(MadeToken { token: Secret::new(token), entry })
    }

    fn entry(&self, digest: TokenDigest) -> String {
        let mut entry = String::from("[[token]]\n");
        let mut line = |key: &str, value: Value| {
            let _ = writeln!(entry, "{key} = {value}");
        };
        line("name", Value::from(self.name.as_str()));
        line("sha256", Value::from(digest.to_hex()));
        line("role", Value::from(self.role.name()));
        for (key, patterns) in [("read", &self.read), ("write", &self.write)] {
            if !patterns.is_empty() {
                line(key, Value::from(patterns.clone()));
            }
        }
        if let Some(expires) = self.expires {
            let time = DateTime::<Utc>::from(expires).to_rfc3339_opts(SecondsFormat::Secs, true);
            let _ = writeln!(entry, "expires = {time}");
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn reports() -> NewToken {
        NewToken {
            name: "reports".to_owned(),
            role: Role::Reader,
            read: Vec::new(),
            write: Vec::new(),
            expires: None,
        }
    }

    #[test]
    fn a_token_is_random_and_its_entry_has_only_its_digest() {
        let (one, two) = (reports().make().unwrap(), reports().make().unwrap());
        assert_ne!(one.token, two.token);
        let token = one.token.reveal();
        assert!(token.starts_with("pw_") && token.len() == 46, "{token}");
        assert!(!one.entry.contains(&token[3..]));
        let entry = file::parse(one.entry.as_bytes()).unwrap().remove(0);
        assert_eq!((&*entry.name, entry.digest), ("reports", TokenDigest::of(token.as_bytes())));
    }

    #[test]
    fn an_entry_has_what_was_asked_for() {
        let expires = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let made = NewToken {
            role: Role::Writer,
            read: vec!["sales_*".to_owned()],
            write: vec!["staging_*".to_owned(), "x".to_owned()],
            expires: Some(expires),
            ..reports()
        };
        let entry = file::parse(made.make().unwrap().entry.as_bytes()).unwrap().remove(0);
        assert!(entry.rights.read.match_name("sales_1") && entry.rights.write.match_name("x"));
        assert!(!entry.rights.write.match_name("sales_1"));
        assert_eq!((entry.rights.role, entry.expires), (Role::Writer, Some(expires)));
    }

    #[test]
    fn what_no_server_would_take_is_not_made() {
        for wrong in [
            NewToken { name: "a b".to_owned(), ..reports() },
            NewToken { name: "\"\nrole = \"admin".to_owned(), ..reports() },
            NewToken { read: vec!["a b".to_owned()], ..reports() },
            NewToken { write: vec!["x".to_owned()], ..reports() },
            NewToken { role: Role::Admin, read: vec!["x".to_owned()], ..reports() },
        ] {
            assert!(matches!(wrong.make(), Err(NewTokenError::Entry(_))), "{wrong:?}");
        }
    }
}
