//! Opens DuckDB so that even queries that pass the gate can reach only data files.
//!
//! The order matters: the limits are set after opening (as start-up options they do not bound the temporary space), folders are
//! allowed before everything else is forbidden, and the lock comes last.

use std::path::Path;
use std::sync::Arc;

use super::kept;
use super::native::{Connection, Database, NativeError};
use super::remote_files::Remote;
use super::{analytics, binding};
use crate::analytics::Analytics;
use crate::config::EngineConfig;
use crate::error::Error;
use crate::gate::{PAIRING, PAIRS};
use polarway_sql::literal;

/// A DuckDB that can read only data files.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) database: Arc<Database>,
    pub(crate) analytics: Option<Analytics>,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It runs queries.
    Running,
    /// It binds texts, for plans that others run.
    Binding,
}

/// Opens a locked instance that spills to this folder, and verifies the lock.
pub(super) fn open(
    config: &EngineConfig,
    purpose: Purpose,
    remote: Option<&Arc<Remote>>,
    spill: &Path,
) -> Result<Sandbox, Error> {
    std::fs::create_dir_all(spill)
        .map_err(|error| Error::Configuration(format!("the temporary folder can't be made: {error}")))?;
    let database = Database::open(&[
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("allow_community_extensions", "false"),
    ])
    .map_err(configuration)?;
    let connection = Connection::open(&database).map_err(configuration)?;
    let set = |name: &str, value: &str| {
        connection.execute(&format!("SET GLOBAL {name} = {value}")).map_err(configuration)
    };

    set("temp_directory", &path_literal(spill)?)?;
    prove_temporary_limit(&connection)?;
    set("memory_limit", &literal(&format!("{}B", config.memory_bytes)))?;
    set("max_temp_directory_size", &literal(&format!("{}B", config.temp_bytes)))?;
    set("threads", &config.threads.max(1).to_string())?;

    // Return freed memory to the system also while nothing runs.
    set("allocator_background_threads", "true")?;

    set("TimeZone", "'UTC'")?;
    set("preserve_insertion_order", "true")?;
    set("arrow_large_buffer_size", "false")?;
    set("produce_arrow_string_view", "false")?;
    set("arrow_lossless_conversion", "false")?;
    set("arrow_output_version", "'1.0'")?;
    set("enable_geoparquet_conversion", "false")?;
    // DuckDB checks a cached footer against the file's modification time.
    set("parquet_metadata_cache", "true")?;
    set("allow_persistent_secrets", "false")?;
    if purpose == Purpose::Binding {
        set("disabled_optimizers", &literal(&binding::DISABLED_OPTIMIZERS.join(",")))?;
    }

    // A file that does not exist yet can't be opened read-only.
    let file = config.analytics.as_deref().filter(|file| file.exists());
    let analytics = file.map(|file| analytics::attach(&connection, file)).transpose()?;

    connection.execute(&format!("ATTACH ':memory:' AS {}", kept::DATABASE)).map_err(configuration)?;

    bound_pairing(&connection).map_err(configuration)?;

    if let Some(remote) = remote {
        let registered = connection.read_through(remote.prefix(), Arc::clone(remote) as _);
        registered.map_err(|error| Error::Configuration(error.to_string()))?;
    }
    let prefix = remote.map(|remote| remote.prefix());
    set("allowed_directories", &allowed_directories(&config.readable, prefix)?)?;
    set("enable_external_access", "false")?;
    set("lock_configuration", "true")?;
    prove_locked(&connection, config)?;
    Ok(Sandbox { database, analytics })
}

/// Limits the functions that compare all pairs of their texts' characters: nothing stops them within one value. For a name
/// without a schema, DuckDB prefers the database's function to the built-in one.
fn bound_pairing(connection: &Connection) -> Result<(), NativeError> {
    for name in PAIRING {
        let forms: &[&str] = if name.starts_with("jaro") { &["a, b", "a, b, c"] } else { &["a, b"] };
        let forms: Vec<String> = forms
            .iter()
            .map(|parameters| {
                let message = format!("{name}() compares {PAIRS} pairs of characters in one value at most");
                format!(
                    "({parameters}) AS CASE WHEN strlen(a) * strlen(b) > {PAIRS} THEN error({}) \
                     ELSE system.main.{name}({parameters}) END",
                    literal(&message)
                )
            })
            .collect();
        connection.execute(&format!("CREATE MACRO {name}{}", forms.join(", ")))?;
    }
    Ok(())
}

