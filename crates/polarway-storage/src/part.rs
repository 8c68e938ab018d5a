//! A part of a table: a selection whose columns and rows were found.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use polarway_model::Selection;

use crate::error::{Error, Result};
use crate::near::near_names;
use crate::snapshot::Snapshot;

/// The most names near a misspelt one that its error tells.
const TOLD_NAMES: usize = 3;

/// Some columns and rows of a table, which are there.
#[derive(Clone, Debug)]
pub struct Part {
    /// The columns, in the order that was asked for.
    pub schema: SchemaRef,
    /// Their places among the table's columns; `None` is all of them, in their order.
    pub columns: Option<Arc<[usize]>>,
    /// The rows, counted from the table's first.
    pub rows: Range<u64>,
}

impl Part {
    /// The whole version, from a row on that it has.
    pub(crate) fn from_row(snapshot: &Snapshot, first_row: u64) -> Self {
        Self { schema: Arc::clone(&snapshot.schema), columns: None, rows: first_row..snapshot.rows }
    }

    /// Finds what is selected of a table that has these columns and so many rows.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], [`Error::NoColumns`], [`Error::ColumnTwice`] and [`Error::RowsBackwards`]; a first row behind
    /// the table's end is [`RowOutOfRange`](polarway_ipc::Error::RowOutOfRange).
    pub fn of(schema: &SchemaRef, rows: u64, selection: &Selection) -> Result<Self> {
        let first_row = selection.first_row;
        let end_row = selection.end_row.unwrap_or(u64::MAX);
        if end_row < first_row {
            return Err(Error::RowsBackwards { first_row, end_row });
        }
        let columns = match &selection.columns {
            Some(names) => places_of(names, schema)?,
            None => None,
        };
        if first_row > rows {
            return Err(polarway_ipc::Error::RowOutOfRange { row: first_row, rows }.into());
        }
        let schema = match &columns {
            Some(places) => projected(schema, places),
            None => Arc::clone(schema),
        };
        Ok(Self { schema, columns, rows: first_row..end_row.min(rows) })
    }

    /// Whether it has all columns, and all rows behind its first one.
    pub(crate) fn is_rest_of(&self, snapshot: &Snapshot) -> bool {
        self.columns.is_none() && self.rows.end == snapshot.rows
    }

    /// Its columns of a batch that has all of the version's, as a view.
    pub(crate) fn columns_of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match &self.columns {
            Some(places) => Ok(batch.project(places)?),
            None => Ok(batch.clone()),
        }
    }

    /// About what a row takes in memory, in bytes.
    pub(crate) fn row_bytes(&self, snapshot: &Snapshot) -> u64 {
        let all = snapshot.schema.fields().len().max(1) as u64;
        let own = self.schema.fields().len() as u64;
        (snapshot.arrow_bytes / snapshot.rows.max(1) * own / all).max(1)
    }
}

/// The places of columns, or `None` where these are all of them in their order.
fn places_of(names: &[String], schema: &Schema) -> Result<Option<Arc<[usize]>>> {
    if names.is_empty() {
        return Err(Error::NoColumns);
    }
    let mut seen = HashSet::with_capacity(names.len());
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        // Of several with one name, the first.
        let Ok(place) = schema.index_of(name) else {
            let there = schema.fields().iter().map(|field| field.name().as_str());
            let near = near_names(name, there).into_iter().take(TOLD_NAMES);
            return Err(Error::UnknownColumn {
                column: name.clone(),
                nearest: near.map(str::to_owned).collect(),
            });
        };
        if !seen.insert(place) {
            return Err(Error::ColumnTwice { column: name.clone() });
        }
        places.push(place);
    }
    let are_all = places.iter().copied().eq(0..schema.fields().len());
    Ok((!are_all).then(|| places.into()))
}

/// The schema of some columns.
pub(crate) fn projected(schema: &Schema, places: &[usize]) -> SchemaRef {
    let fields = places.iter().map(|place| Arc::clone(&schema.fields()[*place]));
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}
