//! The file of tokens: who has one, and what its owner may do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, NaiveTime};
use polarway_core::Quota;
use toml::{Table, Value};

use super::digest::TokenDigest;
use super::pattern::Patterns;
use super::rights::{Rights, Role};
use crate::reload::FileError;

/// The most tokens of a file: each call is compared with all of them.
const MOST_TOKENS: usize = 10_000;

/// The longest name of a caller, in characters.
const MOST_NAME_CHARACTERS: usize = 64;

/// The names of callers that are in no file.
const TAKEN_NAMES: [&str; 2] = ["anonymous", super::authenticator::OWNER];

/// A file of tokens that can't be used. No message contains the value of a field, since it may be a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthFileError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not TOML.
    #[error("the file of tokens is not TOML: line {line}: {message}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// An entry is wrong.
    #[error("the file of tokens is wrong: {0}")]
    Content(String),
}

/// A token of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) digest: TokenDigest,
    pub(super) rights: Rights,
    pub(super) quota: Quota,
    pub(super) expires: Option<SystemTime>,
}

/// Reads the content of the file.
pub(super) fn parse(content: &[u8]) -> Result<Vec<Entry>, AuthFileError> {
    let text = str::from_utf8(content).map_err(|_| AuthFileError::Content("it is not UTF-8".to_owned()))?;
    let mut file: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        // Its `Display` would repeat the line, which may hold a token.
        AuthFileError::Syntax { line: before.matches('\n').count() + 1, message: error.message().to_owned() }
    })?;
    let entries = match file.remove("token") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(AuthFileError::Content("write each token as an entry `[[token]]`".to_owned())),
    };
    if let Some(key) = file.keys().next() {
        return Err(AuthFileError::Content(format!(
            "it has a key {key:?}: only entries `[[token]]` are allowed"
        )));
    }
    if entries.len() > MOST_TOKENS {
        let message = format!("it has {} tokens, and {MOST_TOKENS} are the most", entries.len());
        return Err(AuthFileError::Content(message));
    }
    let mut digests = BTreeSet::new();
    let parsed = entries.into_iter().enumerate().map(|(index, entry)| {
        let place = format!("token {}", index + 1);
        let entry = match entry {
            Value::Table(entry) => Fields { place, entry }.token(),
            _ => Err(format!("{place} is not a table")),
        }?;
        match digests.insert(entry.digest) {
            true => Ok(entry),
            false => Err(format!("{:?} has the token of another entry", entry.name)),
        }
    });
    parsed.collect::<Result<_, String>>().map_err(AuthFileError::Content)
}

/// The fields of an entry that were not taken yet.
struct Fields {
    /// The entry, for messages.
    place: String,
    entry: Table,
}

