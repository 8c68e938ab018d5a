//! Where the columns of a part of a version come from: from its files, or from the names of the folders around them.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::error::Result;
use crate::part::{Part, projected};
use crate::partition::constant;
use crate::snapshot::{Snapshot, SnapshotFile};

/// The columns of a part, each with its source.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// All columns, in their order.
    schema: SchemaRef,
    /// Those that files are read for, as the table has them. Without any column a file would not tell its rows, so there is one
    /// at least.
    in_files: SchemaRef,
    /// Whether these are some of the version's columns, so that a file has others besides.
    are_some: bool,
    /// Absent where the columns of the files are all there are.
    columns: Option<Arc<[Source]>>,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// The column of this place among those that files are read for.
    File(usize),
    /// The partition column of this place.
    Folder(usize),
}

impl Sources {
    pub(crate) fn new(snapshot: &Snapshot, part: &Part) -> Self {
        let file_schema = snapshot.file_schema();
        let count = file_schema.fields().len();
        let schema = Arc::clone(&part.schema);
        let Some(places) = &part.columns else {
            let columns = (snapshot.partition_columns > 0).then(|| {
                let of_files = (0..count).map(Source::File);
                of_files.chain((0..snapshot.partition_columns).map(Source::Folder)).collect()
            });
            return Self { schema, in_files: file_schema, are_some: false, columns };
        };
        let mut read: Vec<usize> = places.iter().copied().filter(|place| *place < count).collect();
        let are_read = read.len() == places.len();
        let mut next = 0..;
        let source = |place: &usize| match place.checked_sub(count) {
            Some(folder) => Source::Folder(folder),
            None => Source::File(next.next().unwrap_or_default()),
        };
        let columns = (!are_read).then(|| places.iter().map(source).collect());
        if read.is_empty() {
            read.push(0);
        }
        Self { schema, in_files: projected(&file_schema, &read), are_some: true, columns }
    }

    /// The columns that files are read for, as the table has them.
    pub(crate) fn in_files(&self) -> &SchemaRef {
        &self.in_files
    }

    /// The same columns as an adopted file has them.
    pub(crate) fn in_adopted(&self, file: &SnapshotFile) -> Option<SchemaRef> {
        let own = &file.adopted.as_ref()?.schema;
        if !self.are_some {
            return Some(Arc::clone(own));
        }
        let fields = self.in_files.fields().iter().filter_map(|field| own.fields().find(field.name()));
        let fields: Vec<_> = fields.map(|(_, field)| Arc::clone(field)).collect();
        Some(Arc::new(Schema::new_with_metadata(fields, own.metadata().clone())))
    }

    /// All columns, of a batch of those in the files; the folders say these `values`.
    pub(crate) fn gather(&self, batch: RecordBatch, values: &[Option<String>]) -> Result<RecordBatch> {
        let Some(columns) = &self.columns else { return Ok(batch) };
        let rows = batch.num_rows();
        let column = |(place, source): (usize, &Source)| match source {
            Source::File(column) => Arc::clone(batch.column(*column)),
            Source::Folder(folder) => {
                let value = values.get(*folder).and_then(Option::as_deref);
                constant(self.schema.field(place), value, rows)
            }
        };
        let arrays = columns.iter().enumerate().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }
}
