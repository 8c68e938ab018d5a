//! Constants that hold others, and bytes.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, FixedSizeListArray, MapArray, StructArray, new_empty_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use serde::Deserialize as _;
use serde_json::Value;

use super::constants::scalar;
use super::types::arrow_type;
use crate::bound::{Constant, SqlType};
use crate::refusal::Refusal;

/// A constant list, map, or value with fields, that is not NULL.
pub(super) fn nested(sql_type: &SqlType, value: &Value) -> Result<ScalarValue, Refusal> {
    let unreadable = || Refusal::Form(format!("a constant of type {sql_type} is {value}"));
    let parts: Vec<Constant> = match value.get("children") {
        Some(children) => Vec::deserialize(children).map_err(|error| Refusal::Form(error.to_string()))?,
        None => return Err(unreadable()),
    };
    let data_type = arrow_type(sql_type)?;
    Ok(match (sql_type, &data_type) {
        (SqlType::List(_), DataType::List(item)) => {
            let items = parts.iter().map(scalar).collect::<Result<Vec<_>, _>>()?;
            ScalarValue::List(ScalarValue::new_list(&items, item.data_type(), true))
        }
        (SqlType::Array(..), DataType::FixedSizeList(item, size)) => {
            let items = column(&parts, item.data_type())?;
            let array = FixedSizeListArray::try_new(Arc::clone(item), *size, items, None);
            ScalarValue::FixedSizeList(Arc::new(array.map_err(|_| unreadable())?))
        }
        (SqlType::Struct(_), DataType::Struct(fields)) => {
            let parts = parts
                .iter()
                .zip(fields)
                .map(|(part, field)| column(std::slice::from_ref(part), field.data_type()));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            let value = StructArray::try_new(fields.clone(), parts, None);
            ScalarValue::Struct(Arc::new(value.map_err(|_| unreadable())?))
        }
        (SqlType::Map(..), DataType::Map(entries, is_sorted)) => {
            let pairs = column(&parts, entries.data_type())?;
            let offsets = OffsetBuffer::from_lengths([parts.len()]);
            let pairs = pairs.as_struct().clone();
            let map = MapArray::try_new(Arc::clone(entries), offsets, pairs, None, *is_sorted);
            ScalarValue::Map(Arc::new(map.map_err(|_| unreadable())?))
        }
        _ => return Err(unreadable()),
    })
}

/// Constants of this type, one below the other.
fn column(constants: &[Constant], data_type: &DataType) -> Result<ArrayRef, Refusal> {
    if constants.is_empty() {
        return Ok(new_empty_array(data_type));
    }
    let values = constants.iter().map(scalar).collect::<Result<Vec<_>, _>>()?;
    let values = ScalarValue::iter_to_array(values)?;
    // The pairs of a map are written as values of their own, whose keys may be NULL.
    Ok(crate::functions::retyped(&values, data_type)?)
}

/// Bytes in DuckDB's form: those that are no plain characters are `\xHH`.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit =
                    |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(high)? << 4 | digit(low)?);
                rest = after;
            }
            (b'\\', _) => return None,
            (plain, _) => bytes.push(*plain),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_plain_characters_are_written_with_two_digits() {
        assert_eq!(bytes(r"\xAA\x00a b\x5C"), Some(vec![0xaa, 0, b'a', b' ', b'b', b'\\']));
        for wrong in [r"\", r"\x0", r"\xg0", r"\n"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
