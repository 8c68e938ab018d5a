//! Where two results of a query differ.

use polarway_core::arrow::array::{Array, ArrayRef, RecordBatch};
use polarway_core::arrow::util::display::array_value_to_string;

/// The first difference in names, types, number of rows, order or values. Floats are compared bit for bit.
pub(crate) fn difference(ours: &RecordBatch, theirs: &RecordBatch) -> Option<String> {
    let (our_fields, their_fields) = (ours.schema().fields().clone(), theirs.schema().fields().clone());
    if our_fields.len() != their_fields.len() {
        return Some(format!("{} columns and not {}", our_fields.len(), their_fields.len()));
    }
    let mut fields = our_fields.iter().zip(&their_fields);
    if let Some((ours, theirs)) = fields.find(|(ours, theirs)| ours != theirs) {
        return Some(format!("there is a column\n  {ours:?}\nand not\n  {theirs:?}"));
    }
    if ours.num_rows() != theirs.num_rows() {
        return Some(format!("{} rows and not {}", ours.num_rows(), theirs.num_rows()));
    }
    let mut columns = ours.columns().iter().zip(theirs.columns()).zip(&our_fields);
    let ((ours, theirs), field) = columns.find(|((ours, theirs), _)| !is_same(ours, theirs))?;
    let differs = |row: &usize| !is_same(&ours.slice(*row, 1), &theirs.slice(*row, 1));
    let row = (0..ours.len()).find(differs).unwrap_or_default();
    let shown = |column: &ArrayRef| array_value_to_string(column, row).unwrap();
    Some(format!("{} in row {row} is {} and not {}", field.name(), shown(ours), shown(theirs)))
}

fn is_same(ours: &ArrayRef, theirs: &ArrayRef) -> bool {
    ours.to_data() == theirs.to_data()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polarway_core::arrow::array::{Float64Array, Int64Array};

    use super::*;

    fn column(name: &str, values: impl Array + 'static) -> RecordBatch {
        RecordBatch::try_from_iter([(name, Arc::new(values) as ArrayRef)]).unwrap()
    }

    #[test]
    fn names_types_order_and_the_sign_of_zero_make_a_difference() {
        let floats = |values: &[f64]| column("x", Float64Array::from(values.to_vec()));
        let ours = floats(&[0.0, f64::NAN]);
        assert_eq!(difference(&ours, &floats(&[0.0, f64::NAN])), None);
        for theirs in [
            column("X", Float64Array::from(vec![0.0, f64::NAN])),
            column("x", Int64Array::from(vec![0, 1])),
            floats(&[0.0]),
            floats(&[f64::NAN, 0.0]),
            floats(&[-0.0, f64::NAN]),
        ] {
            assert!(difference(&ours, &theirs).is_some(), "{theirs:?}");
        }
    }
}
