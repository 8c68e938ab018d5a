//! Aggregations of the same rows by one set of columns, or by several.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::expr::{Case, GroupingSet};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlanBuilder, cast, lit};

use super::Translator;
use super::aggregates::Made;
use super::collected::is_unordered_list;
use super::constants::null;
use super::groups::Groups;
use super::operators::form;
use super::relation::{Relation, RowOrder};
use crate::bound::{AggregateNode, Expression, SqlType};
use crate::functions::opaque;
use crate::refusal::Refusal;

/// The most grouping sets.
const MOST_SETS: usize = 64;

/// The most groups of several sets: each has a bit in a BIGINT.
const MOST_GROUPS: usize = 63;

/// Places of groups, in ascending order.
type Set = Vec<usize>;

impl Translator<'_> {
    pub(super) fn aggregate(&mut self, node: &AggregateNode) -> Result<Relation, Refusal> {
        let input = self.only(&node.children)?;
        let mut sets = node.grouping_sets.clone();
        if sets.is_empty() {
            sets.push((0..node.groups.len()).collect());
        }
        if sets.len() > MOST_SETS || (sets.len() > 1 && node.groups.len() > MOST_GROUPS) {
            return Err(Refusal::TooLarge);
        }
        if sets.iter().flatten().any(|place| *place >= node.groups.len()) {
            return Err(form("a grouping set"));
        }
        let readings = readings(sets);
        if readings.len() > 1 && !input.is_repeatable {
            return Err(Refusal::Order("several grouping sets over these rows".to_owned()));
        }
        let mut parts = Vec::with_capacity(readings.len());
        for (place, sets) in readings.into_iter().enumerate() {
            let input = if place == 0 { input.clone() } else { self.again(input.clone())? };
            parts.push(self.aggregate_once(node, &Sets::new(sets), input)?);
        }
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Err(form("an aggregate")) };
        parts.try_fold(first, |all, part| self.union_all(all, part))
    }

    /// The groups of these sets, from one reading of the rows.
    fn aggregate_once(
        &mut self,
        node: &AggregateNode,
        sets: &Sets,
        input: Relation,
    ) -> Result<Relation, Refusal> {
        let groups = sets.places.iter().map(|place| &node.groups[*place]);
        let groups = groups.map(|group| Ok((self.expression(group, &input)?, group.sql_type())));
        let groups = groups.collect::<Result<Vec<_>, Refusal>>()?;
        let Groups { keys, parts, shown } = self.groups(groups, &input)?;
        let mut made = Made { parts, is_repeatable: true };
        let mut results = Vec::with_capacity(node.expressions.len());
        for expression in &node.expressions {
            let Expression::Aggregate(aggregate) = expression else { return Err(form("an aggregate")) };
            results.push((
                self.one(aggregate, node.is_of_subquery(), &input, &mut made)?,
                aggregate.return_type.clone(),
            ));
        }
        let grouped = match sets.are_several() {
            true => Self::grouping_sets(input, keys, made.parts, sets)?,
            false => self.grouping(input, keys, made.parts)?,
        };
        let grouped = Relation { is_repeatable: grouped.is_repeatable && made.is_repeatable, ..grouped };
        // All groups, NULL where the set has none; the aggregates; the bits of grouping().
        let mut values = Vec::new();
        for (place, group) in node.groups.iter().enumerate() {
            let sql_type = group.sql_type();
            let none = null(&sql_type)?;
            let value = match sets.places.iter().position(|grouped| *grouped == place) {
                Some(found) => {
                    let shown = shown[found].0.clone();
                    match sql_type.is_float() {
                        // It is an aggregate, which all sets have.
                        true => {
                            sets.by_set(|set| if set.contains(&place) { shown.clone() } else { none.clone() })
                        }
                        false => shown,
                    }
                }
                None => none,
            };
            values.push((if sets.are_several() { opaque(value) } else { value }, sql_type));
        }
        values.extend(results);
        for function in &node.grouping_functions {
            let bits = |set: &Set| {
                lit(function.iter().fold(0_i64, |bits, place| bits << 1 | i64::from(!set.contains(place))))
            };
            values.push((sets.by_set(bits), SqlType::BigInt));
        }
        let mut result = self.project(grouped, values)?;
        for (expression, column) in node.expressions.iter().zip(&mut result.columns[node.groups.len()..]) {
            if let Expression::Aggregate(called) = expression
                && is_unordered_list(called)
            {
                column.refused = Some(Refusal::Order(called.name.clone()));
            }
        }
        Ok(result)
    }

    /// Groups the rows by several sets of these keys.
    ///
    /// DataFusion takes what it knows of a key in the rows below (that it is constant, in order, or parts the rows) for true of the
    /// groups, and the keys for unique together, though sets without them have NULLs. So it must know nothing of the keys, and whoever
    /// reads the groups nothing of them.
    fn grouping_sets(
        input: Relation,
        keys: Vec<(String, Expr)>,
        parts: Vec<(String, Expr)>,
        sets: &Sets,
    ) -> Result<Relation, Refusal> {
        let names: Vec<String> = keys.iter().map(|(name, _)| name.clone()).collect();
        let mut below: Vec<Expr> = input.plan.schema().columns().into_iter().map(Expr::Column).collect();
        below.extend(keys.into_iter().map(|(name, key)| opaque(key).alias(name)));
        let plan = LogicalPlanBuilder::new(input.plan.clone()).project(below)?.build()?;
        let key = |place: &usize| {
            let found = sets.places.iter().position(|known| known == place);
            let name = found.and_then(|found| names.get(found)).ok_or_else(|| form("a grouping set"))?;
            Ok(Expr::Column(Column::new_unqualified(name)))
        };
        let of_set = |set: &Set| set.iter().map(key).collect::<Result<Vec<_>, Refusal>>();
        let exprs = sets.sets.iter().map(of_set).collect::<Result<Vec<_>, _>>()?;
        let sets = Expr::GroupingSet(GroupingSet::GroupingSets(exprs));
        let parts = parts.into_iter().map(|(name, part)| part.alias(name));
        let plan = LogicalPlanBuilder::new(plan).aggregate([sets], parts)?.build()?;
        Ok(Relation { plan, columns: Vec::new(), order: RowOrder::Any, size: input.size + 2, ..input })
    }
}

