//! Aggregates that need all values of a group: these are collected in a list, of which a function makes the result.

use std::sync::Arc;

use datafusion::functions_aggregate as aggregate;
use datafusion::logical_expr::{AggregateUDF, Expr, lit};

use super::Translator;
use super::comparisons::key;
use super::constants::null;
use super::operators::form;
use super::relation::Relation;
use crate::bound::{Aggregate, Constant, Expression, Function, SqlType};
use crate::functions::{
    CONTINUOUS_QUANTILES, COUNTED, DISCRETE_QUANTILES, FIELD, FROM_NESTED_KEY, JOINED, NESTED_KEY, ORDERED,
    PACK, SORT_ITEMS, SORT_KEY, order_word,
};
use crate::refusal::Refusal;

/// An aggregate that is made of one of DataFusion's.
pub(super) struct Collection<'a> {
    pub(super) called: &'a Aggregate,
    pub(super) input: &'a Relation,
    /// Adds DataFusion's aggregate, with its arguments.
    pub(super) add: &'a mut dyn FnMut(Arc<AggregateUDF>, Vec<Expr>) -> Expr,
    /// Whether the result is the same each time.
    pub(super) is_repeatable: bool,
}

impl Collection<'_> {
    fn is_distinct(&self) -> bool {
        self.called.aggregate_type == "DISTINCT"
    }

    /// The list of all values.
    fn list(&mut self, value: Expr) -> Expr {
        (self.add)(aggregate::array_agg::array_agg_udaf(), vec![value])
    }
}

impl Translator<'_> {
    /// The aggregate of these arguments; `None` if it is not known.
    pub(super) fn collected(
        &self,
        of: &mut Collection<'_>,
        mut arguments: Vec<Expr>,
    ) -> Result<Option<Expr>, Refusal> {
        let called = of.called;
        let types: Vec<SqlType> = called.children.iter().map(Expression::sql_type).collect();
        let output = &called.return_type;
        let is_distinct = of.is_distinct();
        Ok(Some(match (called.name.as_str(), types.as_slice()) {
            ("list" | "array_agg", [sql_type]) if of.called.orders().is_empty() => {
                if is_distinct && !is_exact(sql_type) {
                    return Ok(None);
                }
                of.list(arguments.remove(0))
            }
            ("list" | "array_agg", [sql_type]) => self.in_order(of, arguments.remove(0), sql_type)?,
            ("string_agg" | "group_concat" | "listagg", [SqlType::Varchar]) => {
                if of.called.orders().is_empty() {
                    return Err(Refusal::Order(called.name.clone()));
                }
                let Some(separator) = called.function_data["separator"].as_str() else { return Ok(None) };
                let texts = self.in_order(of, arguments.remove(0), &SqlType::Varchar)?;
                JOINED.call(vec![texts, lit(separator)])
            }
            ("histogram", [sql_type]) if !is_distinct && is_exact(sql_type) => {
                COUNTED.call(vec![of.list(arguments.remove(0)), null(output)?])
            }
            ("median" | "quantile_cont", [sql_type])
                if !is_distinct && (sql_type.is_small_integer() || *sql_type == SqlType::Double) =>
            {
                let Some((fractions, is_descending)) = fractions(called) else { return Ok(None) };
                let values = of.list(arguments.remove(0));
                CONTINUOUS_QUANTILES.call(vec![values, lit(fractions), lit(is_descending), null(output)?])
            }
            ("quantile_disc" | "quantile", [sql_type]) if !is_distinct && is_exact(sql_type) => {
                let Some((fractions, is_descending)) = fractions(called) else { return Ok(None) };
                let values = of.list(arguments.remove(0));
                DISCRETE_QUANTILES.call(vec![values, lit(fractions), lit(is_descending), null(output)?])
            }
            (_, [_, _]) if is_at_extreme(called) => return self.at_extreme(of, arguments.remove(0)),
            _ => return Ok(None),
        }))
    }

    /// A list of the values in the order that is given.
    fn in_order(&self, of: &mut Collection<'_>, value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
        let sorts = self.orders(of.called.orders(), of.input)?;
        let is_by_value = sorts.iter().any(|sort| sort.expr == value);
        let words: Vec<_> = sorts.iter().map(|sort| order_word(sort.asc, sort.nulls_first)).collect();
        if of.is_distinct() {
            let ([word], true) = (words.as_slice(), is_by_value && is_exact(sql_type)) else {
                return Err(Refusal::Order("DISTINCT by another order".to_owned()));
            };
            return Ok(SORT_ITEMS.call(vec![of.list(value), lit(*word)]));
        }
        if sorts.is_empty() {
            return Err(Refusal::Order("a list of values".to_owned()));
        }
        of.is_repeatable &= is_by_value;
        let mut keys = vec![lit(words.join(" "))];
        keys.extend(sorts.into_iter().map(|sort| sort.expr));
        let pair = pair(SORT_KEY.call(keys), SqlType::Blob, value, sql_type)?;
        Ok(ORDERED.call(vec![of.list(pair)]))
    }

    /// The value where another one is least or greatest. It has to follow from the other one: where that is the same in several
    /// rows, no order says which of them counts.
    fn at_extreme(&self, of: &mut Collection<'_>, value: Expr) -> Result<Option<Expr>, Refusal> {
        let called = of.called;
        let [shown, by] = called.children.as_slice() else { return Ok(None) };
        let sql_type = shown.sql_type();
        if !is_exact(&sql_type) {
            return Ok(None);
        }
        let (by, by_type, parts) = self.extreme_key(by, of.input)?;
        if parts.is_some_and(|parts| !parts.contains(&value)) {
            return Err(Refusal::Order(called.name.clone()));
        }
        let pair_type = pair_type(&by_type, &sql_type);
        key(value.clone(), &pair_type)?;
        let pair = pair(by.clone(), by_type, value.clone(), &sql_type)?;
        let skipped = match called.name.ends_with("_null") {
            true => by.is_null(),
            false => by.is_null().or(value.is_null()),
        };
        let keyed = datafusion::logical_expr::when(skipped, null(&SqlType::Blob)?)
            .otherwise(NESTED_KEY.call(vec![pair]))?;
        let udaf = match called.name.contains("min") {
            true => aggregate::min_max::min_udaf(),
            false => aggregate::min_max::max_udaf(),
        };
        let found = FROM_NESTED_KEY.call(vec![(of.add)(udaf, vec![keyed]), null(&pair_type)?]);
        Ok(Some(FIELD.call(vec![found, lit(1_i64), null(&sql_type)?])))
    }

    /// What rows are compared by, its type, and the values that follow from it: `None` if the query orders the rows itself.
    fn extreme_key(
        &self,
        by: &Expression,
        input: &Relation,
    ) -> Result<(Expr, SqlType, Option<Vec<Expr>>), Refusal> {
        match by {
            Expression::Function(called) if called.name == "create_sort_key" => {
                Ok((self.sort_key(called, input)?, SqlType::Blob, None))
            }
            Expression::Column { index, sql_type: SqlType::Blob }
                if input.column(*index)?.refused.is_some() =>
            {
                Ok((input.column(*index)?.unordered()?, SqlType::Blob, None))
            }
            Expression::Function(called) if matches!(called.name.as_str(), "row" | "struct_pack") => {
                let parts = called.children.iter().map(|child| self.expression(child, input));
                let parts = parts.collect::<Result<Vec<_>, _>>()?;
                Ok((self.expression(by, input)?, by.sql_type(), Some(parts)))
            }
            _ => {
                let value = self.expression(by, input)?;
                Ok((value.clone(), by.sql_type(), Some(vec![value])))
            }
        }
    }

    /// DuckDB's key for an order of rows. Its bytes are others, so it can be compared with its like and not be read.
    pub(super) fn sort_key(&self, called: &Function, input: &Relation) -> Result<Expr, Refusal> {
        let (mut words, mut keys) = (Vec::new(), Vec::new());
        for of in called.children.chunks(2) {
            let [of, Expression::Constant(order)] = of else { return Err(form("a sort key")) };
            words.push(match order.value.as_str() {
                Some("ASC NULLS FIRST") => order_word(true, true),
                Some("ASC NULLS LAST") => order_word(true, false),
                Some("DESC NULLS FIRST") => order_word(false, true),
                Some("DESC NULLS LAST") => order_word(false, false),
                _ => return Err(form("a sort key")),
            });
            keys.push(key(self.expression(of, input)?, &of.sql_type())?);
        }
        keys.insert(0, lit(words.join(" ")));
        Ok(SORT_KEY.call(keys))
    }
}

