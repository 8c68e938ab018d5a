//! Where two answers differ.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;

/// How far a float may be from the other, in parts of it: the order in which several threads add is left to chance.
const ROUNDING: f64 = 1e-11;

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Float(f64),
    Text(String),
}

/// The first difference in names, types, number of rows or values, and in the order if that is given.
pub(crate) fn difference(ours: &RecordBatch, theirs: &RecordBatch, is_ordered: bool) -> Option<String> {
    let (our_schema, their_schema) = (ours.schema(), theirs.schema());
    if our_schema.fields().len() != their_schema.fields().len() {
        return Some(format!(
            "{} columns and not {}",
            our_schema.fields().len(),
            their_schema.fields().len()
        ));
    }
    let mut fields = our_schema.fields().iter().zip(their_schema.fields());
    if let Some((ours, theirs)) = fields.find(|(ours, theirs)| ours != theirs) {
        return Some(format!("there is a column {ours:?} and not {theirs:?}"));
    }
    if ours.num_rows() != theirs.num_rows() {
        return Some(format!("{} rows and not {}", ours.num_rows(), theirs.num_rows()));
    }
    let (mut our_rows, mut their_rows) = (rows(ours), rows(theirs));
    if is_ordered && our_rows.iter().zip(&their_rows).all(|(ours, theirs)| is_same(ours, theirs)) {
        return None;
    }
    let first = our_rows.iter().zip(&their_rows).position(|(ours, theirs)| !is_same(ours, theirs));
    our_rows.sort_by_key(|row| sort_key(row));
    their_rows.sort_by_key(|row| sort_key(row));
    let found = our_rows.iter().zip(&their_rows).find(|(ours, theirs)| !is_same(ours, theirs));
    match found {
        Some((ours, theirs)) => Some(format!("a row is\n  {ours:?}\nand not\n  {theirs:?}")),
        None if is_ordered => Some(format!("the order differs from row {} on", first.unwrap_or_default())),
        None => None,
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Cell>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(column, row)).collect())
        .collect()
}

fn cell(column: &dyn Array, row: usize) -> Cell {
    match column.data_type() {
        _ if column.is_null(row) => Cell::Null,
        DataType::Float64 => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Cell::Float(column.as_primitive::<Float32Type>().value(row).into()),
        // Their texts can't be made for all of them.
        DataType::Date32 => Cell::Text(column.as_primitive::<Date32Type>().value(row).to_string()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Cell::Text(column.as_primitive::<TimestampMicrosecondType>().value(row).to_string())
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            Cell::Text(column.as_primitive::<Time64MicrosecondType>().value(row).to_string())
        }
        _ => Cell::Text(array_value_to_string(column, row).unwrap()),
    }
}

fn is_same(ours: &[Cell], theirs: &[Cell]) -> bool {
    ours.iter().zip(theirs).all(|(ours, theirs)| match (ours, theirs) {
        (Cell::Float(ours), Cell::Float(theirs)) => {
            ours == theirs
                || (ours.is_nan() && theirs.is_nan())
                || (ours - theirs).abs() <= ours.abs().max(theirs.abs()) * ROUNDING
        }
        (ours, theirs) => ours == theirs,
    })
}

/// Floats that are nearly the same have mostly the same place.
fn sort_key(row: &[Cell]) -> String {
    let cells = row.iter().map(|cell| match cell {
        Cell::Float(number) => format!("{:.6e}", number + 0.0),
        other => format!("{other:?}"),
    });
    cells.collect::<Vec<_>>().join("\u{1}")
}
