//! Aggregates.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::functions_aggregate as aggregate;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlanBuilder, cast, lit, when};
use std::sync::Arc;

use super::Translator;
use super::collected::{Collection, is_at_extreme};
use super::comparisons::{from_key, key};
use super::relation::{OutputColumn, Relation, RowOrder};
use super::sums::{average, repeatable, sum};
use super::types::arrow_type;
use crate::bound::{Aggregate, Expression, SqlType};
use crate::functions::{FINITE, FROM_KEY, KEY, WHOLE};
use crate::refusal::Refusal;

/// The number of rows.
pub(super) fn count_all() -> Expr {
    aggregate::count::count_udaf().call(vec![lit(1_i64)])
}

/// The greatest value, of types whose values Arrow compares.
pub(super) fn max(value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    match sql_type {
        SqlType::Float | SqlType::Double => Err(Refusal::Function(format!("max({sql_type})"))),
        _ => from_key(aggregate::min_max::max_udaf().call(vec![key(value, sql_type)?]), sql_type),
    }
}

/// Aggregates of one operator: those of DataFusion, and what is made of them.
pub(super) struct Made {
    /// DataFusion's aggregates, by the names of their columns.
    pub(super) parts: Vec<(String, Expr)>,
    pub(super) is_repeatable: bool,
}

impl Translator<'_> {
    /// Groups the rows by these values; aggregates need no work after them.
    pub(super) fn grouped(
        &mut self,
        input: Relation,
        groups: Vec<(Expr, SqlType)>,
        aggregates: Vec<(Expr, SqlType)>,
    ) -> Result<Relation, Refusal> {
        let (mut named, mut columns) = (Vec::with_capacity(groups.len()), Vec::new());
        for (group, sql_type) in groups {
            let name = self.fresh();
            let column = Column::new_unqualified(name.clone());
            columns.push(OutputColumn { column, sql_type, refused: None });
            named.push((name, group));
        }
        let mut parts = Vec::with_capacity(aggregates.len());
        for (aggregate, sql_type) in aggregates {
            let name = self.fresh();
            parts.push((name.clone(), aggregate));
            columns.push(OutputColumn { column: Column::new_unqualified(name), sql_type, refused: None });
        }
        let grouped = self.grouping(input, named, parts)?;
        Ok(Relation { columns, ..grouped })
    }

    /// Groups the rows by these keys, with these of DataFusion's aggregates, all under the names of their columns.
    pub(super) fn grouping(
        &mut self,
        input: Relation,
        keys: Vec<(String, Expr)>,
        parts: Vec<(String, Expr)>,
    ) -> Result<Relation, Refusal> {
        let is_of_all = keys.is_empty();
        let order = if is_of_all { RowOrder::AtMostOne } else { RowOrder::Any };
        let keys: Vec<Expr> = keys.into_iter().map(|(name, key)| key.alias(name)).collect();
        let mut parts: Vec<Expr> = parts.into_iter().map(|(name, part)| part.alias(name)).collect();
        if is_of_all && parts.is_empty() {
            parts.push(count_all().alias(self.fresh()));
        }
        let mut plan = LogicalPlanBuilder::new(input.plan.clone()).aggregate(keys, parts)?;
        if is_of_all {
            // DataFusion would filter by constants below the aggregate, which has a row all the same, but not below a limit.
            plan = plan.limit(0, Some(1))?;
        }
        let plan = plan.build()?;
        Ok(Relation { plan, columns: Vec::new(), order, size: input.size + 1, ..input })
    }

    /// One aggregate: what is added to `made`, and the value that is made of it.
    pub(super) fn one(
        &mut self,
        called: &Aggregate,
        is_of_subquery: bool,
        input: &Relation,
        made: &mut Made,
    ) -> Result<Expr, Refusal> {
        let types: Vec<SqlType> = called.children.iter().map(Expression::sql_type).collect();
        // An order of rows, by which a value is chosen, can't be read like others.
        let is_by_key = is_at_extreme(called);
        let read = called.children.iter().take(if is_by_key { 1 } else { usize::MAX });
        let arguments = read.map(|child| self.expression(child, input));
        let mut arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let options = Options {
            filter: called.filter.as_ref().map(|filter| self.expression(filter, input)).transpose()?,
            is_distinct: match called.aggregate_type.as_str() {
                "NON_DISTINCT" => false,
                "DISTINCT" => true,
                other => return Err(Refusal::Function(format!("{} {other}", called.name))),
            },
        };
        let unknown = || {
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            Refusal::Function(format!("{}({})", called.name, types.join(", ")))
        };
        let adds_exactly = self.adds_exactly && !options.is_distinct;
        // The order in which an aggregate gets its values matters to none of these.
        let mut part = |udaf: Arc<AggregateUDF>, arguments: Vec<Expr>| {
            made.add(self.fresh(), options.call(udaf, arguments))
        };
        if adds_exactly
            && let ([SqlType::Double], [value]) = (types.as_slice(), arguments.as_slice())
            && let Some(value) = repeatable(&called.name, value, &mut part)
        {
            return Ok(value);
        }
        let output = arrow_type(&called.return_type)?;
        use SqlType::{BigInt, Boolean, Double, Float, HugeInt};
        Ok(match (called.name.as_str(), types.as_slice()) {
            ("count_star", []) => part(aggregate::count::count_udaf(), vec![lit(1_i64)]),
            ("count", [sql_type]) => {
                let value = arguments.remove(0);
                let value = if options.is_distinct { key(value, sql_type)? } else { value };
                part(aggregate::count::count_udaf(), vec![value])
            }
            ("min" | "max" | "first", [sql_type]) if called.name != "first" || is_of_subquery => {
                let udaf = match called.name.as_str() {
                    "min" => aggregate::min_max::min_udaf(),
                    _ => aggregate::min_max::max_udaf(),
                };
                match sql_type {
                    Double => FROM_KEY.call(vec![part(udaf, vec![KEY.call(arguments)])]),
                    Float => return Err(unknown()),
                    _ => {
                        let value = key(arguments.remove(0), sql_type).map_err(|_| unknown())?;
                        from_key(part(udaf, vec![value]), sql_type)?
                    }
                }
            }
            ("sum" | "sum_no_overflow", [sql_type]) if *sql_type != Double => {
                sum(arguments.remove(0), sql_type, &called.return_type, &mut part)?.ok_or_else(unknown)?
            }
            ("avg" | "mean", [sql_type]) if *sql_type != Double => {
                average(arguments.remove(0), sql_type, &mut part).ok_or_else(unknown)?
            }
            ("sum", [Double]) => {
                let sum = part(aggregate::sum::sum_udaf(), arguments);
                made.is_repeatable = false;
                sum
            }
            ("avg" | "mean", [Double]) => {
                let value = arguments.remove(0);
                let sum = part(aggregate::sum::sum_udaf(), vec![value.clone()]);
                let count = part(aggregate::count::count_udaf(), vec![value]);
                made.is_repeatable = false;
                sum / cast(count, DataType::Float64)
            }
            (name, _)
                if types.iter().all(|sql_type| *sql_type == Double)
                    && statistic(name, types.len()).is_some() =>
            {
                let udaf = statistic(name, types.len()).ok_or_else(unknown)?;
                if options.is_distinct {
                    return Err(unknown());
                }
                let value = part(udaf, arguments);
                made.is_repeatable = false;
                FINITE.call(vec![value])
            }
            ("bit_and", [of]) if of.is_small_integer() => {
                part(aggregate::bit_and_or_xor::bit_and_udaf(), arguments)
            }
            ("bit_or", [of]) if of.is_small_integer() => {
                part(aggregate::bit_and_or_xor::bit_or_udaf(), arguments)
            }
            ("bit_xor", [of]) if of.is_small_integer() => {
                part(aggregate::bit_and_or_xor::bit_xor_udaf(), arguments)
            }
            ("bool_and", [Boolean]) => part(aggregate::bool_and_or::bool_and_udaf(), arguments),
            ("bool_or", [Boolean]) => part(aggregate::bool_and_or::bool_or_udaf(), arguments),
            ("count_if" | "countif", [Boolean])
                if called.return_type == HugeInt || called.return_type == BigInt =>
            {
                let number = whole(arguments.remove(0), &Boolean);
                let sum = part(aggregate::sum::sum_udaf(), vec![number]);
                let none = cast(lit(0_i64), DataType::Decimal128(38, 0));
                let sum = when(sum.clone().is_null(), none).otherwise(sum)?;
                if called.return_type == HugeInt { sum } else { cast(sum, output) }
            }
            _ => {
                let name = self.fresh();
                let mut add = |udaf: Arc<AggregateUDF>, arguments: Vec<Expr>| {
                    made.add(name.clone(), options.call(udaf, arguments))
                };
                let mut of = Collection { called, input, add: &mut add, is_repeatable: true };
                let value = self.collected(&mut of, arguments)?;
                let is_repeatable = of.is_repeatable;
                made.is_repeatable &= is_repeatable;
                value.ok_or_else(unknown)?
            }
        })
    }
}