impl Fields {
    fn token(mut self) -> Result<Entry, String> {
        let name = self.text("name")?.ok_or_else(|| self.wrong("needs a `name`"))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte);
        if !(1..=MOST_NAME_CHARACTERS).contains(&name.len()) || !name.bytes().all(is_plain) {
            let message =
                "has an invalid `name`: letters, digits, `_`, `.`, `-` and `@` are allowed, 64 at most";
            return Err(self.wrong(message));
        }
        self.place = format!("{} ({name})", self.place);
        if TAKEN_NAMES.contains(&name.as_str()) {
            return Err(self.wrong("needs another `name`: the server uses this one"));
        }
        let digest =
            self.text("sha256")?.ok_or_else(|| self.wrong("needs `sha256`, the SHA-256 of its token"))?;
        let digest = TokenDigest::from_hex(&digest)
            .ok_or_else(|| self.wrong("has an invalid `sha256`: it must be 64 hexadecimal digits"))?;
        let role = self.text("role")?.ok_or_else(|| self.wrong("needs a `role`: reader, writer or admin"))?;
        let role = Role::parse(&role)
            .ok_or_else(|| self.wrong("has an invalid `role`: it must be reader, writer or admin"))?;
        let rights = self.rights(role)?;
        let expires = self.expiry()?;
        let quota = self.quota()?;
        match self.entry.keys().next() {
            Some(key) => Err(self.wrong(&format!("has an unknown key {key:?}"))),
            None => Ok(Entry { name: name.into(), digest, rights, quota, expires }),
        }
    }

    /// Without `read`, everything may be read. Without `write`, a writer may write what it may read.
    fn rights(&mut self, role: Role) -> Result<Rights, String> {
        let read = self.patterns("read")?;
        let write = self.patterns("write")?;
        match role {
            Role::Admin if read.is_some() || write.is_some() => {
                Err(self
                    .wrong("is an admin's, who may read and write everything: leave `read` and `write` out"))
            }
            Role::Reader if write.is_some() => {
                Err(self.wrong("is a reader's: leave `write` out, or make it a writer's"))
            }
            Role::Reader | Role::Writer | Role::Admin => {
                let read = read.unwrap_or_else(Patterns::all);
                let write = write.unwrap_or_else(|| read.clone());
                Ok(Rights { role, read, write })
            }
        }
    }

    fn patterns(&mut self, key: &str) -> Result<Option<Patterns>, String> {
        let expected = || format!("needs a list of texts in `{key}`, such as [\"sales_*\"]");
        let Some(value) = self.entry.remove(key) else { return Ok(None) };
        let texts =
            value.as_array().and_then(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let texts = texts.ok_or_else(|| self.wrong(&expected()))?;
        Patterns::parse(texts).map(Some).map_err(|wrong| self.wrong(&format!("has a wrong `{key}`: {wrong}")))
    }

    fn expiry(&mut self) -> Result<Option<SystemTime>, String> {
        let Some(value) = self.entry.remove("expires") else { return Ok(None) };
        let time = match value {
            Value::Datetime(time) => parse_time(&time.to_string()),
            Value::String(time) => parse_time(&time),
            _ => None,
        };
        let expected = "needs a time with its zone in `expires`, such as 2027-01-31T12:00:00Z, or a day";
        time.map(Some).ok_or_else(|| self.wrong(expected))
    }

    fn quota(&mut self) -> Result<Quota, String> {
        let table = match self.entry.remove("quota") {
            None => return Ok(Quota::default()),
            Some(Value::Table(table)) => table,
            Some(_) => return Err(self.wrong("needs a table in `quota`, such as { queries = 4 }")),
        };
        let mut quota = Quota::default();
        for (key, value) in table {
            let number = value.as_integer().map(|number| number as f64).or_else(|| value.as_float());
            let number = number.filter(|number| (0.0..1e9).contains(number));
            let number =
                number.ok_or_else(|| self.wrong(&format!("needs a number in the `{key}` of its quota")))?;
            let bytes = (number * 1e9).round() as u64;
            match key.as_str() {
                "stored_gb" => quota.stored_bytes = Some(bytes),
                "handles_gb" => quota.handle_bytes = Some(bytes),
                "queries" if number.fract() == 0.0 && number >= 1.0 => quota.queries = Some(number as usize),
                "queries" => {
                    return Err(self.wrong("needs a whole number from 1 on in the `queries` of its quota"));
                }
                _ => {
                    let message =
                        format!("has {key:?} in its quota, which takes stored_gb, handles_gb and queries");
                    return Err(self.wrong(&message));
                }
            }
        }
        Ok(quota)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.entry.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(&format!("needs a text in `{key}`"))),
        }
    }

    fn wrong(&self, what: &str) -> String {
        format!("{} {what}", self.place)
    }
}

