//! The status page: what this worker has, and what it does.

use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polarway_core::{
    Action, CacheStats, Dataset, Handle, Polarway, QueryOutcome, QueryStatus, Target, duckdb_version,
};
use polarway_distributed::WorkerStatus;
use polarway_model::Peer;

use super::html::Html;
use crate::failure::chain;
use crate::peers::PeerView;
use crate::readiness::Part;
use crate::slow_queries::SlowQuery;

/// The most rows of a table. A page with thousands of datasets would be slow to make and to read.
const MOST_ROWS: usize = 200;

/// How much of a query's text is shown, in bytes.
const MOST_TEXT_BYTES: usize = 2_000;

/// The first microsecond of the year 10000, which has no form in RFC 3339.
const YEAR_10000_US: u64 = 253_402_300_800_000_000;

/// What the page shows to one caller.
pub(super) struct Status {
    uptime: Duration,
    problems: Vec<(Part, String)>,
    /// Why the cold tier takes no writes, if it takes none.
    refused_writes: Option<&'static str>,
    /// Each query, and whether the caller may cancel it.
    queries: Result<Vec<(QueryStatus, bool)>, String>,
    slow_queries: Option<Vec<SlowQuery>>,
    /// The workers that run queries together, and what this one holds for such queries.
    workers: Option<(Vec<Peer>, WorkerStatus)>,
    /// The first datasets by name, and whether these are all.
    datasets: Result<(Vec<Dataset>, bool), String>,
    handles: Result<Vec<Handle>, String>,
    cache: Result<CacheStats, String>,
}

impl Status {
    /// Reads everything that the engine's caller may see.
    pub(super) async fn look(
        engine: &Polarway,
        started: SystemTime,
        problems: Vec<(Part, String)>,
        slow_queries: Option<Vec<SlowQuery>>,
        peers: Option<&PeerView>,
    ) -> Self {
        let words = |error: polarway_core::Error| chain(&error);
        let may = |action, owner: &str| engine.authorize(action, Target::RunningQuery { owner }).is_ok();
        let queries = engine.queries().map_err(words).map(|queries| {
            let with_right = |query: QueryStatus| {
                let may_cancel = may(Action::Delete, &query.owner);
                (query, may_cancel)
            };
            queries.into_iter().map(with_right).collect()
        });
        let slow_queries = slow_queries.map(|mut slow| {
            slow.retain(|query| may(Action::Read, &query.owner));
            slow
        });
        // The addresses of workers are for those who see all of the engine.
        let sees_all = engine.authorize(Action::Read, Target::Statistics).is_ok();
        let workers = peers.filter(|_| sees_all).map(|peers| (peers.peers(), peers.status()));
        Self {
            uptime: started.elapsed().unwrap_or_default(),
            problems,
            refused_writes: engine.cold_tier_refuses_writes(),
            queries,
            slow_queries,
            workers,
            datasets: engine.datasets_after("", MOST_ROWS).await.map_err(words),
            handles: engine.handles().await.map_err(words),
            cache: engine.cache_stats().map_err(words),
        }
    }

    /// The page. Its forms contain this mark.
    pub(super) fn page(&self, caller: &str, mark: &str) -> String {
        let mut html = Html::default();
        html.markup(HEAD);
        self.header(&mut html, caller);
        section(&mut html, "Queries", &self.queries, |html, queries| running(html, queries, mark));
        if let Some(slow) = &self.slow_queries {
            html.markup("<section><h2>Recent slow queries</h2>");
            slow_queries(&mut html, slow);
            html.markup("</section>");
        }
        if let Some((peers, own)) = &self.workers {
            html.markup("<section><h2>Workers</h2>");
            table_of_workers(&mut html, peers, own);
            html.markup("</section>");
        }
        section(&mut html, "Datasets", &self.datasets, |html, (datasets, are_all)| {
            table_of_datasets(html, datasets, *are_all);
        });
        section(&mut html, "Handles", &self.handles, |html, handles| table_of_handles(html, handles));
        section(&mut html, "Cache", &self.cache, cache);
        html.markup("</body></html>\n");
        html.into_text()
    }

