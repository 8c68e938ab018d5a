//! Which row of a column is the first to break a rule or a limit.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use polarway_table::array_bytes;

/// The first row for which `holds`, given that it holds for a slice exactly when it holds for a row in it.
pub(crate) fn first_row(array: &ArrayRef, holds: &impl Fn(&dyn Array) -> bool) -> Option<usize> {
    if array.is_empty() || !holds(array) {
        return None;
    }
    if array.len() == 1 {
        return Some(0);
    }
    let half = array.len() / 2;
    first_row(&array.slice(0, half), holds)
        .or_else(|| first_row(&array.slice(half, array.len() - half), holds).map(|row| row + half))
}

/// The first row of a column that takes more than `limit` bytes by itself.
pub(crate) fn first_row_over(array: &ArrayRef, limit: u64) -> Option<usize> {
    // A dictionary's rows take little; what they point at may not.
    if let DataType::Dictionary(_, _) = array.data_type() {
        let dictionary = array.as_any_dictionary();
        let value = first_row_over(dictionary.values(), limit)?;
        let keys = dictionary.normalized_keys();
        return (0..array.len()).find(|row| !array.is_null(*row) && keys[*row] == value);
    }
    // Halves are skipped by their total, so a column of small values costs one look.
    if array.is_empty() || array_bytes(array) <= limit {
        return None;
    }
    if array.len() == 1 {
        return Some(0);
    }
    let half = array.len() / 2;
    first_row_over(&array.slice(0, half), limit)
        .or_else(|| first_row_over(&array.slice(half, array.len() - half), limit).map(|row| row + half))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, StringArray};

    use super::*;

    #[test]
    fn the_row_that_is_too_large_is_found() {
        let mut values = vec!["small".to_owned(); 1_000];
        values[777] = "x".repeat(5_000);
        let array: ArrayRef = Arc::new(StringArray::from(values.clone()));
        assert_eq!(first_row_over(&array, 4_000), Some(777));
        assert_eq!(first_row_over(&array, 6_000), None);
        let dictionary: DictionaryArray<Int32Type> = values.iter().map(String::as_str).collect();
        let dictionary: ArrayRef = Arc::new(dictionary);
        assert_eq!(first_row_over(&dictionary, 4_000), Some(777));
    }
}
