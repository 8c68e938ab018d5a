//! Results that are kept on the server: `query --keep` makes them, `handles` manages them.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use polarway::{EngineChoice, HandleInfo, HandleOptions};
use serde_json::json;

use super::listing::{Values, human_bytes, print};
use super::look::{columns_as_json, print_columns};
use crate::arguments::{
    DropHandles, ExtendHandle, Handles, HandlesCommand, ListFormat, Ls, Query, ShowHandle,
};
use crate::failure::Result;
use crate::output::grouped;
use crate::{parameters, time};

/// The message if there are no handles.
const NO_HANDLES: &str = "no handles: `polarway query --keep SQL` makes one";

/// Runs a query and prints only the id of its result, so that a script can use it.
pub(super) async fn keep(sql: &str, query: Query) -> Result<()> {
    let client = query.connection.connect().await?;
    let parameters = parameters::values(query.parameters)?;
    let engine = query.engine.map(EngineChoice::from).unwrap_or_default();
    let options = HandleOptions { parameters, time: query.time, ttl: query.ttl, request: None, engine };
    let handle = client.query_handle_with(sql, options).await?;
    handle.keep();
    if io::stderr().is_terminal() {
        eprintln!("{}", size_and_expiry(&handle.info()));
    }
    println!("{}", handle.id());
    Ok(())
}

pub(super) async fn handles(handles: Handles) -> Result<()> {
    match handles.command {
        HandlesCommand::Ls(list) => ls(list).await,
        HandlesCommand::Show(handle) => show(handle).await,
        HandlesCommand::Drop(handles) => drop(handles).await,
        HandlesCommand::Extend(handle) => extend(handle).await,
    }
}

async fn ls(ls: Ls) -> Result<()> {
    let handles = ls.connection.connect().await?.handles().await?;
    let columns = vec![
        ("id", Values::Texts(handles.iter().map(|handle| handle.id.to_string()).collect())),
        ("rows", Values::numbers(handles.iter().map(|handle| handle.rows))),
        ("bytes", Values::bytes(handles.iter().map(|handle| handle.bytes))),
        ("created", Values::times(handles.iter().map(|handle| handle.created_us))),
        ("expires", Values::times(handles.iter().map(|handle| handle.expires_us))),
    ];
    print(columns, ls.list.format, NO_HANDLES)
}

async fn show(show: ShowHandle) -> Result<()> {
    let info = show.connection.connect().await?.handle(&show.id).await?.info();
    match show.list.format {
        ListFormat::Json => {
            println!("{}", as_json(&info));
            return Ok(());
        }
        ListFormat::Table => {
            println!("{}, made {}", info.id, time::show(info.created_us));
            println!("{}", size_and_expiry(&info));
        }
        ListFormat::Csv => {}
    }
    print_columns(&info.schema, show.list.format)
}

async fn drop(drop: DropHandles) -> Result<()> {
    let client = drop.connection.connect().await?;
    for id in &drop.ids {
        client.drop_handle(id).await?;
        println!("{id}: dropped");
    }
    Ok(())
}

async fn extend(extend: ExtendHandle) -> Result<()> {
    let client = extend.connection.connect().await?;
    let info = client.extend_handle(&extend.id, extend.ttl).await?;
    println!("{}: {}", info.id, expiry(&info));
    Ok(())
}

fn size_and_expiry(info: &HandleInfo) -> String {
    format!("{} rows, {} in memory, {}", grouped(info.rows), human_bytes(info.bytes), expiry(info))
}

fn expiry(info: &HandleInfo) -> String {
    let ttl = Duration::from_millis(u64::try_from(info.ttl.as_millis()).unwrap_or(u64::MAX));
    format!("expires {}, {} after its last use", time::show(info.expires_us), humantime::format_duration(ttl))
}

fn as_json(info: &HandleInfo) -> serde_json::Value {
    let HandleInfo { id, schema, rows, bytes, created_us, expires_us, ttl } = info;
    json!({
        "id": id.as_str(), "rows": rows, "bytes": bytes, "created": time::show(*created_us), "expires": time::show(*expires_us),
        "ttl_us": u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX), "columns": columns_as_json(schema),
    })
}
