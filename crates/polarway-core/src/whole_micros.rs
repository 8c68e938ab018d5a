//! Finds times in nanoseconds with a zone, and INT96, that are whole microseconds: SQL has only these.
//!
//! Old pandas writes every time with a zone in nanoseconds, Spark and Hive write INT96, and nearly all of these are whole
//! microseconds. Others must not reach SQL: DuckDB would cut them and not report it. So the values are checked, once for each
//! file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use polarway_parquet::{ReadAt, ReadOptions, Workers};
use polarway_storage::SnapshotFile;
use polarway_table::children;

/// The most files that are remembered. At the limit all are forgotten, and checked again when they are needed.
const MOST_FILES: usize = 100_000;

/// Which columns of files hold only whole microseconds.
#[derive(Debug)]
pub(crate) struct WholeMicros {
    known: Mutex<HashMap<String, Arc<[String]>>>,
    workers: Workers,
}

impl WholeMicros {
    /// Starts with no known files; `workers` read them.
    pub(crate) fn new(workers: Workers) -> Self {
        Self { known: Mutex::default(), workers }
    }

    /// Of the columns in `asked`, those whose values are whole microseconds in all of these files. In one that can't be opened or
    /// read, no column counts.
    pub(crate) fn columns(
        &self,
        asked: &[FieldRef],
        files: &[SnapshotFile],
        open: &dyn Fn(&SnapshotFile) -> Option<Arc<dyn ReadAt>>,
    ) -> Vec<String> {
        let mut whole: Vec<String> = asked.iter().map(|field| field.name().clone()).collect();
        for file in files {
            if whole.is_empty() {
                break;
            }
            let of_file = self.of_file(file, asked, open);
            whole.retain(|name| of_file.contains(name));
        }
        whole
    }

    fn of_file(
        &self,
        file: &SnapshotFile,
        asked: &[FieldRef],
        open: &dyn Fn(&SnapshotFile) -> Option<Arc<dyn ReadAt>>,
    ) -> Arc<[String]> {
        // Files of others may change.
        let state = file.adopted.as_ref().map(|adopted| adopted.state.to_string()).unwrap_or_default();
        let key = format!("{}\n{state}", file.path);
        if let Some(known) = self.lock().get(&key) {
            return Arc::clone(known);
        }
        let whole: Arc<[String]> = match open(file) {
            Some(source) => {
                let whole = asked
                    .iter()
                    .filter(|field| self.is_whole_in(Arc::clone(&source), field).unwrap_or(false));
                whole.map(|field| field.name().clone()).collect()
            }
            None => Arc::default(),
        };
        let mut known = self.lock();
        if known.len() >= MOST_FILES {
            known.clear();
        }
        known.insert(key, Arc::clone(&whole));
        whole
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<[String]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_whole_in(&self, file: Arc<dyn ReadAt>, field: &FieldRef) -> polarway_parquet::Result<bool> {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Arc::clone(field)]));
        let is_whole = |batch: RecordBatch, _| batch.columns().iter().all(|column| is_whole(column.as_ref()));
        let reading = ReadOptions::default().with_workers(self.workers.clone());
        for batch in polarway_parquet::read_map(vec![file], &schema, reading, is_whole)? {
            if !batch? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The first day of INT96, in DuckDB's numbers: 4713 BC.
const FIRST_MICROS: i64 = -2_440_588 * 86_400_000_000;

/// Whether all times in the array, at any depth, are whole microseconds, and no time is outside of DuckDB's range.
fn is_whole(array: &dyn Array) -> bool {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let times = array.as_primitive::<TimestampNanosecondType>();
            times.iter().flatten().all(|time| time % 1_000 == 0)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            times.iter().flatten().all(|time| time >= FIRST_MICROS)
        }
        DataType::Dictionary(..) => is_whole(array.as_any_dictionary().values().as_ref()),
        DataType::RunEndEncoded(..) => false,
        _ => children(array).iter().all(|child| is_whole(child.as_ref())),
    }
}
