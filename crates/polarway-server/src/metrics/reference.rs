//! The metrics as a page of the documentation.

use std::fmt::Write as _;

use polarway_core::metrics::{DURATION_BUCKETS, ENGINE_METRICS, Metric};

use super::list::SERVER_METRICS;

/// The page, in Markdown. `docs/metrics.md` is this text.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let buckets = DURATION_BUCKETS.map(|bound| bound.to_string()).join(", ");
    let _ = writeln!(page, "Histograms are in seconds, with buckets up to {buckets}.\n");
    for (title, metrics) in [("The server", SERVER_METRICS), ("The engine", ENGINE_METRICS)] {
        let _ = writeln!(page, "## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|");
        for metric in metrics {
            let Metric { name, kind, about, .. } = metric;
            let _ = writeln!(page, "| `{name}` | {kind} | {} | {about} |", labels(metric));
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn labels(metric: &Metric) -> String {
    match metric.labels {
        [] => "–".to_owned(),
        labels => {
            let labels = labels.iter().map(|label| format!("`{}`: {}", label.name, label.values));
            labels.collect::<Vec<_>>().join("; ")
        }
    }
}

const INTRODUCTION: &str = "\
# Metrics

With `--metrics`, `http://…:9090/metrics` has these metrics in the text format of Prometheus. All of them are there from the \
start, with 0 where nothing has happened yet; counters begin with the process. The values of all labels are bounded, and none \
comes from a caller. This page is made from the metrics' definitions.

";
