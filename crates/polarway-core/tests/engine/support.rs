//! What the tests share.

use std::sync::Arc;
use std::time::Duration;

use polarway_core::arrow::array::{Int64Array, RecordBatch, StringArray};
use polarway_core::components::{Backend, ManualClock};
use polarway_core::{Builder, Config, Polarway, Table};
use tempfile::TempDir;

use crate::timed::TimedBackend;

/// 2026-01-01 00:00 UTC, where tests of time begin.
pub(crate) const START_US: i64 = 1_767_225_600_000_000;

/// An engine in a new folder, which goes with the guard.
pub(crate) async fn engine() -> (Polarway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Polarway::open(config(&folder)).await.unwrap(), folder)
}

/// A configuration whose janitor leaves the tests alone.
pub(crate) fn config(folder: &TempDir) -> Config {
    let mut config = Config::new(folder.path());
    config.janitor_interval = None;
    config
}

/// The same engine, on storages that go by a clock which the test moves, as the engine does.
pub(crate) fn by_clock(config: Config, clock: &Arc<ManualClock>) -> Builder {
    let of_storage = Arc::clone(clock);
    let layer = move |storage| TimedBackend::new(storage, of_storage.clone()) as Arc<dyn Backend>;
    Polarway::builder(config).clock(clock.clone()).storage_layer(layer)
}

/// Waits for something that other threads do, without a clock; fails after a minute.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(60), waiting).await.is_ok(),
        "it is not so after a minute"
    );
}

/// A table of trades: a symbol and a price in cents.
pub(crate) fn trades(rows: &[(&str, i64)]) -> RecordBatch {
    let symbols: StringArray = rows.iter().map(|(symbol, _)| Some(*symbol)).collect();
    let cents: Int64Array = rows.iter().map(|(_, cents)| Some(*cents)).collect();
    RecordBatch::try_from_iter([("symbol", Arc::new(symbols) as _), ("cents", Arc::new(cents) as _)]).unwrap()
}

/// A table as text, one line per row, cells joined by commas.
pub(crate) fn lines(table: &Table) -> Vec<String> {
    use polarway_core::arrow::util::display::array_value_to_string;

    let mut lines = Vec::new();
    for batch in table.batches() {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            lines.push(cells.collect::<Vec<_>>().join(","));
        }
    }
    lines
}