/// Whether it is the value in the row where another one is least or greatest.
pub(super) fn is_at_extreme(called: &Aggregate) -> bool {
    matches!(
        called.name.as_str(),
        "arg_min" | "arg_max" | "min_by" | "max_by" | "arg_min_null" | "arg_max_null"
    )
}

/// Whether it is a list of values in no order.
pub(super) fn is_unordered_list(called: &Aggregate) -> bool {
    matches!(called.name.as_str(), "list" | "array_agg") && called.orders().is_empty()
}

/// A type of whose values no two are equal and not the same.
fn is_exact(sql_type: &SqlType) -> bool {
    !sql_type.is_float() && !sql_type.is_nested() && key(lit(0), sql_type).is_ok()
}

fn pair_type(key: &SqlType, value: &SqlType) -> SqlType {
    SqlType::Struct(vec![("key".to_owned(), key.clone()), ("value".to_owned(), value.clone())])
}

fn pair(key: Expr, key_type: SqlType, value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    Ok(PACK.call(vec![key, value, null(&pair_type(&key_type, sql_type))?]))
}

/// The fractions of a quantile, as words, and whether the order is descending.
fn fractions(called: &Aggregate) -> Option<(String, bool)> {
    let data = &called.function_data;
    let word = |quantile: &serde_json::Value| {
        let constant: Constant = serde_json::from_value(quantile.clone()).ok()?;
        let number = constant.value.as_i64().filter(|_| !constant.is_null)?;
        match constant.sql_type {
            SqlType::Decimal { scale, .. } => {
                Some(format!("{number}/{}", 10_i128.checked_pow(u32::try_from(scale).ok()?)?))
            }
            SqlType::Integer => Some(format!("{number}/1")),
            _ => None,
        }
    };
    let words: Vec<String> = data["quantiles"].as_array()?.iter().map(word).collect::<Option<_>>()?;
    let is_one = !matches!(called.return_type, SqlType::List(_));
    (!words.is_empty() && (words.len() == 1 || !is_one)).then(|| (words.join(" "), data["desc"] == true))
}
