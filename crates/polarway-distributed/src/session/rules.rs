//! The rules that make a plan faster.

use std::sync::Arc;

use datafusion::common::NullEquality;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::conditions::CompareTogether;
use super::{joins, projections};

/// Rules for physical plans, in the order in which they apply.
pub(super) type PhysicalRules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// Rules of DataFusion's that don't belong to plans of DuckDB's.
///
/// - `eliminate_group_by_constant` changes answers: it makes a grouping by constants one without groups, which has a row even if there
///   are no rows.
/// - `eliminate_cross_join` joins tables in the order in which the plan names them. DuckDB has chosen a better one. It also changes
///   answers: it drops keys that are constant, and gives all joins one meaning of NULL.
/// - `eliminate_duplicated_expr` drops keys of an order that depend on others. Where a projection has a constant before a column, DataFusion
///   takes the constant for the column, and the order is lost.
const LEFT_OUT: [&str; 3] =
    ["eliminate_group_by_constant", "eliminate_cross_join", "eliminate_duplicated_expr"];

/// DataFusion's rules, without what doesn't belong to plans of DuckDB's.
#[must_use]
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !LEFT_OUT.contains(&rule.name()));
    let keys: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(KeysOfEqualities::default());
    for rule in rules.iter_mut().filter(|rule| rule.name() == keys.name()) {
        *rule = Arc::clone(&keys);
    }
    rules
}

/// DataFusion's rules for physical plans over so many workers, with those that belong to plans of DuckDB's.
#[must_use]
pub fn physical_optimizer_rules(workers: usize) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    joins::spread(&mut rules, workers);
    projections::protect(&mut rules);
    // After those that read conditions.
    rules.push(Arc::new(CompareTogether));
    rules
}

/// DataFusion's rule that makes keys of equalities in the condition of a join, but for joins whose keys are equal where both are NULL:
/// the new keys would be, too.
#[derive(Debug, Default)]
struct KeysOfEqualities(ExtractEquijoinPredicate);

impl OptimizerRule for KeysOfEqualities {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}
