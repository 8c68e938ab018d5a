//! Window functions.

use datafusion::common::Column;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::functions_aggregate as aggregate;
use datafusion::functions_window as window;
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlanBuilder, WindowFrame, WindowFrameUnits, WindowFunctionDefinition, cast, lit, when,
};

use super::Translator;
use super::comparisons::{becomes_constant, from_key, key, key_type, sort_key};
use super::frames::{frame, has_frame, is_over_whole, is_repeatable_window, is_whole, number, whole_frame};
use super::operators::form;
use super::relation::{Relation, RowOrder};
use super::sums::{average, sum};
use super::types::arrow_type;
use crate::bound::{Expression, SqlType, Window};
use crate::refusal::Refusal;

/// Whether results of functions are compared in it: DataFusion does not see that rows are in order by that, and plans no
/// partitions.
fn compares_calls(value: &Expr) -> bool {
    let is_call = |value: &Expr| matches!(value, Expr::ScalarFunction(_));
    let compares = |part: &Expr| {
        Ok(matches!(part, Expr::BinaryExpr(compared) if is_call(&compared.left) || is_call(&compared.right)))
    };
    value.exists(compares).unwrap_or(true)
}

/// What a window function is over.
struct Over {
    partition_by: Vec<Expr>,
    order_by: Vec<Sort>,
    frame: WindowFrame,
    filter: Option<Expr>,
}

