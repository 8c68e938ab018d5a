//! Decodes some columns of one row group, batch by batch.

use arrow_array::ArrayRef;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::{ParquetError, Result as ParquetResult};

use crate::chunk::{ChunkSource, ChunkSources, FetchFailure};
use crate::plan::{ColumnGroup, FilePlan};
use crate::{Error, Result, pool};

/// The state of decoding a group of columns within one row group.
pub(crate) struct Decoder {
    reader: ParquetRecordBatchReader,
    failure: FetchFailure,
}

impl Decoder {
    /// Starts at row `skipped_rows` of the row group and goes on in steps of `batch_rows`.
    pub(crate) fn open(
        plan: &FilePlan,
        row_group: usize,
        columns: &ColumnGroup,
        skipped_rows: usize,
        batch_rows: usize,
    ) -> Result<Self> {
        let metadata = plan.file.metadata().row_group(row_group);
        let rows = usize::try_from(metadata.num_rows()).map_err(Error::corrupt)?;
        let failure = FetchFailure::default();
        let chunk = |leaf: &usize| {
            let (start, length) = metadata.column(*leaf).byte_range();
            let checksum = plan.file.checksum(row_group, *leaf);
            ChunkSource::new(plan.file.bytes().clone(), start..start + length, checksum, failure.clone())
        };
        let reader = fenced(&failure, || {
            let chunks =
                ChunkSources::new(columns.leaves.iter().map(chunk).collect(), plan.file.bytes().len());
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, plan.decoding.clone())
                    .with_projection(columns.mask.clone())
                    .with_row_groups(vec![row_group])
                    .with_batch_size(batch_rows);
            if skipped_rows > 0 {
                let wanted = RowSelector::select(rows.saturating_sub(skipped_rows));
                builder = builder
                    .with_row_selection(RowSelection::from(vec![RowSelector::skip(skipped_rows), wanted]));
            }
            builder.build()
        })?;
        Ok(Self { reader, failure })
    }

    /// The next batch's columns, which must have `rows` rows.
    pub(crate) fn next(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let batch = fenced(&self.failure, || self.reader.next().transpose().map_err(ParquetError::from))?;
        match batch {
            Some(batch) if batch.num_rows() == rows => Ok(batch.columns().to_vec()),
            _ => Err(Error::corrupt("a column has fewer rows than its row group")),
        }
    }
}

/// The decoder of the `parquet` crate panics on some malformed pages.
fn fenced<T>(failure: &FetchFailure, decode: impl FnOnce() -> ParquetResult<T>) -> Result<T> {
    let error = match pool::fence(decode) {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(error)) => Error::corrupt(error),
        Err(payload) => Error::corrupt(pool::panic_message(payload.as_ref())),
    };
    Err(failure.take().map_or(error, Error::from_reading))
}
