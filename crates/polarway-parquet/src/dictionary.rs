//! Gives decoded columns the dictionary type that was stored.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, PrimitiveArray};
use arrow_buffer::ArrowNativeType;
use arrow_cast::cast_with_options;
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;

use crate::restore::{EXACT, RestoreError};

/// `array`, plain or a dictionary with the same or with 32-bit keys, as a dictionary with keys and values of the given
/// types.
pub(crate) fn to_dictionary(
    array: &ArrayRef,
    keys: &DataType,
    values: &DataType,
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
        _ => cast_with_options(array, &wide, &EXACT)?,
    };
    let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or(RestoreError::Shape)?;
    match keys {
        DataType::Int8 => narrow::<Int8Type>(dictionary),
        DataType::Int16 => narrow::<Int16Type>(dictionary),
        DataType::Int32 => {
            let (keys, values) = (without_idle_nulls(dictionary.keys().clone()), dictionary.values().clone());
            Ok(Arc::new(DictionaryArray::try_new(keys, values)?))
        }
        DataType::Int64 => narrow::<Int64Type>(dictionary),
        DataType::UInt8 => narrow::<UInt8Type>(dictionary),
        DataType::UInt16 => narrow::<UInt16Type>(dictionary),
        DataType::UInt32 => narrow::<UInt32Type>(dictionary),
        DataType::UInt64 => narrow::<UInt64Type>(dictionary),
        _ => Err(RestoreError::Shape),
    }
}

fn narrow<K: ArrowDictionaryKeyType>(
    dictionary: &DictionaryArray<Int32Type>,
) -> Result<ArrayRef, RestoreError> {
    let (mut keys, mut values) = (dictionary.keys().clone(), dictionary.values().clone());
    if !has_room::<K>(values.len()) {
        // The decoder's dictionary is the row group's. These rows may need only part of it.
        (keys, values) = used_part(&keys, &values)?;
        if !has_room::<K>(values.len()) {
            return Err(RestoreError::DictionaryOverflow);
        }
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
