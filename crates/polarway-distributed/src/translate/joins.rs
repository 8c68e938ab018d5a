//! Joins.

use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Operator as Binary, lit, when};

use super::Translator;
use super::aggregates::{count_all, max};
use super::comparisons::{binary, comparison, key};
use super::constants::null;
use super::expressions::joined;
use super::operators::form;
use super::relation::{OutputColumn, Relation, RowOrder};
use crate::bound::{AnyJoin, Condition, Join, SqlType};
use crate::functions::ERROR;
use crate::refusal::Refusal;

/// DuckDB's message.
const SEVERAL_ROWS: &str = "More than one row returned by a subquery used as an expression - scalar subqueries can only return a single row.";

impl Translator<'_> {
    pub(super) fn comparison_join(&mut self, join: &Join) -> Result<Relation, Refusal> {
        let [left, right] = join.children.as_slice() else { return Err(form("a join")) };
        let (left, right) = (self.operator(left)?, self.operator(right)?);
        self.join(join, left, right)
    }

    /// The right side reads the distinct keys of the left one, which is translated twice.
    pub(super) fn delim_join(&mut self, join: &Join) -> Result<Relation, Refusal> {
        let [left, right] = join.children.as_slice() else { return Err(form("a join")) };
        if join.delim_flipped {
            return Err(Refusal::Operator("DELIM_JOIN that is flipped".to_owned()));
        }
        let left = self.operator(left)?;
        if let Some(joined) = self.exists(join, &left)? {
            return Ok(joined);
        }
        if !left.is_repeatable {
            return Err(Refusal::Order("a correlated subquery over these rows".to_owned()));
        }
        let keys = join.duplicate_eliminated_columns.iter();
        let keys = keys.map(|key| Ok((self.expression(key, &left)?, key.sql_type())));
        let keys = keys.collect::<Result<Vec<_>, Refusal>>()?;
        let keys = self.project(left.clone(), keys)?;
        let keys = self.distinct_rows(keys)?;
        self.delims.push(keys);
        let right = self.operator(right);
        self.delims.pop();
        self.join(join, left, right?)
    }

    pub(super) fn delim_get(&mut self, types: &[SqlType]) -> Result<Relation, Refusal> {
        let keys = self.delims.last().cloned().ok_or_else(|| form("a DELIM_GET"))?;
        if keys.columns.iter().map(|column| &column.sql_type).ne(types) {
            return Err(form("a DELIM_GET"));
        }
        self.again(keys)
    }

    pub(super) fn any_join(&mut self, join: &AnyJoin) -> Result<Relation, Refusal> {
        let [left, right] = join.children.as_slice() else { return Err(form("a join")) };
        let (left, right) = (self.operator(left)?, self.operator(right)?);
        let both = both(&left, &right);
        let condition = self.expression(&join.condition, &both)?;
        let maps = (join.left_projection_map.as_slice(), join.right_projection_map.as_slice());
        self.joined_rows(&join.join_type, left, right, Vec::new(), Some(condition), maps)
    }

    pub(super) fn cross(&mut self, left: Relation, right: Relation) -> Result<Relation, Refusal> {
        let both = both(&left, &right);
        let plan = LogicalPlanBuilder::new(left.plan).cross_join(right.plan)?.build()?;
        Ok(Relation { plan, ..both })
    }

    fn join(&mut self, join: &Join, left: Relation, right: Relation) -> Result<Relation, Refusal> {
        if join.predicate.is_some() {
            return Err(Refusal::Operator("COMPARISON_JOIN with a predicate".to_owned()));
        }
        let mut conditions = Vec::with_capacity(join.conditions.len());
        for condition in &join.conditions {
            conditions.push(self.condition(condition, &left, &right)?);
        }
        let maps = (join.left_projection_map.as_slice(), join.right_projection_map.as_slice());
        match join.join_type.as_str() {
            "MARK" => self.mark(left, right, conditions, maps.0),
            "SINGLE" => self.single(left, right, conditions, maps),
            other => self.joined_rows(other, left, right, conditions, None, maps),
        }
    }

    pub(super) fn condition(
        &self,
        condition: &Condition,
        left: &Relation,
        right: &Relation,
    ) -> Result<Pair, Refusal> {
        let sql_type = condition.left.sql_type();
        if sql_type != condition.right.sql_type() {
            return Err(form("a join condition"));
        }
        Ok(Pair {
            left: key(self.expression(&condition.left, left)?, &sql_type)?,
            operator: comparison(&condition.comparison)?,
            right: key(self.expression(&condition.right, right)?, &sql_type)?,
        })
    }

    pub(super) fn joined_rows(
        &mut self,
        join_type: &str,
        left: Relation,
        right: Relation,
        conditions: Vec<Pair>,
        filter: Option<Expr>,
        (left_map, right_map): (&[usize], &[usize]),
    ) -> Result<Relation, Refusal> {
        let kind = match join_type {
            "INNER" => JoinType::Inner,
            "LEFT" => JoinType::Left,
            "RIGHT" => JoinType::Right,
            "OUTER" | "FULL" => JoinType::Full,
            "SEMI" => JoinType::LeftSemi,
            "ANTI" => JoinType::LeftAnti,
            "RIGHT_SEMI" => JoinType::RightSemi,
            "RIGHT_ANTI" => JoinType::RightAnti,
            other => return Err(Refusal::Operator(format!("{other} join"))),
        };
        let columns = both(&left.clone().mapped(left_map)?, &right.clone().mapped(right_map)?);
        let columns = match kind {
            JoinType::LeftSemi | JoinType::LeftAnti => left.clone().mapped(left_map)?.columns,
            JoinType::RightSemi | JoinType::RightAnti => right.clone().mapped(right_map)?.columns,
            _ => columns.columns,
        };
        self.has_parts |= matches!(kind, JoinType::Left | JoinType::Right | JoinType::Full);
        let both = both(&left, &right);
        let plan = join_plan(left, right, kind, conditions, filter)?;
        Ok(Relation { plan, columns, ..both })
    }

    /// Adds a column that says whether the row has a partner: true, false, or NULL where a NULL leaves it open.
    fn mark(
        &mut self,
        left: Relation,
        right: Relation,
        conditions: Vec<Pair>,
        left_map: &[usize],
    ) -> Result<Relation, Refusal> {
        let equal = conditions.iter().filter(|pair| pair.operator == Binary::Eq).count();
        let distinct = conditions.iter().filter(|pair| pair.operator == Binary::IsNotDistinctFrom).count();
        if equal + distinct != conditions.len() || equal > 1 || (equal == 1 && distinct > 0) {
            return Err(Refusal::Operator("MARK join of this form".to_owned()));
        }
        self.has_parts = true;
        let size = left.size + right.size;
        // The partners, each once, with a mark.
        let mut keys = Vec::with_capacity(conditions.len());
        for pair in &conditions {
            keys.push((pair.right.clone(), type_of(&pair.right, &right)?));
        }
        let marked = self.project(right.clone(), keys)?;
        let partners = self.distinct_rows(marked.clone())?;
        let values = partners.columns.iter().map(OutputColumn::typed);
        let mut values = values.collect::<Result<Vec<_>, Refusal>>()?;
        values.push((lit(true), SqlType::Boolean));
        let partners = self.project(partners, values)?;
        let Some(mark) = partners.columns.last().cloned() else { return Err(form("a MARK join")) };
        let pairs = conditions.iter().zip(&partners.columns).map(|(pair, column)| {
            Ok(Pair { left: pair.left.clone(), operator: pair.operator, right: column.value()? })
        });
        let pairs = pairs.collect::<Result<Vec<_>, Refusal>>()?;
        let kept = left.clone().mapped(left_map)?.columns;
        let is_repeatable = left.is_repeatable && right.is_repeatable;
        let joined = Relation {
            plan: join_plan(left, partners, JoinType::Left, pairs, None)?,
            columns: kept.clone(),
            order: RowOrder::Any,
            is_repeatable,
            size: size + 4,
        };
        let has_partner = mark.value()?.is_not_null();
        let (joined, value) = match equal {
            0 => (joined, has_partner),
            _ => {
                // One row that tells whether there are partners at all, and whether one is NULL.
                if !right.is_repeatable {
                    return Err(Refusal::Order("IN over these rows".to_owned()));
                }
                let marked = self.again(marked)?;
                let key = marked.column(0)?.value()?;
                let counted = vec![
                    (count_all(), SqlType::BigInt),
                    (datafusion::functions_aggregate::count::count_udaf().call(vec![key]), SqlType::BigInt),
                ];
                let counts = self.grouped(marked, Vec::new(), counted)?;
                let (rows, known) = (counts.column(0)?.value()?, counts.column(1)?.value()?);
                let crossed = self.cross(joined, counts)?;
                let is_open = conditions[0].left.clone().is_null().or(rows.clone().gt(known));
                let value = when(has_partner, lit(true))
                    .when(rows.eq(lit(0_i64)), lit(false))
                    .when(is_open, null(&SqlType::Boolean)?)
                    .otherwise(lit(false))?;
                (crossed, value)
            }
        };
        self.extended(joined, &kept, vec![(value, SqlType::Boolean)])
    }

    /// The one partner of each row; several are an error.
    fn single(
        &mut self,
        left: Relation,
        right: Relation,
        conditions: Vec<Pair>,
        (left_map, right_map): (&[usize], &[usize]),
    ) -> Result<Relation, Refusal> {
        if conditions.iter().any(|pair| !matches!(pair.operator, Binary::Eq | Binary::IsNotDistinctFrom)) {
            return Err(Refusal::Operator("SINGLE join of this form".to_owned()));
        }
        let (is_repeatable, size) = (left.is_repeatable && right.is_repeatable, left.size + right.size + 4);
        let mut keys = Vec::with_capacity(conditions.len());
        for pair in &conditions {
            keys.push((pair.right.clone(), type_of(&pair.right, &right)?));
        }
        let wanted = right.clone().mapped(right_map)?.columns;
        let mut values = keys;
        let count = values.len();
        for column in &wanted {
            values.push(column.typed()?);
        }
        let right = self.project(right, values)?;
        let (groups, rest) = right.columns.split_at(count);
        let groups = groups.iter().map(OutputColumn::typed);
        let groups = groups.collect::<Result<Vec<_>, Refusal>>()?;
        let mut aggregates = vec![(count_all(), SqlType::BigInt)];
        for column in rest {
            aggregates.push((max(column.value()?, &column.sql_type)?, column.sql_type.clone()));
        }
        let grouped = self.grouped(right.clone(), groups, aggregates)?;
        let pairs = conditions.iter().zip(&grouped.columns).map(|(pair, column)| {
            Ok(Pair { left: pair.left.clone(), operator: pair.operator, right: column.value()? })
        });
        let pairs = pairs.collect::<Result<Vec<_>, Refusal>>()?;
        self.has_parts = true;
        let partners: Vec<OutputColumn> = grouped.columns[count..].to_vec();
        let kept = left.clone().mapped(left_map)?.columns;
        let plan = join_plan(left, grouped, JoinType::Left, pairs, None)?;
        let joined = Relation { plan, columns: kept.clone(), order: RowOrder::Any, is_repeatable, size };
        let mut result = Vec::with_capacity(kept.len() + partners.len());
        for column in &kept {
            result.push(column.typed()?);
        }
        let [rows, partners @ ..] = partners.as_slice() else { return Err(form("a SINGLE join")) };
        for column in partners {
            let several = ERROR.call(vec![lit(SEVERAL_ROWS), null(&column.sql_type)?]);
            let value = when(rows.value()?.gt(lit(1_i64)), several).otherwise(column.value()?)?;
            result.push((value, column.sql_type.clone()));
        }
        self.project(joined, result)
    }
}

