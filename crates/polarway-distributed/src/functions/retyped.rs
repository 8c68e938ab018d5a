//! The same values in another Arrow type that holds them.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, FixedSizeListArray, ListArray, MapArray, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::Volatility;

use super::{Native, second_type};

/// `retyped(value, null)`: the value in the type of `null`, whose fields may have other names. DataFusion's own cast goes by the
/// names of fields, which need not differ.
pub(crate) const RETYPED: Native = Native {
    // A constant would lose what its inner fields say beside their types.
    volatility: Volatility::Volatile,
    ..Native::new("duckdb_retyped", second_type, |arguments, output| retyped(&arguments[0], output))
};

/// Both types must hold the same values.
pub(crate) fn retyped(values: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if values.data_type() == wanted {
        return Ok(Arc::clone(values));
    }
    let nulls = values.nulls().cloned();
    Ok(match (values.data_type(), wanted) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            Arc::new(retyped_struct(values.as_struct(), fields)?)
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = values.as_list::<i32>();
            let items = retyped(list.values(), item.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(item), list.offsets().clone(), items, nulls)?)
        }
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, size)) => {
            let items = retyped(values.as_fixed_size_list().values(), item.data_type())?;
            let of_length = FixedSizeListArray::try_new_with_length;
            Arc::new(of_length(Arc::clone(item), *size, items, nulls, values.len())?)
        }
        (DataType::Map(..), DataType::Map(entries, is_sorted)) => {
            let map = values.as_map();
            let DataType::Struct(fields) = entries.data_type() else { return Ok(cast(values, wanted)?) };
            let pairs = retyped_struct(map.entries(), fields)?;
            Arc::new(MapArray::try_new(Arc::clone(entries), map.offsets().clone(), pairs, nulls, *is_sorted)?)
        }
        _ => cast(values, wanted)?,
    })
}

fn retyped_struct(values: &StructArray, fields: &Fields) -> Result<StructArray> {
    let parts = values.columns().iter().zip(fields);
    let parts = parts.map(|(part, field)| retyped(part, field.data_type())).collect::<Result<Vec<_>>>()?;
    Ok(StructArray::try_new(fields.clone(), parts, values.nulls().cloned())?)
}