/// What stands at the call of an aggregate.
struct Options {
    filter: Option<Expr>,
    is_distinct: bool,
}

impl Options {
    fn call(&self, udaf: Arc<AggregateUDF>, arguments: Vec<Expr>) -> Expr {
        let filter = self.filter.clone().map(Box::new);
        let call = AggregateFunction::new_udf(udaf, arguments, self.is_distinct, filter, Vec::new(), None);
        Expr::AggregateFunction(call)
    }
}

impl Made {
    fn add(&mut self, name: String, call: Expr) -> Expr {
        column_of_part(&mut self.parts, name, call)
    }
}

/// The column of this aggregate of DataFusion's, which is added under this name if it is not among the others. DataFusion would compute
/// one that is there twice only once, and then lose by which grouping set the rows were grouped.
pub(super) fn column_of_part(parts: &mut Vec<(String, Expr)>, name: String, call: Expr) -> Expr {
    let known = parts.iter().find(|(_, part)| *part == call).map(|(name, _)| name.clone());
    let name = known.unwrap_or_else(|| {
        parts.push((name.clone(), call));
        name
    });
    Expr::Column(Column::new_unqualified(name))
}

/// An integer, or a truth value, as a number with room for sums.
pub(super) fn whole(value: Expr, sql_type: &SqlType) -> Expr {
    let value = if *sql_type == SqlType::Boolean { cast(value, DataType::Int32) } else { value };
    WHOLE.call(vec![value])
}

/// Aggregates of DOUBLEs that fail where they are not finite.
fn statistic(name: &str, arguments: usize) -> Option<Arc<AggregateUDF>> {
    Some(match (name, arguments) {
        ("stddev" | "stddev_samp", 1) => aggregate::stddev::stddev_udaf(),
        ("stddev_pop", 1) => aggregate::stddev::stddev_pop_udaf(),
        ("variance" | "var_samp", 1) => aggregate::variance::var_samp_udaf(),
        ("var_pop", 1) => aggregate::variance::var_pop_udaf(),
        ("covar_samp", 2) => aggregate::covariance::covar_samp_udaf(),
        ("covar_pop", 2) => aggregate::covariance::covar_pop_udaf(),
        _ => return None,
    })
}
