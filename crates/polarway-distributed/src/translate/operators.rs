//! Operators.

use datafusion::common::Column;
use datafusion::logical_expr::{
    Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Operator as Binary,
};

use super::constants::constant;
use super::expressions::joined;
use super::relation::{OutputColumn, Relation, RowOrder};
use super::types::{arrow_type, as_type, is_same};
use super::{Cte, Translator};
use crate::bound::{Chunk, Constant, Expression, Filter, LimitValue, Operator, SqlType};
use crate::functions::opaque;
use crate::refusal::Refusal;

/// The most operators of a translated plan: those that are read several times are translated several times.
const MOST_OPERATORS: usize = 1_000;

/// The most rows of a list of values.
const MOST_VALUES: usize = 10_000;

impl Translator<'_> {
    pub(super) fn operator(&mut self, operator: &Operator) -> Result<Relation, Refusal> {
        self.size += 1;
        if self.size > MOST_OPERATORS {
            return Err(Refusal::TooLarge);
        }
        match operator {
            Operator::Get(get) => self.get(get),
            Operator::Filter(filter) => self.filter(filter),
            Operator::Projection(projection) => {
                let input = self.only(&projection.children)?;
                self.projection(input, &projection.expressions)
            }
            Operator::Aggregate(aggregate) => self.aggregate(aggregate),
            Operator::Join(join) => self.comparison_join(join),
            Operator::DelimJoin(join) => self.delim_join(join),
            Operator::AnyJoin(join) => self.any_join(join),
            Operator::CrossProduct { children } => {
                let [left, right] = children.as_slice() else { return Err(form("a cross product")) };
                let (left, right) = (self.operator(left)?, self.operator(right)?);
                self.cross(left, right)
            }
            Operator::DelimGet { types } => self.delim_get(types),
            Operator::OrderBy(sort) => {
                let input = self.only(&sort.children)?;
                let mut orders = self.orders(&sort.orders, &input)?;
                if self.has_parts {
                    for order in &mut orders {
                        order.expr = opaque(order.expr.clone());
                    }
                }
                if orders.is_empty() {
                    return input.mapped(&sort.projection_map);
                }
                let plan = LogicalPlanBuilder::new(input.plan.clone()).sort(orders)?.build()?;
                Relation { plan, order: RowOrder::Given, ..input }.mapped(&sort.projection_map)
            }
            Operator::Limit(limit) => {
                let input = self.only(&limit.children)?;
                self.limit(input, &limit.limit_val, &limit.offset_val)
            }
            Operator::Distinct(distinct) => self.distinct(distinct),
            Operator::Union(sets) => self.union(sets),
            Operator::Intersect(sets) => self.intersect_or_except(sets, true),
            Operator::Except(sets) => self.intersect_or_except(sets, false),
            Operator::MaterializedCte(cte) => {
                let [definition, rest] = cte.children.as_slice() else { return Err(form("a CTE")) };
                let rows = self.operator(definition)?;
                self.ctes.insert(cte.table_index, Cte { rows, is_read: false });
                self.operator(rest)
            }
            Operator::CteRef { cte_index } => {
                let missing = || Refusal::Operator("recursive CTE".to_owned());
                let cte = self.ctes.get_mut(cte_index).ok_or_else(missing)?;
                let (rows, was_read) = (cte.rows.clone(), std::mem::replace(&mut cte.is_read, true));
                if was_read && !rows.is_repeatable {
                    return Err(Refusal::Order("a CTE that is read twice".to_owned()));
                }
                self.again(rows)
            }
            Operator::DummyScan => Ok(Relation {
                plan: LogicalPlanBuilder::empty(true).build()?,
                // Its row has a column in DuckDB, that nothing reads.
                columns: vec![OutputColumn {
                    column: Column::new_unqualified(self.fresh()),
                    sql_type: SqlType::Integer,
                    refused: Some(form("a row without columns")),
                }],
                order: RowOrder::AtMostOne,
                is_repeatable: true,
                size: 1,
            }),
            Operator::Empty { types } => self.empty(types),
            Operator::Values(values) => {
                let input = self.only(&values.children)?;
                self.values(&input, &values.expressions)
            }
            Operator::Chunk(chunk) => self.chunk(chunk),
            Operator::Unnest(unnest) => {
                let input = self.only(&unnest.children)?;
                self.unnest(input, &unnest.expressions)
            }
            Operator::Window(windows) => {
                let input = self.only(&windows.children)?;
                self.window(input, &windows.expressions)
            }
            Operator::Unknown(name) => Err(Refusal::Operator(name.clone())),
        }
    }

    /// The one operator below.
    pub(super) fn only(&mut self, children: &[Operator]) -> Result<Relation, Refusal> {
        match children {
            [child] => self.operator(child),
            _ => Err(form("an operator with one below it")),
        }
    }

    /// The name of a new column.
    pub(super) fn fresh(&mut self) -> String {
        self.next += 1;
        format!("c{}", self.next)
    }

    /// New columns over the rows of a relation, each of exactly the Arrow type of its type.
    pub(super) fn project(
        &mut self,
        input: Relation,
        values: Vec<(Expr, SqlType)>,
    ) -> Result<Relation, Refusal> {
        let mut columns = Vec::with_capacity(values.len());
        let mut projected = Vec::with_capacity(values.len());
        for (value, sql_type) in values {
            let value = exact(value, &sql_type, &input.plan)?;
            let name = self.fresh();
            projected.push(value.alias(&name));
            columns.push(OutputColumn { column: Column::new_unqualified(name), sql_type, refused: None });
        }
        let plan = LogicalPlanBuilder::new(input.plan).project(projected)?.build()?;
        Ok(Relation {
            plan,
            columns,
            size: input.size + 1,
            ..Relation { plan: LogicalPlan::default(), columns: Vec::new(), ..input }
        })
    }

    /// These columns of a relation under new names, whether they can be read or not, and more values.
    pub(super) fn extended(
        &mut self,
        input: Relation,
        columns: &[OutputColumn],
        more: Vec<(Expr, SqlType)>,
    ) -> Result<Relation, Refusal> {
        let mut values = columns.iter().map(OutputColumn::carried).collect::<Result<Vec<_>, _>>()?;
        values.extend(more);
        let mut extended = self.project(input, values)?;
        for (column, was) in extended.columns.iter_mut().zip(columns) {
            column.refused.clone_from(&was.refused);
        }
        Ok(extended)
    }

    pub(super) fn projection(
        &mut self,
        input: Relation,
        expressions: &[Expression],
    ) -> Result<Relation, Refusal> {
        let is_mapping = expressions.iter().all(|expression| matches!(expression, Expression::Column { .. }));
        if is_mapping && !expressions.is_empty() {
            // Columns that stay as they are need no operator; the same one twice is no problem either.
            let places: Vec<usize> = expressions
                .iter()
                .filter_map(|expression| match expression {
                    Expression::Column { index, .. } => Some(*index),
                    _ => None,
                })
                .collect();
            return input.mapped(&places);
        }
        let mut values = Vec::with_capacity(expressions.len());
        let mut refused = Vec::with_capacity(expressions.len());
        for expression in expressions {
            let sql_type = expression.sql_type();
            if let Expression::Column { index, .. } = expression
                && let Some(refusal) = &input.column(*index)?.refused
            {
                values.push(input.column(*index)?.carried()?);
                refused.push(Some(refusal.clone()));
                continue;
            }
            if let Expression::Function(called) = expression
                && called.name == "create_sort_key"
            {
                values.push((self.sort_key(called, &input)?, sql_type));
                refused.push(Some(Refusal::Order(called.name.clone())));
                continue;
            }
            values.push((self.expression(expression, &input)?, sql_type));
            refused.push(None);
        }
        let mut projected = self.project(input, values)?;
        for (column, refused) in projected.columns.iter_mut().zip(refused) {
            column.refused = refused;
        }
        Ok(projected)
    }

    /// The same rows under new names, for a plan that reads them another time.
    pub(super) fn again(&mut self, relation: Relation) -> Result<Relation, Refusal> {
        self.size += relation.size;
        if self.size > MOST_OPERATORS {
            return Err(Refusal::TooLarge);
        }
        let order = relation.order;
        let columns = relation.columns.clone();
        let mut again = self.extended(relation, &columns, Vec::new())?;
        again.order = if order == RowOrder::AtMostOne { order } else { RowOrder::Any };
        Ok(again)
    }

    fn filter(&mut self, filter: &Filter) -> Result<Relation, Refusal> {
        let input = self.only(&filter.children)?;
        let conditions = filter.expressions.iter().map(|condition| self.expression(condition, &input));
        let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
        self.filtered(input, conditions)?.mapped(&filter.projection_map)
    }

    pub(super) fn filtered(&mut self, input: Relation, conditions: Vec<Expr>) -> Result<Relation, Refusal> {
        if conditions.is_empty() {
            return Ok(input);
        }
        let condition = joined(conditions, Binary::And)?;
        let plan = LogicalPlanBuilder::new(input.plan.clone()).filter(condition)?.build()?;
        Ok(Relation { plan, size: input.size + 1, ..input })
    }

    fn limit(
        &mut self,
        input: Relation,
        limit: &LimitValue,
        offset: &LimitValue,
    ) -> Result<Relation, Refusal> {
        let number = |value: &LimitValue| match value.kind.as_str() {
            "UNSET" => Ok(None),
            "CONSTANT_VALUE" => {
                usize::try_from(value.constant_integer).map(Some).map_err(|_| Refusal::TooLarge)
            }
            other => Err(Refusal::Operator(format!("LIMIT {other}"))),
        };
        let (fetch, skip) = (number(limit)?, number(offset)?.unwrap_or_default());
        if fetch != Some(0) && !input.order.is_given() {
            return Err(Refusal::Order("LIMIT".to_owned()));
        }
        let plan = LogicalPlanBuilder::new(input.plan.clone()).limit(skip, fetch)?.build()?;
        // Of rows that are equal in the order, any may be left out.
        let is_repeatable = input.is_repeatable && (fetch == Some(0) || input.order == RowOrder::AtMostOne);
        Ok(Relation { plan, is_repeatable, size: input.size + 1, ..input })
    }

    pub(super) fn empty(&mut self, types: &[SqlType]) -> Result<Relation, Refusal> {
        let input = self.operator(&Operator::DummyScan)?;
        let nulls = types.iter().map(|sql_type| Ok((super::constants::null(sql_type)?, sql_type.clone())));
        let nulls = self.project(input, nulls.collect::<Result<_, Refusal>>()?)?;
        let plan = LogicalPlanBuilder::new(nulls.plan.clone())
            .filter(datafusion::logical_expr::lit(false))?
            .build()?;
        Ok(Relation { plan, ..nulls })
    }

    fn values(&mut self, input: &Relation, rows: &[Vec<Expression>]) -> Result<Relation, Refusal> {
        let Some(first) = rows.first() else { return Err(form("a list of values")) };
        if rows.len() > MOST_VALUES {
            return Err(Refusal::TooLarge);
        }
        let types: Vec<SqlType> = first.iter().map(Expression::sql_type).collect();
        let row = |row: &Vec<Expression>| {
            let value = |(value, sql_type): (&Expression, &SqlType)| match value {
                // Otherwise the type of the column would be that of the others.
                Expression::Constant(value) => Ok(cast_if_null(constant(value)?, sql_type)?),
                other => exact(self.expression(other, input)?, sql_type, &input.plan),
            };
            row.iter().zip(&types).map(value).collect::<Result<Vec<_>, Refusal>>()
        };
        let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        self.literal_rows(rows, &types)
    }

    /// Rows that stand in the plan, column by column.
    fn chunk(&mut self, chunk: &Chunk) -> Result<Relation, Refusal> {
        let columns = &chunk.collection.values;
        let count = columns.first().map_or(0, Vec::len);
        if columns.len() != chunk.types.len() || columns.iter().any(|column| column.len() != count) {
            return Err(form("a chunk"));
        }
        if count > MOST_VALUES {
            return Err(Refusal::TooLarge);
        }
        if count == 0 {
            return self.empty(&chunk.types);
        }
        let row = |row: usize| {
            let value = |(column, sql_type): (&Vec<Constant>, &SqlType)| {
                cast_if_null(constant(&column[row])?, sql_type)
            };
            columns.iter().zip(&chunk.types).map(value).collect::<Result<Vec<_>, Refusal>>()
        };
        let rows = (0..count).map(row).collect::<Result<Vec<_>, _>>()?;
        self.literal_rows(rows, &chunk.types)
    }

    /// A table of these rows.
    pub(super) fn literal_rows(
        &mut self,
        rows: Vec<Vec<Expr>>,
        types: &[SqlType],
    ) -> Result<Relation, Refusal> {
        let plan = LogicalPlanBuilder::values(rows)?.build()?;
        let columns = plan.schema().columns();
        let values = columns.into_iter().map(Expr::Column).zip(types.iter().cloned()).collect();
        let order = RowOrder::Any;
        let rows = Relation { plan, columns: Vec::new(), order, is_repeatable: true, size: 1 };
        self.project(rows, values)
    }
}

fn cast_if_null(value: Expr, sql_type: &SqlType) -> Result<Expr, Refusal> {
    match &value {
        Expr::Literal(scalar, _) if scalar.is_null() => super::constants::null(sql_type),
        _ => Ok(value),
    }
}

pub(super) fn form(what: &str) -> Refusal {
    Refusal::Form(format!("{what} has another form"))
}

/// The value with exactly the Arrow type of its type, if it holds the same values.
pub(super) fn exact(value: Expr, sql_type: &SqlType, input: &LogicalPlan) -> Result<Expr, Refusal> {
    let (given, wanted) = (value.get_type(input.schema())?, arrow_type(sql_type)?);
    match given == wanted {
        true => Ok(value),
        false if is_same(&given, &wanted) => as_type(value, &wanted),
        false => Err(Refusal::Form(format!("{value} has type {given} and not {wanted}"))),
    }
}
