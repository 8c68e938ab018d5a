//! Values that rows are grouped by.

use datafusion::common::Column;
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::logical_expr::Expr;

use super::Translator;
use super::aggregates::column_of_part;
use super::comparisons::{from_key, key, key_type};
use super::constants::null;
use super::operators::exact;
use super::relation::Relation;
use crate::bound::SqlType;
use crate::functions::{BITS, FROM_BITS};
use crate::refusal::Refusal;

/// What rows are grouped by, and what groups show of it.
pub(super) struct Groups {
    /// By the names of their columns.
    pub(super) keys: Vec<(String, Expr)>,
    /// Aggregates that `shown` reads, by the names of their columns.
    pub(super) parts: Vec<(String, Expr)>,
    /// The values of a group, in the columns of the grouped rows.
    pub(super) shown: Vec<(Expr, SqlType)>,
}

impl Translator<'_> {
    pub(super) fn groups(
        &mut self,
        values: Vec<(Expr, SqlType)>,
        input: &Relation,
    ) -> Result<Groups, Refusal> {
        let mut groups = Groups { keys: Vec::new(), parts: Vec::new(), shown: Vec::new() };
        for (value, sql_type) in values {
            let name = self.fresh();
            let grouped = exact(key(value.clone(), &sql_type)?, &key_type(&sql_type), &input.plan)?;
            groups.keys.push((name.clone(), grouped));
            let shown = match sql_type.is_float() {
                // Of 0 and -0, which are equal, a group shows one that it has.
                true => {
                    let bits = min_udaf().call(vec![BITS.call(vec![value])]);
                    let part = column_of_part(&mut groups.parts, self.fresh(), bits);
                    FROM_BITS.call(vec![part, null(&sql_type)?])
                }
                false => from_key(Expr::Column(Column::new_unqualified(name)), &sql_type)?,
            };
            groups.shown.push((shown, sql_type));
        }
        Ok(groups)
    }
}
