//! Keeps the cold tier and the handles tidy: compaction and retention, now and then, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use polarway_handles::{ExternalHandles, HandleStore as _};
use polarway_storage::{DatasetName, DatasetSummary, FailureKind, Tables};

use crate::error::{Error, ErrorKind, Result};

/// The janitor's thread; dropping it ends the thread after the dataset at hand.
pub(crate) struct Janitor {
    /// Dropped first: its end is the sign to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Janitor {
    pub(crate) fn start(
        tables: Arc<Tables>,
        handles: Option<Arc<ExternalHandles>>,
        interval: Duration,
    ) -> Result<Self> {
        let (stop, stopped) = channel::<()>();
        let rounds = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                if let Some(handles) = &handles
                    && let Err(error) = handles.tidy()
                {
                    tracing::warn!(%error, "the janitor could not tidy the handles");
                }
                tidy_all(&tables, || stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected));
            }
        };
        let thread =
            std::thread::Builder::new().name("polarway-janitor".into()).spawn(rounds).map_err(|error| {
                Error::new(ErrorKind::ResourceExhausted, "can't start the janitor's thread").caused_by(error)
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was reported when it happened
        }
    }
}

fn tidy_all(tables: &Arc<Tables>, is_stopped: impl Fn() -> bool) {
    let datasets = match tables.datasets() {
        Ok(datasets) => datasets,
        Err(error) => return tracing::warn!(%error, "the janitor can't list the datasets"),
    };
    for DatasetSummary { name, error, .. } in datasets {
        if is_stopped() {
            return;
        }
        if let Some(error) = error {
            tracing::warn!(dataset = %name, error, "the janitor leaves a dataset alone");
            continue;
        }
        if let Err(error) = tidy(tables, &name) {
            if error.backend_failure() == Some(FailureKind::ReadOnly) {
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
