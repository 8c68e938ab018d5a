//! The rows that are sent around: numbers, each with its text, so that no column can be mixed up with that of another row.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use polarway_client::Table;

/// A table of these numbers.
pub(super) fn table_of(numbers: Range<i64>) -> Table {
    let texts: StringArray = numbers.clone().map(|number| Some(text_of(number))).collect();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_from_iter([("n", numbers), ("text", Arc::new(texts) as ArrayRef)]).unwrap().into()
}

fn text_of(number: i64) -> String {
    format!("row {number}")
}

/// The numbers of a table in their order.
///
/// # Errors
/// A row whose text is that of another.
pub(super) fn numbers_of(table: &Table) -> Result<Vec<i64>, String> {
    let mut all = Vec::with_capacity(table.num_rows());
    for batch in table.batches() {
        let (numbers, texts) =
            (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
        for (number, text) in numbers.values().iter().zip(texts) {
            if text != Some(&text_of(*number)) {
                return Err(format!("row {number} has the text {text:?}"));
            }
            all.push(*number);
        }
    }
    Ok(all)
}

/// The one row of whole numbers that a query gave.
///
/// # Errors
/// There are more rows, or none.
pub(super) fn one_row(table: &Table) -> Result<Vec<i64>, String> {
    let mut rows = rows_of(table);
    match (rows.pop(), rows.len()) {
        (Some(row), 0) => Ok(row),
        _ => Err(format!("{} rows where one was asked for", table.num_rows())),
    }
}

/// Rows of whole numbers.
pub(super) fn rows_of(table: &Table) -> Vec<Vec<i64>> {
    let of_batch = |batch: &RecordBatch| {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| column.as_primitive::<Int64Type>().clone()).collect();
        (0..batch.num_rows())
            .map(|row| columns.iter().map(|column| column.value(row)).collect())
            .collect::<Vec<_>>()
    };
    table.batches().iter().flat_map(of_batch).collect()
}