/// A condition between the two sides of a join.
pub(super) struct Pair {
    left: Expr,
    pub(super) operator: Binary,
    right: Expr,
}

impl Pair {
    /// The same condition with its sides exchanged; `None` if it has none.
    pub(super) fn turned(self) -> Option<Self> {
        let operator = match self.operator {
            same @ (Binary::IsNotDistinctFrom | Binary::IsDistinctFrom) => same,
            other => other.swap()?,
        };
        Some(Self { left: self.right, operator, right: self.left })
    }
}

fn type_of(value: &Expr, of: &Relation) -> Result<SqlType, Refusal> {
    use datafusion::arrow::datatypes::DataType;
    use datafusion::logical_expr::ExprSchemable as _;
    if let Expr::Column(column) = value
        && let Some(found) = of.columns.iter().find(|known| known.column == *column)
    {
        return Ok(found.sql_type.clone());
    }
    Ok(match value.get_type(of.plan.schema())? {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int32 => SqlType::Integer,
        DataType::Int64 => SqlType::BigInt,
        DataType::Float64 => SqlType::Double,
        DataType::Utf8 => SqlType::Varchar,
        DataType::Binary => SqlType::Blob,
        DataType::Date32 => SqlType::Date,
        other => return Err(Refusal::Type(format!("{other}, computed as a join's key,"))),
    })
}

