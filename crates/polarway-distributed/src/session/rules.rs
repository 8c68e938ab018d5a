//! The rules that make a logical plan faster.

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

/// Rules of DataFusion's that change answers.
///
/// `eliminate_group_by_constant` makes a grouping by constants one without groups, which has a row even if there are no rows.
const WRONG: [&str; 1] = ["eliminate_group_by_constant"];

/// DataFusion's rules, without those that change answers.
#[must_use]
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !WRONG.contains(&rule.name()));
    rules
}
