//! Functions with DuckDB's meaning where DataFusion has none, or another one.
//!
//! They have no state and travel by name: each session, on every worker, has to register [`all`].

mod arithmetic;
mod averages;
mod calendar;
mod casts;
mod collected;
mod conditions;
mod days;
mod expansions;
mod floats;
mod keys;
mod letters;
mod lists;
mod maps;
mod moments;
mod opaque;
mod quantiles;
mod repeatable;
mod retyped;
mod structs;
mod sums;
mod text;
mod time_texts;
mod zoned;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::session::Functions;

/// A function over columns. NULLs are its own matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Native {
    name: &'static str,
    /// The type of the result, from those of the arguments.
    output: fn(&[DataType]) -> Result<DataType>,
    /// The result for arguments of the same length, at least 1.
    run: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
    volatility: Volatility,
}

impl Native {
    const fn new(
        name: &'static str,
        output: fn(&[DataType]) -> Result<DataType>,
        run: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
    ) -> Self {
        Self { name, output, run, volatility: Volatility::Immutable }
    }

    /// As DataFusion calls it.
    pub(crate) fn to_udf(self) -> ScalarUDF {
        ScalarUDF::from(NativeUdf { native: self, signature: Signature::variadic_any(self.volatility) })
    }

    /// A call.
    pub(crate) fn call(self, arguments: Vec<Expr>) -> Expr {
        Expr::ScalarFunction(datafusion::logical_expr::expr::ScalarFunction::new_udf(
            Arc::new(self.to_udf()),
            arguments,
        ))
    }
}

pub(crate) use self::arithmetic::{ADD, DIVIDE_INTEGERS, MODULO, MULTIPLY, NEGATE, SUBTRACT, product_of};
pub(crate) use self::averages::AVERAGE;
pub(crate) use self::calendar::{ADD_INTERVAL, DATE_PART, DATE_TRUNC, SUBTRACT_INTERVAL};
pub(crate) use self::casts::{
    CAST, DATE_OF, DECIMAL_TO_DOUBLE, ROUND_TO_INTEGER, TIMESTAMP_OF, TRY_CAST, WHOLE, ZONED_OF,
};
pub(crate) use self::collected::{COUNTED, JOINED};
pub(crate) use self::conditions::ALL_OF;
pub(crate) use self::days::{ADD_DAYS, DAY_NAME, LAST_DAY, MAKE_DATE, MAKE_TIME, MONTH_NAME, SUBTRACT_DAYS};
pub(crate) use self::floats::{
    BITS, CANONICAL, FINITE, FROM_BITS, FROM_KEY, KEY, LOGARITHM, ROUND, ROUND_DIGITS, SQUARE_ROOT,
};
pub(crate) use self::keys::{FROM_NESTED_KEY, NESTED_KEY, SORT_KEY, order_word};
pub(crate) use self::letters::{FIRST_CHARACTERS, JOINED_VALUES, LAST_CHARACTERS, LOWER, UPPER};
pub(crate) use self::lists::{FIRST_OF, ITEM, LENGTH, LIST, ORDERED, SLICE, SORT_ITEMS, SPLIT};
pub(crate) use self::maps::{MAP_ENTRIES, MAP_KEYS, MAP_LENGTH, MAP_VALUES};
pub(crate) use self::opaque::{NULLABLE, OPAQUE, opaque};
pub(crate) use self::quantiles::{CONTINUOUS_QUANTILES, DISCRETE_QUANTILES};
pub(crate) use self::repeatable::{ROUNDED, VARIANCE, total, total_of_squares};
pub(crate) use self::retyped::{RETYPED, retyped};
pub(crate) use self::structs::{FIELD, PACK};
pub(crate) use self::sums::NARROWED;
pub(crate) use self::text::{ERROR, LIKE, SUBSTRING};
pub(crate) use self::time_texts::TEXT_OF;