/// Folders by their configured and their resolved paths, since DuckDB compares paths as text, and the prefix of remote files.
fn allowed_directories(folders: &[std::path::PathBuf], prefix: Option<&str>) -> Result<String, Error> {
    let mut allowed: Vec<String> = prefix.map(literal).into_iter().collect();
    for folder in folders {
        let real = std::fs::canonicalize(folder).map_err(|error| {
            Error::Configuration(format!("the folder {} is not there: {error}", folder.display()))
        })?;
        for path in [folder, &real] {
            let path = path_literal(path)?;
            if !allowed.contains(&path) {
                allowed.push(path);
            }
        }
    }
    Ok(format!("[{}]", allowed.join(", ")))
}

fn path_literal(path: &Path) -> Result<String, Error> {
    path.to_str()
        .map(literal)
        .ok_or_else(|| Error::Configuration(format!("the path {} is not UTF-8", path.display())))
}

/// Spills more than a tiny limit allows, and expects an error.
fn prove_temporary_limit(connection: &Connection) -> Result<(), Error> {
    let execute = |sql: &str| connection.execute(sql);
    execute("SET GLOBAL threads = 1").map_err(configuration)?;
    execute("SET GLOBAL memory_limit = '16MiB'").map_err(configuration)?;
    execute("SET GLOBAL max_temp_directory_size = '1MiB'").map_err(configuration)?;
    let spilled =
        execute("CREATE TEMP TABLE spill AS SELECT hash(range) AS a, hash(a) AS b FROM range(3000000)");
    match spilled {
        Err(error) if error.0.starts_with("Out of Memory") => Ok(()),
        Err(error) => Err(configuration(error)),
        Ok(()) => {
            Err(Error::Configuration("DuckDB does not keep to its limit of temporary space".to_owned()))
        }
    }
}

fn prove_locked(connection: &Connection, config: &EngineConfig) -> Result<(), Error> {
    let unproved = |what: &str| Error::Configuration(format!("DuckDB does not keep the setting: {what}"));
    let expected = [
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
        ("autoload_known_extensions", "false"),
        ("autoinstall_known_extensions", "false"),
        ("preserve_insertion_order", "true"),
        ("TimeZone", "UTC"),
    ];
    let threads = config.threads.max(1).to_string();
    for (name, value) in expected.into_iter().chain([("threads", threads.as_str())]) {
        if setting(connection, name)? != value {
            return Err(unproved(name));
        }
    }
    for (name, bytes) in
        [("memory_limit", config.memory_bytes), ("max_temp_directory_size", config.temp_bytes)]
    {
        let read_back = parse_bytes(&setting(connection, name)?).ok_or_else(|| unproved(name))?;
        // DuckDB prints one decimal place.
        if (read_back - bytes as f64).abs() > bytes as f64 * 0.1 {
            return Err(unproved(name));
        }
    }
    let outside = std::env::current_exe()
        .map_err(|error| Error::Configuration(format!("the running program can't be found: {error}")))?;
    let forbidden = [
        format!("SELECT size FROM read_blob({})", path_literal(&outside)?),
        "SET GLOBAL threads = 1".to_owned(),
        "SET GLOBAL enable_external_access = true".to_owned(),
        "INSTALL httpfs".to_owned(),
    ];
    for sql in forbidden {
        if connection.execute(&sql).is_ok() {
            return Err(unproved(&sql));
        }
    }
    Ok(())
}

fn setting(connection: &Connection, name: &str) -> Result<String, Error> {
    let sql = format!("SELECT CAST(current_setting({}) AS VARCHAR)", literal(name));
    Ok(connection.text(&sql).map_err(configuration)?.unwrap_or_default())
}

/// Reads sizes as DuckDB prints them: `953.6 MiB`.
fn parse_bytes(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    let power = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"].into_iter().position(|known| known == unit)?;
    Some(number * 1024_f64.powi(i32::try_from(power).ok()?))
}

fn configuration(error: NativeError) -> Error {
    Error::Configuration(format!("DuckDB can't be opened as configured: {error}"))
}
