//! What can be wrong with settings.

use std::io;
use std::path::PathBuf;

/// A configuration that can't be used, and its origin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value that is invalid for its setting.
    #[error("{origin} is {value:?}: it takes {expected}")]
    Value {
        /// Where the value came from, such as `POLARWAY_CACHE_SIZE`.
        origin: String,
        /// The value.
        value: String,
        /// What a valid value would be.
        expected: &'static str,
    },
    /// The bucket of a handle store is not named.
    #[error("the handle store is {store:?}, and no bucket is named for it: set --{flag}")]
    HandleBucket {
        /// The handle store.
        store: &'static str,
        /// The flag that names its bucket.
        flag: &'static str,
    },
    /// The file can't be read.
    #[error("can't read the configuration file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is no TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// The file has a key that no setting has.
    #[error("the configuration file {} has an unknown key {key:?}{}", path.display(), near(nearest.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that may have been meant.
        nearest: Option<String>,
    },
    /// A value in the file has a type that its setting does not accept.
    #[error("{key} in the configuration file {} is a {found}: give {expected}", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The type that it has.
        found: &'static str,
        /// The type that it should have.
        expected: &'static str,
    },
    /// A variable's value is not Unicode. Ignoring it would start a server with settings that nobody chose.
    #[error("{variable} is set to bytes that are no UTF-8 text")]
    NotText {
        /// The variable.
        variable: &'static str,
    },
    /// The token has characters that no client can send. The message does not have the token.
    #[error(
        "{variable} has a space, a line break or a character outside of ASCII, which can't be sent: use letters, digits and \
         signs"
    )]
    Token {
        /// The variable.
        variable: &'static str,
    },
}

fn near(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => "; `polarway config show` lists those there are".to_owned(),
    }
}