/// The sets that one reading of the rows serves. A set without columns has a row even if there are no rows at all, which
/// DataFusion gives only if it is alone.
fn readings(sets: Vec<Set>) -> Vec<Vec<Set>> {
    let (mut together, mut alone): (Vec<Set>, Vec<Vec<Set>>) = (Vec::new(), Vec::new());
    for mut set in sets {
        set.sort_unstable();
        match set.is_empty() || together.contains(&set) {
            true => alone.push(vec![set]),
            false => together.push(set),
        }
    }
    if !together.is_empty() {
        alone.insert(0, together);
    }
    alone
}

/// Sets of groups that differ.
struct Sets {
    sets: Vec<Set>,
    /// The groups that are in a set, in the order in which DataFusion finds them.
    places: Vec<usize>,
}

impl Sets {
    fn new(sets: Vec<Set>) -> Self {
        let mut places = Vec::new();
        for place in sets.iter().flatten() {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        Self { sets, places }
    }

    fn are_several(&self) -> bool {
        self.sets.len() > 1
    }

    /// DataFusion's number for the groups of a set: a bit for each key, 1 if the set is without it.
    fn id(&self, set: &Set) -> i64 {
        self.places.iter().fold(0, |id, place| id << 1 | i64::from(!set.contains(place)))
    }

    /// A value of groups that depends on their set.
    fn by_set(&self, value: impl Fn(&Set) -> Expr) -> Expr {
        let mut values: Vec<(&Set, Expr)> = self.sets.iter().map(|set| (set, value(set))).collect();
        let Some((_, last)) = values.pop() else { return lit(0_i64) };
        if values.iter().all(|(_, value)| *value == last) {
            return last;
        }
        let id = cast(Expr::Column(Column::from_name(Aggregate::INTERNAL_GROUPING_ID)), DataType::Int64);
        let branch =
            |(set, value): (&Set, Expr)| (Box::new(id.clone().eq(lit(self.id(set)))), Box::new(value));
        let branches = values.into_iter().map(branch).collect();
        Expr::Case(Case::new(None, branches, Some(Box::new(last))))
    }
}
