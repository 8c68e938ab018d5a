//! What tasks say of what they keep, in place of its rows.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use polarway_query::{CatalogError, ErrorKind, WrittenFile};
use uuid::Uuid;

use super::file_name;

/// What a task has written so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) rows: u64,
    /// As results are measured.
    pub(super) bytes: u64,
    /// As tables are measured.
    pub(super) arrow_bytes: u64,
    /// The length of the file once it is on stable storage, if there is one.
    pub(super) file_bytes: Option<u64>,
}

/// The columns that tasks give: the number of the task, its figures, and why it could not write.
pub(super) static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let numbers = ["task", "rows", "bytes", "arrow_bytes", "file_bytes", "failure_kind"];
    let mut columns = numbers.map(|name| Field::new(name, DataType::UInt64, true)).to_vec();
    columns.push(Field::new("failure", DataType::Utf8, true));
    Arc::new(Schema::new(columns))
});

/// The kinds that a failure to write has, by the numbers under which they travel.
const KINDS: [ErrorKind; 6] = [
    ErrorKind::Internal,
    ErrorKind::StorageFailed,
    ErrorKind::StorageFull,
    ErrorKind::ReadOnly,
    ErrorKind::Unsupported,
    ErrorKind::InvalidInput,
];

impl Figures {
    /// One row for the coordinator.
    pub(super) fn of_task(&self, task: u64) -> Result<RecordBatch, ArrowError> {
        self.row(task, None)
    }

    /// The last row of a task that could not write.
    pub(super) fn of_failed_task(&self, task: u64, error: &CatalogError) -> Result<RecordBatch, ArrowError> {
        let (kind, why) = match error {
            CatalogError::Failed { kind, source } => (*kind, source.to_string()),
            error => (ErrorKind::Internal, error.to_string()),
        };
        let kind = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
        self.row(task, Some((kind as u64, why)))
    }

    fn row(&self, task: u64, failure: Option<(u64, String)>) -> Result<RecordBatch, ArrowError> {
        let (kind, why) = failure.unzip();
        let figures =
            [Some(task), Some(self.rows), Some(self.bytes), Some(self.arrow_bytes), self.file_bytes];
        let numbers = figures.into_iter().chain([kind]);
        let numbers = numbers.map(|value| Arc::new(UInt64Array::from(vec![value])) as ArrayRef);
        let why = Arc::new(StringArray::from(vec![why])) as ArrayRef;
        RecordBatch::try_new(Arc::clone(&COLUMNS), numbers.chain([why]).collect())
    }
}

/// What the tasks of a try have said.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    attempt: Uuid,
    tasks: BTreeMap<u64, Figures>,
}

impl Gathered {
    pub(crate) fn of(attempt: Uuid) -> Self {
        Self { attempt, tasks: BTreeMap::new() }
    }

    /// Notes what tasks say now. Each tells all that it has written.
    ///
    /// # Errors
    /// Why one could not write.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), CatalogError> {
        let column = |place: usize| rows.column(place).as_primitive::<UInt64Type>();
        let failures = rows.column(6).as_string::<i32>();
        for row in 0..rows.num_rows() {
            let value = |place| column(place).is_valid(row).then(|| column(place).value(row));
            let figure = |place| value(place).unwrap_or_default();
            if let Some(kind) = value(5) {
                let kind = usize::try_from(kind).ok().and_then(|kind| KINDS.get(kind)).copied();
                let (kind, source) = (kind.unwrap_or(ErrorKind::Internal), failures.value(row).into());
                return Err(CatalogError::Failed { kind, source });
            }
            let figures =
                Figures { rows: figure(1), bytes: figure(2), arrow_bytes: figure(3), file_bytes: value(4) };
            self.tasks.insert(figure(0), figures);
        }
        Ok(())
    }

    /// The rows of all tasks, and their bytes as results are measured.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.sum(|figures| figures.rows), self.sum(|figures| figures.bytes))
    }

    /// Their bytes as tables are measured.
    pub(crate) fn arrow_bytes(&self) -> u64 {
        self.sum(|figures| figures.arrow_bytes)
    }

    /// The files, in the order of the tasks.
    pub(crate) fn files(&self) -> Vec<WrittenFile> {
        let file = |(task, figures): (&u64, &Figures)| {
            let (name, bytes) = (file_name(self.attempt, *task), figures.file_bytes?);
            Some(WrittenFile { name, rows: figures.rows, bytes, arrow_bytes: figures.arrow_bytes })
        };
        self.tasks.iter().filter_map(file).collect()
    }

    fn sum(&self, figure: impl Fn(&Figures) -> u64) -> u64 {
        self.tasks.values().map(figure).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_each_task_counts_and_tasks_without_rows_have_no_file() {
        let attempt = Uuid::from_u128(7);
        let mut gathered = Gathered::of(attempt);
        let mut say = |task, rows, file_bytes| {
            let figures = Figures { rows, bytes: rows * 9, arrow_bytes: rows * 8, file_bytes };
            gathered.add(&figures.of_task(task).unwrap()).unwrap();
        };
        say(2, 10, None);
        say(0, 5, None);
        say(2, 30, Some(200));
        say(1, 0, None);
        say(0, 6, Some(100));
        assert_eq!((gathered.size(), gathered.arrow_bytes()), ((36, 324), 288));
        let names: Vec<_> = gathered.files().iter().map(|file| (file.name, file.rows, file.bytes)).collect();
        assert_eq!(names, [(file_name(attempt, 0), 6, 100), (file_name(attempt, 2), 30, 200)]);
    }

    #[test]
    fn sums_that_no_result_can_have_do_not_overflow() {
        let mut gathered = Gathered::of(Uuid::nil());
        for task in 0..2 {
            let figures = Figures { rows: u64::MAX, ..Figures::default() };
            gathered.add(&figures.of_task(task).unwrap()).unwrap();
        }
        assert_eq!(gathered.size().0, u64::MAX);
    }

    #[test]
    fn a_task_that_could_not_write_keeps_the_kind_and_the_words_of_its_error() {
        let known = KINDS.map(|kind| (kind, kind));
        for (kind, expect) in known.into_iter().chain([(ErrorKind::Changed, ErrorKind::Internal)]) {
            let error = CatalogError::Failed { kind, source: "the disk is full".into() };
            let row = Figures::default().of_failed_task(3, &error).unwrap();
            let told = Gathered::default().add(&row).unwrap_err();
            let CatalogError::Failed { kind, source } = told else { panic!("{told:?}") };
            assert_eq!((kind, source.to_string().as_str()), (expect, "the disk is full"));
        }
    }
}
