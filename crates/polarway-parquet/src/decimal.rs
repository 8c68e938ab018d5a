//! Finds decimals that have more digits than their type allows.
//!
//! Arrow does not insist on the precision. Parquet chooses the stored width by it, so that such a value would be cut.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use polarway_table::{children, holds_leaf};

use crate::first_row::first_row;

pub(crate) fn first_row_out_of_range(array: &ArrayRef) -> Option<usize> {
    if holds_leaf(array.data_type(), &is_decimal) { first_row(array, &is_out_of_range) } else { None }
}

fn is_decimal(leaf: &DataType) -> bool {
    match leaf {
        DataType::Dictionary(_, values) => values.is_decimal(),
        other => other.is_decimal(),
    }
}

fn is_out_of_range(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Decimal32(precision, _) => {
            array.as_primitive::<Decimal32Type>().validate_decimal_precision(*precision).is_err()
        }
        DataType::Decimal64(precision, _) => {
            array.as_primitive::<Decimal64Type>().validate_decimal_precision(*precision).is_err()
        }
        DataType::Decimal128(precision, _) => {
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision).is_err()
        }
        DataType::Decimal256(precision, _) => {
            array.as_primitive::<Decimal256Type>().validate_decimal_precision(*precision).is_err()
        }
        DataType::Dictionary(_, _) => is_out_of_range(array.as_any_dictionary().values()),
        _ => children(array).iter().any(is_out_of_range),
    }
}
