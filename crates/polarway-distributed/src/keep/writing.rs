//! The work of a task that keeps its rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::stream::{Stream, StreamExt as _, try_unfold};
use polarway_query::{BATCH_BYTES, CatalogError, Joiner, ResultFile, result_bytes};
use polarway_table::{arrow_bytes, renamed};

use super::figures::Figures;
use super::{Place, file_name};
use crate::census::Counted;

/// A file that is being written, and what it counts for while it is.
struct Writing {
    file: Box<dyn ResultFile>,
    memory: MemoryReservation,
    _counted: Counted,
}

/// A task that has rows to keep.
struct Task {
    rows: SendableRecordBatchStream,
    place: Arc<Place>,
    number: u64,
    joiner: Joiner,
    /// `None` once it is finished.
    writing: Option<Writing>,
    figures: Figures,
}

/// Why a task ended early.
enum Ended {
    /// Its rows could not be computed.
    Rows(DataFusionError),
    /// They could not be written.
    Writing(CatalogError),
}

impl<E: Into<DataFusionError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Rows(error.into())
    }
}

/// Writes rows into the file of a task. The figures follow each batch that was written, and the last ones the whole file.
pub(super) fn write(
    rows: SendableRecordBatchStream,
    place: Arc<Place>,
    number: u64,
    memory: &Arc<dyn MemoryPool>,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
    let name = file_name(place.attempt, number);
    let file = place.files.create(place.handle, name, Arc::clone(&place.columns));
    // The coordinator has looked at the columns before.
    let file = file.map_err(|error| internal_datafusion_err!("a result can't be kept: {error}"))?;
    let memory = MemoryConsumer::new("KeepExec").register(memory);
    let writing = Some(Writing { file, memory, _counted: place.census.write() });
    let joiner = Joiner::new(Arc::clone(&place.columns), BATCH_BYTES);
    let task = Task { rows, place, number, joiner, writing, figures: Figures::default() };
    Ok(try_unfold(task, async |mut task| {
        let row = match task.advance().await {
            Ok(false) => return Ok(None),
            Ok(true) => task.figures.of_task(task.number)?,
            // As an error it would lose its kind on its way.
            Err(Ended::Writing(error)) => task.figures.of_failed_task(task.number, &error)?,
            Err(Ended::Rows(error)) => return Err(error),
        };
        Ok(Some((row, task)))
    }))
}

impl Task {
    /// Writes the next rows, or finishes the file; `false` if it is finished.
    async fn advance(&mut self) -> Result<bool, Ended> {
        let Some(mut writing) = self.writing.take() else { return Ok(false) };
        let joined = loop {
            match self.rows.next().await.transpose()? {
                Some(batch) => {
                    if let Some(joined) = self.joiner.push(renamed(&batch, &self.place.columns)?)? {
                        break Some(joined);
                    }
                }
                None => break None,
            }
        };
        let is_last = joined.is_none();
        let joined = joined.map_or_else(|| self.joiner.finish(), |joined| Ok(Some(joined)))?;
        if let Some(joined) = joined {
            self.figures.rows += joined.num_rows() as u64;
            self.figures.bytes += result_bytes(&joined) as u64;
            self.figures.arrow_bytes += arrow_bytes(&joined);
            writing = blocking(move || writing.write(&joined)).await?;
        }
        match is_last {
            false => self.writing = Some(writing),
            true => {
                let stopped = self.place.stopped.clone();
                let finished = blocking(move || {
                    let Writing { file, memory: _memory, _counted } = writing;
                    file.finish(&|| !stopped.is_cancelled())
                });
                if let Some(file) = finished.await? {
                    self.figures.arrow_bytes = file.arrow_bytes;
                    self.figures.file_bytes = Some(file.bytes);
                }
            }
        }
        Ok(true)
    }
}

impl Writing {
    fn write(mut self, rows: &RecordBatch) -> Result<Self, CatalogError> {
        self.file.write(rows)?;
        let held = |file: &dyn ResultFile| usize::try_from(file.held_bytes()).unwrap_or(usize::MAX);
        if self.memory.try_resize(held(&*self.file)).is_err() {
            // A small row group is better than none.
            self.file.flush()?;
            self.memory.resize(held(&*self.file));
        }
        Ok(self)
    }
}

/// Does what may block on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CatalogError> + Send + 'static,
) -> Result<T, Ended> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|panic| internal_datafusion_err!("a result can't be kept: {panic}"))?.map_err(Ended::Writing)
}
