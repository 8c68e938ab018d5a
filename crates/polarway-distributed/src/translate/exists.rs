//! EXISTS and NOT EXISTS.
//!
//! For some of them DuckDB collects the distinct keys of the outer rows, joins these keys with the subquery's rows, and then keeps the
//! outer rows whose keys were found. Here the outer rows would be read twice for that. So they are joined with the subquery's rows
//! themselves: a row's key was found if the row has such a partner.

use datafusion::logical_expr::Operator as Binary;

use super::Translator;
use super::relation::Relation;
use crate::bound::{Expression, Join, Operator};
use crate::refusal::Refusal;

/// How DuckDB looks for the keys that were found.
const SAME_KEY: &str = "COMPARE_NOT_DISTINCT_FROM";

/// The subquery's rows beside the keys.
struct Subquery<'p> {
    /// Their join, without the projections around it.
    join: &'p Join,
    rows: &'p Operator,
    keys_are_left: bool,
    /// For each column that the subquery gives, its place among those of the join; `None` if it gives all of these.
    places: Option<Vec<usize>>,
}

impl Translator<'_> {
    /// The outer rows with, or without, a partner. `None` if the subquery has another form.
    pub(super) fn exists(&mut self, join: &Join, outer: &Relation) -> Result<Option<Relation>, Refusal> {
        let (true, [_, subquery]) =
            (matches!(join.join_type.as_str(), "SEMI" | "ANTI"), join.children.as_slice())
        else {
            return Ok(None);
        };
        let (Some(keys), Some(subquery)) = (keys(join), Subquery::of(subquery)) else { return Ok(None) };
        let Some(rows) = self.apart(subquery.rows) else { return Ok(None) };
        if !subquery.gives(join, &keys, rows.columns.len()) {
            return Ok(None);
        }
        let keys = outer.clone().mapped(&keys)?;
        let mut pairs = Vec::with_capacity(subquery.join.conditions.len());
        for condition in &subquery.join.conditions {
            let pair = match subquery.keys_are_left {
                true => Some(self.condition(condition, &keys, &rows)?),
                false => self.condition(condition, &rows, &keys)?.turned(),
            };
            let Some(pair) = pair else { return Ok(None) };
            pairs.push(pair);
        }
        // Others would compare each row with each.
        if !pairs.iter().any(|pair| pair.operator == Binary::Eq) {
            return Ok(None);
        }
        let maps = (join.left_projection_map.as_slice(), [].as_slice());
        self.joined_rows(&join.join_type, outer.clone(), rows, pairs, None, maps).map(Some)
    }

    /// Rows that don't read the keys of a join around them.
    fn apart(&mut self, rows: &Operator) -> Option<Relation> {
        let around = std::mem::take(&mut self.delims);
        let rows = self.operator(rows);
        self.delims = around;
        rows.ok()
    }
}

/// The places of the keys in the outer rows.
fn keys(join: &Join) -> Option<Vec<usize>> {
    join.duplicate_eliminated_columns.iter().map(place).collect()
}

fn place(column: &Expression) -> Option<usize> {
    match column {
        Expression::Column { index, .. } => Some(*index),
        _ => None,
    }
}

impl<'p> Subquery<'p> {
    fn of(operator: &'p Operator) -> Option<Self> {
        match operator {
            Operator::Projection(projection) => {
                let [input] = projection.children.as_slice() else { return None };
                let below = Self::of(input)?;
                let places = projection.expressions.iter().map(|column| below.place(column));
                Some(Self { places: Some(places.collect::<Option<_>>()?), ..below })
            }
            Operator::Join(join) if join.join_type == "INNER" && join.predicate.is_none() => {
                let is_whole = join.left_projection_map.is_empty() && join.right_projection_map.is_empty();
                let (rows, keys_are_left) = match join.children.as_slice() {
                    [rows, Operator::DelimGet { .. }] => (rows, false),
                    [Operator::DelimGet { .. }, rows] => (rows, true),
                    _ => return None,
                };
                is_whole.then_some(Self { join, rows, keys_are_left, places: None })
            }
            _ => None,
        }
    }

    /// The place of a column that the subquery gives among those of the join.
    fn place(&self, column: &Expression) -> Option<usize> {
        let place = place(column)?;
        self.places.as_ref().map_or(Some(place), |places| places.get(place).copied())
    }

    /// Whether the outer join looks for exactly the keys that the subquery read, each of them.
    fn gives(&self, outer: &Join, keys: &[usize], columns_of_rows: usize) -> bool {
        let first = if self.keys_are_left { 0 } else { columns_of_rows };
        let is_for = |key: usize, wanted: usize| {
            outer.conditions.iter().any(|condition| {
                condition.comparison == SAME_KEY
                    && place(&condition.left) == Some(wanted)
                    && self.place(&condition.right) == Some(first + key)
            })
        };
        outer.conditions.len() == keys.len()
            && keys.iter().enumerate().all(|(key, wanted)| is_for(key, *wanted))
    }
}
