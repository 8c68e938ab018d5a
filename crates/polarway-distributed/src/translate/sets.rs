//! Set operations, and distinct rows.

use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

use super::Translator;
use super::comparisons::{holds_float, key};
use super::groups::Groups;
use super::operators::form;
use super::relation::{OutputColumn, Relation, RowOrder};
use crate::bound::{Distinct, SetOperation, SqlType};
use crate::refusal::Refusal;

impl Translator<'_> {
    pub(super) fn union(&mut self, sets: &SetOperation) -> Result<Relation, Refusal> {
        let mut parts = Vec::with_capacity(sets.children.len());
        for child in &sets.children {
            parts.push(self.operator(child)?);
        }
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| form("a UNION"))?;
        let all = parts.try_fold(first, |all, part| self.union_all(all, part))?;
        if sets.setop_all { Ok(all) } else { self.distinct_rows(all) }
    }

    /// All rows of both; their types are the same.
    pub(super) fn union_all(&mut self, one: Relation, other: Relation) -> Result<Relation, Refusal> {
        self.has_parts = true;
        let types = one.types();
        if types != other.types() {
            return Err(form("a UNION"));
        }
        let is_repeatable = one.is_repeatable && other.is_repeatable;
        let size = one.size + other.size + 1;
        let (one, other) = (self.just_columns(one)?, self.just_columns(other)?);
        let plan = LogicalPlanBuilder::new(one.plan).union(other.plan)?.build()?;
        let values = plan.schema().columns().into_iter().map(Expr::Column).zip(types).collect();
        let order = RowOrder::Any;
        self.project(Relation { plan, columns: Vec::new(), order, is_repeatable, size }, values)
    }

    pub(super) fn distinct_rows(&mut self, rows: Relation) -> Result<Relation, Refusal> {
        let values = rows.columns.iter().map(OutputColumn::typed);
        let values = values.collect::<Result<Vec<_>, Refusal>>()?;
        if values.is_empty() {
            return Err(form("a DISTINCT of no columns"));
        }
        let order = rows.order;
        let Groups { keys, parts, shown } = self.groups(values, &rows)?;
        let grouped = self.grouping(rows, keys, parts)?;
        let distinct = self.project(grouped, shown)?;
        Ok(Relation { order: if order == RowOrder::AtMostOne { order } else { RowOrder::Any }, ..distinct })
    }

    pub(super) fn distinct(&mut self, distinct: &Distinct) -> Result<Relation, Refusal> {
        let input = self.only(&distinct.children)?;
        match distinct.distinct_type.as_str() {
            "DISTINCT" if distinct.order_by.as_ref().is_none_or(|order| order.orders.is_empty()) => {
                self.distinct_rows(input)
            }
            "DISTINCT" => Err(Refusal::Operator("DISTINCT with an order".to_owned())),
            _ => self.distinct_on(distinct, input),
        }
    }

    /// The first row for each value of the targets, in an order.
    fn distinct_on(&mut self, distinct: &Distinct, input: Relation) -> Result<Relation, Refusal> {
        let orders = distinct.order_by.as_ref().map(|order| order.orders.as_slice()).unwrap_or_default();
        if orders.is_empty() {
            return Err(Refusal::Order("DISTINCT ON".to_owned()));
        }
        let orders = self.orders(orders, &input)?;
        let targets = distinct.distinct_targets.iter();
        let targets = targets.map(|target| key(self.expression(target, &input)?, &target.sql_type()));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let place = self.row_number(targets, orders);
        let name = self.fresh();
        let plan = LogicalPlanBuilder::new(input.plan.clone()).window(vec![place.alias(&name)])?.build()?;
        let is_first = Expr::Column(Column::new_unqualified(name)).eq(datafusion::logical_expr::lit(1_u64));
        let numbered = Relation { plan, is_repeatable: false, order: RowOrder::Any, ..input };
        self.filtered(numbered, vec![is_first])
    }

    pub(super) fn intersect_or_except(
        &mut self,
        sets: &SetOperation,
        is_intersect: bool,
    ) -> Result<Relation, Refusal> {
        let [one, other] = sets.children.as_slice() else { return Err(form("a set operation")) };
        let (one, other) = (self.operator(one)?, self.operator(other)?);
        if one.types() != other.types() {
            return Err(form("a set operation"));
        }
        let (one, other) = match sets.setop_all {
            // Of rows that are equal, each has its number: the first one has the first one of the other side for a partner.
            true => (self.numbered(one)?, self.numbered(other)?),
            false => (self.distinct_rows(one)?, self.distinct_rows(other)?),
        };
        let pairs = keys(&one)?.into_iter().zip(keys(&other)?).collect();
        let join = Join::try_new(
            Arc::new(one.plan.clone()),
            Arc::new(other.plan.clone()),
            pairs,
            None,
            if is_intersect { JoinType::LeftSemi } else { JoinType::LeftAnti },
            datafusion::common::JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        )?;
        let mut columns = one.columns.clone();
        if sets.setop_all {
            columns.pop();
        }
        Ok(Relation {
            plan: LogicalPlan::Join(join),
            columns,
            order: RowOrder::Any,
            is_repeatable: one.is_repeatable && other.is_repeatable,
            size: one.size + other.size + 1,
        })
    }

    /// With one more column: the number of each row among those that are equal to it.
    fn numbered(&mut self, rows: Relation) -> Result<Relation, Refusal> {
        if let Some(sql_type) = rows.types().iter().find(|sql_type| holds_float(sql_type)) {
            return Err(Refusal::Type(format!("{sql_type}, when they are counted,")));
        }
        let number = self.row_number(keys(&rows)?, Vec::new());
        let name = self.fresh();
        let plan = LogicalPlanBuilder::new(rows.plan.clone()).window(vec![number.alias(&name)])?.build()?;
        let mut columns = rows.columns;
        let column = Column::new_unqualified(name);
        columns.push(OutputColumn { column, sql_type: SqlType::UBigInt, refused: None });
        Ok(Relation { plan, columns, ..rows })
    }

    /// The plan has the columns, in their order, and no others.
    fn just_columns(&mut self, relation: Relation) -> Result<Relation, Refusal> {
        let values = relation.columns.iter().map(OutputColumn::typed);
        let values = values.collect::<Result<_, Refusal>>()?;
        self.project(relation, values)
    }
}

/// What rows are compared by.
fn keys(relation: &Relation) -> Result<Vec<Expr>, Refusal> {
    relation.columns.iter().map(|column| key(column.value()?, &column.sql_type)).collect()
}