/// The columns of both sides.
fn both(left: &Relation, right: &Relation) -> Relation {
    let order = match (left.order, right.order) {
        (RowOrder::AtMostOne, RowOrder::AtMostOne) => RowOrder::AtMostOne,
        _ => RowOrder::Any,
    };
    Relation {
        plan: left.plan.clone(),
        columns: left.columns.iter().chain(&right.columns).cloned().collect(),
        order,
        is_repeatable: left.is_repeatable && right.is_repeatable,
        size: left.size + right.size + 1,
    }
}

fn join_plan(
    left: Relation,
    right: Relation,
    kind: JoinType,
    conditions: Vec<Pair>,
    filter: Option<Expr>,
) -> Result<datafusion::logical_expr::LogicalPlan, Refusal> {
    let nulls_are_equal = conditions.iter().any(|pair| pair.operator == Binary::IsNotDistinctFrom);
    let (mut left_keys, mut right_keys, mut filters) = (Vec::new(), Vec::new(), Vec::from_iter(filter));
    for Pair { left, operator, right } in conditions {
        match operator {
            Binary::Eq => {
                if nulls_are_equal {
                    filters.push(left.clone().is_not_null());
                }
                left_keys.push(left);
                right_keys.push(right);
            }
            Binary::IsNotDistinctFrom => {
                left_keys.push(left);
                right_keys.push(right);
            }
            other => filters.push(binary(left, other, right)),
        }
    }
    let filter = match filters.is_empty() {
        true => None,
        false => Some(joined(filters, Binary::And)?),
    };
    let null_equality = match nulls_are_equal {
        true => NullEquality::NullEqualsNull,
        false => NullEquality::NullEqualsNothing,
    };
    let on: Vec<(Expr, Expr)> = left_keys.into_iter().zip(right_keys).collect();
    let join = datafusion::logical_expr::logical_plan::Join::try_new(
        std::sync::Arc::new(left.plan),
        std::sync::Arc::new(right.plan),
        on,
        filter,
        kind,
        datafusion::common::JoinConstraint::On,
        null_equality,
        false,
    )?;
    Ok(datafusion::logical_expr::LogicalPlan::Join(join))
}
