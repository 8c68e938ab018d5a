//! Parquet files, decoded on all cores.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_schema::SchemaRef;
use polarway_parquet::{Error, FileReader, LocalFile, ReadAt, ReadOptions};

use super::FileRows;
use super::counted::CountedFile;
use super::error::InputError;

pub(super) fn open(file: File, read_bytes: &Arc<AtomicU64>) -> Result<FileRows, InputError> {
    if file.metadata()?.len() == 0 {
        return Err(InputError::Empty);
    }
    let file = CountedFile { file: LocalFile::new(file)?, count: Arc::clone(read_bytes) };
    let file: Arc<dyn ReadAt> = Arc::new(file);
    let schema = SchemaRef::clone(FileReader::open(Arc::clone(&file))?.with_fitting_times()?.schema());
    let rows = polarway_parquet::read(vec![file], &schema, ReadOptions::default()).map_err(of_the_file)?;
    Ok(FileRows { schema, batches: Box::new(rows.map(|batch| batch.map_err(of_the_file))) })
}

/// There is only one file: the error need not say which of several failed.
fn of_the_file(error: Error) -> InputError {
    match error {
        Error::InFile { source, .. } => InputError::Parquet(*source),
        other => InputError::Parquet(other),
    }
}