/// A time with its zone, or the beginning of a day in UTC.
fn parse_time(text: &str) -> Option<SystemTime> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.into()),
        Err(_) => {
            let day = text.parse::<NaiveDate>().ok()?;
            Some(day.and_time(NaiveTime::MIN).and_utc().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn entry(more: &str) -> String {
        format!("[[token]]\nname = \"reports\"\nsha256 = \"{DIGEST}\"\n{more}\n")
    }

    fn only(text: &str) -> Entry {
        parse(text.as_bytes()).unwrap().remove(0)
    }

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).err().unwrap_or_else(|| panic!("{text} was taken")).to_string()
    }

    #[test]
    fn an_entry_has_a_name_a_digest_and_rights() {
        let read = only(&entry("role = \"reader\"\nread = [\"sales_*\", \"weather\"]"));
        assert_eq!((&*read.name, read.digest, read.expires), ("reports", TokenDigest::of(b"secret"), None));
        assert_eq!(read.rights.role, Role::Reader);
        assert!(read.rights.read.match_name("weather") && !read.rights.read.match_name("salaries"));
        assert_eq!(read.quota, Quota::default());
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_written_is_no_wider_than_what_is_read_unless_it_is_said() {
        let rights = only(&entry("role = \"writer\"\nread = [\"sales_*\"]")).rights;
        assert!(rights.write.match_name("sales_1") && !rights.write.match_name("other"));
        let rights = only(&entry("role = \"writer\"\nread = []\nwrite = [\"in_*\"]")).rights;
        assert!(!rights.read.match_name("sales_1") && rights.write.match_name("in_1"));
        assert!(only(&entry("role = \"writer\"")).rights.write.are_all());
    }

    #[test]
    fn an_expiry_is_a_time_or_a_day_in_utc() {
        for (expires, seconds) in [
            ("1970-01-02T01:00:00Z", 90_000),
            ("1970-01-02T01:00:00+01:00", 86_400),
            ("\"1970-01-02T01:00:00.5Z\"", 90_000),
            ("1970-01-02", 86_400),
        ] {
            let expiry = only(&entry(&format!("role = \"admin\"\nexpires = {expires}"))).expires.unwrap();
            assert_eq!(expiry.duration_since(UNIX_EPOCH).unwrap().as_secs(), seconds, "{expires}");
        }
        assert!(
            only(&entry("role = \"admin\"\nexpires = 2100-01-01")).expires.unwrap()
                > UNIX_EPOCH + Duration::from_secs(4_000_000_000)
        );
    }

    #[test]
    fn a_quota_is_in_gb_and_in_queries() {
        let quota =
            only(&entry("role = \"reader\"\nquota = { stored_gb = 1.5, handles_gb = 2, queries = 4 }")).quota;
        let expect = (Some(1_500_000_000), Some(2_000_000_000), Some(4));
        assert_eq!((quota.stored_bytes, quota.handle_bytes, quota.queries), expect);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_entry() {
        let reader = "role = \"reader\"";
        for (text, expect) in [
            ("token = \"x\"", "`[[token]]`"),
            ("tokens = 1", "\"tokens\""),
            ("token = [1]", "token 1 is not a table"),
            ("[[token]]\nname = \"x\"", "token 1 (x) needs `sha256`"),
            (&format!("[[token]]\n{reader}"), "token 1 needs a `name`"),
            (&format!("[[token]]\nname = \"a b\"\n{reader}"), "token 1 has an invalid `name`"),
            (&format!("[[token]]\nname = \"owner\"\n{reader}"), "needs another `name`"),
            (&entry(""), "needs a `role`"),
            (&entry("role = \"root\""), "has an invalid `role`"),
            (&entry("role = 1"), "needs a text in `role`"),
            (&entry(&format!("{reader}\nread = \"x\"")), "needs a list of texts in `read`"),
            (&entry(&format!("{reader}\nread = [\"a b\"]")), "wrong `read`: \"a b\""),
            (&entry(&format!("{reader}\nwrite = [\"x\"]")), "is a reader's"),
            (&entry("role = \"admin\"\nread = [\"x\"]"), "is an admin's"),
            (&entry(&format!("{reader}\nexpires = 2027-01-01T00:00:00")), "a time with its zone"),
            (&entry(&format!("{reader}\nexpires = \"soon\"")), "a time with its zone"),
            (&entry(&format!("{reader}\nexpire = 1")), "has an unknown key \"expire\""),
            (&entry(&format!("{reader}\nquota = 1")), "needs a table in `quota`"),
            (&entry(&format!("{reader}\nquota = {{ rows = 1 }}")), "\"rows\" in its quota"),
            (&entry(&format!("{reader}\nquota = {{ queries = 0 }}")), "from 1 on"),
            (&format!("{}{}", entry(reader), entry(reader)), "has the token of another entry"),
            ("x = ", "line 1"),
            ("\n\n[[token]", "line 3"),
        ] {
            let error = refused(text);
            assert!(error.contains(expect), "{text}: {error}");
        }
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn a_token_in_the_wrong_place_is_in_no_message() {
        let not_hex = DIGEST.replace('2', "g");
        for text in [
            "token = \"canary\"",
            "token = canary",
            "[[token]]\nname = \"x\"\nsha256 = \"canary\"",
            "[[token]]\nname = \"x\"\nsha256 = canary",
            "[[token]]\nname = \"x\"\nsha256 = [\"canary\"]",
            "[[token]]\nname = \"x\"\nsha256 = \"canary",
            &entry("role = \"canary\""),
            &entry("role = \"reader\"\nexpires = \"canary\""),
            &entry("role = \"reader\"\ntoken = \"canary\""),
            &entry("role = \"reader\"\nquota = \"canary\""),
        ] {
            assert!(!refused(text).contains("canary"), "{}", refused(text));
        }
        assert!(!refused(&entry("role = \"reader\"").replace(DIGEST, &not_hex)).contains(&not_hex));
    }
}