    fn header(&self, html: &mut Html, caller: &str) {
        html.markup("<header><h1>Polarway</h1>");
        match self.problems.is_empty() {
            true => html.markup("<span class=\"good\">ready</span>"),
            false => html.markup("<span class=\"bad\">not ready</span>"),
        };
        html.markup("<span class=\"quiet\">version ").data(env!("CARGO_PKG_VERSION"));
        html.markup(", DuckDB ").data(duckdb_version());
        html.markup("</span><span class=\"quiet\">up for ").data(seconds(self.uptime));
        html.markup("</span><span class=\"quiet\">you are ").data(caller);
        html.markup("</span><a href=\"/\">refresh</a></header>");
        if !self.problems.is_empty() {
            html.markup("<section><h2>Not ready</h2>");
            for (part, problem) in &self.problems {
                html.markup("<p class=\"bad\">").data(part).markup(": ").data(problem).markup("</p>");
            }
            html.markup("</section>");
        }
        if let Some(reason) = &self.refused_writes {
            html.markup("<section><h2>No writes</h2><p class=\"bad\">").data(Part::ColdTier);
            html.markup(" takes no writes: ").data(reason).markup("</p></section>");
        }
    }
}

/// A page with a message.
pub(super) fn message(title: &str, text: impl Display) -> String {
    let mut html = Html::default();
    html.markup(HEAD).markup("<header><h1>").data(title).markup("</h1></header><section><p>");
    html.data(text).markup("</p></section><p><a href=\"/\">To the status page</a></p></body></html>\n");
    html.into_text()
}

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Polarway</title>\
                    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
                    <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/status.css\"></head><body>";

fn section<T>(
    html: &mut Html,
    title: &'static str,
    content: &Result<T, String>,
    show: impl FnOnce(&mut Html, &T),
) {
    html.markup("<section><h2>").markup(title).markup("</h2>");
    match content {
        Ok(content) => show(html, content),
        Err(error) => {
            html.markup("<p class=\"quiet\">").data(error).markup("</p>");
        }
    }
    html.markup("</section>");
}

fn none(html: &mut Html) {
    html.markup("<p class=\"quiet\">none</p>");
}

fn running(html: &mut Html, queries: &[(QueryStatus, bool)], mark: &str) {
    if queries.is_empty() {
        return none(html);
    }
    html.markup(
        "<table><tr><th>Query</th><th>Owner</th><th>Phase</th><th class=\"number\">Since</th>\
         <th class=\"number\">Rows</th><th></th></tr>",
    );
    for (query, may_cancel) in queries {
        let cut = query.sql.floor_char_boundary(MOST_TEXT_BYTES);
        html.markup("<tr><td><code>").data(&query.sql[..cut]).markup("</code></td>");
        html.cell(&query.owner).cell(query.phase.name());
        html.number(seconds(query.started.elapsed().unwrap_or_default())).number(query.summary.rows);
        html.markup("<td>");
        if *may_cancel {
            html.markup(
                "<form method=\"post\" action=\"/cancel\"><input type=\"hidden\" name=\"query\" value=\"",
            );
            html.data(query.id).markup("\"><input type=\"hidden\" name=\"mark\" value=\"").data(mark);
            html.markup("\"><button>Cancel</button></form>");
        }
        html.markup("</td></tr>");
    }
    html.markup("</table>");
}

fn slow_queries(html: &mut Html, slow: &[SlowQuery]) {
    if slow.is_empty() {
        return none(html);
    }
    html.markup(
        "<table><tr><th>Query</th><th>Owner</th><th>Ended</th><th>How</th><th class=\"number\">Waited</th>\
         <th class=\"number\">Took</th><th class=\"number\">Rows</th></tr>",
    );
    for query in slow {
        let how = match query.outcome {
            QueryOutcome::Succeeded => "succeeded",
            QueryOutcome::Failed => "failed",
            QueryOutcome::Stopped => "stopped",
            QueryOutcome::Refused => "refused",
        };
        html.markup("<tr><td><code>").data(&query.sql).markup("</code></td>");
        html.cell(&query.owner).cell(humantime::format_rfc3339_seconds(query.ended)).cell(how);
        html.number(seconds(query.times.waiting)).number(seconds(query.times.total())).number(query.rows);
        html.markup("</tr>");
    }
    html.markup("</table>");
}