impl Translator<'_> {
    pub(super) fn window(&mut self, input: Relation, windows: &[Expression]) -> Result<Relation, Refusal> {
        let mut calls = Vec::with_capacity(windows.len());
        let mut results = Vec::with_capacity(windows.len());
        let mut is_repeatable = input.is_repeatable;
        for expression in windows {
            let Expression::Window(window) = expression else { return Err(form("a window")) };
            is_repeatable &= is_repeatable_window(window);
            let value = self.one_window(window, &input, &mut calls)?;
            results.push((value, window.return_type.clone()));
        }
        let mut plan = input.plan.clone();
        for calls in by_sort(calls) {
            plan = LogicalPlanBuilder::new(plan).window(calls)?.build()?;
        }
        let kept = input.columns.clone();
        let input = Relation { plan, order: RowOrder::Any, is_repeatable, size: input.size + 1, ..input };
        self.extended(input, &kept, results)
    }

    /// The number of each row among those with the same targets, from 1.
    pub(super) fn row_number(&mut self, partition_by: Vec<Expr>, order_by: Vec<Sort>) -> Expr {
        let frame = WindowFrame::new((!order_by.is_empty()).then_some(true));
        let over = Over { partition_by, order_by, frame, filter: None };
        over.call(WindowFunctionDefinition::WindowUDF(window::row_number::row_number_udwf()), Vec::new())
    }

    fn one_window(
        &mut self,
        called: &Window,
        input: &Relation,
        calls: &mut Vec<(Expr, String)>,
    ) -> Result<Expr, Refusal> {
        let refused = |what: &str| Refusal::Function(format!("{} with {what}", called.kind));
        if called.ignore_nulls || called.distinct {
            return Err(refused("IGNORE NULLS or DISTINCT"));
        }
        let has_own_order = !called.arg_orders.is_empty();
        if has_own_order && !(called.orders.is_empty() && is_over_whole(called)) {
            return Err(refused("an order of its own"));
        }
        if called.exclude_clause != "NO_OTHER" {
            return Err(refused("EXCLUDE"));
        }
        let partition_by =
            called.partitions.iter().map(|part| sort_key(self.expression(part, input)?, &part.sql_type()));
        let mut partition_by = partition_by.collect::<Result<Vec<_>, _>>()?;
        partition_by.retain(|value| !becomes_constant(value, input));
        if partition_by.iter().any(compares_calls) {
            return Err(refused("PARTITION BY a comparison of computed values"));
        }
        let orders = if has_own_order { &called.arg_orders } else { &called.orders };
        let order_by = self.orders(orders, input)?;
        // DataFusion has no ranges of bytes.
        let is_by_bytes = orders.iter().any(|order| key_type(&order.expression.sql_type()) == SqlType::Blob);
        let over = Over {
            partition_by,
            frame: match has_own_order || (is_by_bytes && !has_frame(called)) {
                true => whole_frame(),
                false => frame(called, order_by.is_empty())?,
            },
            order_by,
            filter: called.filter.as_ref().map(|filter| self.expression(filter, input)).transpose()?,
        };
        if is_by_bytes && over.frame.units == WindowFrameUnits::Range {
            return Err(Refusal::Operator("WINDOW with a range of bytes".to_owned()));
        }
        let types: Vec<SqlType> = called.children.iter().map(Expression::sql_type).collect();
        let arguments = called.children.iter().map(|child| self.expression(child, input));
        let mut arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let output = arrow_type(&called.return_type)?;
        let is_ranked = matches!(
            called.kind.as_str(),
            "WINDOW_RANK"
                | "WINDOW_RANK_DENSE"
                | "WINDOW_PERCENT_RANK"
                | "WINDOW_CUME_DIST"
                | "WINDOW_AGGREGATE"
        );
        let is_by_rows = called.kind == "WINDOW_AGGREGATE" && !is_repeatable_window(called);
        if over.order_by.is_empty() && (!is_ranked || is_by_rows) {
            return Err(Refusal::Order(called.kind.clone()));
        }
        if over.filter.is_some() && called.kind != "WINDOW_AGGREGATE" {
            return Err(refused("FILTER"));
        }
        let default =
            called.default_expr.as_ref().map(|default| self.expression(default, input)).transpose()?;
        if default.as_ref().is_some_and(|default| !matches!(default, Expr::Literal(..))) {
            return Err(refused("a default that is not constant"));
        }
        let mut add = |function: WindowFunctionDefinition, arguments: Vec<Expr>| {
            let call = over.call(function, arguments);
            // DataFusion takes no call twice.
            let made = calls.iter().find(|(known, _)| *known == call).map(|(_, name)| name.clone());
            let name = made.unwrap_or_else(|| {
                let name = self.fresh();
                calls.push((call, name.clone()));
                name
            });
            Expr::Column(Column::new_unqualified(name))
        };
        let udwf = WindowFunctionDefinition::WindowUDF;
        let udaf = WindowFunctionDefinition::AggregateUDF;
        Ok(match called.kind.as_str() {
            "WINDOW_ROW_NUMBER" => cast(add(udwf(window::row_number::row_number_udwf()), Vec::new()), output),
            "WINDOW_RANK" => cast(add(udwf(window::rank::rank_udwf()), Vec::new()), output),
            "WINDOW_RANK_DENSE" => cast(add(udwf(window::rank::dense_rank_udwf()), Vec::new()), output),
            "WINDOW_PERCENT_RANK" => add(udwf(window::rank::percent_rank_udwf()), Vec::new()),
            "WINDOW_CUME_DIST" => add(udwf(window::cume_dist::cume_dist_udwf()), Vec::new()),
            "WINDOW_NTILE" | "WINDOW_NTH_VALUE" => {
                let number = called.children.last().and_then(number).filter(|number| *number > 0);
                let number = number.ok_or_else(|| refused("a number that is not constant"))?;
                match arguments.as_mut_slice() {
                    [_] => cast(add(udwf(window::ntile::ntile_udwf()), vec![lit(number)]), output),
                    [value, _] => {
                        add(udwf(window::nth_value::nth_value_udwf()), vec![value.clone(), lit(number)])
                    }
                    _ => return Err(form("a window")),
                }
            }
            "WINDOW_LAG" | "WINDOW_LEAD" => {
                let function = match called.kind.as_str() {
                    "WINDOW_LAG" => window::lead_lag::lag_udwf(),
                    _ => window::lead_lag::lead_udwf(),
                };
                arguments.push(lit(match &called.offset_expr {
                    None => 1,
                    Some(offset) => {
                        number(offset).ok_or_else(|| refused("an offset that is not constant"))?
                    }
                }));
                if let Some(default) = default {
                    arguments.push(default);
                }
                add(udwf(function), arguments)
            }
            "WINDOW_FIRST_VALUE" => add(udwf(window::nth_value::first_value_udwf()), arguments),
            "WINDOW_LAST_VALUE" => add(udwf(window::nth_value::last_value_udwf()), arguments),
            "WINDOW_AGGREGATE" => {
                let unknown = || {
                    let types: Vec<_> = types.iter().map(ToString::to_string).collect();
                    Refusal::Function(format!("{}({}) OVER", called.name, types.join(", ")))
                };
                match (called.name.as_str(), types.as_slice()) {
                    ("count_star", []) => add(udaf(aggregate::count::count_udaf()), vec![lit(1_i64)]),
                    ("count", [_]) => add(udaf(aggregate::count::count_udaf()), arguments),
                    ("min" | "max", [sql_type])
                        if !sql_type.is_float() && key(arguments[0].clone(), sql_type).is_ok() =>
                    {
                        let function = match called.name.as_str() {
                            "min" => aggregate::min_max::min_udaf(),
                            _ => aggregate::min_max::max_udaf(),
                        };
                        let value = arguments.remove(0);
                        let extreme = add(udaf(function), vec![key(value.clone(), sql_type)?]);
                        let extreme = from_key(extreme, sql_type)?;
                        match is_whole(called) {
                            true => extreme,
                            // Where the last value leaves the frame, DataFusion keeps it. It may run over the rows backwards, so
                            // they leave frames that begin with the first row, too.
                            false => {
                                let count = add(udaf(aggregate::count::count_udaf()), vec![value]);
                                let none = super::constants::null(&called.return_type)?;
                                when(count.eq(lit(0_i64)), none).otherwise(extreme)?
                            }
                        }
                    }
                    ("sum" | "sum_no_overflow", [sql_type]) => {
                        let mut add = |function, arguments| add(udaf(function), arguments);
                        // Moving sums of floats drift differently.
                        sum(arguments.remove(0), sql_type, &called.return_type, &mut add)?
                            .ok_or_else(unknown)?
                    }
                    ("avg" | "mean", [sql_type]) => {
                        let mut add = |function, arguments| add(udaf(function), arguments);
                        average(arguments.remove(0), sql_type, &mut add).ok_or_else(unknown)?
                    }
                    // No row can leave their frames.
                    ("bool_and" | "bool_or", [SqlType::Boolean])
                        if is_whole(called) || (over.order_by.is_empty() && is_repeatable_window(called)) =>
                    {
                        let function = match called.name.as_str() {
                            "bool_and" => aggregate::bool_and_or::bool_and_udaf(),
                            _ => aggregate::bool_and_or::bool_or_udaf(),
                        };
                        add(udaf(function), arguments)
                    }
                    _ => return Err(unknown()),
                }
            }
            other => return Err(Refusal::Function(other.to_owned())),
        })
    }
}

impl Over {
    fn call(&self, function: WindowFunctionDefinition, arguments: Vec<Expr>) -> Expr {
        Expr::WindowFunction(Box::new(WindowFunction {
            fun: function,
            params: WindowFunctionParams {
                args: arguments,
                partition_by: self.partition_by.clone(),
                order_by: self.order_by.clone(),
                window_frame: self.frame.clone(),
                filter: self.filter.clone().map(Box::new),
                null_treatment: None,
                distinct: false,
            },
        }))
    }
}

/// The calls in groups that need the rows in the same order, as one operator wants them.
fn by_sort(calls: Vec<(Expr, String)>) -> Vec<Vec<Expr>> {
    let sort = |call: &Expr| match call {
        Expr::WindowFunction(function) => {
            Some((function.params.partition_by.clone(), function.params.order_by.clone()))
        }
        _ => None,
    };
    let mut groups: Vec<(_, Vec<Expr>)> = Vec::new();
    for (call, name) in calls {
        let sort = sort(&call);
        match groups.iter_mut().find(|(known, _)| *known == sort) {
            Some((_, group)) => group.push(call.alias(name)),
            None => groups.push((sort, vec![call.alias(name)])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
