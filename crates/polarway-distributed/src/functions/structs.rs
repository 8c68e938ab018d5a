//! Values with fields.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray as _, StructArray, make_array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::{DataFusionError, Result};

use super::retyped::retyped;
use super::{Native, last_type, unexpected};

/// `pack(value, …, null)`: the values as the fields of one, of the type of `null`.
pub(crate) const PACK: Native = Native::new("duckdb_pack", last_type, |arguments, output| {
    let DataType::Struct(fields) = output else {
        return Err(unexpected("duckdb_pack", std::slice::from_ref(output)));
    };
    let parts = arguments.iter().zip(fields);
    let parts = parts.map(|(part, field)| retyped(part, field.data_type())).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), parts, None)?))
});

/// `field(value, place, null)`: the field at this place, from 0, of the type of `null`. Of NULL it is NULL.
pub(crate) const FIELD: Native = Native::new("duckdb_field", last_type, |arguments, _| {
    let values = arguments[0].as_struct();
    let place = arguments[1].as_primitive::<Int64Type>().value(0);
    let field = usize::try_from(place).ok().and_then(|place| values.columns().get(place));
    let field = field.ok_or_else(|| DataFusionError::Internal(format!("there is no field {place}")))?;
    let nulls = NullBuffer::union(values.nulls(), field.nulls());
    Ok(make_array(field.to_data().into_builder().nulls(nulls).build()?))
});
