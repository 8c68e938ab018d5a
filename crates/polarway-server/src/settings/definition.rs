//! What each setting is: the one place where it is defined.

use polarway_core::Location;

use super::values::{self, Invalid};
use crate::{KeySource, ServerConfig};

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
        SETTINGS.iter().find(has_it)
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

/// All settings, in the order of the help. The data directory comes before the settings of what is in it.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "bind",
        variable: "POLARWAY_BIND_ADDRESS",
        value_name: "ADDR:PORT",
        form: Form::Text,
        about: "The address to listen on. Port 0 picks a free one, which the first line of the log tells.",
        default: None,
        apply: |config, text| values::address(text).map(|address| config.bind = address),
        current: |config| config.bind.to_string(),
    },
    Setting {
        key: "auth_file",
        variable: "POLARWAY_AUTH_FILE",
        value_name: "FILE",
        form: Form::Text,
        about: "A TOML file of tokens, each with a role and the datasets for which it holds. It is read again when it changes. \
                `polarway token new` prints its entries.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.auth.file = file),
        current: |config| values::optional_file_text(config.auth.file.as_deref()),
    },
    Setting {
        key: "jwt_issuer",
        variable: "POLARWAY_JWT_ISSUER",
        value_name: "TEXT",
        form: Form::Text,
        about: "Take JWTs of this issuer (`iss`) as tokens; `--jwt-audience` and `--jwt-keys` go with it.",
        default: Some("none"),
        apply: |config, text| values::optional_text(text).map(|issuer| config.auth.jwt.issuer = issuer),
        current: |config| config.auth.jwt.issuer.clone().unwrap_or_default(),
    },
    Setting {
        key: "jwt_audience",
        variable: "POLARWAY_JWT_AUDIENCE",
        value_name: "TEXT",
        form: Form::Text,
        about: "The audience (`aud`) that JWTs must be for.",
        default: Some("none"),
        apply: |config, text| values::optional_text(text).map(|audience| config.auth.jwt.audience = audience),
        current: |config| config.auth.jwt.audience.clone().unwrap_or_default(),
    },
    Setting {
        key: "jwt_keys",
        variable: "POLARWAY_JWT_KEYS",
        value_name: "FILE|URL",
        form: Form::Text,
        about: "The keys that JWTs are signed with (JWKS): a file, which is read again when it changes, or an `https://` URL, which \
                is asked every five minutes, and when a token has an unknown key.",
        default: Some("none"),
        apply: |config, text| values::key_source(text).map(|keys| config.auth.jwt.keys = keys),
        current: |config| config.auth.jwt.keys.as_ref().map_or_else(String::new, KeySource::text),
    },
    Setting {
        key: "jwt_algorithms",
        variable: "POLARWAY_JWT_ALGORITHMS",
        value_name: "NAMES",
        form: Form::Text,
        about: "The algorithms that JWTs may be signed with, with commas between them.",
        default: None,
        apply: |config, text| match config.auth.jwt.set_algorithms(text) {
            true => Ok(()),
            false => Err(
                "some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA, with commas between them",
            ),
        },
        current: |config| config.auth.jwt.algorithm_names(),
    },
    Setting {
        key: "jwt_role_claim",
        variable: "POLARWAY_JWT_ROLE_CLAIM",
        value_name: "CLAIM",
        form: Form::Text,
        about: "The claim of a JWT that has its role, or a list of which one is a role; `a.b` is claim `b` of the object `a`.",
        default: None,
        apply: |config, text| values::text(text).map(|claim| config.auth.jwt.role_claim = claim),
        current: |config| config.auth.jwt.role_claim.clone(),
    },
    Setting {
        key: "jwt_roles",
        variable: "POLARWAY_JWT_ROLES",
        value_name: "ROLE=VALUE,…",
        form: Form::Text,
        about: "Which values of that claim are which role, such as `admin=platform-team,reader=staff`. A JWT without any is refused.",
        default: None,
        apply: |config, text| match config.auth.jwt.set_roles(text) {
            true => Ok(()),
            false => Err("a list such as admin=platform-team,writer=etl,reader=staff"),
        },
        current: |config| config.auth.jwt.roles_text(),
    },
    Setting {
        key: "jwt_read_claim",
        variable: "POLARWAY_JWT_READ_CLAIM",
        value_name: "CLAIM",
        form: Form::Text,
        about: "The claim of a JWT with patterns of the datasets that it may read. A JWT without it reads none.",
        default: Some("none: it may read all"),
        apply: |config, text| values::optional_text(text).map(|claim| config.auth.jwt.read_claim = claim),
        current: |config| config.auth.jwt.read_claim.clone().unwrap_or_default(),
    },
    Setting {
        key: "jwt_write_claim",
        variable: "POLARWAY_JWT_WRITE_CLAIM",
        value_name: "CLAIM",
        form: Form::Text,
        about: "The claim of a JWT with patterns of the datasets that it may write, if its role writes. A JWT without it writes none.",
        default: Some("none: it may write what it may read"),
        apply: |config, text| values::optional_text(text).map(|claim| config.auth.jwt.write_claim = claim),
        current: |config| config.auth.jwt.write_claim.clone().unwrap_or_default(),
    },
    Setting {
        key: "reflection",
        variable: "POLARWAY_REFLECTION",
        value_name: "WHO",
        form: Form::Text,
        about: "Who may ask for a description of the services (gRPC reflection): `public` is everybody, `authenticated` whoever \
                may call a method, and `off` nobody.",
        default: None,
        apply: |config, text| values::reflection(text).map(|reflection| config.auth.reflection = reflection),
        current: |config| values::reflection_text(config.auth.reflection).to_owned(),
    },
    Setting {
        key: "tls_cert",
        variable: "POLARWAY_TLS_CERT",
        value_name: "FILE",
        form: Form::Text,
        about: "The server's certificate, and behind it those of its CAs, as PEM. With it and its key the server speaks TLS, and \
                nothing else. It is read again when it changes.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.tls.certificate = file),
        current: |config| values::optional_file_text(config.tls.certificate.as_deref()),
    },
    Setting {
        key: "tls_key",
        variable: "POLARWAY_TLS_KEY",
        value_name: "FILE",
        form: Form::Text,
        about: "The certificate's private key, as PEM, without a password.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.tls.key = file),
        current: |config| values::optional_file_text(config.tls.key.as_deref()),
    },
    Setting {
        key: "tls_ca",
        variable: "POLARWAY_TLS_CA",
        value_name: "FILE",
        form: Form::Text,
        about: "The CAs of clients, as PEM. With them, a client must present a certificate that one of them signed.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.tls.client_ca = file),
        current: |config| values::optional_file_text(config.tls.client_ca.as_deref()),
    },
    Setting {
        key: "data_dir",
        variable: "POLARWAY_DATA_DIR",
        value_name: "DIR",
        form: Form::Text,
        about: "The root of all files: `cold/` and `state/` lie in it unless set by themselves, and so do temporary files.",
        default: None,
        apply: |config, text| {
            let folder = values::directory(text)?;
            config.engine.cold_tier = Location::Directory(folder.join("cold"));
            config.engine.analytics = Some(folder.join("analytics.duckdb"));
            config.engine.handles.state = Location::Directory(folder.join("state"));
            config.engine.data_dir = folder;
            Ok(())
        },
        current: |config| config.engine.data_dir.display().to_string(),
    },
    Setting {
        key: "parquet_path",
        variable: "POLARWAY_PARQUET_PATH",
        value_name: "DIR",
        form: Form::Text,
        about: "The cold tier: the directory of the datasets, which workers share. Parquet files that lie in it, and folders \
                of them, are datasets too.",
        default: Some("<data-dir>/cold"),
        apply: |config, text| {
            values::directory(text).map(|folder| config.engine.cold_tier = Location::Directory(folder))
        },
        current: |config| values::location_text(&config.engine.cold_tier),
    },
    Setting {
        key: "handle_store",
        variable: "POLARWAY_HANDLE_STORE",
        value_name: "KIND",
        form: Form::Text,
        about: "Where results are kept under handles: `memory`, on the worker that made them alone; or `external`, in \
                `--state-dir`, where any worker that shares it serves them.",
        default: None,
        apply: |config, text| values::handle_store(text).map(|store| config.engine.handles.store = store),
        current: |config| values::handle_store_text(config.engine.handles.store).to_owned(),
    },
    Setting {
        key: "state_dir",
        variable: "POLARWAY_STATE_DIR",
        value_name: "DIR",
        form: Form::Text,
        about: "The directory of the `external` handle store, which workers share and which holds nothing else.",
        default: Some("<data-dir>/state"),
        apply: |config, text| {
            values::directory(text).map(|folder| config.engine.handles.state = Location::Directory(folder))
        },
        current: |config| values::location_text(&config.engine.handles.state),
    },
    Setting {
        key: "handle_ttl",
        variable: "POLARWAY_HANDLE_TTL",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long a handle is kept that nobody uses.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|ttl| config.engine.handles.ttl = ttl),
        current: |config| values::duration_text(config.engine.handles.ttl),
    },
    Setting {
        key: "handle_memory",
        variable: "POLARWAY_HANDLE_MEMORY",
        value_name: "GB",
        form: Form::Text,
        about: "What all handles of the `memory` store may take together, in GB. What does not fit in memory is spilled. \
                `auto` is two fifths of `--query-memory` and `--query-temp` together.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_auto(text).map(|bytes| config.engine.handles.budget_bytes = bytes)
        },
        current: |config| values::gigabytes_or_auto_text(config.engine.handles.budget_bytes),
    },
    Setting {
        key: "cache_size",
        variable: "POLARWAY_CACHE_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "The RAM cache of this worker, in GB (10⁹ bytes); 0 turns it off.",
        default: None,
        apply: |config, text| values::gigabytes(text).map(|bytes| config.engine.cache_bytes = bytes),
        current: |config| values::in_gigabytes(config.engine.cache_bytes),
    },
    Setting {
        key: "query_memory",
        variable: "POLARWAY_QUERY_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What all queries together may hold in memory, in GB. Beyond it they spill to disk.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_memory_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_memory_bytes),
    },
    Setting {
        key: "query_temp",
        variable: "POLARWAY_QUERY_TEMP",
        value_name: "GB",
        form: Form::Number,
        about: "What all queries together may spill to disk, in GB.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_temp_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_temp_bytes),
    },
    Setting {
        key: "query_threads",
        variable: "POLARWAY_QUERY_THREADS",
        value_name: "N",
        form: Form::Number,
        about: "The threads that queries run on.",
        default: Some("all cores"),
        apply: |config, text| values::count(text).map(|count| config.engine.query_threads = count),
        current: |config| config.engine.query_threads.to_string(),
    },
    Setting {
        key: "query_time",
        variable: "POLARWAY_QUERY_TIME",
        value_name: "DUR",
        form: Form::Text,
        about: "The longest time that a query may take, whatever deadline its caller sets. At most `grace`.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|time| config.engine.query_limits.time = time)
        },
        current: |config| values::duration_text(config.engine.query_limits.time),
    },
    Setting {
        key: "queries_running",
        variable: "POLARWAY_QUERIES_RUNNING",
        value_name: "N",
        form: Form::Number,
        about: "How many queries run at once; others wait for them.",
        default: Some("four for each core"),
        apply: |config, text| values::count(text).map(|count| config.engine.query_limits.running = count),
        current: |config| config.engine.query_limits.running.to_string(),
    },
    Setting {
        key: "queries_waiting",
        variable: "POLARWAY_QUERIES_WAITING",
        value_name: "N",
        form: Form::Number,
        about: "How many queries may wait to run; those that come beyond are told to come back later.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.engine.query_limits.waiting = count),
        current: |config| config.engine.query_limits.waiting.to_string(),
    },
    Setting {
        key: "query_wait",
        variable: "POLARWAY_QUERY_WAIT",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a query may wait to run before it is told to come back later.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|wait| config.engine.query_limits.wait = wait)
        },
        current: |config| values::duration_text(config.engine.query_limits.wait),
    },
    Setting {
        key: "result_rows",
        variable: "POLARWAY_RESULT_ROWS",
        value_name: "N",
        form: Form::Text,
        about: "The most rows of one query's result; `unlimited` is no bound.",
        default: None,
        apply: |config, text| {
            values::count_or_unlimited(text).map(|rows| config.engine.query_limits.result_rows = rows)
        },
        current: |config| values::count_text(config.engine.query_limits.result_rows),
    },
    Setting {
        key: "result_size",
        variable: "POLARWAY_RESULT_SIZE",
        value_name: "GB",
        form: Form::Text,
        about: "The most that one query's result may have, in GB; `unlimited` is no bound.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_unlimited(text).map(|bytes| config.engine.query_limits.result_bytes = bytes)
        },
        current: |config| values::gigabytes_text(config.engine.query_limits.result_bytes),
    },
    Setting {
        key: "process_memory",
        variable: "POLARWAY_PROCESS_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What this process may have in memory, in GB: beyond it the newest large query is stopped.",
        default: Some("nine tenths of what its container or the machine has"),
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_limits.process_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_limits.process_bytes),
    },
    Setting {
        key: "duckdb_path",
        variable: "POLARWAY_DUCKDB_PATH",
        value_name: "FILE",
        form: Form::Text,
        about: "A DuckDB database file whose tables queries read as `analytics.<table>`. It is opened read-only, if it exists.",
        default: Some("<data-dir>/analytics.duckdb"),
        apply: |config, text| values::file(text).map(|file| config.engine.analytics = Some(file)),
        current: |config| {
            config.engine.analytics.as_ref().map_or_else(String::new, |file| file.display().to_string())
        },
    },
    Setting {
        key: "keep_versions",
        variable: "POLARWAY_KEEP_VERSIONS",
        value_name: "N",
        form: Form::Number,
        about: "How many of a dataset's newest versions are always kept.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.engine.retention.versions = count),
        current: |config| config.engine.retention.versions.to_string(),
    },
    Setting {
        key: "grace",
        variable: "POLARWAY_GRACE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long superseded data is kept, whatever its version. At least ten minutes, and longer than the longest \
                query and load.",
        default: None,
        apply: |config, text| values::grace(text).map(|grace| config.engine.retention.grace = grace),
        current: |config| values::duration_text(config.engine.retention.grace),
    },
    Setting {
        key: "orphan_grace",
        variable: "POLARWAY_ORPHAN_GRACE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long data that no version names is kept: a slow upload may yet publish it.",
        default: None,
        apply: |config, text| {
            values::duration(text).map(|grace| config.engine.retention.orphan_grace = grace)
        },
        current: |config| values::duration_text(config.engine.retention.orphan_grace),
    },
    Setting {
        key: "max_staleness",
        variable: "POLARWAY_MAX_STALENESS",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long the newest version is believed to be the newest without asking the storage.",
        default: None,
        apply: |config, text| values::duration(text).map(|staleness| config.engine.max_staleness = staleness),
        current: |config| values::duration_text(config.engine.max_staleness),
    },
    Setting {
        key: "janitor_interval",
        variable: "POLARWAY_JANITOR_INTERVAL",
        value_name: "DUR",
        form: Form::Text,
        about: "How often superseded data is removed and small files are put together; `never` leaves it to other workers.",
        default: None,
        apply: |config, text| {
            values::duration_or_never(text).map(|interval| config.engine.janitor_interval = interval)
        },
        current: |config| values::duration_or_never_text(config.engine.janitor_interval),
    },
    Setting {
        key: "mirror_size",
        variable: "POLARWAY_MIRROR_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "What local copies of data files that lie in no directory may take on disk, in GB.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.mirror_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.mirror_bytes),
    },
    Setting {
        key: "connections",
        variable: "POLARWAY_CONNECTIONS",
        value_name: "N",
        form: Form::Number,
        about: "How many connections there may be at a time; those that come beyond are closed at once. At most half as many as \
                this process may have files open.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.connections = count),
        current: |config| config.connections.to_string(),
    },
    Setting {
        key: "connections_per_address",
        variable: "POLARWAY_CONNECTIONS_PER_ADDRESS",
        value_name: "N",
        form: Form::Number,
        about: "How many connections there may be at a time from one address; with IPv6, from one /64 network. All clients behind \
                one balancer have its address.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.connections_per_address = count),
        current: |config| config.limits.connections_per_address.to_string(),
    },
    Setting {
        key: "handshake_time",
        variable: "POLARWAY_HANDSHAKE_TIME",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a client may take to connect: the handshake of TLS, and the first bytes of HTTP/2.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|time| config.limits.handshake = time),
        current: |config| values::duration_text(config.limits.handshake),
    },
    Setting {
        key: "connection_idle",
        variable: "POLARWAY_CONNECTION_IDLE",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a connection may be open without a call before it is closed, or `never`. Clients connect again by themselves.",
        default: None,
        apply: |config, text| values::duration_or_never(text).map(|idle| config.limits.idle = idle),
        current: |config| values::duration_or_never_text(config.limits.idle),
    },
    Setting {
        key: "calls",
        variable: "POLARWAY_CALLS",
        value_name: "N",
        form: Form::Number,
        about: "How many calls may be in flight at a time; those that come beyond are told to come back later.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.calls = count),
        current: |config| config.limits.calls.to_string(),
    },
    Setting {
        key: "calls_per_caller",
        variable: "POLARWAY_CALLS_PER_CALLER",
        value_name: "N",
        form: Form::Number,
        about: "How many calls of one caller may be in flight at a time. Without tokens, all clients at one address are one caller.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.calls_per_caller = count),
        current: |config| config.limits.calls_per_caller.to_string(),
    },
    Setting {
        key: "calls_per_connection",
        variable: "POLARWAY_CALLS_PER_CONNECTION",
        value_name: "N",
        form: Form::Number,
        about: "How many calls may be open at a time on one connection; the client's HTTP/2 waits with those beyond.",
        default: None,
        apply: |config, text| {
            values::count_below_2_to_32(text).map(|count| config.limits.calls_per_connection = count)
        },
        current: |config| config.limits.calls_per_connection.to_string(),
    },
    Setting {
        key: "uploads_per_caller",
        variable: "POLARWAY_UPLOADS_PER_CALLER",
        value_name: "GB",
        form: Form::Text,
        about: "What the uploads of one caller may have brought and still wait to be worked on, in GB. `auto` is half of the memory \
                that all uploads and loads share.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_auto(text).map(|bytes| config.limits.upload_bytes_per_caller = bytes)
        },
        current: |config| values::gigabytes_or_auto_text(config.limits.upload_bytes_per_caller),
    },
    Setting {
        key: "message_size",
        variable: "POLARWAY_MESSAGE_SIZE",
        value_name: "MIB",
        form: Form::Number,
        about: "The largest chunk of a table in one message of an upload, in MiB (2²⁰ bytes), from 2 to 64. Polarway's clients send \
                chunks of about 1 MiB, and larger ones where a single row is larger.",
        default: None,
        apply: |config, text| values::chunk_mebibytes(text).map(|bytes| config.limits.chunk_bytes = bytes),
        current: |config| (config.limits.chunk_bytes >> 20).to_string(),
    },
    Setting {
        key: "keepalive",
        variable: "POLARWAY_KEEPALIVE",
        value_name: "DUR",
        form: Form::Text,
        about: "The silence of a connection after which its client is asked whether it lives. It has 20 seconds to answer.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|time| config.limits.keepalive = time),
        current: |config| values::duration_text(config.limits.keepalive),
    },
    Setting {
        key: "sql_check_size",
        variable: "POLARWAY_SQL_CHECK_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "What a query may read, besides its own reading, to check its data files against their checksums, in GB; 0 checks \
                none. Each file is checked once.",
        default: None,
        apply: |config, text| values::gigabytes(text).map(|bytes| config.engine.check_bytes = bytes),
        current: |config| values::in_gigabytes(config.engine.check_bytes),
    },
    Setting {
        key: "upload_silence",
        variable: "POLARWAY_UPLOAD_SILENCE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long an upload may bring nothing, not even a heartbeat, before it is given up; and how long the request \
                of any other call may take to arrive.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|silence| config.upload_silence = silence)
        },
        current: |config| values::duration_text(config.upload_silence),
    },
    Setting {
        key: "log_format",
        variable: "POLARWAY_LOG_FORMAT",
        value_name: "FORMAT",
        form: Form::Text,
        about: "The form of the log's lines: `text`, or `json` with one object a line.",
        default: None,
        apply: |config, text| values::log_format(text).map(|format| config.log_format = format),
        current: |config| values::log_format_text(config.log_format).to_owned(),
    },
    Setting {
        key: "slow_query",
        variable: "POLARWAY_SLOW_QUERY",
        value_name: "DUR",
        form: Form::Text,
        about: "A query that takes this long, waiting included, is logged as slow, with the time of each phase; `never` logs none.",
        default: None,
        apply: |config, text| values::duration_or_never(text).map(|slow| config.slow_query = slow),
        current: |config| values::duration_or_never_text(config.slow_query),
    },
    Setting {
        key: "otlp_endpoint",
        variable: "POLARWAY_OTLP_ENDPOINT",
        value_name: "URL",
        form: Form::Text,
        about: "The collector that gets a trace of each call over OTLP (gRPC), such as `http://localhost:4317`. Headers for it are \
                taken from `OTEL_EXPORTER_OTLP_HEADERS`, the part of calls that is recorded from `OTEL_TRACES_SAMPLER`.",
        default: Some("none"),
        apply: |config, text| values::collector(text).map(|endpoint| config.otlp_endpoint = endpoint),
        current: |config| config.otlp_endpoint.clone().unwrap_or_default(),
    },
    Setting {
        key: "metrics",
        variable: "POLARWAY_METRICS_ENABLED",
        value_name: "true|false",
        form: Form::Switch,
        about: "Whether the server measures itself and has an HTTP port with `/metrics` for Prometheus, `/healthz` and `/readyz`.",
        default: None,
        apply: |config, text| values::switch(text).map(|is_on| config.metrics = is_on),
        current: |config| config.metrics.to_string(),
    },
    Setting {
        key: "metrics_port",
        variable: "POLARWAY_METRICS_PORT",
        value_name: "N",
        form: Form::Number,
        about: "The HTTP port of `--metrics`, at the IP address of `--bind`. Port 0 picks a free one, which the log tells.",
        default: None,
        apply: |config, text| values::port(text).map(|port| config.metrics_port = port),
        current: |config| config.metrics_port.to_string(),
    },
    Setting {
        key: "drain_timeout",
        variable: "POLARWAY_DRAIN_TIMEOUT",
        value_name: "DUR",
        form: Form::Text,
        about: "How long calls may take to finish once the server is told to end (SIGTERM). Then they are ended with \
                `SHUTTING_DOWN`, and another worker can be asked.",
        default: None,
        apply: |config, text| values::duration(text).map(|time| config.drain_timeout = time),
        current: |config| values::duration_text(config.drain_timeout),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_each_setting_shows_it_also_reads() {
        let config = ServerConfig::new("/data");
        for setting in SETTINGS {
            let text = (setting.current)(&config);
            let mut changed = config.clone();
            assert_eq!((setting.apply)(&mut changed, &text), Ok(()), "{}", setting.key);
            assert_eq!((setting.current)(&changed), text, "{}", setting.key);
        }
    }

    #[test]
    fn no_two_settings_share_a_key_or_a_variable() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        let variables: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.variable).collect();
        assert_eq!((keys.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
    }
}
