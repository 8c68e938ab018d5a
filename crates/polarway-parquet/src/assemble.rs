//! Makes record batches of decoded columns.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use crate::kept::KeptDictionaries;
use crate::restore::{RestoreError, restore};
use crate::{Error, Result};

/// The columns as a batch of exactly `schema`, with the dictionaries that the file keeps of each, or as several where a dictionary's keys can't tell apart the values of
/// all rows: rows of different stored batches, each with a dictionary of its own, may meet in one decoded batch.
pub(crate) fn batches_of(
    schema: &SchemaRef,
    kept: &[Option<KeptDictionaries>],
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::with_capacity(1);
    split_until_it_fits(schema, kept, &columns, rows, &mut batches)?;
    Ok(batches)
}

fn split_until_it_fits(
    schema: &SchemaRef,
    kept: &[Option<KeptDictionaries>],
    columns: &[ArrayRef],
    rows: usize,
    batches: &mut Vec<RecordBatch>,
) -> Result<()> {
    match batch_of(schema, kept, columns, rows) {
        Ok(batch) => batches.push(batch),
        Err(RestoreError::DictionaryOverflow) if rows > 1 => {
            let half = rows / 2;
            for (start, length) in [(0, half), (half, rows - half)] {
                let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(start, length)).collect();
                split_until_it_fits(schema, kept, &part, length, batches)?;
            }
        }
        Err(error) => return Err(Error::corrupt(error)),
    }
    Ok(())
}

fn batch_of(
    schema: &SchemaRef,
    kept: &[Option<KeptDictionaries>],
    columns: &[ArrayRef],
    rows: usize,
) -> Result<RecordBatch, RestoreError> {
    let columns = schema.fields().iter().zip(columns).zip(kept);
    let restored = columns.map(|((field, column), kept)| restore(column, field.data_type(), kept.as_ref()));
    let restored = restored.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), restored, &options)?)
}
