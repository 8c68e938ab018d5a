//! Commands on running queries: queries, cancel.

use std::time::Duration;

use serde_json::json;

use super::listing::{Values, print};
use crate::arguments::{Cancel, ListFormat, Queries};
use crate::failure::Result;
use crate::time;

pub(crate) async fn queries(queries: Queries) -> Result<()> {
    let running = queries.connection.connect().await?.queries().await?;
    if queries.list.format == ListFormat::Json {
        for query in running {
            println!(
                "{}",
                json!({
                    "id": query.query_id, "phase": query.phase.name(), "started": time::show(query.started_us),
                    "elapsed_us": query.elapsed.as_micros() as u64, "rows": query.rows, "bytes": query.bytes, "sql": query.sql,
                })
            );
        }
        return Ok(());
    }
    let texts =
        |text: fn(&polarway::RunningQuery) -> String| Values::Texts(running.iter().map(text).collect());
    let columns = vec![
        ("id", texts(|query| query.query_id.clone())),
        ("phase", texts(|query| query.phase.name().to_owned())),
        ("time", texts(|query| elapsed(query.elapsed))),
        ("rows", Values::numbers(running.iter().map(|query| query.rows))),
        ("query", texts(|query| on_one_line(&query.sql))),
    ];
    print(columns, queries.list.format, "no queries")
}

pub(crate) async fn cancel(cancel: Cancel) -> Result<()> {
    cancel.connection.connect().await?.cancel_query(&cancel.id).await?;
    Ok(())
}

fn elapsed(time: Duration) -> String {
    let millis = Duration::from_millis(time.as_millis() as u64);
    humantime::format_duration(millis).to_string()
}

fn on_one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
