//! A row of EXPLAIN's answer that DuckDB does not give: where a query would run.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use polarway_table::DUCKDB_TYPE_KEY;

use crate::error::Error;

/// The key of the row.
const KEY: &str = "distributed";

/// The columns of EXPLAIN's answer.
pub(crate) fn columns() -> SchemaRef {
    let text = |name: &str| {
        let metadata = [(DUCKDB_TYPE_KEY.to_owned(), "VARCHAR".to_owned())];
        Field::new(name, DataType::Utf8, true).with_metadata(metadata.into())
    };
    Arc::new(Schema::new(vec![text("explain_key"), text("explain_value")]))
}

/// The row, in these columns.
pub(crate) fn row(columns: &SchemaRef, value: &str) -> Result<RecordBatch, Error> {
    let values = [KEY, value].map(|text| Arc::new(StringArray::from(vec![text])) as ArrayRef);
    RecordBatch::try_new(Arc::clone(columns), values.to_vec())
        .map_err(|error| Error::Internal(format!("EXPLAIN has other columns: {error}")))
}
