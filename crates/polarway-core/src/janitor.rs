//! Compaction and retention of the cold tier and of handles, at intervals, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use polarway_handles::HandleStore;
use polarway_storage::{Clock, DatasetName, Rounds, Stopping, Tables};

use crate::error::{Error, ErrorKind, Result};

/// Starts the janitor's thread. Dropping the result waits until the current dataset is done, and ends the thread.
pub(crate) fn start(
    tables: Arc<Tables>,
    handles: Arc<dyn HandleStore>,
    interval: Duration,
    clock: Arc<dyn Clock>,
) -> Result<Rounds> {
    let round = move |stopping: &Stopping| {
        // Handles of this process alone are tidied by their own thread.
        if handles.is_shared()
            && let Err(error) = handles.tidy()
        {
            tracing::warn!(%error, "the janitor could not tidy the handles");
        }
        tidy_all(&tables, stopping);
        Some(interval)
    };
    Rounds::start("polarway-janitor", clock, Some(interval), round).map_err(|error| {
        Error::new(ErrorKind::ResourceExhausted, "can't start the janitor's thread").caused_by(error)
    })
}

fn tidy_all(tables: &Tables, stopping: &Stopping) {
    match tables.remove_unfinished(|_| true) {
        Ok(0) => {}
        Ok(uploads) => tracing::info!(uploads, "removed uploads that were not completed"),
        // Credentials need a right of their own for that, and a rule of the bucket can do it as well.
        Err(error) => tracing::debug!(%error, "the janitor can't remove uploads that were not completed"),
    }
    // Deleted datasets, and those that a writer began and did not make, have data too.
    let names = match tables.possible_names() {
        Ok(names) => names,
        Err(error) => return tracing::warn!(%error, "the janitor can't list the datasets"),
    };
    for name in names {
        if stopping.is_asked_for() {
            return;
        }
        if let Err(error) = tidy(tables, &name) {
            if error.is_read_only() {
                return tracing::debug!(%error, "the janitor can't write here");
            }
            tracing::warn!(dataset = %name, %error, "the janitor could not tidy a dataset");
        }
    }
}

fn tidy(tables: &Tables, name: &DatasetName) -> Result<(), polarway_storage::Error> {
    let compacted = tables.compact(name)?;
    let vacuumed = tables.vacuum(name)?;
    if compacted.inputs > 0 || vacuumed.files > 0 {
        tracing::info!(
            dataset = %name,
            files_put_together = compacted.inputs,
            files_removed = vacuumed.files,
            bytes_removed = vacuumed.bytes,
            "tidied"
        );
    }
    Ok(())
}
