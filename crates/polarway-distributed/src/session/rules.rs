//! The rules that make a logical plan faster.

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

/// Rules of DataFusion's that don't belong to plans of DuckDB's.
///
/// - `eliminate_group_by_constant` changes answers: it makes a grouping by constants one without groups, which has a row even if there
///   are no rows.
/// - `eliminate_cross_join` joins tables in the order in which the plan names them. DuckDB has chosen a better one.
const LEFT_OUT: [&str; 2] = ["eliminate_group_by_constant", "eliminate_cross_join"];

/// DataFusion's rules, without those that don't belong to plans of DuckDB's.
#[must_use]
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !LEFT_OUT.contains(&rule.name()));
    rules
}
