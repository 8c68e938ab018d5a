//! Functions of lists and of values with fields.

use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;

use super::Translator;
use super::comparisons::{holds_float, key};
use super::constants::null;
use super::relation::Relation;
use super::scalar_functions::text;
use crate::bound::{Expression, Function, SqlType};
use crate::functions::{
    FIELD, ITEM, LENGTH, LIST, MAP_ENTRIES, MAP_KEYS, MAP_LENGTH, MAP_VALUES, PACK, SLICE, SORT_ITEMS, SPLIT,
    order_word,
};
use crate::refusal::Refusal;

/// A function by its name and the types of its arguments; `None` if it is not known.
pub(super) fn function(
    name: &str,
    output: &SqlType,
    types: &[SqlType],
    mut arguments: Vec<Expr>,
) -> Result<Option<Expr>, Refusal> {
    use SqlType::{BigInt, List, Map, Struct, Varchar};
    Ok(Some(match (name, types) {
        ("struct_pack" | "row", parts) => match output {
            Struct(fields) if fields.iter().map(|(_, sql_type)| sql_type).eq(parts) => {
                arguments.push(null(output)?);
                PACK.call(arguments)
            }
            _ => return Ok(None),
        },
        ("struct_extract" | "array_extract" | "struct_extract_at", [Struct(fields), by]) => {
            let place = match (by, &arguments[1]) {
                (Varchar, Expr::Literal(ScalarValue::Utf8(Some(name)), _)) => place_of(fields, name),
                (BigInt, Expr::Literal(ScalarValue::Int64(Some(place)), _)) => place
                    .checked_sub(1)
                    .filter(|place| usize::try_from(*place).is_ok_and(|place| place < fields.len())),
                _ => None,
            };
            let Some(place) = place else { return Ok(None) };
            FIELD.call(vec![arguments.remove(0), lit(place), null(output)?])
        }
        ("list_value" | "unpivot_list", items) => match output {
            List(item) if items.iter().all(|sql_type| *sql_type == **item) => {
                arguments.push(null(output)?);
                LIST.call(arguments)
            }
            _ => return Ok(None),
        },
        ("array_extract" | "list_extract" | "list_element", [List(item), BigInt]) if **item == *output => {
            ITEM.call(arguments)
        }
        ("array_slice" | "list_slice", [List(_), begin, end]) => {
            let (Some(begin), Some(end)) =
                (bound(&arguments[1], begin, 0), bound(&arguments[2], end, i64::MAX))
            else {
                return Ok(None);
            };
            SLICE.call(vec![arguments.remove(0), begin, end])
        }
        ("string_split" | "str_split" | "split" | "string_to_array", [Varchar, Varchar])
            if text(&arguments[1]).is_some_and(|separator| !separator.is_empty()) =>
        {
            SPLIT.call(arguments)
        }
        ("map_entries" | "map_keys" | "map_values", [Map(..)]) => {
            let function = match name {
                "map_entries" => MAP_ENTRIES,
                "map_keys" => MAP_KEYS,
                _ => MAP_VALUES,
            };
            function.call(vec![arguments.remove(0), null(output)?])
        }
        ("cardinality", [Map(..)]) => MAP_LENGTH.call(arguments),
        ("len" | "length" | "array_length", [List(_)]) if *output == BigInt => LENGTH.call(arguments),
        ("list_sort" | "array_sort" | "list_reverse_sort", [List(item), ..]) => {
            let Some(order) = order(name, &arguments[1..]) else { return Ok(None) };
            // Only values that can be compared have an order.
            key(arguments[0].clone(), item)?;
            SORT_ITEMS.call(vec![arguments.remove(0), lit(order)])
        }
        _ => return Ok(None),
    }))
}

/// A bound of a slice; an empty list stands for one that is left out.
fn bound(argument: &Expr, sql_type: &SqlType, default: i64) -> Option<Expr> {
    match (sql_type, argument) {
        (SqlType::BigInt, argument) => Some(argument.clone()),
        (SqlType::List(_), Expr::Literal(ScalarValue::List(list), _)) if list.value_length(0) == 0 => {
            Some(lit(default))
        }
        _ => None,
    }
}

/// The place of the field with this name, in which case does not matter.
fn place_of(fields: &[(String, SqlType)], name: &str) -> Option<i64> {
    let mut found = fields.iter().enumerate().filter(|(_, (field, _))| field.eq_ignore_ascii_case(name));
    let (place, _) = found.next().filter(|_| found.next().is_none())?;
    i64::try_from(place).ok()
}

/// The word for the order of `list_sort`, whose arguments are the direction and the place of NULLs.
fn order(name: &str, arguments: &[Expr]) -> Option<&'static str> {
    let word = |argument: &Expr| match argument {
        Expr::Literal(ScalarValue::Utf8(Some(word)), _) => Some(word.to_uppercase()),
        _ => None,
    };
    let words = arguments.iter().map(word).collect::<Option<Vec<_>>>()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (direction, nulls) = match words.as_slice() {
        [] => ("ORDER_DEFAULT", "ORDER_DEFAULT"),
        [direction] if name != "list_reverse_sort" => (*direction, "ORDER_DEFAULT"),
        [direction, nulls] if name != "list_reverse_sort" => (*direction, *nulls),
        _ => return None,
    };
    let is_ascending = match direction {
        "ORDER_DEFAULT" | "ASC" | "ASCENDING" => true,
        "DESC" | "DESCENDING" => false,
        _ => return None,
    };
    let is_null_first = match nulls {
        "ORDER_DEFAULT" | "NULLS LAST" => false,
        "NULLS FIRST" => true,
        _ => return None,
    };
    Some(order_word(is_ascending != (name == "list_reverse_sort"), is_null_first))
}

impl Translator<'_> {
    /// A function whose result is the same for any order of a list's items.
    pub(super) fn of_unordered(&self, called: &Function, input: &Relation) -> Result<Option<Expr>, Refusal> {
        let [Expression::Column { index, sql_type }, rest @ ..] = called.children.as_slice() else {
            return Ok(None);
        };
        let is_blind = match called.name.as_str() {
            // Nested values with 0 and -0 are equal: they stay in the order in which they were.
            "list_sort" | "array_sort" | "list_reverse_sort" => {
                !matches!(sql_type, SqlType::List(item) if item.is_nested() && holds_float(item))
            }
            "len" | "length" | "array_length" => true,
            _ => false,
        };
        if !is_blind {
            return Ok(None);
        }
        let mut types = vec![sql_type.clone()];
        let mut arguments = vec![input.column(*index)?.unordered()?];
        for argument in rest {
            types.push(argument.sql_type());
            arguments.push(self.expression(argument, input)?);
        }
        function(&called.name, &called.return_type, &types, arguments)
    }
}