fn table_of_workers(html: &mut Html, peers: &[Peer], own: &WorkerStatus) {
    html.markup("<p class=\"quiet\">This worker takes part in ").data(own.queries);
    html.markup(" queries of several workers. They hold ").data(size(own.memory_bytes as u64));
    html.markup(" of its memory, and ").data(size(own.spilled_bytes)).markup(" of its disk.</p>");
    html.markup(
        "<table><tr><th>Worker</th><th>State</th><th class=\"number\">Queries</th><th>Reason</th></tr>",
    );
    for peer in peers.iter().take(MOST_ROWS) {
        html.markup("<tr>").cell(&peer.address).cell(match peer.is_own {
            true => format!("{} (this one)", peer.state.name()),
            false => peer.state.name().to_owned(),
        });
        html.number(peer.queries).cell(peer.reason.as_deref().unwrap_or_default()).markup("</tr>");
    }
    html.markup("</table>");
    if peers.len() > MOST_ROWS {
        html.markup("<p class=\"quiet\">and ").data(peers.len() - MOST_ROWS).markup(" more</p>");
    }
}

fn table_of_datasets(html: &mut Html, datasets: &[Dataset], are_all: bool) {
    if datasets.is_empty() {
        return none(html);
    }
    html.markup(
        "<table><tr><th>Name</th><th class=\"number\">Version</th><th class=\"number\">Rows</th>\
         <th class=\"number\">Size</th><th>Changed</th></tr>",
    );
    for dataset in datasets {
        html.markup("<tr>").cell(dataset.name.as_str());
        match &dataset.error {
            Some(error) => {
                html.markup("<td colspan=\"4\" class=\"bad\">").data(error).markup("</td>");
            }
            None => {
                html.number(dataset.version)
                    .number(dataset.rows)
                    .number(size(dataset.bytes))
                    .cell(time(dataset.time_us));
            }
        }
        html.markup("</tr>");
    }
    html.markup("</table>");
    if !are_all {
        html.markup("<p class=\"quiet\">and more</p>");
    }
}

fn table_of_handles(html: &mut Html, handles: &[Handle]) {
    if handles.is_empty() {
        return none(html);
    }
    html.markup(
        "<table><tr><th>Handle</th><th>Owner</th><th class=\"number\">Rows</th><th class=\"number\">Size</th>\
         <th>Expires</th></tr>",
    );
    for handle in handles.iter().take(MOST_ROWS) {
        html.markup("<tr>").cell(handle.id).cell(handle.owner.as_deref().unwrap_or("–"));
        html.number(handle.rows).number(size(handle.bytes)).cell(time(handle.lease.expires_us));
        html.markup("</tr>");
    }
    html.markup("</table>");
    if handles.len() > MOST_ROWS {
        html.markup("<p class=\"quiet\">and ").data(handles.len() - MOST_ROWS).markup(" more</p>");
    }
}

fn cache(html: &mut Html, cache: &CacheStats) {
    let fact = |html: &mut Html, name: &'static str, value: &dyn Display| {
        html.markup("<div><dt>").markup(name).markup("</dt><dd>").data(value).markup("</dd></div>");
    };
    html.markup("<dl>");
    fact(html, "Hit rate", &format_args!("{:.1} %", cache.hit_rate() * 100.0));
    fact(html, "Hits", &cache.hits);
    fact(html, "Misses", &cache.misses);
    fact(html, "Tables", &cache.tables);
    fact(html, "Size", &format_args!("{} of {}", size(cache.bytes), size(cache.capacity_bytes)));
    fact(html, "Evictions", &cache.evictions);
    html.markup("</dl>");
}

/// A duration for people, rounded.
fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => humantime::format_duration(Duration::from_secs(whole)).to_string(),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A time by its microseconds since 1970.
fn time(micros: i64) -> String {
    match u64::try_from(micros) {
        Ok(micros) if micros < YEAR_10000_US => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_micros(micros)).to_string()
        }
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1_000, 2_500_000].map(size), ["0 B", "999 B", "1.0 kB", "2.5 MB"]);
        let durations = [5, 1_500, 3_661_000].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(durations, ["5 ms", "1.5 s", "1h 1m 1s"]);
        assert_eq!([-1, 0, i64::MAX].map(time), ["–", "1970-01-01T00:00:00Z", "–"]);
    }
}
