//! Commands that show something: ls, describe, versions, stats.

use arrow_schema::{FieldRef, Schema};
use polarway::{CacheStats, Dataset, Description, ServerInfo, VersionKind};
use serde_json::json;

use super::kept;
use super::listing::{Values, human_bytes, print};
use crate::arguments::{Describe, ListFormat, Ls, Stats, Versions};
use crate::failure::Result;
use crate::output::{grouped, type_name};
use crate::time;

/// The message if there are no datasets.
pub(crate) const NO_DATASETS: &str = "no datasets yet: `polarway store NAME FILE` makes one";

pub(crate) async fn ls(ls: Ls) -> Result<()> {
    let datasets = ls.connection.connect().await?.datasets().await?;
    print_datasets(&datasets, ls.list.format, NO_DATASETS)
}

/// Prints a list of datasets, with the reason for each that can't be read. For people, `empty` is the message of an empty one.
pub(crate) fn print_datasets(datasets: &[Dataset], format: ListFormat, empty: &str) -> Result<()> {
    fn known<T>(dataset: &Dataset, value: T) -> Option<T> {
        dataset.error.is_none().then_some(value)
    }
    let mut columns = vec![
        ("name", Values::Texts(datasets.iter().map(|dataset| dataset.name.to_string()).collect())),
        ("version", Values::numbers(datasets.iter().map(|dataset| known(dataset, dataset.version)))),
        ("rows", Values::numbers(datasets.iter().map(|dataset| known(dataset, dataset.rows)))),
        ("bytes", Values::bytes(datasets.iter().map(|dataset| known(dataset, dataset.bytes)))),
        ("stored", Values::times(datasets.iter().map(|dataset| known(dataset, dataset.time_us)))),
    ];
    if datasets.iter().any(|dataset| dataset.error.is_some()) {
        let errors = datasets.iter().map(|dataset| dataset.error.clone().unwrap_or_default());
        columns.push(("error", Values::Texts(errors.collect())));
    }
    print(columns, format, empty)
}

pub(crate) async fn versions(versions: Versions) -> Result<()> {
    let name = &versions.name;
    let list = versions.connection.connect().await?.versions(name).await;
    let list = list.map_err(|error| kept::failure_of(name, &format!("handles show {name}"), error))?;
    let columns = vec![
        ("version", Values::numbers(list.iter().map(|version| version.version))),
        ("made by", Values::Texts(list.iter().map(|version| kind(version.kind).to_owned()).collect())),
        ("rows", Values::numbers(list.iter().map(|version| version.rows))),
        ("bytes", Values::bytes(list.iter().map(|version| version.bytes))),
        ("files", Values::numbers(list.iter().map(|version| version.files))),
        ("time", Values::times(list.iter().map(|version| version.time_us))),
        ("data", Values::Texts(list.iter().map(|version| data(version.vacuumed).to_owned()).collect())),
    ];
    print(columns, versions.list.format, "no versions")
}

fn kind(kind: VersionKind) -> &'static str {
    match kind {
        VersionKind::Adopted => "files",
        VersionKind::Overwrite => "store",
        VersionKind::Append => "append",
        VersionKind::Delete => "rm",
        _ => "",
    }
}

fn data(vacuumed: bool) -> &'static str {
    if vacuumed { "removed" } else { "kept" }
}

pub(crate) async fn describe(describe: Describe) -> Result<()> {
    let client = describe.connection.connect().await?;
    let description = client.describe_at(&describe.name, describe.at.version()).await;
    print_description(&described(&describe.name, description)?, describe.list.format)
}

/// A dataset's description. For the id of a kept result, the error names the command that shows it.
pub(crate) fn described(name: &str, description: polarway::Result<Description>) -> Result<Description> {
    description.map_err(|error| kept::failure_of(name, &format!("handles show {name}"), error))
}

/// Prints a dataset's columns and, except as CSV, its size.
pub(crate) fn print_description(description: &Description, format: ListFormat) -> Result<()> {
    match format {
        ListFormat::Json => {
            println!("{}", as_json(description));
            return Ok(());
        }
        ListFormat::Table => {
            let Description { name, version, time_us, rows, files, bytes, arrow_bytes, .. } = description;
            println!("{name}, version {version} of {}", time::show(*time_us));
            println!(
                "{} rows, {} in {}, {} in memory",
                grouped(*rows),
                human_bytes(*bytes),
                if *files == 1 { "1 file".to_owned() } else { format!("{} files", grouped(*files)) },
                human_bytes(*arrow_bytes),
            );
        }
        ListFormat::Csv => {}
    }
    print_columns(&description.schema, format)
}

/// Prints the columns of a table as a list.
pub(super) fn print_columns(schema: &Schema, format: ListFormat) -> Result<()> {
    let fields = schema.fields();
    let columns = vec![
        ("column", Values::Texts(fields.iter().map(|field| field.name().clone()).collect())),
        ("type", Values::Texts(fields.iter().map(|field| type_name(field.data_type())).collect())),
        ("null", Values::Texts(fields.iter().map(|field| yes(field.is_nullable()).to_owned()).collect())),
    ];
    print(columns, format, "no columns")
}

/// The columns of a table, for a description as JSON.
pub(super) fn columns_as_json(schema: &Schema) -> Vec<serde_json::Value> {
    let column = |field: &FieldRef| json!({"column": field.name(), "type": type_name(field.data_type()), "null": field.is_nullable()});
    schema.fields().iter().map(column).collect()
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn as_json(description: &Description) -> serde_json::Value {
    let Description { name, version, time_us, schema, rows, files, bytes, arrow_bytes } = description;
    json!({
        "name": name.as_str(), "version": version, "time": time::show(*time_us), "rows": rows, "files": files, "bytes": bytes,
        "arrow_bytes": arrow_bytes, "columns": columns_as_json(schema),
    })
}

pub(crate) async fn stats(stats: Stats) -> Result<()> {
    let client = stats.connection.connect().await?;
    let (info, cache) = tokio::try_join!(client.server_info(), client.cache_stats())?;
    let ServerInfo { server_version, protocol_revision, duckdb_version, worker_id, started_us, .. } = info;
    let hit_rate = cache.hit_rate();
    let CacheStats { hits, misses, tables, bytes, capacity_bytes, evictions } = cache;
    if stats.list.format == ListFormat::Json {
        println!(
            "{}",
            json!({
                "server_version": server_version, "protocol_revision": protocol_revision,
                "duckdb_version": duckdb_version, "worker_id": worker_id, "started": time::show(started_us),
                "cache": {
                    "hits": hits, "misses": misses, "hit_rate": hit_rate, "tables": tables, "bytes": bytes,
                    "capacity_bytes": capacity_bytes, "evictions": evictions,
                },
            })
        );
        return Ok(());
    }
    let facts = [
        ("server", server_version),
        ("protocol", format!("polarway.v1, revision {protocol_revision}")),
        ("DuckDB", duckdb_version),
        ("worker", worker_id),
        ("started", time::show(started_us)),
        ("cache hit rate", format!("{:.1} % of {}", hit_rate * 100.0, grouped(hits + misses))),
        ("cache tables", grouped(tables)),
        ("cache bytes", format!("{} of {}", human_bytes(bytes), human_bytes(capacity_bytes))),
        ("cache evictions", grouped(evictions)),
    ];
    let (names, values) = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).unzip();
    print(vec![("what", Values::Texts(names)), ("value", Values::Texts(values))], stats.list.format, "")
}
