//! From flags, variables and the file to one configuration.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use polarway_core::{Location, Provider};
use toml::{Table, Value};

use super::definition::{
    CLIENT_VARIABLES, CONFIG_FLAG, CONFIG_VARIABLE, DEFAULT_DATA_DIR, Form, LOG_VARIABLE,
    PEER_TOKEN_VARIABLE, PORT_FLAG, Setting, TOKEN_VARIABLE,
};
use super::error::SettingsError;
use super::groups::settings;
use super::values;
use crate::{Secret, ServerConfig};

/// The prefix of this project's variables.
const PREFIX: &str = "POLARWAY_";

/// Where settings come from. The environment is a parameter, so that nothing depends on the current process.
#[derive(Default)] // and no `Debug`: an environment holds secrets
pub struct Sources {
    /// Flags that were given, by their names without dashes.
    pub flags: BTreeMap<String, String>,
    /// The environment.
    pub variables: BTreeMap<String, OsString>,
}

impl Sources {
    /// These flags and this environment. Variables whose names are not Unicode are ignored.
    pub fn new(
        flags: BTreeMap<String, String>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { flags, variables: environment.into_iter().filter_map(named).collect() }
    }

    /// A variable as it is; an empty one counts as unset.
    fn raw(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable as text.
    fn variable(&self, variable: &'static str) -> Result<Option<&str>, SettingsError> {
        match self.raw(variable) {
            None => Ok(None),
            Some(value) => value.to_str().map(Some).ok_or(SettingsError::NotText { variable }),
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(String),
    Variable(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(variable) => f.write_str(variable),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The settings in force.
pub struct Settings {
    /// The configuration that they make.
    pub config: ServerConfig,
    /// The filter of the log, if one is given.
    pub log_filter: Option<String>,
    /// Variables that have our prefix but that nobody reads, each with the name that may have been meant.
    pub unread_variables: Vec<(String, Option<&'static str>)>,
    /// Where each setting came from, in the order of the settings.
    pub(crate) origins: Vec<Origin>,
}

impl Settings {
    /// Combines the sources.
    ///
    /// # Errors
    /// If a value is invalid (the error names its origin), the file can't be read, or the file has an unknown key.
    pub fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let path = match sources.flags.get(CONFIG_FLAG) {
            Some(path) => Some(path.as_str()),
            None => sources.variable(CONFIG_VARIABLE)?,
        };
        let file = path.map(|path| read_file(Path::new(path))).transpose()?;
        let mut config = ServerConfig::new(DEFAULT_DATA_DIR);
        let mut origins = Vec::with_capacity(settings().count());
        for setting in settings() {
            let (origin, value) = find(setting, sources, file.as_ref())?;
            if let Some(value) = value {
                (setting.apply)(&mut config, &value).map_err(|expected| SettingsError::Value {
                    origin: named(setting, &origin),
                    value: values::without_password(&value),
                    expected,
                })?;
            }
            origins.push(origin);
        }
        if let Some(port) = sources.flags.get(PORT_FLAG) {
            config.bind.set_port(values::port(port).map_err(|expected| SettingsError::Value {
                origin: format!("--{PORT_FLAG}"),
                value: port.clone(),
                expected,
            })?);
            for (setting, origin) in settings().zip(&mut origins) {
                if setting.key == "bind" {
                    *origin = Origin::Flag(PORT_FLAG.to_owned());
                }
            }
        }
        if let Some(bucket) = config.handle_buckets.place().map_err(without_bucket)? {
            config.engine.handles.state = Location::Bucket(bucket);
        }
        config.auth.token = token(sources, TOKEN_VARIABLE)?;
        config.peers.token = token(sources, PEER_TOKEN_VARIABLE)?;
        Ok(Self {
            config,
            log_filter: sources.variable(LOG_VARIABLE)?.map(str::to_owned),
            unread_variables: unread(sources),
            origins,
        })
    }
}

fn without_bucket(provider: Provider) -> SettingsError {
    let flag = match provider {
        Provider::S3 => "s3-bucket",
        Provider::Azure => "azure-container",
        Provider::Gcs => "gcs-bucket",
    };
    SettingsError::HandleBucket { store: provider.name(), flag }
}

/// The token in a variable, if it is set.
fn token(sources: &Sources, variable: &'static str) -> Result<Option<Secret>, SettingsError> {
    match sources.variable(variable)? {
        None => Ok(None),
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(Secret::new(token))),
        Some(_) => Err(SettingsError::Token { variable }),
    }
}

/// A configuration file.
struct File {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

fn read_file(path: &Path) -> Result<File, SettingsError> {
    let owned = || path.to_owned();
    let text =
        std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: owned(), source })?;
    let table: Table = toml::from_str(&text).map_err(|error| SettingsError::Syntax {
        path: owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let mut values = BTreeMap::new();
    for (key, value) in &table {
        let Some(setting) = Setting::of_key(key) else {
            let key = key.clone();
            let nearest = nearest(&key, settings().map(|setting| setting.key)).map(str::to_owned);
            return Err(SettingsError::UnknownKey { path: owned(), key, nearest });
        };
        let value = match (setting.form, value) {
            (_, Value::String(text)) => text.clone(),
            (Form::Number, Value::Integer(number)) => number.to_string(),
            (Form::Number, Value::Float(number)) => number.to_string(),
            (Form::Switch, Value::Boolean(is_on)) => is_on.to_string(),
            (form, other) => {
                let expected = match form {
                    Form::Number => "a number",
                    Form::Text => "a text in quotes",
                    Form::Switch => "true or false",
                };
                let key = key.clone();
                return Err(SettingsError::Type { path: owned(), key, found: other.type_str(), expected });
            }
        };
        // The key that a setting has now beats the one that it had.
        if key == setting.key || !table.contains_key(setting.key) {
            values.insert(setting.key.to_owned(), value);
        }
    }
    Ok(File { path: owned(), values })
}

fn find(
    setting: &'static Setting,
    sources: &Sources,
    file: Option<&File>,
) -> Result<(Origin, Option<String>), SettingsError> {
    let flag = setting.flag();
    if let Some(value) = sources.flags.get(&flag) {
        return Ok((Origin::Flag(flag), Some(value.clone())));
    }
    let former = setting.former().map(|former| former.variable);
    for variable in [setting.variable].into_iter().chain(former) {
        if let Some(value) = sources.variable(variable)? {
            return Ok((Origin::Variable(variable), Some(value.to_owned())));
        }
    }
    Ok(match file.and_then(|file| Some((file, file.values.get(setting.key)?))) {
        Some((file, value)) => (Origin::File(file.path.clone()), Some(value.clone())),
        None => (Origin::Default, None),
    })
}

/// A value's origin, for an error.
fn named(setting: &Setting, origin: &Origin) -> String {
    match origin {
        Origin::File(path) => format!("{} in {}", setting.key, path.display()),
        Origin::Flag(_) | Origin::Variable(_) | Origin::Default => origin.to_string(),
    }
}

fn unread(sources: &Sources) -> Vec<(String, Option<&'static str>)> {
    let known = || {
        let current = settings().map(|setting| setting.variable);
        let former = settings().filter_map(|setting| Some(setting.former()?.variable));
        current.chain(former).chain(CLIENT_VARIABLES).chain([
            CONFIG_VARIABLE,
            TOKEN_VARIABLE,
            PEER_TOKEN_VARIABLE,
        ])
    };
    let names =
        sources.variables.keys().filter(|name| name.starts_with(PREFIX) && sources.raw(name).is_some());
    let unread = names.filter(|name| !known().any(|known| known == name.as_str()));
    unread.map(|name| (name.clone(), nearest(name, known()))).collect()
}

/// The known name that a misspelt name probably means: the one with which it shares the most, if that is nearly all or one
/// of them is a prefix of the other. The common prefix does not count.
fn nearest<'name>(name: &str, known: impl Iterator<Item = &'name str>) -> Option<&'name str> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    known
        .filter_map(|whole| {
            let known = whole.strip_prefix(PREFIX).unwrap_or(whole);
            let distance = strsim::damerau_levenshtein(name, known);
            let alike = distance <= known.len() / 4 || known.starts_with(name) || name.starts_with(known);
            (alike && !name.is_empty()).then_some((distance, whole))
        })
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Sources {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Sources::new(flags.iter().map(owned).collect(), variables)
    }

    fn with_file(
        text: &str,
        flags: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("polarway.toml");
        std::fs::write(&path, text).unwrap();
        let mut sources = sources(flags, variables);
        sources.flags.insert("config".to_owned(), path.display().to_string());
        Settings::read(&sources)
    }

    #[test]
    fn a_switch_is_true_or_false_wherever_it_is_set() {
        let metrics = |settings: Result<Settings, SettingsError>| settings.unwrap().config.metrics;
        assert!(!metrics(Settings::read(&Sources::default())));
        assert!(metrics(with_file("metrics = true", &[], &[])));
        assert!(!metrics(with_file("metrics = true", &[], &[("POLARWAY_METRICS_ENABLED", "false")])));
        for refusal in [
            refused(with_file("metrics = 1", &[], &[])),
            refused(with_file("metrics = \"on\"", &[], &[])),
            refused(Settings::read(&sources(&[], &[("POLARWAY_METRICS_ENABLED", "yes")]))),
            refused(Settings::read(&sources(&[("metrics", "")], &[]))),
        ] {
            assert!(
                refusal.to_lowercase().contains("metrics") && refusal.contains("true or false"),
                "{refusal}"
            );
        }
        let port = refused(Settings::read(&sources(&[("metrics-port", "70000")], &[])));
        assert!(port.contains("--metrics-port") && port.contains("65535"), "{port}");
        let linked = [("POLARWAY_METRICS_PORT", "tcp://10.0.0.1:9090")];
        let linked = refused(Settings::read(&sources(&[], &linked)));
        assert!(
            linked.contains("POLARWAY_METRICS_PORT") && linked.contains("enableServiceLinks"),
            "{linked}"
        );
    }

    fn refused(result: Result<Settings, SettingsError>) -> String {
        result.err().expect("it was accepted").to_string()
    }

    #[test]
    fn handles_in_a_bucket_need_its_name_and_lie_under_a_prefix() {
        let read =
            |flags: &[(&str, &str)]| Settings::read(&sources(flags, &[("POLARWAY_GCS_BUCKET", "lake")]));
        let state = |flags: &[(&str, &str)]| read(flags).unwrap().config.engine.handles.state.to_string();
        assert_eq!(state(&[("handle-store", "gcs")]), "gs://lake/polarway-handles");
        assert_eq!(state(&[("handle-store", "s3"), ("s3-bucket", "b/x")]), "s3://b/x");
        assert_eq!(state(&[("state-dir", "az://c/state"), ("handle-store", "external")]), "az://c/state");
        assert_eq!(state(&[("handle-store", "memory")]), "./polarway-data/state");
        let refusal = refused(read(&[("handle-store", "azure")]));
        assert!(refusal.contains("azure") && refusal.contains("--azure-container"), "{refusal}");
        // What `config show` prints gives the same settings again.
        let shown = read(&[("handle-store", "gcs")]).unwrap().to_string();
        let again = with_file(&shown, &[], &[]).unwrap();
        assert_eq!(again.config.engine.handles.state.to_string(), "gs://lake/polarway-handles");
        assert_eq!(again.to_string().lines().count(), shown.lines().count());
    }

    #[test]
    fn without_sources_everything_is_at_its_default() {
        let settings = Settings::read(&Sources::default()).unwrap();
        let expected = ServerConfig::new("./polarway-data");
        assert_eq!(format!("{:?}", settings.config), format!("{expected:?}"));
        assert!(settings.origins.iter().all(|origin| *origin == Origin::Default));
    }

    #[test]
    fn a_flag_beats_a_variable_which_beats_the_file_which_beats_the_default() {
        let cache = |flags: &[_], variables: &[_]| {
            with_file("cache_size = 4", flags, variables).unwrap().config.engine.cache_bytes
        };
        let variable = [("POLARWAY_CACHE_SIZE", "5.0")];
        assert_eq!(cache(&[("cache-size", "6")], &variable), 6_000_000_000);
        assert_eq!(cache(&[], &variable), 5_000_000_000);
        assert_eq!(cache(&[], &[("POLARWAY_CACHE_SIZE", "")]), 4_000_000_000);
        assert_eq!(Settings::read(&Sources::default()).unwrap().config.engine.cache_bytes, 2_000_000_000);
    }

    #[test]
    fn the_cold_tier_lies_in_the_data_directory_unless_set_by_itself() {
        let read = |variables: &[_]| Settings::read(&sources(&[("data-dir", "/data")], variables)).unwrap();
        assert_eq!(read(&[]).config.engine.cold_tier, Location::Directory("/data/cold".into()));
        let apart = read(&[("POLARWAY_PARQUET_PATH", "/shared/cold")]);
        assert_eq!(apart.config.engine.cold_tier, Location::Directory("/shared/cold".into()));
        assert_eq!(apart.config.engine.data_dir, Path::new("/data"));
    }

    #[test]
    fn the_port_replaces_that_of_the_address_whatever_gave_it() {
        let read = |variables: &[_]| {
            Settings::read(&sources(&[("grpc-port", "7")], variables)).unwrap().config.bind.to_string()
        };
        assert_eq!(read(&[]), "0.0.0.0:7");
        assert_eq!(read(&[("POLARWAY_BIND_ADDRESS", "127.0.0.1:50052")]), "127.0.0.1:7");
        let error = refused(Settings::read(&sources(&[("grpc-port", "70000")], &[])));
        assert_eq!(error, "--grpc-port is \"70000\": it takes a port from 0 to 65535");
    }

    #[test]
    fn a_value_that_is_none_is_named_with_where_it_came_from() {
        let variable = Settings::read(&sources(&[], &[("POLARWAY_CACHE_SIZE", "lots")]));
        let expect = "POLARWAY_CACHE_SIZE is \"lots\": it takes a number of GB, such as 2.0";
        assert_eq!(refused(variable), expect);
        let flag = Settings::read(&sources(&[("grace", "soon")], &[]));
        assert!(refused(flag).starts_with("--grace is \"soon\": it takes a duration"));
        let in_file = refused(with_file("keep_versions = 0", &[], &[]));
        assert!(in_file.starts_with("keep_versions in /") && in_file.contains("from 1 on"), "{in_file}");
    }

    #[test]
    fn an_unknown_key_is_named_with_the_one_that_was_meant() {
        let error = refused(with_file("cache_sise = 4", &[], &[]));
        assert!(
            error.ends_with("has an unknown key \"cache_sise\"; did you mean \"cache_size\"?"),
            "{error}"
        );
        let error = refused(with_file("colour = \"red\"", &[], &[]));
        assert!(error.contains("unknown key \"colour\"; `polarway config show`"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_toml_or_has_no_plain_values_or_is_missing_is_refused() {
        let error = refused(with_file("bind = ", &[], &[]));
        assert!(error.contains("is no TOML") && error.contains("line 1"), "{error}");
        let error = refused(with_file("[bind]\nport = 1", &[], &[]));
        assert!(error.contains("bind in the configuration file") && error.contains("is a table"), "{error}");
        let error = refused(Settings::read(&sources(&[], &[("POLARWAY_CONFIG", "/no/such/file")])));
        assert!(error.contains("/no/such/file"), "{error}");
    }

    #[test]
    fn variables_that_nobody_reads_are_reported_and_those_of_the_client_are_not() {
        let variables = [
            ("POLARWAY_CACHE_SISE", "4"),
            ("POLARWAY_WORKER_0_PORT", "tcp://10.0.0.1:9090"),
            ("POLARWAY_URL", "http://localhost:50052"),
            ("PATH", "/bin"),
        ];
        let settings = Settings::read(&sources(&[], &variables)).unwrap();
        let expect = [
            ("POLARWAY_CACHE_SISE".to_owned(), Some("POLARWAY_CACHE_SIZE")),
            ("POLARWAY_WORKER_0_PORT".to_owned(), None),
        ];
        assert_eq!(settings.unread_variables, expect);
    }

    #[test]
    fn a_token_is_taken_from_its_variable_and_shown_nowhere() {
        let settings = Settings::read(&sources(&[], &[("POLARWAY_AUTH_TOKEN", "canary")])).unwrap();
        assert!(settings.config.auth.needs_token());
        assert!(
            !settings.to_string().contains("canary") && !format!("{:?}", settings.config).contains("canary")
        );
        assert_eq!(settings.unread_variables, []);
        assert!(refused(with_file("auth_token = \"canary\"", &[], &[])).contains("unknown key"));
    }

    #[test]
    fn a_token_that_no_client_could_send_is_refused_and_not_told() {
        for token in ["canary ", "can ary", "canary\n", "kanarienvögel", " "] {
            let error = refused(Settings::read(&sources(&[], &[("POLARWAY_AUTH_TOKEN", token)])));
            assert!(error.starts_with("POLARWAY_AUTH_TOKEN") && !error.contains("nary"), "{error}");
        }
    }

    #[test]
    fn the_token_of_workers_is_shown_nowhere_either() {
        let settings = Settings::read(&sources(&[], &[("POLARWAY_PEER_TOKEN", "canary")])).unwrap();
        assert!(settings.config.peers.token.is_some() && settings.unread_variables.is_empty());
        assert!(
            !settings.to_string().contains("canary") && !format!("{:?}", settings.config).contains("canary")
        );
        let error = refused(Settings::read(&sources(&[], &[("POLARWAY_PEER_TOKEN", "can ary")])));
        assert!(error.starts_with("POLARWAY_PEER_TOKEN") && !error.contains("ary"), "{error}");
    }

    #[test]
    fn addresses_of_workers_that_are_none_are_refused_with_where_they_came_from() {
        for (flag, value) in [
            ("peers", "worker-1"),
            ("peers", "worker-1:50053,"),
            ("peers", "http://worker-1:50053"),
            ("peers-dns", "a:1,b:2"),
            ("peers-dns", "workers"),
            ("peer-bind", "50053"),
        ] {
            let error = refused(Settings::read(&sources(&[(flag, value)], &[])));
            assert!(error.starts_with(&format!("--{flag} is {value:?}: it takes ")), "{error}");
        }
        let list = [("POLARWAY_PEERS", "worker-1:50053, [::1]:50053")];
        let settings = Settings::read(&sources(&[], &list)).unwrap();
        assert_eq!(settings.config.peers.list, ["worker-1:50053", "[::1]:50053"]);
        let error = refused(Settings::read(&sources(&[("engine", "remote")], &[])));
        assert_eq!(error, "--engine is \"remote\": it takes auto, local or distributed");
    }

    #[test]
    fn an_empty_token_is_none() {
        let settings = Settings::read(&sources(&[], &[("POLARWAY_AUTH_TOKEN", "")])).unwrap();
        assert!(!settings.config.auth.needs_token());
    }

    #[cfg(unix)]
    fn no_text(variable: &str) -> Sources {
        use std::os::unix::ffi::OsStringExt as _;

        Sources::new(BTreeMap::new(), [(variable.into(), OsString::from_vec(b"/data\xff".to_vec()))])
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_an_error_and_not_a_default() {
        for variable in [
            "POLARWAY_DATA_DIR",
            "POLARWAY_CONFIG",
            "POLARWAY_CACHE_SIZE",
            "POLARWAY_AUTH_TOKEN",
            "POLARWAY_PEER_TOKEN",
        ] {
            let error = refused(Settings::read(&no_text(variable)));
            assert_eq!(error, format!("{variable} is set to bytes that are no UTF-8 text"));
        }
    }

    #[test]
    fn a_grace_that_the_engine_would_refuse_is_named_with_where_it_came_from() {
        let error = refused(Settings::read(&sources(&[], &[("POLARWAY_GRACE", "1s")])));
        assert!(error.starts_with("POLARWAY_GRACE is \"1s\"") && error.contains("ten minutes"), "{error}");
    }

    #[test]
    fn a_bucket_for_a_data_directory_is_refused() {
        let error = refused(Settings::read(&sources(&[("data-dir", "s3://bucket/x")], &[])));
        assert_eq!(error, "--data-dir is \"s3://bucket/x\": it takes a directory");
    }

    #[test]
    fn a_number_in_the_place_of_a_text_is_refused_and_not_rewritten() {
        let error = refused(with_file("data_dir = 1.10", &[], &[]));
        assert!(error.contains("is a float: give a text in quotes"), "{error}");
        let as_text = with_file("cache_size = \"3\"", &[], &[]).unwrap();
        assert_eq!(as_text.config.engine.cache_bytes, 3_000_000_000);
    }

    #[test]
    fn the_names_that_a_setting_had_are_still_read_and_those_that_it_has_beat_them() {
        let time = |settings: Settings| settings.config.drain_timeout.as_secs();
        let read = |variables: &[_]| Settings::read(&sources(&[], variables)).unwrap();
        let (now, before) = (("POLARWAY_DRAIN_TIMEOUT", "5s"), ("POLARWAY_SHUTDOWN_GRACE", "7s"));
        assert!(read(&[before]).unread_variables.is_empty());
        assert_eq!((time(read(&[before])), time(read(&[before, now]))), (7, 5));
        let in_file = |text: &str| time(with_file(text, &[], &[]).unwrap());
        assert_eq!(in_file("shutdown_grace = \"7s\""), 7);
        assert_eq!(in_file("shutdown_grace = \"7s\"\ndrain_timeout = \"5s\""), 5);
    }

    #[test]
    fn names_that_others_set_are_not_taken_for_typos() {
        let suggested = |name| Settings::read(&sources(&[], &[(name, "x")])).unwrap().unread_variables[0].1;
        for name in ["POLARWAY_PORT", "POLARWAY_HOST", "POLARWAY_VOLUME", "POLARWAY_SERVICE_HOST"] {
            assert_eq!(suggested(name), None, "{name}");
        }
        assert_eq!(suggested("POLARWAY_"), None);
        assert_eq!(suggested("POLARWAY_BIND"), Some("POLARWAY_BIND_ADDRESS"));
        assert_eq!(suggested("POLARWAY_DATA"), Some("POLARWAY_DATA_DIR"));
        let empty = Settings::read(&sources(&[], &[("POLARWAY_CACHE_SISE", "")])).unwrap();
        assert!(empty.unread_variables.is_empty());
    }

    #[test]
    fn directories_that_look_like_numbers_are_shown_as_texts() {
        for name in ["1.10", "007", "1e5", "infinity", "nan", "5.", "two\nlines"] {
            let settings = Settings::read(&sources(&[("data-dir", name)], &[])).unwrap();
            let again = with_file(&settings.to_string(), &[], &[]).unwrap();
            assert_eq!(again.config.engine.data_dir, Path::new(name));
        }
    }

    #[test]
    fn a_line_break_in_the_files_name_does_not_become_a_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a\nquery_threads = 9\n.toml");
        std::fs::write(&path, "keep_versions = 9").unwrap();
        let flags = [("config", path.to_str().unwrap())];
        let shown = Settings::read(&sources(&flags, &[])).unwrap().to_string();
        assert_eq!(with_file(&shown, &[], &[]).unwrap().config.engine.retention.versions, 9);
        assert_eq!(shown.lines().count(), settings().count());
    }

    #[test]
    fn what_is_shown_can_be_saved_and_read_again() {
        let flags =
            [("cache-size", "3.5"), ("janitor-interval", "never"), ("data-dir", "/a \"quoted\" place")];
        let settings = Settings::read(&sources(&flags, &[("POLARWAY_GRACE", "2h")])).unwrap();
        let shown = settings.to_string();
        assert!(shown.contains("# --cache-size") && shown.contains("# POLARWAY_GRACE"), "{shown}");
        let again = with_file(&shown, &[], &[]).unwrap();
        assert_eq!(format!("{:?}", again.config), format!("{:?}", settings.config));
    }
}
