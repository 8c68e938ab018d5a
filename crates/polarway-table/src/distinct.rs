//! Dictionaries of values of a fixed width.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, FixedSizeBinaryArray, Int32Array};
use arrow_buffer::Buffer;
use arrow_schema::ArrowError;

/// The array as a dictionary of its different values, in the order in which they come.
///
/// Arrow's own cast makes room for a thousand values before it looks at the first, however wide they are.
///
/// # Errors
/// More different values than there are keys.
pub fn dictionary_of_fixed_size(
    array: &FixedSizeBinaryArray,
) -> Result<DictionaryArray<Int32Type>, ArrowError> {
    let mut keys_of: HashMap<&[u8], i32> = HashMap::new();
    let mut distinct: Vec<&[u8]> = Vec::new();
    let mut keys = Vec::with_capacity(array.len());
    for value in array {
        let Some(value) = value else {
            keys.push(None);
            continue;
        };
        let next = i32::try_from(distinct.len()).map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
        let key = *keys_of.entry(value).or_insert_with(|| {
            distinct.push(value);
            next
        });
        keys.push(Some(key));
    }
    let values =
        FixedSizeBinaryArray::try_new(array.value_length(), Buffer::from_vec(distinct.concat()), None)?;
    DictionaryArray::try_new(Int32Array::from(keys), Arc::new(values))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;

    use super::*;

    #[test]
    fn each_value_is_in_the_dictionary_once() {
        let values = [Some(b"aa"), None, Some(b"bb"), Some(b"aa")];
        let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), 2).unwrap();
        let dictionary = dictionary_of_fixed_size(&array).unwrap();
        assert_eq!(dictionary.keys(), &Int32Array::from(vec![Some(0), None, Some(1), Some(0)]));
        assert_eq!(
            dictionary.values().as_fixed_size_binary().iter().flatten().collect::<Vec<_>>(),
            [b"aa", b"bb"]
        );
    }
}
