//! What a call was answered.

use arrow_cast::display::array_value_to_string;
use polarway_client::{Error, Reason, Table};

/// Why a call was refused, which must have a reason, and what was said.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>) -> (Reason, String) {
    let error = result.err().expect("it was accepted");
    let reason = error.reason().unwrap_or_else(|| panic!("it has no reason: {error:?}"));
    (reason, error.to_string())
}

/// The rows of a table, each as its values with bars between them.
pub(crate) fn rows_of(table: &Table) -> Vec<String> {
    let rows = table.batches().iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| {
            let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            values.collect::<Vec<_>>().join("|")
        })
    });
    rows.collect()
}
