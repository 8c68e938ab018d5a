//! Values as bytes that compare as DuckDB compares the values, at any depth: NULLs inside of a value are equal, and greater than
//! all else.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, FixedSizeListArray, ListArray, StructArray, new_null_array,
};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::Result;

use super::floats::canonical_numbers;
use super::{Native, failed, second_type};

/// A value as bytes; NULL stays NULL.
pub(crate) const NESTED_KEY: Native = Native::new(
    "duckdb_nested_key",
    |_| Ok(DataType::Binary),
    |arguments, _| Ok(Arc::new(nested_key(&arguments[0])?) as ArrayRef),
);

/// `from_nested_key(key, null)`: the value of a key, in the type of `null`.
pub(crate) const FROM_NESTED_KEY: Native =
    Native::new("duckdb_from_nested_key", second_type, |arguments, output| {
        let converter = converter(std::slice::from_ref(output), &[ASCENDING])?;
        let null = converter.convert_columns(&[new_null_array(output, 1)])?;
        let keys: &BinaryArray = arguments[0].as_binary();
        let parser = converter.parser();
        let keys = keys.iter().map(|key| key.map_or_else(|| null.row(0), |key| parser.parse(key)));
        match converter.convert_rows(keys)?.pop() {
            Some(values) => Ok(values),
            None => failed("a key has no value"),
        }
    });

/// `sort_key(orders, value, …)`: several values as bytes that compare as rows in these orders do, which are words of
/// [`order_word`].
pub(crate) const SORT_KEY: Native = Native::new(
    "duckdb_sort_key",
    |_| Ok(DataType::Binary),
    |arguments, _| {
        let orders = arguments[0].as_string::<i32>().value(0);
        let orders: Vec<SortOptions> = orders.split(' ').map(order).collect::<Result<_>>()?;
        let keys = rows(&arguments[1..], &orders)?;
        Ok(Arc::new(keys.iter().map(|key| Some(key.data().to_vec())).collect::<BinaryArray>()) as ArrayRef)
    },
);

const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// A word for a direction and for the place of NULLs.
pub(crate) fn order_word(is_ascending: bool, is_null_first: bool) -> &'static str {
    match (is_ascending, is_null_first) {
        (true, true) => "up-first",
        (true, false) => "up-last",
        (false, true) => "down-first",
        (false, false) => "down-last",
    }
}

pub(super) fn order(word: &str) -> Result<SortOptions> {
    let (descending, nulls_first) = match word {
        "up-first" => (false, true),
        "up-last" => (false, false),
        "down-first" => (true, true),
        "down-last" => (true, false),
        other => return failed(format!("{other} is no order")),
    };
    Ok(SortOptions { descending, nulls_first })
}

/// The rows of these columns as bytes.
pub(super) fn rows(columns: &[ArrayRef], orders: &[SortOptions]) -> Result<Rows> {
    let flat = |column: &ArrayRef| match column.data_type().is_nested() {
        // Inside of a value, the place of NULLs goes by the direction alone.
        true => Ok(Arc::new(nested_key(column)?) as ArrayRef),
        false => canonical(column),
    };
    let columns: Vec<ArrayRef> = columns.iter().map(flat).collect::<Result<_>>()?;
    let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
    Ok(converter(&types, orders)?.convert_columns(&columns)?)
}

fn nested_key(values: &ArrayRef) -> Result<BinaryArray> {
    let converter = converter(&[values.data_type().clone()], &[ASCENDING])?;
    let keys = converter.convert_columns(&[canonical(values)?])?;
    Ok((0..values.len()).map(|row| values.is_valid(row).then(|| keys.row(row).data().to_vec())).collect())
}

fn converter(types: &[DataType], orders: &[SortOptions]) -> Result<RowConverter> {
    let fields = types.iter().zip(orders);
    let fields = fields.map(|(data_type, order)| SortField::new_with_options(data_type.clone(), *order));
    Ok(RowConverter::new(fields.collect())?)
}

/// The same values with one form for all floating-point numbers that are equal.
fn canonical(values: &ArrayRef) -> Result<ArrayRef> {
    let nulls = values.nulls().cloned();
    Ok(match values.data_type() {
        DataType::Float32 | DataType::Float64 => canonical_numbers(values)?,
        DataType::Struct(fields) => {
            let parts = values.as_struct().columns().iter().map(canonical).collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new(fields.clone(), parts, nulls)?)
        }
        DataType::List(item) => {
            let list = values.as_list::<i32>();
            let items = canonical(list.values())?;
            Arc::new(ListArray::try_new(Arc::clone(item), list.offsets().clone(), items, nulls)?)
        }
        DataType::FixedSizeList(item, size) => {
            let items = canonical(values.as_fixed_size_list().values())?;
            let of_length = FixedSizeListArray::try_new_with_length;
            Arc::new(of_length(Arc::clone(item), *size, items, nulls, values.len())?)
        }
        _ => Arc::clone(values),
    })
}
