//! Which row of a column is the first to break a rule or a limit.

use arrow_array::{Array, ArrayRef};
use polarway_table::plain_bytes_over;

/// The first row for which `holds`, given that it holds for each slice with such a row. A slice for which it holds
/// without one costs a closer look.
pub(crate) fn first_row(array: &ArrayRef, holds: &impl Fn(&ArrayRef) -> bool) -> Option<usize> {
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

/// The first row of a column that takes more than `limit` bytes by itself, its value written out.
pub(crate) fn first_row_over(array: &ArrayRef, limit: u64) -> Option<usize> {
    // Halves are skipped by their total, so a column of small values costs one look.
    first_row(array, &|part| plain_bytes_over(std::slice::from_ref(part), limit).is_some())
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
        // An unused value hides none that is used.
        values[3] = "y".repeat(6_000);
        let dictionary: DictionaryArray<Int32Type> = values.iter().map(String::as_str).collect();
        let dictionary: ArrayRef = Arc::new(dictionary.slice(4, 996));
        assert_eq!(first_row_over(&dictionary, 4_000), Some(773));
    }
}
