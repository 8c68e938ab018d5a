//! Set operations, and distinct rows.

use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

use super::Translator;
use super::comparisons::key;
use super::operators::form;
use super::relation::{Relation, RowOrder};
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
        let types = |relation: &Relation| -> Vec<SqlType> {
            relation.columns.iter().map(|column| column.sql_type.clone()).collect()
        };
        self.has_union = true;
        let types_of_one = types(&one);
        if types_of_one != types(&other) {
            return Err(form("a UNION"));
        }
        let is_repeatable = one.is_repeatable && other.is_repeatable;
        let size = one.size + other.size + 1;
        let (one, other) = (self.just_columns(one)?, self.just_columns(other)?);
        let plan = LogicalPlanBuilder::new(one.plan).union(other.plan)?.build()?;
        let values = plan.schema().columns().into_iter().map(Expr::Column).zip(types_of_one).collect();
        let order = RowOrder::Any;
        self.project(Relation { plan, columns: Vec::new(), order, is_repeatable, size }, values)
    }

    pub(super) fn distinct_rows(&mut self, rows: Relation) -> Result<Relation, Refusal> {
        let groups = rows
            .columns
            .iter()
            .map(|column| Ok((key(column.value()?, &column.sql_type)?, column.sql_type.clone())));
        let groups = groups.collect::<Result<Vec<_>, Refusal>>()?;
        if groups.is_empty() {
            return Err(form("a DISTINCT of no columns"));
        }
        let order = rows.order;
        let distinct = self.grouped(rows, groups, Vec::new())?;
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
        let is_first = Expr::Column(datafusion::common::Column::new_unqualified(name))
            .eq(datafusion::logical_expr::lit(1_u64));
        let numbered = Relation { plan, is_repeatable: false, order: RowOrder::Any, ..input };
        self.filtered(numbered, vec![is_first])
    }

    pub(super) fn intersect_or_except(
        &mut self,
        sets: &SetOperation,
        is_intersect: bool,
    ) -> Result<Relation, Refusal> {
        if sets.setop_all {
            let name = if is_intersect { "INTERSECT ALL" } else { "EXCEPT ALL" };
            return Err(Refusal::Operator(name.to_owned()));
        }
        let [one, other] = sets.children.as_slice() else { return Err(form("a set operation")) };
        let (one, other) = (self.operator(one)?, self.operator(other)?);
        let (one, other) = (self.distinct_rows(one)?, self.distinct_rows(other)?);
        let mut pairs = Vec::with_capacity(one.columns.len());
        for (left, right) in one.columns.iter().zip(&other.columns) {
            if left.sql_type != right.sql_type {
                return Err(form("a set operation"));
            }
            pairs.push((left.value()?, right.value()?));
        }
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
        Ok(Relation {
            plan: LogicalPlan::Join(join),
            is_repeatable: one.is_repeatable && other.is_repeatable,
            size: one.size + other.size + 1,
            ..one
        })
    }

    /// The plan has the columns, in their order, and no others.
    fn just_columns(&mut self, relation: Relation) -> Result<Relation, Refusal> {
        let values = relation.columns.iter().map(|column| Ok((column.value()?, column.sql_type.clone())));
        let values = values.collect::<Result<_, Refusal>>()?;
        self.project(relation, values)
    }
}
