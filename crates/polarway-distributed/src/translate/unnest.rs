//! Lists whose items become rows.

use datafusion::common::{Column, UnnestOptions};
use datafusion::logical_expr::LogicalPlanBuilder;

use super::Translator;
use super::operators::form;
use super::relation::{OutputColumn, Relation, RowOrder};
use crate::bound::{Expression, SqlType};
use crate::refusal::Refusal;

impl Translator<'_> {
    /// Adds columns with the items of lists: each row as often as the longest of its lists has items, with NULL for the items
    /// that another one does not have.
    pub(super) fn unnest(&mut self, input: Relation, lists: &[Expression]) -> Result<Relation, Refusal> {
        let kept = input.columns.clone();
        let mut values = Vec::with_capacity(lists.len());
        let mut items = Vec::with_capacity(lists.len());
        for list in lists {
            let Expression::Unnest { list, sql_type } = list else { return Err(form("an UNNEST")) };
            match list.sql_type() {
                SqlType::List(item) | SqlType::Array(item, _) if *item == *sql_type => items.push(*item),
                other => return Err(Refusal::Operator(format!("UNNEST of {other}"))),
            }
            values.push((self.expression(list, &input)?, list.sql_type()));
        }
        let listed = self.extended(input, &kept, values)?;
        let (kept, list_columns) = listed.columns.split_at(kept.len());
        let unnested: Vec<Column> = list_columns.iter().map(|column| column.column.clone()).collect();
        let plan = LogicalPlanBuilder::new(listed.plan.clone())
            .unnest_columns_with_options(unnested, UnnestOptions::new().with_preserve_nulls(false))?
            .build()?;
        let items = list_columns
            .iter()
            .zip(items)
            .map(|(column, sql_type)| OutputColumn { sql_type, ..column.clone() });
        let columns = kept.iter().cloned().chain(items).collect();
        Ok(Relation { plan, columns, order: RowOrder::Any, size: listed.size + 1, ..listed })
    }
}