/// All functions that translated plans call.
#[must_use]
pub fn all() -> Functions {
    let natives = [
        ADD,
        SUBTRACT,
        MULTIPLY,
        DIVIDE_INTEGERS,
        MODULO,
        NEGATE,
        ALL_OF,
        AVERAGE,
        DATE_PART,
        DATE_TRUNC,
        ADD_INTERVAL,
        SUBTRACT_INTERVAL,
        CAST,
        TRY_CAST,
        WHOLE,
        DATE_OF,
        DECIMAL_TO_DOUBLE,
        ROUND_TO_INTEGER,
        TEXT_OF,
        TIMESTAMP_OF,
        ZONED_OF,
        BITS,
        CANONICAL,
        FROM_BITS,
        FINITE,
        FROM_KEY,
        KEY,
        LOGARITHM,
        ROUND,
        ROUND_DIGITS,
        SQUARE_ROOT,
        ADD_DAYS,
        SUBTRACT_DAYS,
        DAY_NAME,
        LAST_DAY,
        MAKE_DATE,
        MAKE_TIME,
        MONTH_NAME,
        COUNTED,
        JOINED,
        CONTINUOUS_QUANTILES,
        DISCRETE_QUANTILES,
        FROM_NESTED_KEY,
        NESTED_KEY,
        SORT_KEY,
        FIRST_OF,
        ITEM,
        LENGTH,
        LIST,
        ORDERED,
        SLICE,
        SORT_ITEMS,
        SPLIT,
        MAP_ENTRIES,
        MAP_KEYS,
        MAP_LENGTH,
        MAP_VALUES,
        FIRST_CHARACTERS,
        JOINED_VALUES,
        LAST_CHARACTERS,
        LOWER,
        UPPER,
        ROUNDED,
        VARIANCE,
        NULLABLE,
        OPAQUE,
        RETYPED,
        FIELD,
        PACK,
        NARROWED,
        ERROR,
        LIKE,
        SUBSTRING,
    ];
    Functions {
        scalar: natives.into_iter().map(|native| Arc::new(native.to_udf())).collect(),
        aggregate: vec![total(), total_of_squares()],
        window: Vec::new(),
    }
}

#[derive(Debug)]
struct NativeUdf {
    native: Native,
    signature: Signature,
}

impl PartialEq for NativeUdf {
    fn eq(&self, other: &Self) -> bool {
        self.native.name == other.native.name
    }
}

impl Eq for NativeUdf {}

impl Hash for NativeUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.native.name.hash(state);
    }
}

impl ScalarUDFImpl for NativeUdf {
    fn name(&self) -> &str {
        self.native.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.native.output)(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let output = args.return_field.data_type();
        // A branch that is taken for no row must not fail.
        if args.number_rows == 0 {
            return Ok(ColumnarValue::Array(new_null_array(output, 0)));
        }
        // DataFusion's rules ask what a condition gives for columns of NULLs without a type. Each takes an error for "not known".
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
            return Err(unexpected(self.name(), &types));
        }
        // A nested scalar would lose what its inner fields say beside their types.
        let is_constant =
            !output.is_nested() && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let result = (self.native.run)(&arrays, output)?;
        match is_constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}

fn unexpected(name: &str, types: &[DataType]) -> DataFusionError {
    DataFusionError::Internal(format!("{name} has no form for {types:?}"))
}

fn failed<T>(message: impl Into<String>) -> Result<T> {
    Err(DataFusionError::Execution(message.into()))
}

fn first_type(types: &[DataType]) -> Result<DataType> {
    types.first().cloned().ok_or_else(|| unexpected("a function", types))
}

fn second_type(types: &[DataType]) -> Result<DataType> {
    types.get(1).cloned().ok_or_else(|| unexpected("a function", types))
}

fn last_type(types: &[DataType]) -> Result<DataType> {
    types.last().cloned().ok_or_else(|| unexpected("a function", types))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;

    use super::*;

    #[test]
    fn columns_without_a_type_are_an_error_of_each_function_and_not_a_panic() {
        for udf in all().scalar {
            for arity in 1..=4 {
                let null = || Arc::new(Field::new("null", DataType::Null, true));
                let args = ScalarFunctionArgs {
                    args: vec![ColumnarValue::Scalar(ScalarValue::Null); arity],
                    arg_fields: (0..arity).map(|_| null()).collect(),
                    number_rows: 1,
                    return_field: Arc::new(Field::new("result", DataType::Boolean, true)),
                    config_options: Arc::new(ConfigOptions::default()),
                };
                let refused = udf.invoke_with_args(args).unwrap_err().to_string();
                assert!(refused.contains(udf.name()), "{refused}");
            }
        }
    }
}
