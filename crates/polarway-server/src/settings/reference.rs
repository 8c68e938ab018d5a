//! The settings as a page of the documentation.

use std::fmt::Write as _;

use super::definition::{
    CLIENT_VARIABLES, CONFIG_VARIABLE, Form, LOG_VARIABLE, PEER_TOKEN_VARIABLE, TOKEN_VARIABLE,
};
use super::groups::settings;
use super::show::toml_value;

/// The page, in Markdown. `docs/configuration.md` is this text.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| flag | variable | key in the file | default | meaning |\n|---|---|---|---|---|\n");
    for setting in settings() {
        let (flag, key, default) = (setting.flag(), setting.key, setting.default_text());
        let _ = writeln!(
            page,
            "| `--{flag}{}` | `{}` | `{key}` | `{default}` | {} |",
            match setting.form {
                Form::Switch => String::new(),
                Form::Number | Form::Text => format!(" {}", setting.value_name),
            },
            setting.variable,
            setting.about
        );
    }
    let _ = write!(
        page,
        "| `--grpc-port N` | – | – | – | The port to listen on, in the place of that of the address. With `--bind` a usage error. |\n\
         | `--config FILE` | `{CONFIG_VARIABLE}` | – | – | A TOML file of settings. |\n\
         | – | `{TOKEN_VARIABLE}` | – | – | A token with all rights: every call but those for health needs it. It has no flag, so that \
         lists of processes don't show it. Clients take the token that they send from the same variable. |\n\
         | – | `{PEER_TOKEN_VARIABLE}` | – | – | The token that workers show to each other, the same on all of them: 16 characters or \
         more. It has no flag either. |\n\
         | – | `{LOG_VARIABLE}` | – | `info` | The filter of the log, such as `debug` or `polarway_server=debug,info`. |\n\n"
    );
    let client = CLIENT_VARIABLES.map(|variable| format!("`{variable}`")).join(" and ");
    let _ = write!(page, "## A configuration file\n\n```toml\n{}```\n\n{VARIABLES} {client}.\n", example());
    page
}

/// A configuration file.
fn example() -> String {
    let values = [
        ("bind", "127.0.0.1:50052"),
        ("data_dir", "/var/lib/polarway"),
        ("cache_size", "8.0"),
        ("keep_versions", "10"),
        ("janitor_interval", "1m"),
    ];
    let mut file = String::new();
    for (key, value) in values {
        for setting in settings().filter(|setting| setting.key == key) {
            let _ = writeln!(file, "{key} = {}", toml_value(setting.form, value));
        }
    }
    file
}

const INTRODUCTION: &str = "\
# Configuration of the server

The settings of `polarway server` and `polarway-server`. A flag beats its variable, a variable beats the configuration \
file, the file beats the default; an empty variable counts as none. `polarway config show` prints the settings in force, \
with where each came from, in the form of a configuration file. Sizes are in GB of 10⁹ bytes, durations are like `90s`, \
`30m` or `1h 30m`. This page is made from the settings' definitions.

";

const VARIABLES: &str = "\
An unknown key is an error that names it.

## Variables that nobody reads

A variable that begins with `POLARWAY_` and that no setting reads is named in the log at start, with the one that may have \
been meant: a typo shall not pass in silence. Those of the client may be there as well:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Sources};

    #[test]
    fn the_example_is_a_configuration_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("polarway.toml");
        std::fs::write(&path, example()).unwrap();
        let mut sources = Sources::default();
        sources.flags.insert("config".to_owned(), path.display().to_string());
        let config = Settings::read(&sources).unwrap().config;
        assert_eq!((config.engine.cache_bytes, config.engine.retention.versions), (8_000_000_000, 10));
    }
}
