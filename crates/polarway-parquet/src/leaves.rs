//! A walk through the leaves of a column, in the order in which a file has them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use polarway_table::children;

/// Calls `visit` with each leaf of a column; a dictionary is a leaf. Lists are cut to what they show, but for those of
/// views, whose items are visited whole.
pub(crate) fn for_each_leaf(array: &ArrayRef, visit: &mut impl FnMut(&ArrayRef)) {
    match array.data_type() {
        DataType::ListView(_) => for_each_leaf(array.as_list_view::<i32>().values(), visit),
        DataType::LargeListView(_) => for_each_leaf(array.as_list_view::<i64>().values(), visit),
        DataType::Dictionary(_, _) => visit(array),
        nested if nested.is_nested() => {
            for child in children(array) {
                for_each_leaf(&child, visit);
            }
        }
        _ => visit(array),
    }
}
