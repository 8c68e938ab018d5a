//! Gives decoded columns the dictionary type that was stored.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, PrimitiveArray};
use arrow_buffer::ArrowNativeType;
use arrow_cast::cast_with_options;
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;
use polarway_table::dictionary_of_fixed_size;

use crate::kept::KeptDictionary;
use crate::restore::{EXACT, RestoreError};

/// `array`, plain or a dictionary with the same or with 32-bit keys, as a dictionary with keys and values of the given
/// types: the one that was `kept`, if it was and the keys have room for it.
pub(crate) fn to_dictionary(
    array: &ArrayRef,
    keys: &DataType,
    values: &DataType,
    kept: Option<&KeptDictionary>,
) -> Result<ArrayRef, RestoreError> {
    if let Some(dictionary) = array.as_any_dictionary_opt()
        && dictionary.keys().data_type() == keys
        && *keys != DataType::Int32
    {
        return Ok(dictionary.with_values(cast_with_options(dictionary.values(), values, &EXACT)?));
    }
    let wide = DataType::Dictionary(Box::new(DataType::Int32), Box::new(values.clone()));
    let array = match array.data_type() {
        found if *found == wide => array.clone(),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or(RestoreError::Shape)?;
            let values = cast_with_options(dictionary.values(), values, &EXACT)?;
            Arc::new(dictionary.with_values(values))
        }
        DataType::FixedSizeBinary(_) => Arc::new(dictionary_of_fixed_size(array.as_fixed_size_binary())?),
        _ => cast_with_options(array, &wide, &EXACT)?,
    };
    let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or(RestoreError::Shape)?;
    match keys {
        DataType::Int8 => with_keys::<Int8Type>(dictionary, kept),
        DataType::Int16 => with_keys::<Int16Type>(dictionary, kept),
        DataType::Int32 => with_keys::<Int32Type>(dictionary, kept),
        DataType::Int64 => with_keys::<Int64Type>(dictionary, kept),
        DataType::UInt8 => with_keys::<UInt8Type>(dictionary, kept),
        DataType::UInt16 => with_keys::<UInt16Type>(dictionary, kept),
        DataType::UInt32 => with_keys::<UInt32Type>(dictionary, kept),
        DataType::UInt64 => with_keys::<UInt64Type>(dictionary, kept),
        _ => Err(RestoreError::Shape),
    }
}

fn with_keys<K: ArrowDictionaryKeyType>(
    dictionary: &DictionaryArray<Int32Type>,
    kept: Option<&KeptDictionary>,
) -> Result<ArrayRef, RestoreError> {
    let kept = kept.filter(|kept| has_room::<K>(kept.len()));
    let given_back = kept.map(|kept| kept.give_back(dictionary)).transpose()?.flatten();
    let (mut keys, mut values) =
        given_back.unwrap_or_else(|| (dictionary.keys().clone(), dictionary.values().clone()));
    if !has_room::<K>(values.len()) {
        // The decoder's dictionary is the row group's. These rows may need only part of it.
        (keys, values) = used_part(&keys, &values)?;
        if !has_room::<K>(values.len()) {
            return Err(RestoreError::DictionaryOverflow);
        }
    }
    if K::DATA_TYPE == DataType::Int32 {
        return Ok(Arc::new(DictionaryArray::try_new(without_idle_nulls(keys), values)?));
    }
    // A key under a null may be anything; every other one is below the values' number and fits.
    let keys = keys.unary_opt::<_, K>(|key| K::Native::from_usize(key.as_usize()));
    Ok(Arc::new(DictionaryArray::<K>::try_new(without_idle_nulls(keys), values)?))
}

/// A validity mask that marks no null makes a dictionary count as nullable nevertheless.
fn without_idle_nulls<T: ArrowPrimitiveType>(keys: PrimitiveArray<T>) -> PrimitiveArray<T> {
    match keys.null_count() {
        0 => PrimitiveArray::new(keys.values().clone(), None),
        _ => keys,
    }
}

fn has_room<K: ArrowDictionaryKeyType>(values: usize) -> bool {
    values.checked_sub(1).is_none_or(|last| K::Native::from_usize(last).is_some())
}

/// The values that the keys refer to, in their order, and keys into them.
fn used_part(keys: &Int32Array, values: &ArrayRef) -> Result<(Int32Array, ArrayRef), ArrowError> {
    const UNUSED: i32 = -1;
    let mut place = vec![UNUSED; values.len()];
    for key in keys.iter().flatten() {
        place[key.as_usize()] = 0;
    }
    let used: Int32Array =
        (0..values.len()).filter(|value| place[*value] != UNUSED).map(|value| value as i32).collect();
    for (new, old) in used.values().iter().enumerate() {
        place[old.as_usize()] = new as i32;
    }
    let keys = keys.unary_opt::<_, Int32Type>(|key| place.get(key.as_usize()).copied());
    Ok((keys, take(values, &used, None)?))
}
