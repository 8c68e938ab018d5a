//! What a setting is. [`groups`](super::groups) has all of them.

use super::groups::settings;
use super::values::Invalid;
use crate::ServerConfig;

/// A setting. Its flag and its key in the file follow from its name.
pub(crate) struct Setting {
    /// Its key in the configuration file; the flag has dashes instead of underscores.
    pub(crate) key: &'static str,
    /// The environment variable that sets it.
    pub(crate) variable: &'static str,
    /// The placeholder for its value in help.
    pub(crate) value_name: &'static str,
    /// Its type in the configuration file.
    pub(crate) form: Form,
    /// What it means, in a sentence or two.
    pub(crate) about: &'static str,
    /// The default in words, if it is not the same on all machines.
    pub(crate) default: Option<&'static str>,
    /// Parses a text and writes its value into a configuration.
    pub(crate) apply: fn(&mut ServerConfig, &str) -> Result<(), Invalid>,
    /// The value in a configuration, as a text that `apply` reads.
    pub(crate) current: fn(&ServerConfig) -> String,
}

/// A value's type in the configuration file. The text does not show it: `1.10` may be the name of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Number,
    Text,
    /// `true` or `false`; its flag needs no value.
    Switch,
}

impl Setting {
    /// Its flag, without the leading dashes.
    pub(crate) fn flag(&self) -> String {
        flag_of(self.key)
    }

    /// The names that it had before, which are still read.
    pub(crate) fn former(&self) -> Option<&'static Former> {
        FORMER_NAMES.iter().find(|former| former.of == self.key)
    }

    /// The setting that has this key, or had it before.
    pub(crate) fn of_key(key: &str) -> Option<&'static Self> {
        let has_it =
            |setting: &&Self| setting.key == key || setting.former().is_some_and(|former| former.key == key);
        settings().find(has_it)
    }

    /// Its default, for people.
    pub(crate) fn default_text(&self) -> String {
        match self.default {
            Some(words) => words.to_owned(),
            None => (self.current)(&ServerConfig::new(DEFAULT_DATA_DIR)),
        }
    }
}

/// The names that a setting had before.
pub(crate) struct Former {
    /// The key that it has now.
    of: &'static str,
    /// The key that it had; the flag follows from it.
    pub(crate) key: &'static str,
    /// The variable that it had.
    pub(crate) variable: &'static str,
}

const FORMER_NAMES: [Former; 1] =
    [Former { of: "drain_timeout", key: "shutdown_grace", variable: "POLARWAY_SHUTDOWN_GRACE" }];

/// The flag that follows from a key, without the leading dashes.
pub(crate) fn flag_of(key: &str) -> String {
    key.replace('_', "-")
}

/// The default data directory.
pub(crate) const DEFAULT_DATA_DIR: &str = "./polarway-data";

/// The variable that names the configuration file, and its flag.
pub(crate) const CONFIG_VARIABLE: &str = "POLARWAY_CONFIG";
pub(crate) const CONFIG_FLAG: &str = "config";

/// The flag that replaces the port of the address.
pub(crate) const PORT_FLAG: &str = "grpc-port";

/// The variable that filters the log.
pub(crate) const LOG_VARIABLE: &str = "RUST_LOG";

/// The variables that the client reads: server and client may share an environment.
pub(crate) const CLIENT_VARIABLES: [&str; 2] = ["POLARWAY_URL", "POLARWAY_TIMEOUT"];

/// The token that a server asks for and a client sends. It has no flag and no key, so that no list of processes and no
/// configuration file shows it.
pub(crate) const TOKEN_VARIABLE: &str = "POLARWAY_AUTH_TOKEN";

/// The token that workers show to each other. It has no flag and no key either.
pub(crate) const PEER_TOKEN_VARIABLE: &str = "POLARWAY_PEER_TOKEN";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_each_setting_shows_it_also_reads() {
        let config = ServerConfig::new("/data");
        for setting in settings() {
            let text = (setting.current)(&config);
            let mut changed = config.clone();
            assert_eq!((setting.apply)(&mut changed, &text), Ok(()), "{}", setting.key);
            assert_eq!((setting.current)(&changed), text, "{}", setting.key);
        }
    }

    #[test]
    fn no_two_settings_share_a_key_or_a_variable() {
        let keys: BTreeSet<_> = settings().map(|setting| setting.key).collect();
        let variables: BTreeSet<_> = settings().map(|setting| setting.variable).collect();
        assert_eq!((keys.len(), variables.len()), (settings().count(), settings().count()));
    }
}
