//! Decodes some columns of one row group, batch by batch.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::FieldRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::{ParquetError, Result as ParquetResult};

use crate::chunk::{ChunkSource, ChunkSources};
use crate::io_failure::IoFailure;
use crate::pages::{FittingRows, check_batches, has_deltas};
use crate::plan::{ColumnGroup, FilePlan};
use crate::{Error, Result, int96, workers};

/// The state of decoding a group of columns within one row group.
pub(crate) struct Decoder {
    reader: ParquetRecordBatchReader,
    /// For columns with INT96: the same columns once more, as seconds, and what both become.
    int96: Option<(ParquetRecordBatchReader, Vec<FieldRef>)>,
    failure: IoFailure,
}

impl Decoder {
    /// Decodes the rows `wanted` of the row group in steps of `batch_rows`. Where these turn out to be too large, it fails, and
    /// `fitting` tells how many would do.
    pub(crate) fn open(
        plan: &FilePlan,
        row_group: usize,
        columns: &ColumnGroup,
        wanted: Range<usize>,
        batch_rows: usize,
        fitting: &FittingRows,
    ) -> Result<Self> {
        let failure = IoFailure::default();
        let open = |decoding: &ArrowReaderMetadata| {
            let rows = (wanted.clone(), batch_rows);
            open_reader(plan, decoding, row_group, columns, rows, (&failure, fitting))
        };
        let int96 = match (&plan.seconds, &columns.int96) {
            (Some(seconds), Some(fields)) => Some((open(seconds)?, fields.clone())),
            _ => None,
        };
        Ok(Self { reader: open(&plan.decoding)?, int96, failure })
    }

    /// The next batch's columns, which must have `rows` rows.
    pub(crate) fn next(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let (columns, seconds) = self.next_twice(rows)?;
        let Some(((_, fields), seconds)) = self.int96.as_ref().zip(seconds) else { return Ok(columns) };
        let columns = fields.iter().zip(seconds).zip(columns);
        columns
            .map(|((field, seconds), nanos)| {
                int96::whole(&seconds, &nanos, field.data_type()).map_err(|misfit| match misfit {
                    int96::Misfit::Value => Error::TimeOutOfRange {
                        column: field.name().clone(),
                        data_type: field.data_type().clone(),
                    },
                    int96::Misfit::Shape => Error::corrupt("its timestamps can't be decoded"),
                })
            })
            .collect()
    }

    /// The next batch's columns, and where there is INT96 in them, the same with seconds for nanoseconds.
    pub(crate) fn next_twice(&mut self, rows: usize) -> Result<(Vec<ArrayRef>, Option<Vec<ArrayRef>>)> {
        let columns = next_of(&mut self.reader, rows, &self.failure)?;
        let seconds = match &mut self.int96 {
            Some((reader, _)) => Some(next_of(reader, rows, &self.failure)?),
            None => None,
        };
        Ok((columns, seconds))
    }
}

fn open_reader(
    plan: &FilePlan,
    decoding: &ArrowReaderMetadata,
    row_group: usize,
    columns: &ColumnGroup,
    (wanted, batch_rows): (Range<usize>, usize),
    (failure, fitting): (&IoFailure, &FittingRows),
) -> Result<ParquetRecordBatchReader> {
    let metadata = plan.file.metadata().row_group(row_group);
    let rows = usize::try_from(metadata.num_rows()).map_err(Error::corrupt)?;
    let chunk = |leaf: &usize| {
        let column = metadata.column(*leaf);
        let (start, length) = column.byte_range();
        let checksum = plan.file.checksum(row_group, *leaf);
        let bytes = plan.file.bytes().clone();
        ChunkSource::new(bytes, start..start + length, checksum, has_deltas(column), failure.clone())
    };
    fenced(failure, || {
        let chunks = ChunkSources::new(columns.leaves.iter().map(chunk).collect(), plan.file.bytes().len());
        let shared = Arc::new(chunks.clone());
        for leaf in &columns.leaves {
            check_batches(&shared, metadata.column(*leaf), rows, batch_rows, fitting)?;
        }
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, decoding.clone())
            .with_projection(columns.mask.clone())
            .with_row_groups(vec![row_group])
            .with_batch_size(batch_rows);
        if wanted != (0..rows) {
            let (skipped, selected) = (RowSelector::skip(wanted.start), RowSelector::select(wanted.len()));
            builder = builder.with_row_selection(RowSelection::from(vec![skipped, selected]));
        }
        builder.build()
    })
}

fn next_of(reader: &mut ParquetRecordBatchReader, rows: usize, failure: &IoFailure) -> Result<Vec<ArrayRef>> {
    let batch = fenced(failure, || reader.next().transpose().map_err(ParquetError::from))?;
    match batch {
        Some(batch) if batch.num_rows() == rows => Ok(batch.columns().to_vec()),
        _ => Err(Error::corrupt("a column has fewer rows than its row group")),
    }
}

/// The decoder of the `parquet` crate panics on some malformed pages.
fn fenced<T>(failure: &IoFailure, decode: impl FnOnce() -> ParquetResult<T>) -> Result<T> {
    let error = match workers::fence(decode) {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(error)) => Error::corrupt(error),
        Err(payload) => Error::corrupt(workers::panic_message(payload.as_ref())),
    };
    Err(failure.take().map_or(error, Error::from_reading))
}
