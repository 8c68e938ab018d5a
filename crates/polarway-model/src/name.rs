//! The names of datasets.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use crate::handle_id::HandleId;

/// The longest name, in bytes.
pub const MAX_NAME_LENGTH: usize = 128;

/// A dataset's name: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`, not ending in `.parquet` and not
/// formed like a handle id.
///
/// A name that was accepted is safe as the name of a folder and as part of an object's key.
///
/// ```
/// use polarway_model::DatasetName;
///
/// let name: DatasetName = "trades_2026.02-03".parse()?;
/// assert_eq!(name.as_str(), "trades_2026.02-03");
/// assert!("../etc/passwd".parse::<DatasetName>().is_err());
/// # Ok::<(), polarway_model::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetName(String);

/// Why a text is no dataset name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} can't name a dataset: {reason}")]
pub struct InvalidName {
    /// The text as it was given, cut when it is very long.
    pub name: String,
    /// What is wrong with it, and what would be right.
    pub reason: &'static str,
}

impl DatasetName {
    /// Checks a text against the grammar.
    ///
    /// # Errors
    /// [`InvalidName`] with the rule that the text breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        match broken_rule(&name) {
            None => Ok(Self(name)),
            Some(reason) => {
                Err(InvalidName { name: name.chars().take(MAX_NAME_LENGTH + 1).collect(), reason })
            }
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let first_is_fine = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > MAX_NAME_LENGTH {
        Some("it is longer than 128 characters")
    } else if !first_is_fine {
        Some("it must start with an ASCII letter, a digit or '_'")
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        Some("only ASCII letters, digits, '_', '.' and '-' may stand in it")
    } else if name.ends_with(".parquet") {
        Some("it must not end in '.parquet'")
    } else if HandleId::is_form_of(name) {
        Some("it is formed like the id of a handle ('h_' and 26 characters)")
    } else {
        None
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DatasetName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

/// A name can be given wherever a text is asked for.
impl Deref for DatasetName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for DatasetName {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl PartialEq<&str> for DatasetName {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> Self {
        name.0
    }
}

impl AsRef<str> for DatasetName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_inside_the_grammar_are_accepted() {
        for name in ["a", "7", "_x", "trades_20260203", "A.b-C_d", "h_short", &"x".repeat(128)] {
            assert!(DatasetName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused_with_the_rule_they_break() {
        let handle = format!("h_{}", "a".repeat(26));
        for (name, reason) in [
            ("", "empty"),
            (&*"x".repeat(129), "longer"),
            ("-x", "start"),
            (".hidden", "start"),
            ("..", "start"),
            ("a/b", "only ASCII"),
            ("a b", "only ASCII"),
            ("naïve", "only ASCII"),
            ("a\0", "only ASCII"),
            ("x.parquet", ".parquet"),
            (&handle, "handle"),
        ] {
            let refused = DatasetName::new(name).unwrap_err();
            assert!(refused.reason.contains(reason), "{name:?}: {refused}");
        }
    }
}
